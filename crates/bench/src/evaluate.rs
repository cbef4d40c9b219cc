use crate::predictions::{is_of_dimensions, open, predictions_in};
use crate::run::scores_file;
use crate::{BenchError, BenchRun, CallError};
use emobox_corpus::{DIMENSIONS, Manifest};
use emobox_files::FileError;
use emobox_report::ReportData;
use emobox_score::{
    InferenceOptions, Prediction, Provenance, RatedPrediction, RunLabels, ScoreRequest, ScoresFile,
    classes_of, join_published_lists, read_published_list, read_rated_predictions,
    score_dimensions, score_folds,
};
use std::collections::{HashMap, HashSet};
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
    let manifest = manifest.map(Manifest::read).transpose()?;
    if is_of_dimensions(predictions)? {
        let items = read_rated_predictions(open(predictions)?, &name)?;
        return evaluate_rated(&name, items, manifest.as_ref(), seed);
    }
    let items = predictions_in(predictions)?;
    evaluate_items(&name, items, manifest.as_ref(), seed)
}

/// Scores predictions of dimensions, with the speakers that they or the manifest name.
fn evaluate_rated(
    name: &str,
    mut items: Vec<RatedPrediction>,
    manifest: Option<&Manifest>,
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let options = InferenceOptions {
        seed,
        ..InferenceOptions::default()
    };
    let mut labels = given(name);
    if let Some(manifest) = manifest {
        check_known(items.iter().map(|item| &*item.key), manifest, name)?;
        check_ratings(&items, manifest, name)?;
        let given = items.iter_mut();
        fill_speakers(given.map(|item| (&*item.key, &mut item.speaker)), manifest);
        labels.corpus.clone_from(&manifest.corpus);
    }
    let dimensions = score_dimensions(&labels, &[&items], &options)?;
    let scores = ScoresFile {
        dimensions,
        ..scores_file(Provenance::default(), Vec::new())
    };
    Ok(BenchRun::of(ReportData::new(name, scores)))
}

/// References and the manifest's values differ by no more than this, relative to their size: they may be of single precision.
const SAME_RATING: f64 = 1e-5;

/// Refuses references that are not what the manifest says.
fn check_ratings(
    items: &[RatedPrediction],
    manifest: &Manifest,
    name: &str,
) -> Result<(), BenchError> {
    let known: HashMap<&str, [Option<f64>; 3]> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u.dimensions()))
        .collect();
    for item in items {
        let values = known.get(item.key.as_str()).copied().unwrap_or_default();
        for (dimension, value) in DIMENSIONS.iter().zip(values) {
            let Some((said, value)) = item.reference.get(*dimension).zip(value) else {
                continue;
            };
            if (said - value).abs() > SAME_RATING * value.abs().max(1.0) {
                return Err(BenchError::Call(CallError::Predictions {
                    file: name.to_owned(),
                    problem: format!(
                        "{:?} has {dimension} {said}, the manifest of {} says {value}",
                        item.key, manifest.corpus
                    ),
                }));
            }
        }
    }
    Ok(())
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
    let given = items.iter_mut();
    fill_speakers(given.map(|item| (&*item.key, &mut item.speaker)), manifest);
}

/// The same for keys and speakers of whatever.
fn fill_speakers<'a>(
    items: impl Iterator<Item = (&'a str, &'a mut Option<String>)>,
    manifest: &Manifest,
) {
    let speakers: HashMap<&str, Option<&String>> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u.speaker.as_ref()))
        .collect();
    for (key, speaker) in items {
        if speaker.is_none() {
            *speaker = speakers.get(key).copied().flatten().cloned();
        }
    }
}

/// Refuses predictions for utterances that the manifest does not have.
fn check_known<'a>(
    keys: impl Iterator<Item = &'a str> + Clone,
    manifest: &Manifest,
    name: &str,
) -> Result<(), BenchError> {
    let known: HashSet<&str> = manifest.utterances.iter().map(|u| &*u.key).collect();
    let mut unknown = keys.clone().filter(|key| !known.contains(key));
    let Some(first) = unknown.next() else {
        return Ok(());
    };
    Err(BenchError::Call(CallError::Predictions {
        file: name.to_owned(),
        problem: format!(
            "{} of {} keys are not in the manifest of {}, the first is {first:?}",
            1 + unknown.count(),
            keys.count(),
            manifest.corpus
        ),
    }))
}

/// Refuses predictions for utterances that the manifest does not have, or has under another label.
fn check_keys(items: &[Prediction], manifest: &Manifest, name: &str) -> Result<(), BenchError> {
    check_known(items.iter().map(|item| &*item.key), manifest, name)?;
    let labels: HashMap<&str, &str> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u.label.as_str()))
        .collect();
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
