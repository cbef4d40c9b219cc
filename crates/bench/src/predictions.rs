//! Predictions in files, and a probe's answers as their lines.

use crate::{BenchError, CallError, Corpus};
use emobox_files::FileError;
use emobox_probe::{FoldOutcome, Predicted};
use emobox_score::{Prediction, read_predictions};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(crate) fn open(path: &Path) -> Result<BufReader<File>, BenchError> {
    let file = File::open(path).map_err(|e| FileError::io("read", path, e))?;
    Ok(BufReader::new(file))
}

/// Whether a file of predictions is one of dimensions, by its first line.
pub(crate) fn is_of_dimensions(path: &Path) -> Result<bool, BenchError> {
    let mut lines = open(path)?.lines().map_while(Result::ok);
    let first = lines.find(|line| !line.trim_start_matches('\u{feff}').trim().is_empty());
    let first = first.unwrap_or_default();
    let first: Value =
        serde_json::from_str(first.trim_start_matches('\u{feff}')).unwrap_or_default();
    let has = |field: &str| first.get(field).is_some();
    Ok((has("reference") || has("predicted")) && !has("label"))
}

/// The lines of a `predictions.jsonl`.
pub fn predictions_in(path: &Path) -> Result<Vec<Prediction>, BenchError> {
    if is_of_dimensions(path)? {
        let problem = "holds dimensions, and predictions of classes are wanted";
        return Err(BenchError::Call(CallError::other(path, problem)));
    }
    Ok(read_predictions(open(path)?, &path.display().to_string())?)
}

/// A probe's answer as a line of `predictions.jsonl`.
pub(crate) fn prediction(corpus: &Corpus, outcome: &FoldOutcome, item: &Predicted) -> Prediction {
    let utterance = corpus.utterance(&item.key);
    Prediction {
        key: item.key.clone(),
        fold: outcome.fold,
        label: outcome.classes[item.label].clone(),
        prediction: outcome.classes[item.prediction].clone(),
        scores: outcome
            .classes
            .iter()
            .cloned()
            .zip(item.log_probabilities.iter().copied())
            .collect(),
        speaker: utterance.and_then(|u| u.speaker.clone()),
        votes: std::collections::BTreeMap::new(),
        gender: utterance.and_then(|u| u.gender.clone()),
    }
}
