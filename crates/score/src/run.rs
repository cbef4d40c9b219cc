use crate::clusters::{Clusters, Over, Tables};
use crate::inference::standard_errors;
use crate::{
    Confusion, FoldName, Grouping, InferenceOptions, Interval, IntervalMethod, Mismatch, Oracle,
    Prediction, Rates, Run, ScoreError, Seeds, SoftScores, StandardErrors, calibration,
    group_scores, soft_scores,
};
use std::collections::BTreeMap;

/// The names that distinguish one run from another.
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
    /// What else distinguishes it from runs with the same names.
    pub config: String,
}

/// The input of [`score_folds`].
#[derive(Debug, Clone, Copy)]
pub struct ScoreRequest<'a> {
    /// Names that go into every run.
    pub labels: &'a RunLabels,
    /// The classes of the corpus, whether or not they occur in these test parts.
    pub classes: &'a [String],
    /// Predictions of the selected probe on the test parts of all folds.
    pub predictions: &'a [Prediction],
    /// Predictions of the test-selected probe, where there is one.
    pub oracle: Option<&'a [Prediction]>,
    /// How intervals are computed.
    pub inference: InferenceOptions,
}

/// The runs of one configuration: the mean over folds, the pooled items, then each fold.
///
/// # Errors
/// No predictions, a class outside `classes`, inference options out of range.
///
/// ```
/// use emobox_score::{InferenceOptions, Prediction, RunLabels, ScoreRequest, classes_of, score_folds};
/// let line = r#"{"key":"a","fold":1,"label":"sad","prediction":"sad"}"#;
/// let predictions = [serde_json::from_str::<Prediction>(line).unwrap()];
/// let runs = score_folds(&ScoreRequest {
///     labels: &RunLabels::default(),
///     classes: &classes_of(&[], &predictions).unwrap(),
///     predictions: &predictions,
///     oracle: None,
///     inference: InferenceOptions::default(),
/// })
/// .unwrap();
/// assert_eq!(runs[0].ua, 1.0);
/// ```
pub fn score_folds(request: &ScoreRequest<'_>) -> Result<Vec<Run>, ScoreError> {
    score_seeds(request, &[request.predictions])
}

/// As [`score_folds`], for several seeds of the same training: `seeds` holds the predictions of each on the same items (those
/// of the request are not read). Scores are means over seeds, with their standard deviation, which is part of the standard
/// errors. Confusions are summed over seeds; calibration and groups are those of the first seed.
///
/// # Errors
/// As [`score_folds`]; seeds with other items than the first.
pub fn score_seeds(
    request: &ScoreRequest<'_>,
    seeds: &[&[Prediction]],
) -> Result<Vec<Run>, ScoreError> {
    let labels = request.labels;
    let Some(first) = seeds.first().filter(|first| !first.is_empty()) else {
        return Err(ScoreError::Empty {
            subject: format!("{} on {}", labels.encoder, labels.corpus),
        });
    };
    for other in &seeds[1..] {
        let name = |p: &Prediction| format!("{} (fold {})", p.key, p.fold);
        let names = [first, other].map(|list| list.iter().map(name).collect::<Vec<_>>());
        let texts = |i: usize| names[i].iter().map(String::as_str);
        Mismatch::between(texts(0), texts(1)).into_result()?;
    }
    request.inference.check()?;
    let scored: Vec<Scored> = seeds
        .iter()
        .map(|list| Scored::of(list, request.classes))
        .collect::<Result<_, _>>()?;
    let folds: Vec<u32> = scored[0].folds.keys().copied().collect();
    let names = [FoldName::Mean, FoldName::Pooled].into_iter();
    let names = names.chain(folds.iter().map(|&fold| FoldName::Fold(fold)));
    let clusters = Clusters::of(first);
    let tables = Tables::of(seeds, request.classes, &clusters)?;
    let headline = headline(&scored[0].folds);
    let mut runs = Vec::new();
    for name in names {
        let mut confusion = scored[0].confusion(name).clone();
        for other in &scored[1..] {
            confusion.add(other.confusion(name));
        }
        let rates: Vec<Rates> = scored.iter().map(|seed| seed.rates(name)).collect();
        let mut run = run(labels, name, &confusion);
        run.n /= seeds.len() as u64;
        run.headline = name == headline;
        run.set_rates(&Rates::mean(&rates));
        run.seeds = Rates::deviation(&rates).map(|deviation| Seeds {
            count: seeds.len() as u32,
            deviation,
        });
        let (unit, units, errors) = match name {
            FoldName::Mean => {
                let per_fold: Vec<Rates> = folds
                    .iter()
                    .map(|&f| mean_rates(&scored, FoldName::Fold(f)))
                    .collect();
                run.folds = Some(per_fold.len() as u32);
                run.spread = Rates::deviation(&per_fold);
                let errors = standard_errors(&tables, Over::Mean);
                (tables.unit, tables.clusters.len(), errors)
            }
            FoldName::Pooled => {
                let errors = standard_errors(&tables, Over::Pooled);
                (tables.unit, tables.clusters.len(), errors)
            }
            FoldName::Fold(fold) => {
                let own: Vec<Vec<Prediction>> = seeds
                    .iter()
                    .map(|list| list.iter().filter(|p| p.fold == fold).cloned().collect())
                    .collect();
                let lists: Vec<&[Prediction]> = own.iter().map(Vec::as_slice).collect();
                let tables = Tables::of(&lists, request.classes, &Clusters::of(&own[0]))?;
                let errors = standard_errors(&tables, Over::Pooled);
                (tables.unit, tables.clusters.len(), errors)
            }
        };
        let errors = errors.map(|errors| with_seeds(&errors, run.seeds.as_ref()));
        let how = Interval {
            unit,
            units,
            level: request.inference.level,
            method: IntervalMethod::ClusterT,
            refused: None,
        };
        run.set_intervals(errors, how);
        run.soft = soft(seeds, name, request.classes)?;
        if name == FoldName::Pooled {
            run.calibration = calibration(first, request.classes)?;
            for by in [Grouping::Speaker, Grouping::Gender] {
                run.groups
                    .extend(group_scores(first, request.classes, by, how.level)?);
            }
        }
        runs.push(run);
    }
    if let Some(oracle) = request.oracle {
        set_oracle(&mut runs, &[oracle], request.classes)?;
    }
    Ok(runs)
}

