//! One table, five ways to write it.

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
    /// What the table shows, one line.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// Rows of as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Rows below a rule, which sorting leaves in place: averages and ranks.
    pub footer: Vec<Vec<Cell>>,
    /// What marked cells are the best of, as `of the row`; each format explains its own marks.
    pub ranked: Option<&'static str>,
    /// Sentences below the table.
    pub notes: Vec<String>,
}

/// A column's heading and alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub heading: String,
    /// How its cells stand.
    pub align: Align,
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
pub struct Cell {
    /// What is read.
    pub text: String,
    /// The interval of a score as fractions, printed after it in small type.
    pub interval: Option<[f64; 2]>,
    /// What the column sorts by, where that is not the text.
    pub value: Option<f64>,
    /// 1, 2 or 3 where the cell is among the best of its row.
    pub rank: Option<u8>,
}

impl Column {
    /// A column of words.
    pub fn left(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            align: Align::Left,
        }
    }

    /// A column of numbers.
    pub fn right(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            align: Align::Right,
        }
    }
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A number as it is printed and as it sorts.
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
        // A real minus sign; no sign on nothing.
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

    /// With an interval.
    pub fn with_interval(mut self, interval: Option<[f64; 2]>) -> Self {
        self.interval = interval;
        self
    }

    /// Text and interval in one line.
    pub(crate) fn line(&self) -> String {
        match self.interval {
            Some(ci) => format!("{} {}", self.text, interval(ci)),
            None => self.text.clone(),
        }
    }
}

impl Table {
    /// Rows and footer.
    pub(crate) fn all_rows(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.rows.iter().chain(&self.footer)
    }

    /// The notes, with what superscripts mean where there are some.
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
pub(crate) fn mark_best(cells: &mut [&mut Cell]) {
    let printed = |cell: &Cell| cell.value.map(|v| (v * 10_000.0).round());
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
        let mut cells: Vec<Cell> = values.iter().map(|&v| Cell::score(v)).collect();
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
        assert_eq!(Cell::difference(-0.0123).text, "−1.23");
        assert_eq!(Cell::difference(0.0123).text, "+1.23");
        assert_eq!(Cell::difference(-0.000_01).text, "0.00");
    }
}
