//! Results as MTEB stores them: a folder per model and revision, with a JSON file per task. The main score is UA.

use super::{Cell, json, plain};
use serde_json::json;
use std::path::PathBuf;

/// MTEB requires a language and a script (ISO 639-3 and 15924); a report does not know them.
const UNDETERMINED: &str = "und-Zyyy";

/// The version of the format.
const FORM: &str = "2.0.0";

pub(super) fn files(cells: &[Cell<'_>], version: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for cell in cells {
        let run = cell.run;
        // What distinguishes configurations of one encoder takes the place of the revision.
        let revision = plain(&format!(
            "{}-{}-{}",
            run.partition, run.protocol, run.config
        ));
        let folder = PathBuf::from(plain(&run.encoder)).join(&revision);
        let mut scores = json!({
            "hf_subset": "default",
            "languages": [UNDETERMINED],
            "main_score": run.ua,
            "accuracy": run.wa,
            "f1": run.macro_f1,
        });
        for (name, number) in cell.metrics() {
            scores[name] = json!(number);
        }
        let task = format!("EmoBox-{}", plain(&run.corpus));
        let result = json!({
            "dataset_revision": format!("{} by emobox {version}", run.partition),
            "task_name": task,
            "mteb_version": FORM,
            "scores": {"test": [scores]},
            "evaluation_time": 0.0,
            "kg_co2_emissions": null,
        });
        files.push((folder.join(format!("{task}.json")), json(&result)));
        let meta = json!({
            "name": format!("emobox/{}", plain(&run.encoder)),
            "revision": revision,
            "release_date": null,
            "languages": null,
            "n_parameters": null,
            "framework": [],
        });
        let meta = (folder.join("model_meta.json"), json(&meta));
        if !files.contains(&meta) {
            files.push(meta);
        }
    }
    files
}
