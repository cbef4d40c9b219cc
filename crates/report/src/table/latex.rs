use super::{Align, Cell, Table};
use crate::format::interval;
use std::fmt::Write;

/// Above this many columns a table spans both columns of a two-column page.
const WIDE: usize = 8;

impl Table {
    /// A `table` environment with booktabs rules. The best of a row is bold, the second underlined, the
    /// third in italics. Needs the packages booktabs and graphicx.
    pub fn latex(&self) -> String {
        let wide = self.columns.len() > WIDE;
        let environment = if wide { "table*" } else { "table" };
        let spec: String = self
            .columns
            .iter()
            .map(|column| match column.align {
                Align::Left => 'l',
                Align::Right => 'r',
            })
            .collect();
        let mut out = format!(
            "\\begin{{{environment}}}\n\\centering\n\\caption{{{}}}\n",
            text(&self.caption)
        );
        // Scaled down where it is wider than the text, never up.
        out.push_str("\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%\n");
        let _ = writeln!(out, "\\begin{{tabular}}{{{spec}}}\n\\toprule");
        let headings: Vec<String> = self.columns.iter().map(|c| text(&c.heading)).collect();
        let _ = writeln!(out, "{} \\\\\n\\midrule", headings.join(" & "));
        for (i, row) in self.all_rows().enumerate() {
            if i == self.rows.len() {
                out.push_str("\\midrule\n");
            }
            let cells: Vec<String> = row.iter().map(cell).collect();
            let _ = writeln!(out, "{} \\\\", cells.join(" & "));
        }
        out.push_str("\\bottomrule\n\\end{tabular}}\n");
        let mut notes: Vec<String> = self.notes.iter().map(|note| text(note)).collect();
        if let Some(what) = self
            .ranked
            .filter(|_| (0..self.columns.len()).any(|i| self.has_ranks(i)))
        {
            let marks = "\\textbf{Bold}, \\underline{underlined}, \\textit{italic}";
            notes.insert(
                0,
                format!("{marks}: best, second and third {}.", text(what)),
            );
        }
        if !notes.is_empty() {
            let _ = writeln!(
                out,
                "\\par\\smallskip\\raggedright\\footnotesize {}",
                notes.join(" ")
            );
        }
        let _ = writeln!(out, "\\end{{{environment}}}");
        out
    }
}

/// A complete document around tables, to compile as it is.
pub fn latex_document(tables: &[Table]) -> String {
    let mut out = String::from(
        "\\documentclass[10pt]{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\
         \\usepackage{textcomp}\n\\usepackage{booktabs}\n\\usepackage{graphicx}\n\
         \\usepackage[a4paper,margin=2cm]{geometry}\n\\begin{document}\n",
    );
    for table in tables {
        out.push_str(&table.latex());
        out.push_str("\\clearpage\n");
    }
    out.push_str("\\end{document}\n");
    out
}

fn cell(cell: &Cell) -> String {
    let body = text(&cell.text);
    let body = match cell.rank {
        Some(1) => format!("\\textbf{{{body}}}"),
        Some(2) => format!("\\underline{{{body}}}"),
        Some(3) => format!("\\textit{{{body}}}"),
        _ => body,
    };
    match cell.interval {
        Some(ci) => format!("{body} {{\\footnotesize {}}}", text(&interval(ci))),
        None => body,
    }
}

/// Untrusted text as text: what TeX would act on is escaped, what its fonts lack becomes a question mark.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => {
                out.push('\\');
                out.push(c);
            }
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            // In braces, so that it never reads as the optional argument of the line break before it.
            '[' | ']' | '<' | '>' | '|' | '"' | '\'' | '`' => {
                let _ = write!(out, "{{{}}}", quote(c));
            }
            '–' => out.push_str("--"),
            '“' => out.push_str("``"),
            '”' => out.push_str("''"),
            'χ' => out.push_str("$\\chi$"),
            'α' => out.push_str("$\\alpha$"),
            '−' => out.push_str("$-$"),
            '…' => out.push_str("\\ldots{}"),
            '¹' | '²' | '³' => out.push(c),
            '\n' | '\t' => out.push(' '),
            c if c.is_ascii_graphic() || c == ' ' || ('\u{c0}'..='\u{ff}').contains(&c) => {
                out.push(c);
            }
            _ => out.push('?'),
        }
    }
    out
}

fn quote(c: char) -> &'static str {
    match c {
        '<' => "\\textless",
        '>' => "\\textgreater",
        '|' => "\\textbar",
        '"' => "\\textquotedbl",
        '\'' => "\\textquotesingle",
        '`' => "\\textasciigrave",
        '[' => "[",
        _ => "]",
    }
}
