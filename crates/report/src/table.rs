use crate::format::{escape, one_line};
use std::fmt::Write;

/// A table for people, made once and written in any of the formats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// What the table shows, one line.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// Rows of as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
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
    /// What is read first.
    pub text: String,
    /// Small print after it, as an interval.
    pub detail: Option<String>,
    /// What the column sorts by, where that is not the text.
    pub value: Option<f64>,
    /// 1, 2 or 3 where the cell is among the best of its column or row.
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

    /// No value.
    pub fn missing() -> Self {
        Self::text("–")
    }

    /// With small print.
    pub fn with_detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    /// Text and small print in one line.
    pub(crate) fn line(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} {detail}", self.text),
            None => self.text.clone(),
        }
    }
}

impl Table {
    /// Aligned columns for a terminal, no line longer than its content, with a final newline.
    pub fn terminal(&self) -> String {
        let lines: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|cell| one_line(&format!("{}{}", cell.line(), stars(cell.rank))))
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = lines
                    .iter()
                    .filter_map(|row| row.get(i))
                    .map(|cell| width(cell));
                cells.chain([width(&column.heading)]).max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", one_line(&self.caption));
        }
        let headings: Vec<String> = self.columns.iter().map(|c| one_line(&c.heading)).collect();
        self.terminal_row(&mut out, &headings, &widths);
        let rule: Vec<String> = widths.iter().map(|&w| "─".repeat(w)).collect();
        let _ = writeln!(out, "{}", rule.join("  "));
        for line in &lines {
            self.terminal_row(&mut out, line, &widths);
        }
        for note in &self.notes {
            let _ = write!(out, "\n{}\n", one_line(note));
        }
        out
    }

    fn terminal_row(&self, out: &mut String, cells: &[String], widths: &[usize]) {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .zip(&self.columns)
            .map(|((cell, &w), column)| {
                let gap = " ".repeat(w.saturating_sub(width(cell)));
                match column.align {
                    Align::Left => format!("{cell}{gap}"),
                    Align::Right => format!("{gap}{cell}"),
                }
            })
            .collect();
        let _ = writeln!(out, "{}", padded.join("  ").trim_end());
    }

    /// A sortable HTML table; the page's script does the sorting, and without it the table still reads.
    pub fn html(&self) -> String {
        let mut out = String::from("<div class=\"scroll\" tabindex=\"0\" role=\"region\"");
        let _ = write!(out, " aria-label=\"{}\">", escape(&self.caption));
        out.push_str("<table class=\"sortable\">");
        let _ = write!(
            out,
            "<caption>{}</caption><thead><tr>",
            escape(&self.caption)
        );
        for column in &self.columns {
            let _ = write!(
                out,
                "<th scope=\"col\"{}>{}</th>",
                class(column.align, None),
                escape(&column.heading)
            );
        }
        out.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for (i, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                let tag = if i == 0 { "th scope=\"row\"" } else { "td" };
                let _ = write!(out, "<{tag}{}", class(column.align, cell.rank));
                if let Some(value) = cell.value {
                    let _ = write!(out, " data-sort=\"{value}\"");
                }
                let _ = write!(out, ">{}", escape(&cell.text));
                if let Some(detail) = &cell.detail {
                    let _ = write!(out, " <small>{}</small>", escape(detail));
                }
                out.push_str(if i == 0 { "</th>" } else { "</td>" });
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        for note in &self.notes {
            let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
        }
        out
    }
}

fn class(align: Align, rank: Option<u8>) -> String {
    match (align, rank) {
        (Align::Left, None) => String::new(),
        (Align::Left, Some(rank)) => format!(" class=\"top{rank}\""),
        (Align::Right, None) => " class=\"n\"".to_owned(),
        (Align::Right, Some(rank)) => format!(" class=\"n top{rank}\""),
    }
}

/// The marks of a text table: best, second, third.
pub(crate) fn stars(rank: Option<u8>) -> &'static str {
    match rank {
        Some(1) => "***",
        Some(2) => "**",
        Some(3) => "*",
        _ => "",
    }
}

/// Columns on a terminal, near enough: one a character.
fn width(text: &str) -> usize {
    text.chars().count()
}
