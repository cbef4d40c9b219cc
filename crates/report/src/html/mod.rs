//! The self-contained page.

mod believe;
mod cells;
mod errors;
mod notices;
mod parts;

use crate::chart::{CHART_CSS, figures_without};
use crate::format::{count, escape};
use crate::tables::Grid;
use crate::{Fact, ReportData};
use parts::PageSection;
use std::collections::BTreeSet;
use std::fmt::Write;

const PAGE_CSS: &str = include_str!("page.css");
const PAGE_JS: &str = include_str!("page.js");
const CELLS_JS: &str = include_str!("cells.js");

/// One self-contained HTML file: styles, script and charts are inside it, and a content security
/// policy keeps the browser from fetching anything.
pub fn html(data: &ReportData) -> String {
    let drawn = cells::drawn(data);
    let parts = parts::parts(data, &figures_without(data, &drawn), &drawn);
    let mut body = String::with_capacity(1 << 16);
    header(&mut body, data, &parts);
    body.push_str("<main id=\"main\">\n");
    for part in &parts {
        let _ = writeln!(
            body,
            "<section id=\"{}\" aria-labelledby=\"{0}-heading\">",
            part.id
        );
        let _ = writeln!(body, "<h2 id=\"{}-heading\">{}</h2>", part.id, part.heading);
        if !part.lead.is_empty() {
            let _ = writeln!(body, "<p class=\"intro\">{}</p>", part.lead);
        }
        let _ = writeln!(body, "{}</section>", part.body);
    }
    body.push_str("</main>\n");
    body.push_str(&errors::embedded(data));
    document(&data.title, &body)
}

/// A page with this design around `body`, which is already markup.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data: blob:; media-src data: file:\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{PAGE_CSS}</style>\n\
         <style id=\"chart-style\">\n{CHART_CSS}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the scores</a>\n{body}\
         <script>\n{PAGE_JS}{CELLS_JS}</script>\n</body>\n</html>\n",
        escape(title)
    )
}

fn header(out: &mut String, data: &ReportData, parts: &[PageSection]) {
    let _ = write!(
        out,
        "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        escape(&data.title),
        escape(&summary(data))
    );
    out.push_str(&notices::notices(&data.notes));
    out.push_str(&believe::believe(data));
    out.push_str("<nav aria-label=\"Sections\"><ul>");
    for part in parts {
        let _ = write!(
            out,
            "<li><a href=\"#{}\">{}</a></li>",
            part.id, part.heading
        );
    }
    out.push_str("</ul></nav>\n</header>\n");
}

/// How many encoders learnt dimensions, of how many corpora; cells without scores count where all are of dimensions.
fn of_dimensions(data: &ReportData, corpora: impl Fn(usize) -> String) -> Option<String> {
    let rated = &data.scores.dimensions;
    if rated.is_empty() {
        return None;
    }
    let scored = rated.iter().map(|s| (&*s.encoder, &*s.corpus));
    let empty = data.empty_cells().filter(|_| !data.has_classes());
    let cells: BTreeSet<(&str, &str)> = scored
        .chain(empty.map(|absent| (&*absent.encoder, &*absent.corpus)))
        .collect();
    let encoders: BTreeSet<&str> = cells.iter().map(|(encoder, _)| *encoder).collect();
    let names: BTreeSet<&str> = cells.iter().map(|(_, corpus)| *corpus).collect();
    Some(format!(
        "{} on {}, dimensions.",
        count(encoders.len(), "encoder"),
        corpora(names.len())
    ))
}

fn summary(data: &ReportData) -> String {
    let grid = Grid::of(data);
    let corpora = |n: usize| match n {
        1 => "1 corpus".to_owned(),
        n => format!("{n} corpora"),
    };
    if let Some(matrix) = data
        .scores
        .cross
        .first()
        .filter(|_| grid.corpora.is_empty())
    {
        return format!(
            "{} across {}, {}.",
            count(data.scores.cross.len(), "encoder"),
            corpora(matrix.corpora.len()),
            match matrix.classes.len() {
                1 => "1 class".to_owned(),
                n => format!("{n} classes"),
            }
        );
    }
    let rated = match of_dimensions(data, corpora) {
        Some(rated) if !data.has_classes() => return rated,
        beside_classes => beside_classes,
    };
    let encoders: BTreeSet<&str> = (0..grid.systems.len()).map(|s| grid.encoder(s)).collect();
    let mut text = format!(
        "{} on {}",
        count(encoders.len(), "encoder"),
        corpora(grid.corpora.len())
    );
    let shared = grid.naming.shared();
    if !shared.is_empty() {
        let _ = write!(text, ", {shared}");
    }
    text.push('.');
    let (runs, cells) = (grid.runs().count(), grid.slots().count());
    if runs < cells {
        let _ = write!(text, " {runs} of {cells} cells have scores.");
    }
    if let Some(rated) = rated {
        let _ = write!(text, " {rated}");
    }
    text
}

/// Names and values side by side.
pub(crate) fn facts(facts: &[Fact]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl>");
    for fact in facts {
        let origin = fact.origin.as_ref().map_or_else(String::new, |origin| {
            let reason = fact.reason.as_deref().unwrap_or_default();
            format!(
                " <small title=\"{}\">({})</small>",
                escape(reason),
                escape(origin)
            )
        });
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}{origin}</dd></div>",
            escape(&fact.name),
            escape(&fact.value)
        );
    }
    out.push_str("</dl>\n");
    out
}
