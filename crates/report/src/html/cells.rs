//! Charts of single cells that the page's script draws when a reader selects the cell: the data are stored as compact text.
//!
//! An SVG chart takes 5 to 100 kB; for 32 corpora by ten encoders that would be tens of megabytes.

use crate::chart::{Section, training_groups};
use crate::compact::{PACKED, json_for_page, kept, pack};
use crate::format::percent;
use crate::map::{MAP_GRID, keys_are_kept};
use crate::tables::Grid;
use crate::{Colouring, Column, ReportData, Table, TableCell, Training, UtteranceMap};
use emobox_score::Run;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Above this many charts a section stores their data and draws the selected one. Maps always do.
const MANY: usize = 12;
/// Maximum number of points on all maps of a page, 8 bytes each; above it only every n-th is on the page.
const MAP_POINTS: usize = 250_000;
/// Maximum bytes of all training curves of a page, at two per epoch; above it only every n-th epoch is on the page.
const CURVES: usize = 2_500_000;

/// The sections whose charts the script draws.
pub(super) fn drawn(data: &ReportData) -> Vec<Section> {
    let grid = Grid::of(data);
    let calibrated = grid
        .runs()
        .filter(|(.., run)| calibration(data, run).is_some());
    let counts = [
        (Section::Confusion, confused(&grid).count()),
        (Section::Calibration, calibrated.count()),
        (Section::Training, training_groups(data).len()),
    ];
    let many = counts.into_iter().filter(|(_, n)| *n > MANY);
    let mut sections: Vec<Section> = many.map(|(section, _)| section).collect();
    sections.push(Section::Map);
    sections
}

/// The data of a section's charts with their drawing area, and their text for readers without scripts.
pub(super) fn cells(data: &ReportData, section: Section) -> String {
    let (draw, cells, table) = match section {
        Section::Confusion => confusion(data),
        Section::Calibration => calibrations(data),
        Section::Training => training(data),
        Section::Map => maps(data),
        _ => return String::new(),
    };
    place(draw, cells, table.as_ref())
}

/// The drawing area, with the data of its cells and their text for readers without scripts.
pub(super) fn place(draw: &str, cells: Vec<Value>, table: Option<&Table>) -> String {
    if cells.is_empty() {
        return String::new();
    }
    let n = cells.len();
    let json = json_for_page(&Value::from(cells));
    let mut out = format!(
        "<div class=\"cells\" data-draw=\"{draw}\"><noscript><p class=\"note\">These charts are drawn by the page's \
         script.</p></noscript><script type=\"application/json\">{json}</script></div>\n"
    );
    if let Some(table) = table {
        out += &format!(
            "<details class=\"more\"><summary>All {n} as text</summary>{}</details>\n",
            table.html()
        );
    }
    out
}

type Cells = (&'static str, Vec<Value>, Option<Table>);

fn confused<'a>(grid: &'a Grid<'a>) -> impl Iterator<Item = (usize, usize, &'a Run)> {
    grid.runs().filter(|(.., run)| !run.confusion.is_empty())
}

fn confusion(data: &ReportData) -> Cells {
    let grid = Grid::of(data);
    let cell = |(_, system, run): (usize, usize, &Run)| json!({"c": run.corpus, "e": grid.systems[system], "n": run.n, "classes": run.classes, "counts": run.confusion});
    let row = |(_, system, run): (usize, usize, &Run)| {
        let scored = run.per_class.iter().filter(|class| class.support > 0);
        let recalls = scored.map(|class| format!("{} {}", class.class, percent(class.recall)));
        let recalls = recalls.collect::<Vec<_>>().join(", ");
        vec![
            TableCell::text(&run.corpus),
            TableCell::text(&grid.systems[system]),
            TableCell::text(recalls),
        ]
    };
    let table = Table {
        caption: "Recall of each class in per cent".to_owned(),
        columns: ["corpus", "encoder", "recall"].map(Column::left).to_vec(),
        rows: confused(&grid).map(row).collect(),
        ..Table::default()
    };
    (
        "confusion",
        confused(&grid).map(cell).collect(),
        Some(table),
    )
}

fn calibration<'a>(data: &'a ReportData, run: &'a Run) -> Option<&'a emobox_score::Calibration> {
    let mut siblings = data.siblings(run);
    siblings.find_map(|sibling| sibling.calibration.as_ref())
}

