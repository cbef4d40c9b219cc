//! The self-contained page.

mod parts;

use crate::chart::{CHART_CSS, figures};
use crate::format::{count, escape};
use crate::{Fact, ReportData};
use emobox_score::Run;
use parts::Part;
use std::collections::BTreeSet;
use std::fmt::Write;

const PAGE_CSS: &str = include_str!("page.css");
const PAGE_JS: &str = include_str!("page.js");

/// One HTML file that needs nothing else: styles, script and charts are inside it, and a content security
/// policy keeps the browser from fetching anything.
pub fn html(data: &ReportData) -> String {
    let parts = parts::parts(data, &figures(data));
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
    document(&data.title, &body)
}

/// A page of this look around `body`, which is markup already.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data: blob:\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{PAGE_CSS}</style>\n\
         <style id=\"chart-style\">\n{CHART_CSS}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the scores</a>\n{body}\
         <script>\n{PAGE_JS}</script>\n</body>\n</html>\n",
        escape(title)
    )
}

fn header(out: &mut String, data: &ReportData, parts: &[Part]) {
    let _ = write!(
        out,
        "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        escape(&data.title),
        escape(&summary(data))
    );
    for note in &data.notes {
        let _ = writeln!(
            out,
            "<p class=\"warning\" role=\"note\">{}</p>",
            escape(note)
        );
    }
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

fn summary(data: &ReportData) -> String {
    let runs = data.headline();
    if let Some(matrix) = data.scores.cross.first().filter(|_| runs.is_empty()) {
        return format!(
            "{} across {}, {}.",
            count(data.scores.cross.len(), "encoder"),
            match matrix.corpora.len() {
                1 => "1 corpus".to_owned(),
                n => format!("{n} corpora"),
            },
            match matrix.classes.len() {
                1 => "1 class".to_owned(),
                n => format!("{n} classes"),
            }
        );
    }
    let distinct =
        |pick: fn(&Run) -> &String| runs.iter().map(|run| pick(run)).collect::<BTreeSet<_>>();
    let encoders = count(distinct(|run| &run.encoder).len(), "encoder");
    let corpora = match distinct(|run| &run.corpus).len() {
        1 => "1 corpus".to_owned(),
        n => format!("{n} corpora"),
    };
    let mut text = format!("{encoders} on {corpora}");
    let shared = [
        ("partition", distinct(|run| &run.partition)),
        ("protocol", distinct(|run| &run.protocol)),
    ];
    for (what, names) in shared {
        if let Some(name) = names.first().filter(|_| names.len() == 1) {
            let _ = write!(text, ", {what} {name}");
        }
    }
    text + "."
}

/// Names and values side by side.
pub(crate) fn facts(facts: &[Fact]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl>");
    for fact in facts {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(&fact.name),
            escape(&fact.value)
        );
    }
    out.push_str("</dl>\n");
    out
}
