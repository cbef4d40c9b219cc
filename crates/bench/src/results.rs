use crate::split::Split;
use crate::{BenchError, BenchRun};
use emobox_corpus::{Audit, Shared};
use emobox_files::{write_atomic, write_atomic_with, write_json};
use emobox_probe::{FoldOutcome, Point, Protocol};
use emobox_report::{AuditFindings, Fact, Training, TrainingPoint, html};
use emobox_score::write_predictions;
use std::path::{Path, PathBuf};

/// What `emobox report` reads: everything that the page shows.
pub(crate) const REPORT_DATA: &str = "report.json";

/// Writes `scores.json`, `predictions/<corpus>/<encoder>.jsonl` and `report.json`.
pub(crate) fn write_scores(run: &BenchRun, out: &Path) -> Result<(), BenchError> {
    for set in run.predictions() {
        let path = predictions_path(out, &set.corpus, &set.encoder);
        write_atomic_with(path, |to| write_predictions(to, &set.items))?;
    }
    write_json(out.join("scores.json"), run.scores())?;
    write_json(out.join(REPORT_DATA), run.data())?;
    Ok(())
}

/// Where the predictions of a corpus under an encoder lie in the output folder of a run.
pub(crate) fn predictions_path(out: &Path, corpus: &str, encoder: &str) -> PathBuf {
    let name = format!("{encoder}.jsonl");
    out.join("predictions").join(corpus).join(name)
}

/// Writes `report.html`.
pub(crate) fn write_page(run: &BenchRun, out: &Path) -> Result<(), BenchError> {
    write_atomic(out.join("report.html"), html(run.data()).as_bytes())?;
    Ok(())
}

/// The curves of a fold as the report draws them.
pub(crate) fn training_of(corpus: &str, encoder: &str, outcome: &FoldOutcome) -> Training {
    let points = outcome.curves.iter().map(|curve| {
        let selected = outcome.selected.iter().find(|s| s.point == curve.point);
        TrainingPoint {
            name: point_name(&curve.point),
            selected_epoch: selected.map(|s| s.epoch),
            train_loss: curve.epochs.iter().map(|e| e.train_loss).collect(),
            valid_loss: curve.epochs.iter().map(|e| e.valid.loss).collect(),
            valid_ua: curve.epochs.iter().map(|e| e.valid.ua).collect(),
        }
    });
    Training {
        corpus: corpus.to_owned(),
        encoder: encoder.to_owned(),
        fold: outcome.fold,
        points: points.collect(),
    }
}

fn point_name(point: &Point) -> String {
    format!(
        "learning rate {}, hidden {}",
        point.learning_rate, point.hidden
    )
}

/// The audit of a partition as the report shows it.
pub(crate) fn audit_findings(split: &Split) -> AuditFindings {
    AuditFindings {
        corpus: split.partition.info.corpus.clone(),
        partition: split.partition.info.scheme.to_string(),
        verdict: split.audit.verdict.clone(),
        clean: is_clean(&split.audit),
        findings: split
            .audit
            .to_string()
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect(),
    }
}

/// Whether speakers are known and neither a speaker nor a recording is on both sides. Texts are: in
/// acted corpora everybody reads the same sentences.
fn is_clean(audit: &Audit) -> bool {
    let leaks = audit
        .folds
        .iter()
        .flat_map(|fold| &fold.overlaps)
        .any(|o| o.seen == "train" && o.judged == "test" && o.what != Shared::Texts);
    let known = audit.folds.iter().all(|fold| fold.test_speakers.is_some());
    known && !leaks
}

/// Every constant of a protocol, in reading order.
pub(crate) fn protocol_facts(protocol: &Protocol) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(protocol) {
        for (name, value) in fields {
            add_fact(&mut facts, name, &value);
        }
    }
    facts
}

/// Objects are flattened, lists written as lists, so that a page shows no JSON.
fn add_fact(facts: &mut Vec<Fact>, name: String, value: &serde_json::Value) {
    use serde_json::Value;
    let value = match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                add_fact(facts, format!("{name}.{field}"), value);
            }
            return;
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        other => plain(other),
    };
    facts.push(Fact { name, value });
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