/// Four decimals.
fn share(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn calibrations(data: &ReportData) -> Cells {
    let grid = Grid::of(data);
    let cell = |(_, system, run): (usize, usize, &Run)| {
        let calibration = calibration(data, run)?;
        let bins = calibration.bins.iter().filter(|bin| bin.n > 0);
        let bins: Vec<Value> = bins
            .map(|bin| json!([share(bin.confidence), share(bin.accuracy), bin.n]))
            .collect();
        let scores = [calibration.log_loss, calibration.brier, calibration.ece].map(share);
        Some(json!({"c": run.corpus, "e": grid.systems[system], "bins": bins, "scores": scores}))
    };
    // Their text is the table of the same section.
    ("calibration", grid.runs().filter_map(cell).collect(), None)
}

fn training(data: &ReportData) -> Cells {
    let groups = training_groups(data);
    let points = || data.training.iter().flat_map(|training| &training.points);
    let curves = 3 * points().count();
    let epochs = points()
        .map(|point| point.valid_ua.len())
        .max()
        .unwrap_or(0);
    let shown = CURVES
        .checked_div(2 * curves)
        .unwrap_or(0)
        .clamp(12, epochs.max(12));
    let every = epochs.div_ceil(shown).max(1);
    let cells = groups
        .iter()
        .map(|(corpus, encoder, folds)| training_cell(corpus, encoder, folds, every));
    let rows = groups.iter().map(|(corpus, encoder, folds)| {
        let chosen = crate::chart::chosen_sentence(folds);
        [*corpus, *encoder, &chosen].map(TableCell::text).to_vec()
    });
    let table = Table {
        caption: "What validation chose".to_owned(),
        columns: ["corpus", "encoder", "chosen"].map(Column::left).to_vec(),
        rows: rows.collect(),
        ..Table::default()
    };
    ("training", cells.collect(), Some(table))
}

/// A cell of the curves: losses relative to the highest, accuracies unchanged, every n-th epoch from the first.
fn training_cell(corpus: &str, encoder: &str, folds: &[&Training], every: usize) -> Value {
    let points = || folds.iter().flat_map(|fold| &fold.points);
    let mut names: Vec<&str> = Vec::new();
    for point in points() {
        if !names.contains(&point.name.as_str()) {
            names.push(&point.name);
        }
    }
    let losses = points().flat_map(|point| point.train_loss.iter().chain(&point.valid_loss));
    let highest = losses
        .map(|v| kept(*v))
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let packed = |values: &[f64], highest: f64| {
        let mut text = String::new();
        for value in values.iter().step_by(every) {
            let share = kept(*value) / highest.max(1e-9);
            // The largest number means that there is no value.
            let number = if share.is_finite() {
                (share.clamp(0.0, 1.0) * f64::from(PACKED - 1)).round() as u16
            } else {
                PACKED
            };
            pack(&mut text, number);
        }
        text
    };
    let folds: Vec<Value> = folds
        .iter()
        .map(|fold| {
            let points = fold.points.iter().map(|point| {
                let name = names.iter().position(|name| *name == point.name);
                let epoch = point.selected_epoch.filter(|&e| e > 0);
                let ua = epoch
                    .and_then(|e| point.valid_ua.get(e - 1))
                    .map(|v| kept(*v));
                json!([
                    name.unwrap_or(0),
                    epoch.unwrap_or(0),
                    ua,
                    packed(&point.train_loss, highest),
                    packed(&point.valid_loss, highest),
                    packed(&point.valid_ua, 1.0)
                ])
            });
            json!([fold.fold, points.collect::<Vec<_>>()])
        })
        .collect();
    let epochs = points()
        .map(|p| p.train_loss.len().max(p.valid_ua.len()))
        .max();
    json!({"c": corpus, "e": encoder, "names": names, "epochs": epochs, "every": every, "highest": highest,
        "folds": folds})
}

fn maps(data: &ReportData) -> Cells {
    let total: usize = data.maps.iter().map(|map| map.points.len()).sum();
    let step = total.div_ceil(MAP_POINTS).max(1);
    let keyed = keys_are_kept(&data.maps);
    let cells = data.maps.iter().map(|map| map_cell(map, step, keyed));
    let rows = data.maps.iter().map(|map| {
        let mut counts = BTreeMap::<&str, usize>::new();
        for label in map.points.iter().filter_map(|point| map.label(point)) {
            *counts.entry(label).or_default() += 1;
        }
        let counts = counts.iter().map(|(label, n)| format!("{label} {n}"));
        vec![
            TableCell::text(&map.corpus),
            TableCell::text(&map.encoder),
            TableCell::text(&map.method),
            TableCell::number(map.points.len().to_string(), map.points.len() as f64),
            TableCell::number(map.speakers.len().to_string(), map.speakers.len() as f64),
            TableCell::text(counts.collect::<Vec<_>>().join(", ")),
            TableCell::text(&map.note),
        ]
    });
    let table = Table {
        caption: "Maps of utterances".to_owned(),
        columns: vec![
            Column::left("corpus"),
            Column::left("encoder"),
            Column::left("method"),
            Column::right("utterances"),
            Column::right("speakers"),
            Column::left("emotions"),
            Column::left("what to know"),
        ],
        rows: rows.collect(),
        ..Table::default()
    };
    ("map", cells.collect(), Some(table))
}

fn map_cell(map: &UtteranceMap, step: usize, keyed: bool) -> Value {
    let points = || map.points.iter().step_by(step);
    let mut packed = String::with_capacity(8 * map.points.len() / step + 8);
    let scaled = |at: u16| {
        let share = f64::from(at.min(MAP_GRID)) / f64::from(MAP_GRID);
        (share * f64::from(PACKED)).round() as u16
    };
    // The script expects one number per point.
    let whole = |colouring: &&Colouring| colouring.of.len() == map.points.len();
    let colourings: Vec<&Colouring> = map.colourings.iter().filter(whole).collect();
    for (i, point) in map.points.iter().enumerate().step_by(step) {
        let speaker = point.speaker.map_or(PACKED, |speaker| speaker.min(PACKED));
        for number in [scaled(point.x), scaled(point.y), point.label, speaker] {
            pack(&mut packed, number);
        }
        for colouring in &colourings {
            pack(&mut packed, colouring.of[i].min(PACKED));
        }
    }
    let mut note = map.note.clone();
    if step > 1 {
        let shown = points().count();
        let room = if note.is_empty() { "" } else { "; " };
        note += &format!("{room}{shown} of {} points on this page", map.points.len());
    }
    let mut cell = json!({"c": map.corpus, "e": map.encoder, "m": map.method, "note": note, "labels": map.labels,
        "speakers": map.speakers, "points": packed});
    if !colourings.is_empty() {
        let groups = colourings.iter().map(|one| json!([one.by, one.names]));
        cell["groups"] = groups.collect();
    }
    if keyed && map.keys.len() == map.points.len() {
        cell["keys"] = Value::from(map.keys.iter().step_by(step).cloned().collect::<Vec<_>>());
    }
    cell
}
