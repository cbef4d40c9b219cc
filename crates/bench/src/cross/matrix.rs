use super::sets::Pool;
use super::{check_classes, class_map, drawn};
use crate::cell::Cell;
use crate::heard::heard;
use crate::plan::Done;
use crate::record::{seed_file, training_of};
use crate::train::{FoldJob, probe_folder};
use crate::workshop::Workshop;
use crate::{BenchError, Corpus};
use emobox_corpus::BalancedSet;
use emobox_features::Store;
use emobox_files::{write_atomic_with, write_json};
use emobox_probe::{Probe, most_probable};
use emobox_report::Training;
use emobox_score::{CrossCell, InferenceOptions, Prediction, Source, write_predictions};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A probe trained on a corpus with an encoder, tested on another corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tested {
    /// The training corpus.
    pub(super) corpus: String,
    /// The encoder.
    pub(super) encoder: String,
    /// The shared classes.
    pub(super) classes: Vec<String>,
    /// The scores.
    pub(crate) cell: CrossCell,
    /// Predictions, one file per training seed.
    pub(super) predictions: Vec<PathBuf>,
    /// The training curves.
    pub(super) training: Training,
    /// Where the probe is.
    pub(super) folder: PathBuf,
    /// Training utterances that could not take part.
    pub(super) not_trained_on: usize,
    /// Test utterances that could not take part.
    pub(super) left_out: usize,
    /// Files of the raw corpus that were skipped.
    pub(super) corpus_skipped: usize,
    /// Digests of the inputs of the scores.
    pub(super) sources: Vec<Source>,
}

/// Trains on all of a corpus under the shared classes.
pub(crate) fn train_all(
    shop: &Workshop<'_>,
    corpus: &str,
    encoder: &str,
) -> Result<Done, BenchError> {
    let classes = class_map(shop)?;
    check_classes(shop.experiment, &*shop.corpus(corpus)?)?;
    let cell = Cell::open(shop, corpus, encoder)?;
    let pool = Pool::new(shop, corpus, &classes)?;
    cell.with_folds(&pool.corpus, &pool.split, |jobs| {
        let all: Vec<&FoldJob<'_>> = jobs.jobs.iter().collect();
        cell.train_folds(&all)?;
        let mut inputs = cell.inputs();
        inputs.push(jobs.folder.join("job.json"));
        Ok(Done {
            inputs,
            outputs: all.iter().map(|job| job.outcome_path()).collect(),
        })
    })
}

/// Tests the probe of one corpus on the balanced set of another.
pub(crate) fn test(
    shop: &Workshop<'_>,
    corpus: &str,
    encoder: &str,
    on: &str,
) -> Result<Done, BenchError> {
    let map = class_map(shop)?;
    let classes: BTreeSet<&String> = map.values().collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    let cell = Cell::open(shop, corpus, encoder)?;
    let pool = Pool::new(shop, corpus, &map)?;
    let (folder, training, not_trained_on) =
        cell.with_folds(&pool.corpus, &pool.split, |jobs| {
            let all: Vec<&FoldJob<'_>> = jobs.jobs.iter().collect();
            let outcomes = cell.train_folds(&all)?;
            let outcome = outcomes.first().ok_or(BenchError::Internal(
                "a training on a whole corpus has no fold",
            ))?;
            let left_out = jobs.left_out.iter().map(|(_, count)| count).sum::<usize>();
            Ok((
                all[0].folder.clone(),
                training_of(corpus, encoder, outcome),
                left_out,
            ))
        })?;
    let seeds = shop.protocol.seeds.iter().enumerate();
    let probes: Vec<Probe> = seeds
        .map(|(place, &seed)| Probe::load(&folder.join(probe_folder(place, seed))))
        .collect::<Result<_, _>>()?;
    let limit = shop.protocol.max_seconds.unwrap_or(f64::INFINITY);
    let drawn_set = drawn(shop, on, &map)?.set;
    let tested = Cell::open(shop, on, encoder)?;
    let mut inputs = cell.inputs();
    inputs.extend(tested.inputs());
    inputs.push(super::drawn_path(shop, on, &map)?);
    inputs.push(folder.join("outcome.json"));
    let store = tested.store()?;
    let answered = Pool::new(shop, on, &map)?.corpus;
    let mut seeds = Vec::new();
    for probe in &probes {
        seeds.push(predict(limit, probe, &drawn_set, &answered, &store)?);
    }
    let views: Vec<&[Prediction]> = seeds.iter().map(Vec::as_slice).collect();
    let scored = CrossCell {
        heard: heard(encoder, on),
        ..CrossCell::score_seeds(corpus, on, &views, &classes, &InferenceOptions::default())?
    };
    let mut predictions = Vec::new();
    for (seed, items) in seeds.iter().enumerate() {
        let path = folder.join(seed_file(&format!("on-{on}"), seed));
        write_atomic_with(&path, |to| write_predictions(to, items))?;
        predictions.push(path);
    }
    let source = |kind: &str, name: &str, digest: &str| Source {
        kind: kind.to_owned(),
        name: name.to_owned(),
        digest: digest.to_owned(),
    };
    let corpus = &cell.corpus;
    let info = cell.encoder.info();
    let tested = Tested {
        corpus: corpus.name.clone(),
        encoder: encoder.to_owned(),
        classes,
        cell: scored,
        training,
        not_trained_on,
        left_out: drawn_set.items.len() - seeds.first().map_or(0, Vec::len),
        corpus_skipped: corpus.skipped,
        sources: vec![
            source("manifest", &corpus.name, corpus.digest.as_str()),
            source("checkpoint", &info.name, &info.weights_digest),
        ],
        predictions,
        folder: folder.parent().unwrap_or(&folder).to_owned(),
    };
    let path = folder.join(format!("tested-on-{on}.json"));
    write_json(&path, &tested)?;
    let mut outputs = vec![path];
    outputs.extend(tested.predictions);
    Ok(Done { inputs, outputs })
}

/// A probe's predictions on a balanced set; utterances without features or beyond the protocol's length are left out.
fn predict(
    limit: f64,
    probe: &Probe,
    set: &BalancedSet,
    pool: &Corpus,
    store: &Store,
) -> Result<Vec<Prediction>, BenchError> {
    let items: Vec<_> = set
        .items
        .iter()
        .filter_map(|item| pool.utterance(&item.key))
        .filter(|utterance| store.contains(&utterance.key) && utterance.length <= limit)
        .collect();
    let answer = |utterance: &&emobox_corpus::Utterance| {
        let scores = probe.predict(&store.get(&utterance.key)?)?;
        Ok(Prediction {
            key: utterance.key.clone(),
            fold: 1,
            label: utterance.label.clone(),
            prediction: probe.classes()[most_probable(&scores)].clone(),
            scores: probe.classes().iter().cloned().zip(scores).collect(),
            speaker: utterance.speaker.clone(),
            votes: std::collections::BTreeMap::new(),
            gender: utterance.gender.clone(),
        })
    };
    items.par_iter().map(answer).collect()
}
