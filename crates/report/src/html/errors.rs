//! Lists of errors, which the page's script draws and plays.

use super::cells::place;
use crate::compact::json_for_page;
use crate::tables::{Grid, named};
use crate::{ErrorList, ErrorRow, ReportData, errors_table};
use serde_json::{Value, json};

/// Maximum number of rows of all lists of a page.
const ROWS: usize = 20_000;
/// Rows of each list in the text for readers without scripts.
const AS_TEXT: usize = 5;

/// The lists of errors that have a row in the tables.
pub(super) fn errors(data: &ReportData) -> String {
    let grid = Grid::of(data);
    let most = (ROWS / data.errors.len().max(1)).max(10);
    let named = named(data, &grid);
    if named.is_empty() {
        return String::new();
    }
    let cells = named.iter().map(|(list, system)| cell(list, system, most));
    place(
        "errors",
        cells.collect(),
        Some(&errors_table(data, AS_TEXT)),
    )
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

/// The audio embedded in the page.
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
