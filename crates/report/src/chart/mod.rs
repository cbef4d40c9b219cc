//! Figures: SVG drawn by hand, each with a title, a description and its data as a table.

mod calibration;
mod canvas;
mod confusion;
mod cross;
mod layers;
mod map;
mod overview;
mod ranking;
mod speakers;
mod training;

use crate::ReportData;
use crate::format::{coordinate, escape, slug};
use std::collections::HashMap;
use std::fmt::Write;

pub(crate) use canvas::CHART_CSS;
pub(crate) use training::{chosen_sentence, training_groups};

/// The number of colours in the categorical palette (`chart.css`).
pub(crate) const PALETTE: usize = 12;

/// One chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name for anchors and files, unique among the figures of a report.
    pub id: String,
    /// A one-line title.
    pub title: String,
    /// A sentence for readers who do not see it.
    pub description: String,
    /// The part of the report it belongs to.
    pub section: Section,
    /// Width and height in pixels.
    pub size: [f64; 2],
    /// The numbers behind it.
    pub table: FigureTable,
    body: String,
}

/// The parts of the report that hold figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// All scores with their intervals.
    Overview,
    /// Encoders over corpora.
    Ranking,
    /// Single speakers.
    Speakers,
    /// Calibration of probabilities.
    Calibration,
    /// Layers of an encoder.
    Layers,
    /// From one corpus to another.
    Cross,
    /// Utterances in the plane.
    Map,
    /// Which emotion is confused with which.
    Confusion,
    /// Loss and accuracy over epochs.
    Training,
}

/// The numbers of a figure, for readers and for screen readers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FigureTable {
    /// Headings.
    pub columns: Vec<String>,
    /// Rows with one cell per heading.
    pub rows: Vec<Vec<String>>,
}

/// Every figure of a report, in reading order.
pub fn figures(data: &ReportData) -> Vec<Figure> {
    figures_without(data, &[])
}

/// Every figure except those of some sections, which are not even made.
pub(crate) fn figures_without(data: &ReportData, left_out: &[Section]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |section: Section, make: &dyn Fn() -> Vec<Figure>| {
        if !left_out.contains(&section) {
            figures.extend(make());
        }
    };
    add(Section::Overview, &|| {
        overview::figure(data).into_iter().collect()
    });
    add(Section::Ranking, &|| {
        ranking::figure(data).into_iter().collect()
    });
    add(Section::Confusion, &|| confusion::figures(data));
    add(Section::Speakers, &|| speakers::figures(data));
    add(Section::Calibration, &|| calibration::figures(data));
    add(Section::Training, &|| training::figures(data));
    add(Section::Layers, &|| layers::figures(data));
    add(Section::Cross, &|| cross::figures(data));
    add(Section::Map, &|| map::figures(data));
    make_unique(&mut figures);
    figures
}

/// Two names can have the same slug; the later one gets a number.
fn make_unique(figures: &mut [Figure]) {
    let mut seen = HashMap::<String, usize>::new();
    for figure in figures {
        let count = seen.entry(figure.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            figure.id = format!("{}-{count}", figure.id);
        }
    }
}

/// The result of a chart function; [`Figure::new`] completes it.
pub(crate) struct Drawing {
    pub(crate) section: Section,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) size: [f64; 2],
    pub(crate) body: String,
    pub(crate) table: FigureTable,
}

impl Figure {
    pub(crate) fn new(drawing: Drawing) -> Self {
        Self {
            id: slug(&drawing.name),
            title: drawing.title,
            description: drawing.description,
            section: drawing.section,
            size: drawing.size,
            table: drawing.table,
            body: drawing.body,
        }
    }

    /// A complete SVG file that follows the viewer's light or dark scheme.
    pub fn svg_file(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
            self.svg(Some(CHART_CSS))
        )
    }

    /// The chart inside a page, which has the style already.
    pub(crate) fn svg(&self, style: Option<&str>) -> String {
        let [w, h] = self.size.map(coordinate);
        let (id, style) = (&self.id, style.unwrap_or_default());
        let style = if style.is_empty() {
            String::new()
        } else {
            format!("<style>{style}</style>")
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" viewBox=\"0 0 {w} {h}\" \
             width=\"{w}\" height=\"{h}\" style=\"--w:{w}px\" aria-labelledby=\"{id}-title {id}-desc\">{style}\
             <title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>{}</svg>",
            escape(&self.title),
            escape(&self.description),
            self.body
        )
    }

    /// The chart with its caption and its numbers.
    pub(crate) fn html(&self) -> String {
        let mut out = format!(
            "<figure id=\"{}\"><figcaption>{}</figcaption><div class=\"scroll\">{}</div>\
             <p class=\"note\" aria-hidden=\"true\">{}</p>",
            self.id,
            escape(&self.title),
            self.svg(None),
            escape(&self.description)
        );
        if !self.table.rows.is_empty() {
            out.push_str(
                "<details><summary>Data</summary><div class=\"scroll\"><table><thead><tr>",
            );
            for column in &self.table.columns {
                let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
            }
            out.push_str("</tr></thead><tbody>");
            for row in &self.table.rows {
                out.push_str("<tr>");
                for cell in row {
                    let _ = write!(out, "<td>{}</td>", escape(cell));
                }
                out.push_str("</tr>");
            }
            out.push_str("</tbody></table></div></details>");
        }
        out.push_str("</figure>\n");
        out
    }
}
