//! A table with five output formats.

mod csv;
mod html;
mod latex;
mod markdown;
mod terminal;

pub(crate) use csv::field;
pub use latex::latex_document;

use crate::format::{interval, percent};

/// A table for people, made once and written in any of the formats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// A one-line caption.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// Rows with one cell per column.
    pub rows: Vec<Vec<TableCell>>,
    /// Rows below a rule, which sorting does not move: averages and ranks.
    pub footer: Vec<Vec<TableCell>>,
    /// The set that marked cells are the best of, as `of the row`; each format explains its own marks.
    pub ranked: Option<&'static str>,
    /// Sentences below the table.
    pub notes: Vec<String>,
    /// How many columns at the left identify a row. If it is not 0, a format of limited width may print the other
    /// columns in groups, each with these before it.
    pub keys: usize,
}

/// A column's heading and alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub heading: String,
    /// The alignment of its cells.
    pub align: Align,
    /// Whether it belongs to the column before it; groups of columns never separate the two.
    pub joined: bool,
}

/// Text to the left, numbers to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableCell {
    /// The printed text.
    pub text: String,
    /// The interval of a score as fractions, printed after it in small type.
    pub interval: Option<[f64; 2]>,
    /// The sort key of the column, if it is not the text.
    pub value: Option<f64>,
    /// 1, 2 or 3 if the cell is among the best of its row.
    pub rank: Option<u8>,
    /// Why there is no value: in the cell on a page, in a numbered note elsewhere.
    pub reason: Option<String>,
}

impl Column {
    /// A column of words.
    pub fn left(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            align: Align::Left,
            joined: false,
        }
    }

    /// A column of numbers.
    pub fn right(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            align: Align::Right,
            joined: false,
        }
    }

    /// A column of numbers that belongs to the column before it.
    pub fn joined(heading: impl Into<String>) -> Self {
        Self {
            joined: true,
            ..Self::right(heading)
        }
    }
}

impl TableCell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A number as printed and its sort key.
    pub fn number(text: impl Into<String>, value: f64) -> Self {
        Self {
            text: text.into(),
            value: Some(value),
            ..Self::default()
        }
    }

    /// A fraction in per cent.
    pub fn score(value: f64) -> Self {
        Self::number(percent(value), value)
    }

    /// A fraction in per cent, or the mark of a missing value.
    pub fn optional_score(value: Option<f64>) -> Self {
        value.map_or_else(Self::missing, Self::score)
    }

    /// A difference of fractions in points, with its sign.
    pub fn difference(value: f64) -> Self {
        let text = format!("{:+.2}", 100.0 * value);
        // A real minus sign; no sign on zero.
        let text = if text.ends_with("0.00") {
            "0.00".to_owned()
        } else {
            text.replace('-', "−")
        };
        Self::number(text, value)
    }

    /// No value.
    pub fn missing() -> Self {
        Self::text("–")
    }

    /// No value, and why.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::missing()
        }
    }

    /// With marks that a note explains.
    pub fn marked(mut self, marks: &str) -> Self {
        self.text.push_str(marks);
        self
    }

    /// With an interval.
    pub fn with_interval(mut self, interval: Option<[f64; 2]>) -> Self {
        self.interval = interval;
        self
    }

    /// Text and interval in one line, with the number of the note that says why there is no value.
    pub(crate) fn line(&self, reasons: &[&str]) -> String {
        let text = &self.text;
        if let Some(ci) = self.interval {
            return format!("{text} {}", interval(ci));
        }
        match self.reason_number(reasons) {
            Some(number) => format!("{text} ({number})"),
            None => text.clone(),
        }
    }

    /// The position, from 1, of the cell's reason among a table's.
    pub(crate) fn reason_number(&self, reasons: &[&str]) -> Option<usize> {
        let reason = self.reason.as_deref()?;
        Some(1 + reasons.iter().position(|known| *known == reason)?)
    }
}

impl Table {
    /// Rows and footer.
    pub(crate) fn all_rows(&self) -> impl Iterator<Item = &Vec<TableCell>> {
        self.rows.iter().chain(&self.footer)
    }

