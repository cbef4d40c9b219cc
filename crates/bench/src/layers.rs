use crate::evaluate::prediction;
use crate::train::FoldJob;
use crate::{BenchError, Context, Corpus, Stage};
use emobox_files::{read_json, write_json};
use emobox_probe::{FoldOutcome, LayerCurveTask, layer_curve};
use emobox_report::{LayerCurve, LayerPoint};
use emobox_score::{BootstrapOptions, RunLabels, ScoreRequest, score_folds};

/// Which layer of an encoder carries emotion: a small probe on the pooled statistics of every hidden
/// state, fold by fold, scored as the benchmark is. Finished folds are found, not trained again.
pub(crate) fn layer_curve_of(
    corpus: &Corpus,
    encoder: &str,
    jobs: &[FoldJob<'_>],
    seed: u64,
    context: Context<'_>,
) -> Result<LayerCurve, BenchError> {
    let mut folds: Vec<Vec<FoldOutcome>> = Vec::new();
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
        folds.push(fold(corpus, job)?);
        context.progress.advance(1);
    }
    context.progress.end();
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
            });
        }
    }
    Ok(LayerCurve {
        corpus: corpus.name.clone(),
        encoder: encoder.to_owned(),
        points,
    })
}

/// An outcome a layer, from an earlier run or trained now.
fn fold(corpus: &Corpus, job: &FoldJob<'_>) -> Result<Vec<FoldOutcome>, BenchError> {
    let path = job.folder.join("layers.json");
    if let Ok(outcomes) = read_json::<Vec<FoldOutcome>>(&path)
        && outcomes.iter().all(|outcome| outcome.fold == job.fold)
    {
        return Ok(outcomes);
    }
    let mut pooled = Vec::new();
    for item in &job.items {
        let view = job.assignment.store.pooled(&item.key)?;
        pooled.extend(view);
    }
    let task = LayerCurveTask {
        corpus: &corpus.name,
        fold: job.fold,
        classes: &job.classes,
        items: &job.items,
        pooled: &pooled,
    };
    let protocol = job.assignment.protocol.for_layer_curve();
    let outcomes = layer_curve(&task, &protocol, rayon::current_num_threads())?;
    write_json(&path, &outcomes)?;
    Ok(outcomes)
}
