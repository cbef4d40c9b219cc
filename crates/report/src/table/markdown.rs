use super::{Align, Table, TableCell, superscript};
use crate::format::one_line;
use std::fmt::Write;

impl Table {
    /// A pipe table; the best of a row is bold, the best three are numbered.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", text(&self.caption));
        }
        let headings: Vec<String> = self.columns.iter().map(|c| text(&c.heading)).collect();
        let rules = self.columns.iter().map(|column| match column.align {
            Align::Left => ":--",
            Align::Right => "--:",
        });
        let rules: Vec<&str> = rules.collect();
        let _ = writeln!(
            out,
            "| {} |\n| {} |",
            headings.join(" | "),
            rules.join(" | ")
        );
        let reasons = self.reasons();
        for row in self.all_rows() {
            let cells: Vec<String> = row.iter().map(|c| cell(c, &reasons)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        for note in self.notes_with_reasons() {
            let _ = write!(out, "\n{}\n", text(&note));
        }
        out
    }
}

fn cell(cell: &TableCell, reasons: &[&str]) -> String {
    let body = text(&cell.line(reasons));
    match cell.rank {
        Some(1) => format!("**{body}**{}", superscript(cell.rank)),
        rank => format!("{body}{}", superscript(rank)),
    }
}

/// Every character that could start markup is escaped, so that names print unchanged.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
