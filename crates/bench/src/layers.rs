use crate::evaluate::prediction;
use crate::train::FoldJob;
use crate::{BenchError, Context, Corpus, Stage};
use emobox_features::Store;
use emobox_files::{read_json, write_json};
use emobox_probe::{FoldOutcome, LayerCurveTask, layer_curve};
use emobox_report::{LayerCurve, LayerPoint};
use emobox_score::{BootstrapOptions, RunLabels, ScoreRequest, score_folds};
use std::path::PathBuf;

/// What the curve's probe is, in words; see [`emobox_probe::Protocol::for_layer_curve`].
const LAYER_HEAD: &str = "a linear probe on the mean and standard deviation over frames (mean-linear), which is not the table's head";

/// Trains a small probe on the pooled statistics of every hidden state, fold by fold. Finished folds are found, not
/// trained again.
pub(crate) fn train_layers(
    corpus: &Corpus,
    encoder: &str,
    jobs: &[&FoldJob<'_>],
    store: &Store,
    context: Context<'_>,
) -> Result<(), BenchError> {
    context.progress.begin(&Stage {
        label: format!("layer curve of {encoder} on {}", corpus.name),
        total: jobs.len() as u64,
        unit: "folds",
        already: 0,
    });
    for job in jobs {
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        if !job.has_layers() {
            train_fold(corpus, job, store)?;
        }
        context.progress.advance(1);
    }
    context.progress.end();
    Ok(())
}

/// Which layer of an encoder carries emotion, scored as the benchmark is; none where a fold is not trained.
pub(crate) fn layer_curve_of(
    corpus: &Corpus,
    encoder: &str,
    jobs: &[FoldJob<'_>],
    seed: u64,
) -> Result<Option<LayerCurve>, BenchError> {
    let folds: Option<Vec<Vec<FoldOutcome>>> = jobs.iter().map(finished).collect();
    let Some(folds) = folds else {
        return Ok(None);
    };
    let layers = folds.iter().map(Vec::len).min().unwrap_or(0);
    let classes = corpus.manifest.classes();
    let mut points = Vec::new();
    for layer in 0..layers {
        let mut predictions = Vec::new();
        for outcome in folds.iter().map(|fold| &fold[layer]) {
            let items = outcome.selected.iter().flat_map(|s| &s.predictions);
            predictions.extend(items.map(|item| prediction(corpus, outcome, item)));
        }
        let runs = score_folds(&ScoreRequest {
            labels: &RunLabels::default(),
            classes: &classes,
            predictions: &predictions,
            oracle: None,
            bootstrap: BootstrapOptions {
                seed,
                ..BootstrapOptions::default()
            },
        })?;
        if let Some(run) = runs.iter().find(|run| run.headline) {
            points.push(LayerPoint {
                layer,
                ua: run.ua,
                ua_ci: run.ua_ci,
                valid_ua: Some(valid_ua(folds.iter().map(|fold| &fold[layer]))),
            });
        }
    }
    // At a tie the earlier layer.
    let best = points.iter().rev().max_by(|a, b| {
        let valid = |point: &LayerPoint| point.valid_ua.unwrap_or(0.0);
        valid(a).total_cmp(&valid(b))
    });
    let chosen = best.map(|point| point.layer);
    Ok(Some(LayerCurve {
        corpus: corpus.name.clone(),
        encoder: encoder.to_owned(),
        head: LAYER_HEAD.to_owned(),
        chosen,
        points,
    }))
}

/// Mean over folds and seeds of the UA on the validation part.
fn valid_ua<'a>(outcomes: impl Iterator<Item = &'a FoldOutcome>) -> f64 {
    let valid: Vec<f64> = outcomes
        .flat_map(|outcome| outcome.selected.iter().map(|selected| selected.valid.ua))
        .collect();
    valid.iter().sum::<f64>() / valid.len().max(1) as f64
}

impl FoldJob<'_> {
    pub(crate) fn layers_path(&self) -> PathBuf {
        self.folder.join("layers.json")
    }

    pub(crate) fn has_layers(&self) -> bool {
        finished(self).is_some()
    }
}

/// An outcome a layer, from an earlier run.
fn finished(job: &FoldJob<'_>) -> Option<Vec<FoldOutcome>> {
    let outcomes = read_json::<Vec<FoldOutcome>>(job.layers_path()).ok()?;
    let ours = |outcome: &FoldOutcome| outcome.fold == job.fold;
    outcomes.iter().all(ours).then_some(outcomes)
}

fn train_fold(corpus: &Corpus, job: &FoldJob<'_>, store: &Store) -> Result<(), BenchError> {
    let mut pooled = Vec::new();
    for item in &job.items {
        let view = store.pooled(&item.key)?;
        pooled.extend(view);
    }
    let task = LayerCurveTask {
        corpus: &corpus.name,
        fold: job.fold,
        classes: &job.classes,
        items: &job.items,
        pooled: &pooled,
    };
    let mut protocol = job.assignment.protocol.for_layer_curve();
    // A curve compares layers that are trained alike; one seed of each is enough for that.
    protocol.seeds.truncate(1);
    let outcomes = layer_curve(&task, &protocol, rayon::current_num_threads())?;
    Ok(write_json(job.layers_path(), &outcomes)?)
}
