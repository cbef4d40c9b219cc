use super::sets::Pool;
use crate::extract::open_store;
use crate::grid::Grid;
use crate::results::training_of;
use crate::train::{Assignment, FoldJob, jobs, train_jobs};
use crate::{BenchError, Context, PredictionSet};
use emobox_features::Store;
use emobox_probe::{Probe, most_probable};
use emobox_report::Training;
use emobox_score::{BootstrapOptions, CrossCell, CrossMatrix, Prediction};
use rayon::prelude::*;
use std::path::PathBuf;

/// Everything that was trained and tested.
#[derive(Default)]
pub(super) struct Scored {
    /// One an encoder.
    pub(super) matrices: Vec<CrossMatrix>,
    /// One a pair and encoder; the corpus is named `train-to-test`.
    pub(super) predictions: Vec<PredictionSet>,
    /// The curves of every training.
    pub(super) training: Vec<Training>,
    /// Where the probes are.
    pub(super) folders: Vec<PathBuf>,
    /// Utterances that could not take part.
    pub(super) left_out: usize,
}

/// Trains a probe on each pool under each encoder and tests it on the sets of the others.
pub(super) fn all(
    grid: &Grid<'_>,
    pools: &[Pool],
    classes: &[String],
    context: Context<'_>,
) -> Result<Scored, BenchError> {
    let mut stores: Vec<Vec<Store>> = Vec::new();
    for encoder in &grid.encoders {
        let of_corpora = grid
            .corpora
            .iter()
            .map(|corpus| open_store(corpus, encoder, &grid.store(corpus, encoder), &grid.options));
        stores.push(of_corpora.collect::<Result<_, _>>()?);
    }
    let mut plans = Vec::new();
    let mut scored = Scored::default();
    for ((encoder, choice), stores) in grid
        .encoders
        .iter()
        .zip(&grid.experiment.encoders)
        .zip(&stores)
    {
        for (pool, store) in pools.iter().zip(stores) {
            let assignment = Assignment {
                corpus: &pool.corpus,
                split: &pool.split,
                store,
                protocol: &grid.protocol,
                checkpoint: choice.path.as_deref(),
            };
            let runs = grid.home.runs(&pool.corpus.name, &encoder.info().name);
            let plan = jobs(assignment, &runs)?;
            scored.left_out += plan.left_out.iter().map(|(_, count)| count).sum::<usize>();
            scored.folders.push(plan.folder);
            plans.extend(plan.jobs);
        }
    }
    let all: Vec<&FoldJob<'_>> = plans.iter().collect();
    let label = format!("training on {} corpora", pools.len());
    let outcomes = train_jobs(&all, label, context)?;

    let mut trained = plans.iter().zip(&outcomes);
    for (encoder, stores) in grid.encoders.iter().zip(&stores) {
        let name = &encoder.info().name;
        let mut matrix = CrossMatrix {
            encoder: name.clone(),
            classes: classes.to_vec(),
            corpora: pools.iter().map(|p| p.corpus.name.clone()).collect(),
            cells: Vec::new(),
        };
        for (train, (job, outcome)) in pools.iter().zip(trained.by_ref()) {
            let training = training_of(&train.corpus.name, name, outcome);
            scored.training.push(training);
            let probe = Probe::load(&job.folder.join("probe"))?;
            for (test, store) in pools.iter().zip(stores) {
                if test.corpus.name == train.corpus.name {
                    continue;
                }
                let items = predict(grid, &probe, test, store)?;
                let [from, to] = [&train.corpus.name, &test.corpus.name];
                let bootstrap = BootstrapOptions {
                    seed: grid.experiment.seed,
                    ..BootstrapOptions::default()
                };
                let cell = CrossCell::score(from, to, &items, classes, &bootstrap)?;
                matrix.cells.push(cell);
                scored.left_out += test.set.items.len() - items.len();
                scored.predictions.push(PredictionSet {
                    corpus: format!("{from}-to-{to}"),
                    encoder: name.clone(),
                    items,
                });
            }
        }
        scored.matrices.push(matrix);
    }
    Ok(scored)
}

/// A probe's answers on a balanced set; utterances without features or beyond the protocol's length are left out.
fn predict(
    grid: &Grid<'_>,
    probe: &Probe,
    test: &Pool,
    store: &Store,
) -> Result<Vec<Prediction>, BenchError> {
    let limit = grid.protocol.max_seconds.unwrap_or(f64::INFINITY);
    let items: Vec<_> = test
        .set
        .items
        .iter()
        .filter_map(|item| test.corpus.utterance(&item.key))
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
            gender: utterance.gender.clone(),
        })
    };
    items.par_iter().map(answer).collect()
}
