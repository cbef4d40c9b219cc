use super::{Align, Column, Table, superscript};
use crate::format::one_line;
use std::fmt::Write;

/// Maximum width of a group, if a table can be printed in groups of columns.
const WIDTH: usize = 100;
/// Between two columns.
const GAP: &str = "  ";
/// A heading of a table in groups is broken into lines above this width.
const HEADING: usize = 9;

impl Table {
    /// Aligned columns for a terminal, with a final newline. A table that says which of its columns identify a row
    /// is printed in groups of columns if it is wider than 100 characters.
    pub fn terminal(&self) -> String {
        let reasons = self.reasons();
        let ranked: Vec<bool> = (0..self.columns.len()).map(|i| self.has_ranks(i)).collect();
        let lines: Vec<Vec<String>> = self
            .all_rows()
            .map(|row| {
                row.iter()
                    .zip(&ranked)
                    .map(|(cell, &ranked)| {
                        // Unmarked cells keep the space for the mark, so that digits align.
                        let mark = match superscript(cell.rank) {
                            "" if ranked => " ",
                            mark => mark,
                        };
                        one_line(&format!("{}{mark}", cell.line(&reasons)))
                    })
                    .collect()
            })
            .collect();
        let whole: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|c| vec![one_line(&c.heading)])
            .collect();
        let mut headings = whole;
        let mut widths = column_widths(&headings, &lines);
        let all: usize = widths.iter().map(|w| w + GAP.len()).sum();
        if self.keys > 0 && all > WIDTH + GAP.len() {
            headings = self.columns.iter().map(broken).collect();
            widths = column_widths(&headings, &lines);
        }
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", one_line(&self.caption));
        }
        for (i, group) in self
            .column_groups(&widths, GAP.len(), WIDTH)
            .iter()
            .enumerate()
        {
            if i > 0 {
                out.push('\n');
            }
            self.terminal_group(&mut out, group, &headings, &lines, &widths);
        }
        for note in self.notes_with_reasons() {
            let _ = write!(out, "\n{}\n", one_line(&note));
        }
        out
    }

    fn terminal_group(
        &self,
        out: &mut String,
        group: &[usize],
        headings: &[Vec<String>],
        lines: &[Vec<String>],
        widths: &[usize],
    ) {
        let rule: Vec<String> = group.iter().map(|&i| "─".repeat(widths[i])).collect();
        let rule = rule.join(GAP);
        let height = group.iter().map(|&i| headings[i].len()).max().unwrap_or(0);
        for line in 0..height {
            // Headings are aligned to the rule.
            let cell = |i: usize| {
                let above = height - headings[i].len();
                line.checked_sub(above)
                    .map_or("", |k| headings[i][k].as_str())
            };
            let _ = writeln!(out, "{}", self.terminal_row(group, cell, widths));
        }
        let _ = writeln!(out, "{rule}");
        for (i, line) in lines.iter().enumerate() {
            if i == self.rows.len() {
                let _ = writeln!(out, "{rule}");
            }
            let cell = |column: usize| line.get(column).map_or("", String::as_str);
            let _ = writeln!(out, "{}", self.terminal_row(group, cell, widths));
        }
    }

    fn terminal_row<'a>(
        &self,
        group: &[usize],
        cell: impl Fn(usize) -> &'a str,
        widths: &[usize],
    ) -> String {
        let padded: Vec<String> = group
            .iter()
            .map(|&i| {
                let cell = cell(i);
                let gap = " ".repeat(widths[i].saturating_sub(width(cell)));
                match self.columns[i].align {
                    Align::Left => format!("{cell}{gap}"),
                    Align::Right => format!("{gap}{cell}"),
                }
            })
            .collect();
        padded.join(GAP).trim_end().to_owned()
    }
}

fn column_widths(headings: &[Vec<String>], lines: &[Vec<String>]) -> Vec<usize> {
    headings
        .iter()
        .enumerate()
        .map(|(i, heading)| {
            let cells = lines.iter().filter_map(|row| row.get(i)).chain(heading);
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect()
}

/// A heading in lines, broken after spaces, hyphens, slashes and underscores; headings of text columns stay whole.
fn broken(column: &Column) -> Vec<String> {
    let heading = one_line(&column.heading);
    if column.align == Align::Left {
        return vec![heading];
    }
    let mut lines = vec![String::new()];
    for part in heading.split_inclusive([' ', '-', '/', '_']) {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && width(&lines[last]) + width(part.trim_end()) > HEADING {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        lines[last].push_str(part);
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Width on a terminal, approximately: one column per character.
fn width(text: &str) -> usize {
    text.chars().count()
}
