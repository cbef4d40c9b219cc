use crate::harness::{Published, put};
use std::path::Path;

/// Writes `shemo.json` as a list with ids; the miniature release has the other form, a map by id.
pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut samples: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let id = row.key.trim_start_matches("shemo-");
            serde_json::json!({
                "id": id,
                "emotion": row.raw_label,
                "transcript": format!("\u{feff}{id}"),
            })
        })
        .collect();
    // Listed, but neither published nor in the release.
    samples.push(serde_json::json!({"id": "F01N12", "emotion": "neutral"}));
    put(root, "shemo.json", serde_json::to_string(&samples).unwrap());
    // In the release, but not listed.
    put(root, "female/F99N01.wav", "");
}
