use super::{Align, Column, Table, TableCell};
use crate::format::interval;
use std::fmt::Write;

/// Above this many columns a table spans both columns of a two-column page.
const WIDE: usize = 8;
/// Above this many rows a table is a `longtable`, which may break across pages.
const LONG: usize = 40;
/// Characters of small type across a portrait page.
const UPRIGHT: usize = 105;
/// The same across a landscape page.
const ON_ITS_SIDE: usize = 165;
/// A heading of numbers is rotated if it exceeds its column by this.
const TURNED: usize = 4;

impl Table {
    /// LaTeX with booktabs rules: a `table` environment if the table fits on a page, else `longtable`s, on
    /// landscape pages if it is wide, and in groups of columns if it is wider still. The best of a row is
    /// bold, the second underlined, the third in italics. Needs the packages booktabs and graphicx; a long or
    /// very wide table also longtable and pdflscape, and a document of one column.
    pub fn latex(&self) -> String {
        let widths = self.latex_widths();
        let total: usize = widths.iter().map(|w| w + 2).sum();
        if self.all_rows().count() <= LONG && (self.keys == 0 || total <= ON_ITS_SIDE) {
            return self.latex_table();
        }
        let limit = if total <= UPRIGHT {
            UPRIGHT
        } else {
            ON_ITS_SIDE
        };
        let groups = self.column_groups(&widths, 2, limit);
        let mut out = String::new();
        for (i, group) in groups.iter().enumerate() {
            let width: usize = group.iter().map(|&i| widths[i] + 2).sum();
            let sideways = width > UPRIGHT;
            if sideways {
                out.push_str("\\begin{landscape}\n");
            }
            let size = if width <= ON_ITS_SIDE {
                "footnotesize"
            } else {
                "tiny"
            };
            let _ = writeln!(
                out,
                "\\begingroup\\{size}\\setlength{{\\tabcolsep}}{{4pt}}\\setlength{{\\LTcapwidth}}{{\\linewidth}}"
            );
            self.longtable(&mut out, group, &widths, i, groups.len());
            if i + 1 == groups.len() {
                self.latex_notes(&mut out);
            }
            out.push_str("\\endgroup\n");
            if sideways {
                out.push_str("\\end{landscape}\n");
            }
        }
        out
    }

    /// A table on one page, scaled down if it is wider than the text, never up.
    fn latex_table(&self) -> String {
        let wide = self.columns.len() > WIDE;
        let environment = if wide { "table*" } else { "table" };
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let mut out = format!(
            "\\begin{{{environment}}}\n\\centering\n\\caption{{{}}}\n",
            text(&self.caption)
        );
        out.push_str("\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%\n");
        let _ = writeln!(out, "\\begin{{tabular}}{{{}}}\n\\toprule", self.spec(&all));
        let headings: Vec<String> = self.columns.iter().map(|c| text(&c.heading)).collect();
        let _ = writeln!(out, "{} \\\\\n\\midrule", headings.join(" & "));
        self.latex_rows(&mut out, &all);
        out.push_str("\\bottomrule\n\\end{tabular}}\n");
        self.latex_notes(&mut out);
        let _ = writeln!(out, "\\end{{{environment}}}");
        out
    }

    fn longtable(
        &self,
        out: &mut String,
        group: &[usize],
        widths: &[usize],
        part: usize,
        parts: usize,
    ) {
        let _ = writeln!(out, "\\begin{{longtable}}{{{}}}", self.spec(group));
        let caption = text(&self.caption);
        let part_of = if parts > 1 {
            format!(" ({} of {parts})", part + 1)
        } else {
            String::new()
        };
        let _ = writeln!(out, "\\caption{{{caption}{part_of}}}\\\\");
        let heading = |&i: &usize| {
            let column = &self.columns[i];
            let words = text(&column.heading);
            if turned(column, widths[i]) {
                format!("\\rotatebox{{90}}{{{words}}}")
            } else {
                words
            }
        };
        let headings: Vec<String> = group.iter().map(heading).collect();
        let headings = headings.join(" & ");
        let _ = writeln!(out, "\\toprule\n{headings} \\\\\n\\midrule\n\\endfirsthead");
        let _ = writeln!(out, "\\toprule\n{headings} \\\\\n\\midrule\n\\endhead");
        out.push_str("\\bottomrule\n\\endfoot\n");
        self.latex_rows(out, group);
        out.push_str("\\end{longtable}\n");
    }

