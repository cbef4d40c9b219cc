use super::{Align, Column, Table, TableCell};
use crate::format::{escape, interval};
use std::fmt::Write;

/// Above this many rows a table scrolls in its own window, below its headings.
const TALL: usize = 40;
/// Minimum number of neighbouring cells, empty for one reason, that leave room for the reason; otherwise it goes into a note.
const ROOMY: usize = 3;

impl Table {
    /// A sortable HTML table; the page's script does the sorting, and the table is readable without it.
    pub fn html(&self) -> String {
        let caption = escape(&self.caption);
        let mut out = format!(
            "<div class=\"{}\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
             <table class=\"sortable\"><caption><span>{caption}</span></caption><thead><tr>",
            if self.rows.len() > TALL {
                "scroll tall"
            } else {
                "scroll"
            }
        );
        for column in &self.columns {
            let class = class(column.align, None);
            let _ = write!(
                out,
                "<th scope=\"col\"{class}>{}</th>",
                // A browser breaks lines after hyphens by itself.
                escape(&column.heading).replace('_', "_<wbr>")
            );
        }
        out.push_str("</tr></thead><tbody>\n");
        let mut reasons = Vec::new();
        for row in &self.rows {
            html_row(&mut out, row, &self.columns, &mut reasons);
        }
        out.push_str("</tbody>");
        if !self.footer.is_empty() {
            out.push_str("<tfoot>\n");
            for row in &self.footer {
                html_row(&mut out, row, &self.columns, &mut reasons);
            }
            out.push_str("</tfoot>");
        }
        out.push_str("</table></div>\n");
        for (number, reason) in (1..).zip(reasons) {
            let _ = writeln!(out, "<p class=\"note\">({number}) {}</p>", escape(reason));
        }
        for note in self.notes_with_legend() {
            let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&note));
        }
        out
    }
}

/// Reasons that get a number for lack of room are added to `reasons`.
fn html_row<'a>(
    out: &mut String,
    row: &'a [TableCell],
    columns: &[Column],
    reasons: &mut Vec<&'a str>,
) {
    out.push_str("<tr>");
    let mut skip = 0;
    for (i, (cell, column)) in row.iter().zip(columns).enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let tag = if i == 0 { "th" } else { "td" };
        let scope = if i == 0 { " scope=\"row\"" } else { "" };
        if let Some(reason) = &cell.reason {
            // Neighbours that are empty for the same reason say it once.
            let same = row[i..]
                .iter()
                .take_while(|next| next.reason == cell.reason);
            let span = same.count();
            skip = span - 1;
            let span = if span > 1 {
                format!(" colspan=\"{span}\"")
            } else {
                String::new()
            };
            let text = escape(&cell.text);
            let told = escape(reason);
            let _ = if skip + 1 < ROOMY {
                let known = reasons.iter().position(|known| known == reason);
                let place = known.unwrap_or_else(|| {
                    reasons.push(reason);
                    reasons.len() - 1
                });
                write!(
                    out,
                    "<{tag}{scope}{span} class=\"absent n\" title=\"{told}\">{text} ({})</{tag}>",
                    place + 1
                )
            } else {
                write!(
                    out,
                    "<{tag}{scope}{span} class=\"absent\">{text} <small>{told}</small></{tag}>"
                )
            };
            continue;
        }
        let _ = write!(out, "<{tag}{scope}{}", class(column.align, cell.rank));
        if let Some(value) = cell.value.filter(|v| v.is_finite()) {
            let _ = write!(out, " data-sort=\"{value}\"");
        }
        let _ = write!(out, ">{}", escape(&cell.text));
        if let Some(rank) = cell.rank {
            let _ = write!(out, "<sup>{rank}</sup>");
        }
        if let Some(ci) = cell.interval {
            let _ = write!(out, " <small>{}</small>", interval(ci));
        }
        let _ = write!(out, "</{tag}>");
    }
    out.push_str("</tr>\n");
}

fn class(align: Align, rank: Option<u8>) -> String {
    match (align, rank) {
        (Align::Left, None) => String::new(),
        (Align::Left, Some(rank)) => format!(" class=\"top{rank}\""),
        (Align::Right, None) => " class=\"n\"".to_owned(),
        (Align::Right, Some(rank)) => format!(" class=\"n top{rank}\""),
    }
}
