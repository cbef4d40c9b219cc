//! One flat JSON file per cell, as `evaluate.save` writes it: metrics by their names in `evaluate`.

use super::{Cell, json, plain};
use serde_json::{Value, json};
use std::path::PathBuf;

pub(super) fn files(cells: &[Cell<'_>], version: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |cell: &Cell<'_>| {
        let run = cell.run;
        let mut value = json!({
            "task": "audio-classification",
            "dataset": run.corpus,
            "model": run.encoder,
            // `evaluate` uses this name for the mean recall over classes, with `average="macro"`.
            "recall": run.ua,
            "accuracy": run.wa,
            "f1": run.macro_f1,
            "_emobox_version": version,
        });
        for (name, text) in cell.parameters(version) {
            value[name] = Value::String(text);
        }
        for (name, number) in cell.metrics() {
            value[name] = json!(number);
        }
        let name = format!("{}.json", plain(&cell.name));
        (PathBuf::from(name), json(&value))
    };
    cells.iter().map(file).collect()
}
