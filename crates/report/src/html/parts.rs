use super::cells::cells;
use super::facts;
use crate::chart::{Figure, Section};
use crate::format::escape;
use crate::tables::Grid;
use crate::{
    AuditFindings, Column, Fact, Metric, ReportData, Table, TableCell, calibration_table,
    comparison_table, cross_average_table, cross_pairs_table, cross_table, dimensions_table,
    gender_table, intra_table, perturbed_table, scores_table,
};
use emobox_score::Oracle;
use std::fmt::Write;

/// Above this many charts a section shows them on request; above this many audits they are rows of a table.
const MANY: usize = 12;

/// One section of the page.
pub(super) struct PageSection {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    /// An introductory sentence, as markup.
    pub(super) lead: String,
    /// Markup.
    pub(super) body: String,
}

/// The sections with content, in reading order: tables of scores first. The charts of `drawn` sections
/// are made by the page's script.
pub(super) fn parts(data: &ReportData, figures: &[Figure], drawn: &[Section]) -> Vec<PageSection> {
    let charts = |section| {
        if drawn.contains(&section) {
            cells(data, section)
        } else {
            charts(figures, section)
        }
    };
    let words = |text: &str| text.to_owned();
    let all = [
        ("scores", "Scores", scores_lead(data), scores(data)),
        (
            "dimensions",
            "Dimensions",
            words(
                "How well valence, arousal and dominance are told: 100 where every value is right, 0 where nothing is known of them.",
            ),
            optional(dimensions_table(data)),
        ),
        (
            "comparisons",
            "Comparisons",
            String::new(),
            comparisons(data),
        ),
        (
            "perturbed",
            "In noise, in rooms, through codecs",
            words(
                "The test part heard otherwise, by the same probes. They were trained on the audio as it is.",
            ),
            optional(perturbed_table(data)),
        ),
        ("cross", "Across corpora", String::new(), cross(data)),
        (
            "charts",
            "Scores as charts",
            String::new(),
            charts(Section::Overview) + &charts(Section::Ranking) + &charts(Section::Cross),
        ),
        (
            "confusion",
            "Confusion matrices",
            words("Per cent of each reference class, summed over folds; every row sums to 100."),
            charts(Section::Confusion),
        ),
        (
            "errors",
            "Errors",
            words(
                "What was taken for what, to be heard: the most confident first. Of several training seeds, the first.",
            ),
            super::errors::errors(data),
        ),
        (
            "speakers",
            "Speakers",
            words("A mean hides whom a system does not understand."),
            optional(gender_table(data)) + &charts(Section::Speakers),
        ),
        (
            "calibration",
            "Calibration",
            String::new(),
            optional(calibration_table(data)) + &charts(Section::Calibration),
        ),
        (
            "layers",
            "Layers",
            layers_lead(data),
            charts(Section::Layers),
        ),
        (
            "training",
            "Training",
            words("Bold: the point of the sweep that validation chose; dots: the epoch it chose."),
            charts(Section::Training),
        ),
        (
            "maps",
            "Maps of the utterances",
            maps_lead(data),
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
        .map(|(id, heading, lead, body)| PageSection {
            id,
            heading,
            lead,
            body,
        })
        .collect()
}

/// The probe of the curves, and the layer selected on validation.
fn layers_lead(data: &ReportData) -> String {
    let Some(head) = data
        .layers
        .iter()
        .map(|curve| &curve.head)
        .find(|h| !h.is_empty())
    else {
        return String::new();
    };
    let chosen = data.layers.iter().filter_map(|curve| {
        let layer = curve.chosen?;
        Some(format!(
            "{} on {} layer {layer}",
            curve.encoder, curve.corpus
        ))
    });
    let chosen: Vec<String> = chosen.collect();
    format!(
        "Scores of {head}, on the test parts, so the highest point is no result. Chosen on the validation parts: {}.",
        escape(&chosen.join(", "))
    )
}

fn maps_lead(data: &ReportData) -> String {
    if data.maps.is_empty() {
        return String::new();
    }
    "Points that are close sound alike to the encoder.".to_owned()
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

/// The grids of the three metrics if there is more than one cell, then every cell with its intervals.
fn scores(data: &ReportData) -> String {
    let others = data.is_across_corpora() || !data.scores.dimensions.is_empty();
    if data.scores.runs.is_empty() && others {
        return String::new();
    }
    let grid = Grid::of(data);
    let rows = scores_table(data);
    if grid.corpora.len() * grid.systems.len() < 2 {
        return rows.html();
    }
    let mut said: Vec<String> = Vec::new();
    let mut out = String::from("<div class=\"grids\">\n");
    for metric in Metric::ALL {
        let mut table = intra_table(data, &[metric]);
        // Notes below one grid are not repeated below the next.
        table.notes.retain(|note| !said.contains(note));
        said.extend(table.notes.iter().cloned());
        let _ = writeln!(out, "<div>{}</div>", table.html());
    }
    let _ = writeln!(out, "</div>\n{}", rows.html());
    out
}

fn comparisons(data: &ReportData) -> String {
    if data.scores.comparisons.is_empty() {
        return String::new();
    }
    comparison_table(data).html()
}

fn cross(data: &ReportData) -> String {
    if !data.is_across_corpora() {
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
    if data.audits.len() > MANY {
        return audit_table(data).html();
    }
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

/// Many audits as rows.
fn audit_table(data: &ReportData) -> Table {
    let row = |audit: &AuditFindings| {
        let word = if audit.clean { "yes" } else { "no" };
        let findings = audit.findings.iter().map(|finding| finding.trim());
        let findings = findings.collect::<Vec<_>>().join("; ");
        let (corpus, partition, verdict) = (&audit.corpus, &audit.partition, &audit.verdict);
        [corpus, partition, word, verdict, &findings]
            .map(TableCell::text)
            .to_vec()
    };
    Table {
        caption: "Who and what is on both sides of the partitions".to_owned(),
        columns: ["corpus", "partition", "clean", "verdict", "findings"]
            .map(Column::left)
            .to_vec(),
        rows: data.audits.iter().map(row).collect(),
        ..Table::default()
    }
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
        .map(|(name, value)| Fact::new(name, value))
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
