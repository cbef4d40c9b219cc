//! Lists of errors, which the page's script draws and plays.

use super::cells::place;
use crate::compact::json_for_page;
use crate::tables::Grid;
use crate::{Cell, Column, ErrorList, ErrorRow, ReportData, Table};
use serde_json::{Value, json};

/// Most rows of all lists of a page.
const ROWS: usize = 20_000;
/// Rows of each list in the text for readers without the script.
const AS_TEXT: usize = 5;

/// The lists of errors that have a row in the tables.
pub(super) fn errors(data: &ReportData) -> String {
    let grid = Grid::of(data);
    let most = (ROWS / data.errors.len().max(1)).max(10);
    let named: Vec<(&ErrorList, &str)> = data
        .errors
        .iter()
        .filter(|list| list.n > 0)
        .filter_map(|list| Some((list, system(&grid, list)?)))
        .collect();
    if named.is_empty() {
        return String::new();
    }
    let cells = named.iter().map(|(list, system)| cell(list, system, most));
    let rows = named.iter().flat_map(|(list, system)| {
        let worst = list.rows.iter().take(AS_TEXT);
        worst.map(move |row| as_text(list, system, row))
    });
    let table = Table {
        caption: format!("The {AS_TEXT} most confident errors of each"),
        columns: ["corpus", "encoder", "utterance", "reference", "predicted"]
            .map(Column::left)
            .into_iter()
            .chain([Column::right("confidence %")])
            .collect(),
        rows: rows.collect(),
        ..Table::default()
    };
    place("errors", cells.collect(), Some(&table))
}

/// The name under which the tables have the cell of a list.
fn system<'a>(grid: &'a Grid<'_>, list: &ErrorList) -> Option<&'a str> {
    let mut runs = grid.runs();
    let (_, system, _) = runs.find(|(.., run)| {
        (&run.corpus, &run.encoder, &run.partition)
            == (&list.corpus, &list.encoder, &list.partition)
            && (&run.protocol, &run.config) == (&list.protocol, &list.config)
    })?;
    grid.systems.get(system).map(String::as_str)
}

fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

fn cell(list: &ErrorList, system: &str, most: usize) -> Value {
    let row = |row: &ErrorRow| {
        let [of_predicted, of_reference] = match row.probability {
            Some(both) => both.map(|share| Some(percent(share))),
            None => [None, None],
        };
        let clip = row.clip.as_ref();
        json!([
            row.key,
            clip.map(|clip| &clip.path),
            clip.and_then(|clip| clip.part),
            row.speaker,
            row.reference,
            row.predicted,
            of_predicted,
            of_reference,
            row.fold,
            row.text
        ])
    };
    let rows: Vec<Value> = list.rows.iter().take(most).map(row).collect();
    json!({"c": list.corpus, "e": system, "n": list.n, "wrong": list.wrong, "root": list.root, "rows": rows})
}

fn as_text(list: &ErrorList, system: &str, row: &ErrorRow) -> Vec<Cell> {
    let words = [
        &list.corpus,
        system,
        &row.key,
        &row.reference,
        &row.predicted,
    ];
    let confidence = match row.probability {
        Some([share, _]) => Cell::number(format!("{:.1}", percent(share)), share),
        None => Cell::text("–"),
    };
    words
        .map(Cell::text)
        .into_iter()
        .chain([confidence])
        .collect()
}

/// The audio inside the page.
pub(super) fn embedded(data: &ReportData) -> String {
    if data.embedded.is_empty() {
        return String::new();
    }
    let clips = data.embedded.iter();
    let clips: Vec<Value> = clips
        .map(|clip| json!([clip.corpus, clip.key, clip.address]))
        .collect();
    let json = json_for_page(&Value::from(clips));
    format!("<script type=\"application/json\" id=\"embedded-audio\">{json}</script>\n")
}