    /// The reasons of cells without a value, each once, in reading order.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        let mut reasons = Vec::new();
        for reason in self
            .all_rows()
            .flatten()
            .filter_map(|c| c.reason.as_deref())
        {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// The columns in groups no wider than `limit`, each group preceded by the key columns; one group if the table
    /// has no keys. `widths` are those of the columns, `gap` is the space between two.
    pub(crate) fn column_groups(
        &self,
        widths: &[usize],
        gap: usize,
        limit: usize,
    ) -> Vec<Vec<usize>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let room = |columns: &[usize]| -> usize {
            columns
                .iter()
                .map(|&i| widths.get(i).copied().unwrap_or(0) + gap)
                .sum()
        };
        if self.keys == 0 || self.keys >= all.len() || room(&all) <= limit + gap {
            return vec![all];
        }
        let (keys, rest) = all.split_at(self.keys);
        let mut groups = vec![keys.to_vec()];
        let first = |at: &usize| *at == 0 || !self.columns[rest[*at]].joined;
        let starts: Vec<usize> = (0..rest.len()).filter(first).collect();
        let ends = starts.iter().skip(1).copied().chain([rest.len()]);
        for (start, end) in starts.iter().copied().zip(ends) {
            let columns = &rest[start..end];
            let last = groups.len() - 1;
            let full = room(&groups[last]) + room(columns) > limit + gap;
            if full && groups[last].len() > keys.len() {
                groups.push(keys.to_vec());
            }
            let last = groups.len() - 1;
            groups[last].extend_from_slice(columns);
        }
        groups
    }

    /// [`Table::notes_with_legend`], then the numbered reasons of empty cells.
    pub(crate) fn notes_with_reasons(&self) -> impl Iterator<Item = String> {
        let reasons: Vec<String> = self
            .reasons()
            .iter()
            .enumerate()
            .map(|(i, reason)| format!("({}) {reason}", i + 1))
            .collect();
        self.notes_with_legend().chain(reasons)
    }

    /// The notes, followed by the meaning of superscripts if there are any.
    pub(crate) fn notes_with_legend(&self) -> impl Iterator<Item = String> {
        let legend = self
            .ranked
            .filter(|_| (0..self.columns.len()).any(|i| self.has_ranks(i)));
        let legend = legend.map(|what| format!("¹ ² ³: best, second and third {what}."));
        legend.into_iter().chain(self.notes.iter().cloned())
    }

    /// Whether some cell of a column is marked as among the best.
    pub(crate) fn has_ranks(&self, column: usize) -> bool {
        self.all_rows()
            .any(|row| row.get(column).is_some_and(|cell| cell.rank.is_some()))
    }

    /// Whether some cell of a column has an interval.
    pub(crate) fn has_intervals(&self, column: usize) -> bool {
        self.all_rows()
            .any(|row| row.get(column).is_some_and(|cell| cell.interval.is_some()))
    }
}

/// Gives 1, 2 and 3 to the highest values; equal printed values share their mark, and with three
/// candidates or fewer only the best is marked.
pub(crate) fn mark_best(cells: &mut [&mut TableCell]) {
    let printed = |cell: &TableCell| cell.value.map(|v| (v * 10_000.0).round());
    let mut values: Vec<f64> = cells.iter().filter_map(|cell| printed(cell)).collect();
    if values.len() < 2 {
        return;
    }
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    let marks = if values.len() > 3 { 3 } else { 1 };
    for cell in cells {
        let Some(value) = printed(cell) else { continue };
        let better = values.iter().filter(|other| **other > value).count();
        if better < marks {
            cell.rank = Some(better as u8 + 1);
        }
    }
}

/// ¹ ² ³.
pub(crate) fn superscript(rank: Option<u8>) -> &'static str {
    match rank {
        Some(1) => "¹",
        Some(2) => "²",
        Some(3) => "³",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(values: &[f64]) -> Vec<Option<u8>> {
        let mut cells: Vec<TableCell> = values.iter().map(|&v| TableCell::score(v)).collect();
        mark_best(&mut cells.iter_mut().collect::<Vec<_>>());
        cells.iter().map(|cell| cell.rank).collect()
    }

    #[test]
    fn the_best_three_are_marked_as_printed() {
        assert_eq!(
            marks(&[0.1, 0.5, 0.3, 0.2]),
            [None, Some(1), Some(2), Some(3)]
        );
        assert_eq!(
            marks(&[0.50001, 0.5, 0.3, 0.2]),
            [Some(1), Some(1), Some(3), None]
        );
        assert_eq!(marks(&[0.5, 0.3]), [Some(1), None]);
        assert_eq!(marks(&[0.5]), [None]);
    }

    #[test]
    fn differences_carry_their_sign() {
        assert_eq!(TableCell::difference(-0.0123).text, "−1.23");
        assert_eq!(TableCell::difference(0.0123).text, "+1.23");
        assert_eq!(TableCell::difference(-0.000_01).text, "0.00");
    }
}
