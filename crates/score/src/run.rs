use crate::{
    BootstrapOptions, Confusion, FoldName, Grouping, Oracle, Prediction, Rates, Resampling, Run,
    ScoreError, calibration, group_scores,
};
use std::collections::BTreeMap;

/// The names that tell one run from another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunLabels {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder, or the name of an outside system.
    pub encoder: String,
    /// Protocol name.
    pub protocol: String,
    /// Partition scheme.
    pub partition: String,
    /// What else tells it from its siblings.
    pub config: String,
}

/// Everything that [`score_folds`] needs.
#[derive(Debug, Clone, Copy)]
pub struct ScoreRequest<'a> {
    /// Names that go into every run.
    pub labels: &'a RunLabels,
    /// The classes of the corpus; macro F1 averages over all of them.
    pub classes: &'a [String],
    /// Predictions of the selected probe on the test parts of all folds.
    pub predictions: &'a [Prediction],
    /// Predictions of the test-selected probe, where there is one.
    pub oracle: Option<&'a [Prediction]>,
    /// How intervals are drawn.
    pub bootstrap: BootstrapOptions,
}

/// The runs of one configuration: the mean over folds, the pooled items, then each fold.
///
/// # Errors
/// No predictions, a class outside `classes`, bootstrap options out of range.
///
/// ```
/// use emobox_score::{BootstrapOptions, Prediction, RunLabels, ScoreRequest, classes_of, score_folds};
/// let line = r#"{"key":"a","fold":1,"label":"sad","prediction":"sad"}"#;
/// let predictions = [serde_json::from_str::<Prediction>(line).unwrap()];
/// let runs = score_folds(&ScoreRequest {
///     labels: &RunLabels::default(),
///     classes: &classes_of(&predictions),
///     predictions: &predictions,
///     oracle: None,
///     bootstrap: BootstrapOptions::default(),
/// })
/// .unwrap();
/// assert_eq!(runs[0].ua, 1.0);
/// ```
pub fn score_folds(request: &ScoreRequest<'_>) -> Result<Vec<Run>, ScoreError> {
    if request.predictions.is_empty() {
        return Err(ScoreError::Empty {
            subject: format!("{} on {}", request.labels.encoder, request.labels.corpus),
        });
    }
    let options = &request.bootstrap;
    let by_fold = by_fold(request.predictions);
    let mut fold_runs = Vec::new();
    for (&fold, predictions) in &by_fold {
        let confusion = Confusion::of(predictions, request.classes)?;
        let mut run = run(request.labels, FoldName::Fold(fold), &confusion);
        let resampling = Resampling::new(predictions, request.classes)?;
        let intervals = resampling.intervals(options)?;
        run.set_intervals(&intervals.pooled, resampling.describe(options));
        fold_runs.push(run);
    }
    let confusion = Confusion::of(request.predictions, request.classes)?;
    let resampling = Resampling::new(request.predictions, request.classes)?;
    let intervals = resampling.intervals(options)?;
    let mut pooled = run(request.labels, FoldName::Pooled, &confusion);
    pooled.set_intervals(&intervals.pooled, resampling.describe(options));

    let rates: Vec<Rates> = fold_runs.iter().map(Run::rates).collect();
    let mut mean = pooled.clone();
    mean.fold = FoldName::Mean;
    mean.set_rates(&mean_of(&rates));
    mean.folds = Some(rates.len() as u32);
    mean.spread = spread_of(&rates);
    mean.set_intervals(&intervals.mean, resampling.describe(options));

    pooled.calibration = calibration(request.predictions, request.classes)?;
    for by in [Grouping::Speaker, Grouping::Gender] {
        let groups = group_scores(request.predictions, request.classes, by)?;
        pooled.groups.extend(groups);
    }

    let mut runs = vec![mean, pooled];
    runs.extend(fold_runs);
    if let Some(oracle) = request.oracle {
        add_oracle(&mut runs, oracle, request.classes)?;
    }
    Ok(runs)
}

fn by_fold(predictions: &[Prediction]) -> BTreeMap<u32, Vec<Prediction>> {
    let mut folds = BTreeMap::<u32, Vec<Prediction>>::new();
    for prediction in predictions {
        folds
            .entry(prediction.fold)
            .or_default()
            .push(prediction.clone());
    }
    folds
}

fn run(labels: &RunLabels, fold: FoldName, confusion: &Confusion) -> Run {
    let mut run = Run {
        corpus: labels.corpus.clone(),
        encoder: labels.encoder.clone(),
        protocol: labels.protocol.clone(),
        partition: labels.partition.clone(),
        config: labels.config.clone(),
        fold,
        n: confusion.total(),
        ua: 0.0,
        wa: 0.0,
        macro_f1: 0.0,
        micro_f1: 0.0,
        weighted_f1: 0.0,
        ua_ci: None,
        wa_ci: None,
        macro_f1_ci: None,
        interval: None,
        folds: None,
        spread: None,
        confusion: confusion.counts.clone(),
        classes: confusion.classes.clone(),
        per_class: confusion.class_scores(),
        calibration: None,
        groups: Vec::new(),
        oracle: None,
        audit: None,
        skipped: Vec::new(),
    };
    run.set_rates(&confusion.rates());
    run
}

impl Run {
    fn set_rates(&mut self, rates: &Rates) {
        self.ua = rates.ua;
        self.wa = rates.wa;
        self.macro_f1 = rates.macro_f1;
        self.micro_f1 = rates.micro_f1;
        self.weighted_f1 = rates.weighted_f1;
    }
}

fn mean_of(rates: &[Rates]) -> Rates {
    let mut mean = Rates::default();
    for rate in rates {
        mean.add(rate, 1.0);
    }
    mean.scale(1.0 / rates.len() as f64);
    mean
}

fn spread_of(rates: &[Rates]) -> Option<Rates> {
    if rates.len() < 2 {
        return None;
    }
    let deviation = |pick: fn(&Rates) -> f64| {
        let mean = rates.iter().map(pick).sum::<f64>() / rates.len() as f64;
        let squares: f64 = rates.iter().map(|r| (pick(r) - mean).powi(2)).sum();
        (squares / (rates.len() - 1) as f64).sqrt()
    };
    Some(Rates {
        ua: deviation(|r| r.ua),
        wa: deviation(|r| r.wa),
        macro_f1: deviation(|r| r.macro_f1),
        micro_f1: deviation(|r| r.micro_f1),
        weighted_f1: deviation(|r| r.weighted_f1),
    })
}

fn add_oracle(
    runs: &mut [Run],
    oracle: &[Prediction],
    classes: &[String],
) -> Result<(), ScoreError> {
    let mut per_fold = BTreeMap::new();
    for (fold, predictions) in by_fold(oracle) {
        let rates = Confusion::of(&predictions, classes)?.rates();
        per_fold.insert(fold, rates);
    }
    let all: Vec<Rates> = per_fold.values().copied().collect();
    let pooled = Confusion::of(oracle, classes)?.rates();
    for run in runs {
        let rates = match run.fold {
            FoldName::Fold(fold) => per_fold.get(&fold).copied(),
            FoldName::Pooled => Some(pooled),
            FoldName::Mean => (!all.is_empty()).then(|| mean_of(&all)),
        };
        run.oracle = rates.as_ref().map(Oracle::new);
    }
    Ok(())
}
