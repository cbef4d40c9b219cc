//! MLflow's file store: one experiment, one run per cell, one text file per metric.

use super::{Cell, json, plain};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The experiment's number in the store; the name is `emobox`.
const EXPERIMENT: &str = "195406842361745927";

pub(super) fn files(cells: &[Cell<'_>], version: &str, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let experiment = PathBuf::from(EXPERIMENT);
    // YAML accepts strings as JSON writes them.
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let place = |below: &str| {
        let path = folder.join(EXPERIMENT).join(below);
        quoted(
            path.to_string_lossy()
                .trim_end_matches(std::path::MAIN_SEPARATOR),
        )
    };
    let text = format!(
        "artifact_location: {}\ncreation_time: 0\nexperiment_id: '{EXPERIMENT}'\nlast_update_time: 0\n\
         lifecycle_stage: active\nname: emobox\n",
        place("")
    );
    let mut files = vec![(experiment.join("meta.yaml"), text.into_bytes())];
    for cell in cells {
        let id = format!("{:032x}", cell.id());
        let run = experiment.join(&id);
        let text = format!(
            "artifact_uri: {}\nend_time: 0\nentry_point_name: ''\nexperiment_id: '{EXPERIMENT}'\n\
             lifecycle_stage: active\nrun_id: {id}\nrun_name: {}\nrun_uuid: {id}\nsource_name: emobox\nsource_type: 4\n\
             source_version: ''\nstart_time: 0\nstatus: 3\ntags: []\nuser_id: emobox\n",
            place(&format!("{id}/artifacts")),
            quoted(&cell.name)
        );
        files.push((run.join("meta.yaml"), text.into_bytes()));
        let name = cell.name.clone().into_bytes();
        files.push((run.join("tags").join("mlflow.runName"), name));
        // MLflow ignores a run without artifacts; the data behind every metric is a useful one.
        let all = serde_json::to_value(cell.run).unwrap_or_default();
        files.push((run.join("artifacts").join("run.json"), json(&all)));
        for (name, value) in cell.parameters(version) {
            files.push((run.join("params").join(name), value.into_bytes()));
        }
        for (name, value) in metrics(cell) {
            files.push((run.join("metrics").join(plain(&name)), value.into_bytes()));
        }
    }
    files
}

/// One line per value: time, value, step.
fn metrics(cell: &Cell<'_>) -> Vec<(String, String)> {
    let mut metrics: Vec<(String, String)> = Vec::new();
    for (name, value) in cell.metrics() {
        metrics.push((name, format!("0 {value} 0\n")));
    }
    for (fold, scores) in cell.folds() {
        for (name, value) in scores {
            let name = format!("fold_{name}");
            let line = format!("0 {value} {fold}\n");
            match metrics.iter_mut().find(|(known, _)| *known == name) {
                Some((_, text)) => text.push_str(&line),
                None => metrics.push((name, line)),
            }
        }
    }
    for (name, values) in cell.curves() {
        let mut text = String::new();
        for (epoch, value) in (1..).zip(values) {
            let _ = writeln!(text, "0 {value} {epoch}");
        }
        metrics.push((name, text));
    }
    metrics
}
