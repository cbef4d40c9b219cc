use crate::predictions::{predictions_in, rated_predictions_in};
use crate::run::scores_file;
use crate::{BenchError, BenchRun, CallError};
use emobox_corpus::Manifest;
use emobox_files::FileError;
use emobox_report::ReportData;
use emobox_score::{
    InferenceOptions, Prediction, Provenance, RatedPrediction, RunLabels, ScoreRequest, ScoresFile,
    classes_of, join_published_lists, read_published_list, score_dimensions, score_folds,
};
use std::collections::HashMap;
use std::path::Path;

/// Scores a predictions file from any source.
///
/// With a manifest, intervals are computed over its speakers and the classes are all of the manifest's;
/// without one, over utterances and the classes that occur.
pub fn evaluate(
    predictions: &Path,
    manifest: Option<&Path>,
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let name = predictions.display().to_string();
    if let Some(items) = rated_predictions_in(predictions)? {
        return evaluate_rated(&name, &items, seed);
    }
    let items = predictions_in(predictions)?;
    let manifest = manifest.map(Manifest::read).transpose()?;
    evaluate_items(&name, items, manifest.as_ref(), seed)
}

/// Scores predictions of dimensions, with the speakers that they name.
fn evaluate_rated(
    name: &str,
    items: &[RatedPrediction],
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let options = InferenceOptions {
        seed,
        ..InferenceOptions::default()
    };
    let dimensions = score_dimensions(&given(name), &[items], &options)?;
    let scores = ScoresFile {
        dimensions,
        ..scores_file(Provenance::default(), Vec::new())
    };
    Ok(BenchRun::of(ReportData::new(name, scores)))
}

/// Scores the two lists of the published toolkit's evaluation: `key, pred` and `key, label`.
///
/// # Errors
/// Keys that are missing, extra or duplicated, all of them.
pub fn evaluate_lists(
    predictions: &Path,
    labels: &Path,
    manifest: Option<&Path>,
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let read = |path: &Path| -> Result<Vec<(String, String)>, BenchError> {
        let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
        Ok(read_published_list(&text, &path.display().to_string())?)
    };
    let items = join_published_lists(&read(predictions)?, &read(labels)?)?;
    let manifest = manifest.map(Manifest::read).transpose()?;
    let name = predictions.display().to_string();
    evaluate_items(&name, items, manifest.as_ref(), seed)
}

/// Like [`evaluate`], for predictions in memory; `name` stands for the file in messages.
pub fn evaluate_items(
    name: &str,
    mut items: Vec<Prediction>,
    manifest: Option<&Manifest>,
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let known = manifest.map_or_else(Vec::new, Manifest::classes);
    let classes = classes_of(&known, &items)?;
    let mut corpus = given(name).corpus;
    if let Some(manifest) = manifest {
        check_keys(&items, manifest, name)?;
        add_speakers(&mut items, manifest);
        corpus.clone_from(&manifest.corpus);
    }
    let labels = RunLabels {
        corpus,
        ..given(name)
    };
    let runs = score_folds(&ScoreRequest {
        labels: &labels,
        classes: &classes,
        predictions: &items,
        oracle: None,
        inference: InferenceOptions {
            seed,
            ..InferenceOptions::default()
        },
    })?;
    let scores = scores_file(Provenance::default(), runs);
    Ok(BenchRun::of(ReportData::new(name, scores)))
}

/// The name of predictions from any source in tables: that of their file.
fn given(name: &str) -> RunLabels {
    let none = || "–".to_owned();
    RunLabels {
        corpus: Path::new(name).file_stem().map_or_else(
            || name.to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        ),
        encoder: "given predictions".to_owned(),
        protocol: none(),
        partition: none(),
        config: none(),
    }
}

/// Fills in speakers from the manifest if a prediction names none.
pub fn add_speakers(items: &mut [Prediction], manifest: &Manifest) {
    let speakers: HashMap<&str, Option<&String>> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u.speaker.as_ref()))
        .collect();
    for item in items {
        if item.speaker.is_none() {
            item.speaker = speakers.get(item.key.as_str()).copied().flatten().cloned();
        }
    }
}

/// Refuses predictions for utterances that the manifest does not have, or has under another label.
fn check_keys(items: &[Prediction], manifest: &Manifest, name: &str) -> Result<(), BenchError> {
    let labels: HashMap<&str, &str> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u.label.as_str()))
        .collect();
    let unknown: Vec<&str> = items
        .iter()
        .map(|item| item.key.as_str())
        .filter(|key| !labels.contains_key(key))
        .collect();
    if let Some(first) = unknown.first() {
        return Err(BenchError::Call(CallError::Predictions {
            file: name.to_owned(),
            problem: format!(
                "{} of {} keys are not in the manifest of {}, the first is {first:?}",
                unknown.len(),
                items.len(),
                manifest.corpus
            ),
        }));
    }
    let other = items
        .iter()
        .find(|item| labels.get(item.key.as_str()) != Some(&item.label.as_str()));
    match other {
        None => Ok(()),
        Some(item) => Err(BenchError::Call(CallError::Predictions {
            file: name.to_owned(),
            problem: format!(
                "{:?} has label {:?}, the manifest of {} says {:?}",
                item.key,
                item.label,
                manifest.corpus,
                labels[item.key.as_str()]
            ),
        })),
    }
}