/// The mean over seeds of the soft scores on the items of a run. For the mean over folds these are all items.
fn soft(
    seeds: &[&[Prediction]],
    name: FoldName,
    classes: &[String],
) -> Result<Option<SoftScores>, ScoreError> {
    let mut all = Vec::new();
    for list in seeds {
        if list.iter().all(|p| p.votes.is_empty()) {
            return Ok(None);
        }
        let of_fold = |p: &&Prediction| match name {
            FoldName::Fold(fold) => p.fold == fold,
            FoldName::Mean | FoldName::Pooled => true,
        };
        let items: Vec<Prediction> = list.iter().filter(of_fold).cloned().collect();
        all.extend(soft_scores(&items, classes)?);
    }
    Ok(all.first().map(|first| SoftScores {
        n: first.n,
        jensen_shannon: all.iter().map(|s| s.jensen_shannon).sum::<f64>() / all.len() as f64,
    }))
}

/// The confusions of one training.
struct Scored {
    folds: BTreeMap<u32, Confusion>,
    pooled: Confusion,
}

impl Scored {
    fn of(predictions: &[Prediction], classes: &[String]) -> Result<Self, ScoreError> {
        let folds = by_fold(predictions)
            .iter()
            .map(|(&fold, items)| Ok((fold, Confusion::of(items, classes)?)))
            .collect::<Result<_, ScoreError>>()?;
        Ok(Self {
            folds,
            pooled: Confusion::of(predictions, classes)?,
        })
    }

    fn confusion(&self, name: FoldName) -> &Confusion {
        match name {
            FoldName::Fold(fold) => self.folds.get(&fold).unwrap_or(&self.pooled),
            FoldName::Mean | FoldName::Pooled => &self.pooled,
        }
    }

    fn rates(&self, name: FoldName) -> Rates {
        if name == FoldName::Mean {
            let folds: Vec<Rates> = self.folds.values().map(Confusion::rates).collect();
            return Rates::mean(&folds);
        }
        self.confusion(name).rates()
    }
}

fn mean_rates(seeds: &[Scored], name: FoldName) -> Rates {
    let rates: Vec<Rates> = seeds.iter().map(|seed| seed.rates(name)).collect();
    Rates::mean(&rates)
}

/// Which score represents the configuration: the pooled one where a fold lacks a class that another fold has.
fn headline(folds: &BTreeMap<u32, Confusion>) -> FoldName {
    let has = |fold: &Confusion, class: usize| fold.counts[class].iter().any(|&n| n > 0);
    let classes = folds.values().next().map_or(0, |fold| fold.classes.len());
    let lacking = (0..classes).any(|class| {
        let with = folds.values().filter(|fold| has(fold, class)).count();
        with > 0 && with < folds.len()
    });
    if lacking {
        FoldName::Pooled
    } else {
        FoldName::Mean
    }
}

/// The standard errors with the variance of the mean over seeds added.
fn with_seeds(errors: &StandardErrors, seeds: Option<&Seeds>) -> StandardErrors {
    let Some(seeds) = seeds else {
        return *errors;
    };
    let deviations = seeds.deviation.three();
    errors.map(|i, error| error.with_seeds(deviations[i], seeds.count))
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
        headline: false,
        ua_ci: None,
        wa_ci: None,
        macro_f1_ci: None,
        errors: None,
        interval: None,
        folds: None,
        spread: None,
        seeds: None,
        confusion: confusion.counts.clone(),
        classes: confusion.classes.clone(),
        per_class: confusion.class_scores(),
        calibration: None,
        soft: None,
        groups: Vec::new(),
        oracle: None,
        as_published: None,
        audit: None,
        nuisance_ua: None,
        heard: None,
        skipped: Vec::new(),
        cut: 0,
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

/// Adds the test-selected scores to the runs of a configuration: means over its training seeds.
///
/// # Errors
/// A class outside `classes`.
pub fn set_oracle(
    runs: &mut [Run],
    seeds: &[&[Prediction]],
    classes: &[String],
) -> Result<(), ScoreError> {
    let scored: Vec<Scored> = seeds
        .iter()
        .map(|list| Scored::of(list, classes))
        .collect::<Result<_, _>>()?;
    for run in runs {
        let known = |seed: &&Scored| match run.fold {
            FoldName::Fold(fold) => seed.folds.contains_key(&fold),
            FoldName::Mean | FoldName::Pooled => !seed.folds.is_empty(),
        };
        let rates = scored.iter().filter(known).map(|s| s.rates(run.fold));
        let rates: Vec<Rates> = rates.collect();
        run.oracle = (!rates.is_empty()).then(|| Oracle::new(&Rates::mean(&rates)));
    }
    Ok(())
}
