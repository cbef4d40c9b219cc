//! The self-contained page.

use crate::chart::{CHART_CSS, Figure, Section, figures};
use crate::format::{count, escape};
use crate::{Fact, ReportData, scores_table};
use std::fmt::Write;

const PAGE_CSS: &str = include_str!("page.css");
const PAGE_JS: &str = include_str!("page.js");

/// One HTML file that needs nothing else: styles, script and charts are inside it.
pub fn html(data: &ReportData) -> String {
    let figures = figures(data);
    let sections = sections(data, &figures);
    let mut out = String::with_capacity(1 << 16);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{PAGE_CSS}{CHART_CSS}</style>\n</head>\n<body>\n",
        escape(&data.title)
    );
    header(&mut out, data, &sections);
    out.push_str("<main>\n");
    for section in &sections {
        let _ = write!(
            out,
            "<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n",
            section.id, section.heading, section.body
        );
    }
    let _ = write!(
        out,
        "</main>\n<script>\n{PAGE_JS}</script>\n</body>\n</html>\n"
    );
    out
}

struct Part {
    id: &'static str,
    heading: &'static str,
    body: String,
}

/// The parts that have something to show.
fn sections(data: &ReportData, figures: &[Figure]) -> Vec<Part> {
    let parts = [
        ("scores", "Scores", scores_table(data).html()),
        (
            "confusion",
            "What is taken for what",
            charts(figures, Section::Confusion),
        ),
        ("training", "Training", charts(figures, Section::Training)),
        ("audit", "Audit of the partitions", audits(data)),
        ("protocol", "Protocol", facts(&data.protocol)),
        ("provenance", "Versions and digests", provenance(data)),
    ];
    parts
        .into_iter()
        .filter(|(_, _, body)| !body.is_empty())
        .map(|(id, heading, body)| Part { id, heading, body })
        .collect()
}

fn header(out: &mut String, data: &ReportData, sections: &[Part]) {
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
    for section in sections {
        let _ = write!(
            out,
            "<li><a href=\"#{}\">{}</a></li>",
            section.id, section.heading
        );
    }
    out.push_str("</ul></nav>\n</header>\n");
}

fn summary(data: &ReportData) -> String {
    let runs = data.headline();
    let distinct = |names: Vec<&str>| {
        let mut names = names;
        names.sort_unstable();
        names.dedup();
        names.len()
    };
    let corpora = distinct(runs.iter().map(|r| r.corpus.as_str()).collect());
    let encoders = distinct(runs.iter().map(|r| r.encoder.as_str()).collect());
    format!(
        "{} on {}.",
        count(encoders, "encoder"),
        if corpora == 1 {
            "1 corpus".to_owned()
        } else {
            format!("{corpora} corpora")
        }
    )
}

fn charts(figures: &[Figure], section: Section) -> String {
    let charts: String = figures
        .iter()
        .filter(|figure| figure.section == section)
        .map(Figure::html)
        .collect();
    if charts.is_empty() {
        charts
    } else {
        format!("<div class=\"charts\">\n{charts}</div>\n")
    }
}

fn audits(data: &ReportData) -> String {
    let mut out = String::new();
    for audit in &data.audits {
        let class = if audit.clean { "clean" } else { "leak" };
        let _ = write!(
            out,
            "<article class=\"audit {class}\"><h3>{} <small>{}</small></h3><p>{}</p>",
            escape(&audit.corpus),
            escape(&audit.partition),
            escape(&audit.verdict)
        );
        if !audit.findings.is_empty() {
            out.push_str("<ul>");
            for finding in &audit.findings {
                let _ = write!(out, "<li>{}</li>", escape(finding));
            }
            out.push_str("</ul>");
        }
        out.push_str("</article>\n");
    }
    out
}

fn facts(facts: &[Fact]) -> String {
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

fn provenance(data: &ReportData) -> String {
    let provenance = &data.scores.provenance;
    let mut out = String::new();
    if let Some(command) = &provenance.command {
        let _ = writeln!(out, "<pre><code>{}</code></pre>", escape(command));
    }
    let versions: Vec<Fact> = provenance
        .versions
        .iter()
        .map(|(name, value)| Fact {
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    out.push_str(&facts(&versions));
    if !provenance.sources.is_empty() {
        out.push_str(
            "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">what</th>\
             <th scope=\"col\">of</th><th scope=\"col\">SHA-256</th></tr></thead><tbody>",
        );
        for source in &provenance.sources {
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
                escape(&source.kind),
                escape(&source.name),
                escape(&source.digest)
            );
        }
        out.push_str("</tbody></table></div>\n");
    }
    out
}
