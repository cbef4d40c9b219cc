//! Predictions without errors score 100 without uncertainty, on every corpus and partition: whatever
//! classes its folds lack, and even if speakers have only one class.

#[path = "../../corpus/tests/miniature/release.rs"]
mod release;

use emobox_corpus::{
    Manifest, PartitionOptions, PrepareOptions, Role, Scheme, partition, prepare, prepare_with,
    registry,
};
use emobox_score::{
    FEWEST_CLUSTERS, InferenceOptions, Prediction, RunLabels, ScoreRequest, score_folds,
};
use release::{read_header, unpack};
use std::collections::BTreeMap;
use std::path::Path;

/// The test parts of a partition, with the labels as predictions.
fn answered(manifest: &Manifest, scheme: Scheme) -> Option<Vec<Prediction>> {
    let options = PartitionOptions {
        scheme,
        ..PartitionOptions::default()
    };
    let made = partition(manifest, &options).ok()?;
    let utterances: BTreeMap<&str, _> = manifest
        .utterances
        .iter()
        .map(|u| (u.key.as_str(), u))
        .collect();
    let tested = made.assignments.iter().filter(|a| a.role == Role::Test);
    let predictions: Vec<Prediction> = tested
        .map(|assignment| {
            let utterance = utterances[assignment.key.as_str()];
            Prediction {
                key: utterance.key.clone(),
                fold: assignment.fold,
                label: utterance.label.clone(),
                prediction: utterance.label.clone(),
                scores: BTreeMap::new(),
                speaker: utterance.speaker.clone(),
                votes: BTreeMap::new(),
                gender: utterance.gender.clone(),
            }
        })
        .collect();
    (!predictions.is_empty()).then_some(predictions)
}

/// Whether the scores of perfect predictions have intervals.
fn is_perfect(manifest: &Manifest, scheme: Scheme) -> Option<bool> {
    let predictions = answered(manifest, scheme)?;
    let runs = score_folds(&ScoreRequest {
        labels: &RunLabels::default(),
        classes: &manifest.classes(),
        predictions: &predictions,
        oracle: None,
        inference: InferenceOptions::default(),
    })
    .unwrap();
    for run in &runs {
        let subject = format!("{} {scheme}, fold {}", manifest.corpus, run.fold);
        assert_eq!((run.ua, run.wa, run.macro_f1), (1.0, 1.0, 1.0), "{subject}");
        let how = run.interval.unwrap();
        let all = (how.units >= FEWEST_CLUSTERS).then_some([1.0, 1.0]);
        let found = (run.ua_ci, run.wa_ci, run.macro_f1_ci);
        assert_eq!(found, (all, all, all), "{subject}: {how:?}");
    }
    let headline = runs.iter().find(|run| run.headline).unwrap();
    Some(headline.ua_ci.is_some())
}

/// A corpus's miniature release; see `crates/corpus/tests/miniature.rs`.
fn miniature(corpus: &str) -> Manifest {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../corpus/tests/miniature/{corpus}.txt"));
    let folder = tempfile::tempdir().unwrap();
    unpack(&std::fs::read_to_string(path).unwrap(), folder.path());
    let options = PrepareOptions {
        allow_missing: true,
        threads: Some(1),
        ..PrepareOptions::default()
    };
    prepare_with(corpus, folder.path(), &options, &read_header)
        .unwrap()
        .manifest
}

#[test]
fn on_every_miniature_corpus() {
    let (mut scored, mut with_intervals) = (0, 0);
    for entry in registry() {
        let manifest = miniature(entry.card.name);
        for scheme in [Scheme::Paper, Scheme::Speaker] {
            if let Some(has_intervals) = is_perfect(&manifest, scheme) {
                scored += 1;
                with_intervals += usize::from(has_intervals);
            }
        }
    }
    // A miniature with two or three speakers has no partition by speaker and no interval.
    let counts = (scored, with_intervals);
    assert!(
        scored > registry().len() && with_intervals >= 5,
        "{counts:?}"
    );
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn on_urdu_whose_speakers_have_one_class_each() {
    let raw = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/urdu");
    let manifest = prepare("urdu", &raw, &PrepareOptions::default())
        .unwrap()
        .manifest;
    assert_eq!(manifest.utterances.len(), 400);
    for scheme in [Scheme::Paper, Scheme::Speaker] {
        assert_eq!(is_perfect(&manifest, scheme), Some(true), "{scheme}");
    }
}
