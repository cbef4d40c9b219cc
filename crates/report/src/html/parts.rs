use super::facts;
use crate::chart::{Figure, Section};
use crate::format::escape;
use crate::tables::Grid;
use crate::{
    Fact, Metric, ReportData, Table, calibration_table, comparison_table, cross_average_table,
    cross_pairs_table, cross_table, gender_table, intra_table, scores_table,
};
use emobox_score::Oracle;
use std::fmt::Write;

/// Above this many charts a part shows them on request.
const MANY: usize = 12;

/// One part of the page.
pub(super) struct Part {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    /// A sentence of introduction, as markup.
    pub(super) lead: String,
    /// Markup.
    pub(super) body: String,
}

/// The parts that have something to show, in reading order.
pub(super) fn parts(data: &ReportData, figures: &[Figure]) -> Vec<Part> {
    let charts = |section| charts(figures, section);
    let all = [
        (
            "scores",
            "Scores",
            scores_lead(data),
            scores(data) + &charts(Section::Overview),
        ),
        (
            "encoders",
            "Corpora by encoders",
            String::new(),
            by_encoder(data) + &charts(Section::Ranking),
        ),
        (
            "comparisons",
            "Comparisons",
            String::new(),
            comparisons(data),
        ),
        (
            "confusion",
            "What is taken for what",
            "Per cent of each reference class, summed over folds; every row sums to 100."
                .to_owned(),
            charts(Section::Confusion),
        ),
        (
            "speakers",
            "Speakers",
            "A mean hides whom a system does not understand.".to_owned(),
            charts(Section::Speakers) + &optional(gender_table(data)),
        ),
        (
            "calibration",
            "Calibration",
            String::new(),
            optional(calibration_table(data)) + &charts(Section::Calibration),
        ),
        (
            "cross",
            "Across corpora",
            String::new(),
            cross(data) + &charts(Section::Cross),
        ),
        ("layers", "Layers", String::new(), charts(Section::Layers)),
        (
            "training",
            "Training",
            "Bold: the point of the sweep that validation chose; dots: the epoch it chose."
                .to_owned(),
            charts(Section::Training),
        ),
        (
            "maps",
            "Maps of the utterances",
            String::new(),
            charts(Section::Map),
        ),
        (
            "audit",
            "Audit of the partitions",
            String::new(),
            audits(data),
        ),
        ("protocol", "Protocol", String::new(), facts(&data.protocol)),
        (
            "provenance",
            "Versions and digests",
            String::new(),
            provenance(data),
        ),
    ];
    all.into_iter()
        .filter(|(.., body)| !body.is_empty())
        .map(|(id, heading, lead, body)| Part {
            id,
            heading,
            lead,
            body,
        })
        .collect()
}

fn scores_lead(data: &ReportData) -> String {
    let mut lead = "UA is the mean recall over classes, WA the share of utterances that are right, macro F1 the mean \
                    over all classes of the corpus."
        .to_owned();
    if data.headline().iter().any(|run| run.oracle.is_some()) {
        let _ = write!(
            lead,
            " The column “{}” shows what the same training would have scored with the epoch chosen on the test \
             part itself; it is there to be compared with published figures that were chosen so.",
            Oracle::SELECTION
        );
    }
    lead
}

fn scores(data: &ReportData) -> String {
    scores_table(data).html()
}

fn by_encoder(data: &ReportData) -> String {
    let grid = Grid::of(data);
    if grid.corpora.len() < 2 || grid.systems.len() < 2 {
        return String::new();
    }
    let mut out = intra_table(data, &[Metric::Ua]).html();
    for metric in [Metric::Wa, Metric::MacroF1] {
        let table = intra_table(data, &[metric]).html();
        let _ = writeln!(
            out,
            "<details class=\"more\"><summary>The same for {}</summary>{table}</details>",
            metric.name()
        );
    }
    out
}

fn comparisons(data: &ReportData) -> String {
    if data.scores.comparisons.is_empty() {
        return String::new();
    }
    comparison_table(data).html()
}

fn cross(data: &ReportData) -> String {
    if data.scores.cross.is_empty() {
        return String::new();
    }
    cross_average_table(data).html() + &cross_table(data).html() + &cross_pairs_table(data).html()
}

fn optional(table: Option<Table>) -> String {
    table.map(|table| table.html()).unwrap_or_default()
}

fn charts(figures: &[Figure], section: Section) -> String {
    let of_section: Vec<&Figure> = figures
        .iter()
        .filter(|figure| figure.section == section)
        .collect();
    if of_section.is_empty() {
        return String::new();
    }
    let charts: String = of_section.iter().map(|figure| figure.html()).collect();
    let charts = format!("<div class=\"charts\">\n{charts}</div>\n");
    if of_section.len() > MANY {
        let n = of_section.len();
        format!("<details class=\"more\"><summary>All {n} charts</summary>{charts}</details>\n")
    } else {
        charts
    }
}

fn audits(data: &ReportData) -> String {
    let mut out = String::new();
    for audit in &data.audits {
        let (class, word) = if audit.clean {
            ("clean", "clean")
        } else {
            ("leak", "not clean")
        };
        let _ = write!(
            out,
            "<article class=\"audit {class}\"><h3>{} <small>partition {}, {word}</small></h3><p>{}</p>",
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

fn provenance(data: &ReportData) -> String {
    let provenance = &data.scores.provenance;
    let mut out = String::new();
    if let Some(command) = &provenance.command {
        let _ = writeln!(
            out,
            "<pre tabindex=\"0\"><code>{}</code></pre>",
            escape(command)
        );
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
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Digests\"><table><thead><tr>\
             <th scope=\"col\">what</th><th scope=\"col\">of</th><th scope=\"col\">SHA-256</th></tr></thead><tbody>",
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
