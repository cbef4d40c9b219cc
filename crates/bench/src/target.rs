//! What a probe learns of an utterance, and what its probes predicted.

use crate::predictions::prediction;
use crate::{BenchError, CallError, Corpus};
use emobox_corpus::{DIMENSIONS, Manifest, Utterance};
use emobox_probe::{FoldOutcome, Predicted, Target};
use emobox_score::{Prediction, RatedPrediction};
use std::collections::{BTreeMap, BTreeSet};

/// The outputs of a probe on a corpus: its classes, or the dimensions that it has.
///
/// # Errors
/// A corpus without dimensions, or without votes, if these are requested.
pub(crate) fn outputs(corpus: &Corpus, target: Target) -> Result<Vec<String>, BenchError> {
    let manifest = &corpus.manifest;
    let lacks = |what: String, how: String| {
        BenchError::Call(CallError::NotRated {
            corpus: corpus.name.clone(),
            what,
            target: target.name(),
            how,
        })
    };
    let outputs: Vec<String> = match target {
        Target::Classes | Target::Votes => manifest.classes(),
        Target::Dimensions => manifest
            .dimensions()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    };
    let mut utterances = manifest.utterances.iter();
    match target {
        Target::Classes => {}
        Target::Votes if utterances.any(|u| !learnt(u, target, &outputs).is_empty()) => {}
        Target::Votes => {
            let words: BTreeSet<&String> = manifest
                .utterances
                .iter()
                .flat_map(|u| u.votes.keys())
                .collect();
            let words: Vec<&str> = words.into_iter().map(String::as_str).collect();
            let classes = outputs.join(", ");
            return Err(match words[..] {
                [] => lacks(
                    "annotators' votes".to_owned(),
                    "they are read of releases that have them, and of columns votes_CLASS of a table".to_owned(),
                ),
                _ => lacks(
                    "annotators' votes for any of its classes".to_owned(),
                    format!(
                        "the votes are for {}, the classes are {classes}; label_map.json beside the table says which class \
                         a word stands for",
                        words.join(", ")
                    ),
                ),
            });
        }
        Target::Dimensions if outputs.is_empty() => {
            return Err(lacks(
                "valence, arousal or dominance".to_owned(),
                "they are read of releases that have them, and of columns of these names of a table".to_owned(),
            ));
        }
        Target::Dimensions if utterances.any(|u| is_rated(u, target, &outputs)) => {}
        Target::Dimensions => {
            return Err(lacks(
                format!("utterance with all of {}", outputs.join(", ")),
                "an utterance takes part if it has every dimension that any utterance of the corpus has".to_owned(),
            ));
        }
    }
    Ok(outputs)
}

/// The utterances that can be used, where these are not all of the corpus.
pub(crate) fn rated(corpus: &Corpus, target: Target) -> Option<Manifest> {
    let outputs = outputs(corpus, target).ok()?;
    let manifest = &corpus.manifest;
    let is_rated = |utterance: &&Utterance| is_rated(utterance, target, &outputs);
    let some = !manifest.utterances.iter().all(|u| is_rated(&u));
    some.then(|| Manifest {
        corpus: manifest.corpus.clone(),
        utterances: manifest
            .utterances
            .iter()
            .filter(is_rated)
            .cloned()
            .collect(),
    })
}

/// Whether an utterance can be used: it must have every dimension of its corpus.
pub(crate) fn is_rated(utterance: &Utterance, target: Target, outputs: &[String]) -> bool {
    target != Target::Dimensions || learnt(utterance, target, outputs).len() == outputs.len()
}

/// What a probe learns of an utterance besides its class, output by output.
pub(crate) fn learnt(utterance: &Utterance, target: Target, outputs: &[String]) -> Vec<f32> {
    match target {
        Target::Classes => Vec::new(),
        Target::Votes => {
            let votes = |class: &String| utterance.votes.get(class).copied().unwrap_or(0);
            let all: u32 = outputs.iter().map(votes).sum();
            let share = |class| (f64::from(votes(class)) / f64::from(all)) as f32;
            match all {
                0 => Vec::new(),
                _ => outputs.iter().map(share).collect(),
            }
        }
        Target::Dimensions => {
            let values = DIMENSIONS.iter().zip(utterance.dimensions());
            let wanted = values.filter(|(name, _)| outputs.iter().any(|output| output == *name));
            wanted
                .filter_map(|(_, value)| Some(value? as f32))
                .collect()
        }
    }
}

/// What the probes of every training seed said, all folds of each in one list; `line` makes a line of it.
fn lists<'o, P>(
    outcomes: &'o [FoldOutcome],
    seeds: impl Fn(&'o FoldOutcome) -> Vec<&'o [Predicted]>,
    line: impl Fn(&FoldOutcome, &Predicted) -> P,
) -> Vec<Vec<P>> {
    let mut lists: Vec<Vec<P>> = Vec::new();
    for outcome in outcomes {
        for (seed, items) in seeds(outcome).into_iter().enumerate() {
            if lists.len() <= seed {
                lists.push(Vec::new());
            }
            lists[seed].extend(items.iter().map(|item| line(outcome, item)));
        }
    }
    lists
}

/// The predictions of every training seed, all folds of each in one list.
pub(crate) fn by_seed<'o>(
    corpus: &Corpus,
    outcomes: &'o [FoldOutcome],
    seeds: impl Fn(&'o FoldOutcome) -> Vec<&'o [Predicted]>,
) -> Vec<Vec<Prediction>> {
    lists(outcomes, seeds, |outcome, item| {
        prediction(corpus, outcome, item)
    })
}

/// Adds the annotators' votes to predictions.
pub(crate) fn add_votes(seeds: &mut [Vec<Prediction>], corpus: &Corpus) {
    for prediction in seeds.iter_mut().flatten() {
        if let Some(utterance) = corpus.utterance(&prediction.key) {
            prediction.votes.clone_from(&utterance.votes);
        }
    }
}

/// The predictions of dimensions of every training seed, all folds of each in one list.
pub(crate) fn rated_by_seed(
    corpus: &Corpus,
    outcomes: &[FoldOutcome],
) -> Vec<Vec<RatedPrediction>> {
    let selected = |outcome| -> Vec<&[Predicted]> {
        let outcome: &FoldOutcome = outcome;
        let seeds = outcome.selected.iter();
        seeds.map(|seed| seed.predictions.as_slice()).collect()
    };
    lists(outcomes, selected, |outcome, item| {
        let side = |side: usize| -> BTreeMap<String, f64> {
            let values = item.dimensions.iter().map(|pair| pair[side]);
            outcome.classes.iter().cloned().zip(values).collect()
        };
        RatedPrediction {
            key: item.key.clone(),
            fold: outcome.fold,
            reference: side(0),
            predicted: side(1),
            speaker: corpus.utterance(&item.key).and_then(|u| u.speaker.clone()),
        }
    })
}