    /// Columns as LaTeX sets them.
    fn spec(&self, group: &[usize]) -> String {
        let letter = |&i: &usize| match self.columns[i].align {
            Align::Left => 'l',
            Align::Right => 'r',
        };
        group.iter().map(letter).collect()
    }

    fn latex_rows(&self, out: &mut String, group: &[usize]) {
        let reasons = self.reasons();
        for (i, row) in self.all_rows().enumerate() {
            if i == self.rows.len() {
                out.push_str("\\midrule\n");
            }
            let cells = group.iter().filter_map(|&i| row.get(i));
            let cells: Vec<String> = cells.map(|c| cell(c, &reasons)).collect();
            let _ = writeln!(out, "{} \\\\", cells.join(" & "));
        }
    }

    fn latex_notes(&self, out: &mut String) {
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
        for (i, reason) in self.reasons().iter().enumerate() {
            notes.push(format!(
                "\\textsuperscript{{{}}}~{}.",
                i + 1,
                text(reason.trim_end_matches('.'))
            ));
        }
        if !notes.is_empty() {
            let _ = writeln!(
                out,
                "\\par\\smallskip{{\\raggedright\\footnotesize {}\\par}}",
                notes.join(" ")
            );
        }
    }

    /// The columns' widths in characters, with headings of numbers rotated where that saves space.
    fn latex_widths(&self) -> Vec<usize> {
        let reasons = self.reasons();
        let cells = |i: usize| {
            let cells = self.all_rows().filter_map(move |row| row.get(i));
            let lengths = cells.map(|cell| cell.line(&reasons).chars().count());
            lengths.max().unwrap_or(0)
        };
        let width = |(i, column): (usize, &Column)| {
            let (cells, heading) = (cells(i), column.heading.chars().count());
            if turned(column, cells) {
                cells.max(3)
            } else {
                cells.max(heading)
            }
        };
        self.columns.iter().enumerate().map(width).collect()
    }
}

/// Whether a heading is rotated in a long table, above cells of this width.
fn turned(column: &Column, width: usize) -> bool {
    column.align == Align::Right && column.heading.chars().count() > width + TURNED
}

/// A complete document around tables, ready to compile.
pub fn latex_document(tables: &[Table]) -> String {
    let mut out = String::from(
        "\\documentclass[10pt]{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\
         \\usepackage{textcomp}\n\\usepackage{booktabs}\n\\usepackage{graphicx}\n\\usepackage{longtable}\n\
         \\usepackage{pdflscape}\n\
         \\usepackage[a4paper,margin=2cm]{geometry}\n\\begin{document}\n",
    );
    for table in tables {
        out.push_str(&table.latex());
        out.push_str("\\clearpage\n");
    }
    out.push_str("\\end{document}\n");
    out
}

fn cell(cell: &TableCell, reasons: &[&str]) -> String {
    let body = text(&cell.text);
    let body = match cell.rank {
        Some(1) => format!("\\textbf{{{body}}}"),
        Some(2) => format!("\\underline{{{body}}}"),
        Some(3) => format!("\\textit{{{body}}}"),
        _ => body,
    };
    match (cell.interval, cell.reason_number(reasons)) {
        (Some(ci), _) => format!("{body} {{\\footnotesize {}}}", text(&interval(ci))),
        (None, Some(number)) => format!("{body}\\textsuperscript{{{number}}}"),
        (None, None) => body,
    }
}

/// Escapes untrusted text: what TeX would interpret is escaped, what its fonts lack becomes a question mark.
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
            // In braces, so that it is never read as the optional argument of the preceding line break.
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
