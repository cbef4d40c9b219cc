use crate::harness::{Published, put};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut samples: BTreeMap<String, serde_json::Value> = rows
        .iter()
        .map(|row| {
            let id = row.key.trim_start_matches("shemo-").to_owned();
            let sample = serde_json::json!({
                "speaker_id": row.speaker,
                "emotion": row.raw_label,
                "transcript": format!("\u{feff}{id}"),
            });
            (id, sample)
        })
        .collect();
    // Listed, but neither published nor there.
    samples.insert(
        "F01N12".to_owned(),
        serde_json::json!({"emotion": "neutral"}),
    );
    put(root, "shemo.json", serde_json::to_string(&samples).unwrap());
    // There, but not listed.
    put(root, "female/F99N01.wav", "");
}
