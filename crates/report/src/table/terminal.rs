use super::{Align, Table, superscript};
use crate::format::one_line;
use std::fmt::Write;

impl Table {
    /// Aligned columns for a terminal, with a final newline.
    pub fn terminal(&self) -> String {
        let ranked: Vec<bool> = (0..self.columns.len()).map(|i| self.has_ranks(i)).collect();
        let lines: Vec<Vec<String>> = self
            .all_rows()
            .map(|row| {
                row.iter()
                    .zip(&ranked)
                    .map(|(cell, &ranked)| {
                        // Unmarked cells keep the place of the mark, so that digits stay below digits.
                        let mark = match superscript(cell.rank) {
                            "" if ranked => " ",
                            mark => mark,
                        };
                        one_line(&format!("{}{mark}", cell.line()))
                    })
                    .collect()
            })
            .collect();
        let headings: Vec<String> = self.columns.iter().map(|c| one_line(&c.heading)).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|i| {
                let cells = lines.iter().chain([&headings]).filter_map(|row| row.get(i));
                cells.map(|cell| width(cell)).max().unwrap_or(0)
            })
            .collect();
        let rule: Vec<String> = widths.iter().map(|&w| "─".repeat(w)).collect();
        let rule = rule.join("  ");
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", one_line(&self.caption));
        }
        let _ = writeln!(out, "{}\n{rule}", self.terminal_row(&headings, &widths));
        for (i, line) in lines.iter().enumerate() {
            if i == self.rows.len() {
                let _ = writeln!(out, "{rule}");
            }
            let _ = writeln!(out, "{}", self.terminal_row(line, &widths));
        }
        for note in self.notes_with_legend() {
            let _ = write!(out, "\n{}\n", one_line(&note));
        }
        out
    }

    fn terminal_row(&self, cells: &[String], widths: &[usize]) -> String {
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
        padded.join("  ").trim_end().to_owned()
    }
}

/// Columns on a terminal, near enough: one a character.
fn width(text: &str) -> usize {
    text.chars().count()
}
