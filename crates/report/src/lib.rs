//! Scores as tables and pages for people: terminal, Markdown, LaTeX, CSV, and HTML with inline SVG.
//!
//! * [`scores_table`], [`intra_table`], [`cross_table`], [`cross_average_table`], [`comparison_table`] make a
//!   [`Table`], which writes itself in each format
//! * [`figures`] makes every chart as a [`Figure`], which writes itself as an SVG file
//! * [`html`] joins both into one self-contained page, which draws the charts of single cells from compact data when
//!   they are chosen, so that 32 corpora by ten encoders are a page of a few megabytes
//! * [`exchange`] writes them in the formats of MTEB, Hugging Face evaluate, MLflow and Weights & Biases
//! * [`merge`] makes one report of several runs
//! * [`paper`] holds the published figures of Tables 4 and 5
//!
//! Everything is a pure function of [`ReportData`], which the bench fills: no clock, no network, no
//! files, so the same data give the same bytes. Names, keys and labels come from users' files and
//! are escaped for the medium they are written to.

mod chart;
mod compact;
mod data;
mod errors;
mod exchange;
mod format;
mod html;
mod leaderboard;
mod map;
mod merge;
mod paper;
mod table;
mod tables;

pub use chart::{Figure, FigureTable, Section, figures};
pub use data::{AuditFindings, Fact, LayerCurve, LayerPoint, ReportData, Training, TrainingPoint};
pub use errors::{Clip, ERRORS_LIMIT, Embedded, ErrorList, ErrorRow};
pub use exchange::{Exchange, exchange};
pub use html::html;
pub use leaderboard::leaderboard;
pub use map::{
    Colouring, MAP_GRID, MAP_LIMIT, MapItem, MapMethod, MapPoint, Pca, TsneOptions, UtteranceMap,
    pca, tsne, utterance_maps,
};
pub use merge::merge;
pub use paper::{Paper, PaperScore, PaperSource, paper};
pub use table::{Align, Column, Table, TableCell, latex_document};
pub use tables::{
    Metric, calibration_table, comparison_table, cross_average_table, cross_pairs_table,
    cross_table, dimensions_csv, dimensions_table, errors_table, gender_table, intra_table,
    perturbed_table, ranking, runs_csv, scores_table,
};

/// Above this many corpora by encoders, a terminal shows the grid for three or more encoders instead of a row for each pair.
const ROWS: usize = 24;

/// The benchmark table as text: one row for each corpus and encoder, with 95 % intervals, the audit's
/// verdict, and the test-selected score in a separate, labelled column. For many corpora and encoders it is the
/// grid of UA, in groups of columns that fit a terminal. The losses from perturbations are a separate table below.
pub fn terminal_table(data: &ReportData) -> String {
    let dimensions = dimensions_table(data);
    let mut text = match dimensions.is_some() && !data.has_classes() {
        true => String::new(),
        false => terminal_scores(data),
    };
    if let Some(table) = dimensions {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table.terminal());
    }
    if let Some(table) = perturbed_table(data) {
        text.push('\n');
        text.push_str(&table.terminal());
    }
    text
}

fn terminal_scores(data: &ReportData) -> String {
    let table = scores_table(data);
    let systems = tables::Grid::of(data).systems.len();
    if table.rows.len() <= ROWS || systems <= 2 {
        return table.terminal();
    }
    let mut grid = intra_table(data, &[Metric::Ua]);
    for note in table.notes {
        if !grid.notes.contains(&note) && !note.starts_with("In brackets") {
            grid.notes.push(note);
        }
    }
    grid.terminal()
}
