use crate::predictions::prediction;
use crate::train::FoldJob;
use crate::{BenchError, Context, Corpus, LayerHead, Stage};
use emobox_features::Store;
use emobox_files::{read_json, write_json};
use emobox_probe::{
    FoldOutcome, FoldTask, LayerCurveTask, LayerSource, Protocol, StreamSource, TrainOptions,
    Training, layer_curve, train_fold,
};
use emobox_report::{LayerCurve, LayerPoint};
use emobox_score::{InferenceOptions, RunLabels, ScoreRequest, score_folds};
use std::path::PathBuf;

/// A description of the curve's probe; see [`emobox_probe::Protocol::for_layer_curve`].
const LAYER_HEAD: &str = "a linear probe on the mean and standard deviation over frames (mean-linear), which is not the table's head";

/// Trains a small probe on the pooled statistics of every hidden state, fold by fold. Finished folds are reused, not
/// trained again.
pub(crate) fn train_layers(
    corpus: &Corpus,
    encoder: &str,
    jobs: &[&FoldJob<'_>],
    store: &Store,
    head: LayerHead,
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
        if !job.has_layers(head) {
            let outcomes = match head {
                LayerHead::Pooled => train_pooled(corpus, job, store)?,
                LayerHead::Own => train_own(corpus, job, store)?,
            };
            write_json(job.layers_path(head), &outcomes)?;
        }
        context.progress.advance(1);
    }
    context.progress.end();
    Ok(())
}

/// Which layer of an encoder carries emotion, scored as in the benchmark; none if a fold is not trained.
pub(crate) fn layer_curve_of(
    corpus: &Corpus,
    encoder: &str,
    jobs: &[FoldJob<'_>],
    head: LayerHead,
) -> Result<Option<LayerCurve>, BenchError> {
    let folds: Option<Vec<Vec<FoldOutcome>>> = jobs.iter().map(|job| finished(job, head)).collect();
    let Some(folds) = folds else {
        return Ok(None);
    };
    let layers = folds.iter().map(Vec::len).min().unwrap_or(0);
    let classes = corpus.manifest.classes();
    let mut points = Vec::new();
    for at in 0..layers {
        let mut predictions = Vec::new();
        for outcome in folds.iter().map(|fold| &fold[at]) {
            let items = outcome.selected.iter().flat_map(|s| &s.predictions);
            predictions.extend(items.map(|item| prediction(corpus, outcome, item)));
        }
        let runs = score_folds(&ScoreRequest {
            labels: &RunLabels::default(),
            classes: &classes,
            predictions: &predictions,
            oracle: None,
            inference: InferenceOptions::default(),
        })?;
        if let Some(run) = runs.iter().find(|run| run.headline) {
            points.push(LayerPoint {
                layer: match (head, jobs.first()) {
                    // Only stored layers have frames.
                    (LayerHead::Own, Some(job)) => job.inputs.header.layers[at],
                    _ => at,
                },
                ua: run.ua,
                ua_ci: run.ua_ci,
                valid_ua: Some(valid_ua(folds.iter().map(|fold| &fold[at]))),
            });
        }
    }
    let chosen = chosen(&points);
    Ok(Some(LayerCurve {
        corpus: corpus.name.clone(),
        encoder: encoder.to_owned(),
        head: match (head, jobs.first()) {
            (LayerHead::Own, Some(job)) => format!(
                "the table's own head ({}) on one layer, one training seed",
                job.inputs.protocol.head
            ),
            _ => LAYER_HEAD.to_owned(),
        },
        chosen,
        points,
    }))
}

/// The layer that is best on the validation parts; the earlier one at a tie. The scores of layers on the test parts, where the
/// selected layer is evaluated, play no part.
fn chosen(points: &[LayerPoint]) -> Option<usize> {
    let valid = |point: &LayerPoint| point.valid_ua.unwrap_or(0.0);
    let best = points
        .iter()
        .rev()
        .max_by(|a, b| valid(a).total_cmp(&valid(b)));
    best.map(|point| point.layer)
}

/// Mean over folds and seeds of the UA on the validation part.
fn valid_ua<'a>(outcomes: impl Iterator<Item = &'a FoldOutcome>) -> f64 {
    let valid: Vec<f64> = outcomes
        .flat_map(|outcome| outcome.selected.iter().map(|selected| selected.valid.ua))
        .collect();
    valid.iter().sum::<f64>() / valid.len().max(1) as f64
}

impl FoldJob<'_> {
    pub(crate) fn layers_path(&self, head: LayerHead) -> PathBuf {
        self.folder.join(match head {
            LayerHead::Pooled => "layers.json",
            LayerHead::Own => "layers-own.json",
        })
    }

    pub(crate) fn has_layers(&self, head: LayerHead) -> bool {
        finished(self, head).is_some()
    }
}

/// The outcome of each layer, from an earlier run.
fn finished(job: &FoldJob<'_>, head: LayerHead) -> Option<Vec<FoldOutcome>> {
    let outcomes = read_json::<Vec<FoldOutcome>>(job.layers_path(head)).ok()?;
    let ours = |outcome: &FoldOutcome| outcome.fold == job.fold;
    outcomes.iter().all(ours).then_some(outcomes)
}

fn train_pooled(
    corpus: &Corpus,
    job: &FoldJob<'_>,
    store: &Store,
) -> Result<Vec<FoldOutcome>, BenchError> {
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
    let protocol = one_seed(job.inputs.protocol.for_layer_curve());
    Ok(layer_curve(&task, &protocol, rayon::current_num_threads())?)
}

/// The table's head and protocol on each stored layer separately.
fn train_own(
    corpus: &Corpus,
    job: &FoldJob<'_>,
    store: &Store,
) -> Result<Vec<FoldOutcome>, BenchError> {
    let protocol = one_seed(Protocol {
        layer_sum: false,
        oracle: false,
        ..job.inputs.protocol.clone()
    });
    let source = StreamSource::new(store, job.items.iter().map(|item| item.key.as_str()))?;
    let options = TrainOptions {
        threads: rayon::current_num_threads(),
        ..TrainOptions::default()
    };
    let mut outcomes = Vec::new();
    for layer in 0..job.inputs.header.layers.len() {
        let task = FoldTask {
            corpus: &corpus.name,
            fold: job.fold,
            classes: &job.classes,
            items: &job.items,
            source: &LayerSource::new(&source, layer),
        };
        match train_fold(&task, &protocol, &options, &mut ())? {
            Training::Done(outcome) => outcomes.push(*outcome),
            Training::Stopped => return Err(BenchError::Interrupted),
        }
    }
    Ok(outcomes)
}

/// A curve compares layers that are trained alike; one seed of each is enough.
fn one_seed(mut protocol: Protocol) -> Protocol {
    protocol.seeds.truncate(1);
    protocol
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_is_chosen_on_validation_whatever_the_test_parts_say() {
        let point = |layer: usize, ua: f64, valid_ua: f64| LayerPoint {
            layer,
            ua,
            ua_ci: None,
            valid_ua: Some(valid_ua),
        };
        let points = [point(0, 0.99, 0.5), point(1, 0.2, 0.7), point(2, 0.9, 0.7)];
        assert_eq!(chosen(&points), Some(1));
        assert_eq!(chosen(&points[..1]), Some(0));
        assert_eq!(chosen(&[]), None);
    }
}
