use super::{Table, TableCell};

impl Table {
    /// Comma-separated values (RFC 4180): headings, then one line per row. Intervals have two columns of
    /// their own, and the reasons for empty cells are in a last one; captions, notes and marks are left out.
    pub fn csv(&self) -> String {
        let intervals: Vec<bool> = (0..self.columns.len())
            .map(|i| self.has_intervals(i))
            .collect();
        let mut headings = Vec::new();
        for (column, &has_interval) in self.columns.iter().zip(&intervals) {
            headings.push(field(&column.heading));
            if has_interval {
                headings.push(field(&format!("{} low", column.heading)));
                headings.push(field(&format!("{} high", column.heading)));
            }
        }
        let reason = |row: &[TableCell]| row.iter().find_map(|cell| cell.reason.clone());
        let with_reasons = self.all_rows().any(|row| reason(row).is_some());
        if with_reasons {
            headings.push("reason".to_owned());
        }
        let mut out = headings.join(",") + "\r\n";
        for row in self.all_rows() {
            let mut fields = Vec::new();
            for (cell, &has_interval) in row.iter().zip(&intervals) {
                fields.push(value(cell));
                if has_interval {
                    let bounds = cell.interval.map(|ci| ci.map(crate::format::percent));
                    fields.extend(bounds.unwrap_or_default());
                }
            }
            if with_reasons {
                fields.push(field(&reason(row).unwrap_or_default()));
            }
            out.push_str(&(fields.join(",") + "\r\n"));
        }
        out
    }
}

/// The text of a cell for programs: an ASCII minus, empty if there is no value.
fn value(cell: &TableCell) -> String {
    match cell.value {
        Some(_) => field(&cell.text.replace('−', "-").replace(['†', '‡'], "")),
        None if cell.text == TableCell::missing().text => String::new(),
        None => field(&guard(&cell.text)),
    }
}

/// An apostrophe keeps a spreadsheet from running a name as a formula.
fn guard(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
