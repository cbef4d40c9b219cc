use crate::harness::{Published, put};
use serde_json::{Map, json};
use std::path::Path;

/// Only the published valid and test rows are known, and none has a speaker.
pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut labels = Map::new();
    for row in rows {
        let split = match row.split.as_str() {
            "valid:1" => "Validation",
            "test:1" => "Test1",
            other => panic!("{other}"),
        };
        let name = row.path.rsplit('/').next().unwrap();
        let label = json!({
            "EmoClass": row.raw_label, "EmoAct": 4.2, "EmoVal": 4.0, "EmoDom": 4.6,
            "SpkrID": "Unknown", "Gender": "Female", "Split_Set": split,
        });
        labels.insert(name.to_owned(), label);
    }
    put(
        root,
        "label/labels_concensus.json",
        serde_json::Value::Object(labels).to_string(),
    );
}
