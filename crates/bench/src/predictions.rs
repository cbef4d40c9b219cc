//! Predictions in files, and a probe's answers as their lines.

use crate::{BenchError, CallError, Corpus};
use emobox_files::FileError;
use emobox_probe::{FoldOutcome, Predicted};
use emobox_score::{Prediction, RatedPrediction, read_predictions};
use std::io::BufRead;
use std::path::Path;

/// The lines of a `predictions.jsonl`.
pub fn predictions_in(path: &Path) -> Result<Vec<Prediction>, BenchError> {
    if rated_predictions_in(path)?.is_some() {
        let problem = "holds dimensions, and predictions of classes are wanted";
        return Err(BenchError::Call(CallError::other(path, problem)));
    }
    let file = std::fs::File::open(path).map_err(|e| FileError::io("read", path, e))?;
    let reader = std::io::BufReader::new(file);
    Ok(read_predictions(reader, &path.display().to_string())?)
}

/// The lines of a `predictions.jsonl` of dimensions; none if its first line is one of classes.
pub(crate) fn rated_predictions_in(
    path: &Path,
) -> Result<Option<Vec<RatedPrediction>>, BenchError> {
    let file = std::fs::File::open(path).map_err(|e| FileError::io("read", path, e))?;
    let mut items = Vec::new();
    for (line, text) in (1..).zip(std::io::BufReader::new(file).lines()) {
        let read = text.map_err(|e| e.to_string()).and_then(|text| {
            let text = text.trim_start_matches('\u{feff}').trim();
            match text {
                "" => Ok(None),
                text => serde_json::from_str(text)
                    .map(Some)
                    .map_err(|e| e.to_string()),
            }
        });
        match read {
            Ok(item) => items.extend(item),
            Err(_) if items.is_empty() => return Ok(None),
            Err(problem) => {
                return Err(BenchError::Call(CallError::Predictions {
                    file: format!("{}:{line}", path.display()),
                    problem: format!("expected one prediction of dimensions: {problem}"),
                }));
            }
        }
    }
    Ok((!items.is_empty()).then_some(items))
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
