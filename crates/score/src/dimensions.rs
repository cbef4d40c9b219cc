//! Valence, arousal and dominance: concordance with the reference, with intervals over speakers.
//!
//! The concordance correlation coefficient (Lin, "A concordance correlation coefficient to evaluate reproducibility",
//! Biometrics 45, 1989) of predictions x and references y is `2 s_xy / (s_x² + s_y² + (m_x − m_y)²)` with population moments,
//! divided by n. (Lin's own estimate; n − 1 would change the first two terms below and not the third.) It is 1 where both are
//! the same, and lower if they differ in slope, in mean or by noise.
//!
//! Its standard error is a jackknife over speakers: the coefficient is computed again without each of the G speakers, and the
//! variance is (G − 1) / G times the sum of squared deviations from the mean of those values, with G − 1 degrees of freedom.
//! Intervals are Student's t on the scale of the inverse hyperbolic tangent, as in Lin's paper, so that they stay within −1..1.

use crate::distribution::student_quantile;
use crate::inference::{FEWEST_CLUSTERS, StandardError};
use crate::prediction::{Line, read_lines};
use crate::{
    FoldName, InferenceOptions, Interval, IntervalMethod, IntervalUnit, Mismatch, NoInterval,
    RunLabels, ScoreError, Skipped,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;

/// One utterance with its dimensions: a line of `predictions.jsonl` where dimensions were learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatedPrediction {
    /// Key of the utterance in its manifest.
    pub key: String,
    /// Fold whose test part holds the utterance, from 1.
    #[serde(default = "first_fold")]
    pub fold: u32,
    /// The reference by dimension, on the corpus's own scale.
    pub reference: BTreeMap<String, f64>,
    /// The predictions by dimension.
    pub predicted: BTreeMap<String, f64>,
    /// Who speaks, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
}

fn first_fold() -> u32 {
    1
}

/// Beyond this, sums of squares leave the numbers.
const LARGEST: f64 = 1e100;

impl Line for RatedPrediction {
    const FORM: &'static str = r#"{"key", "fold", "reference": {"valence": 3.5}, "predicted": {"valence": 3.1}, "speaker"}"#;

    fn place(&self) -> (&str, u32) {
        (&self.key, self.fold)
    }

    fn problem(&self, first: Option<&Self>) -> Option<String> {
        let names = |values: &BTreeMap<String, f64>| -> String {
            let names: Vec<&str> = values.keys().map(String::as_str).collect();
            match names[..] {
                [] => "nothing".to_owned(),
                _ => names.join(", "),
            }
        };
        if self.reference.is_empty() {
            return Some("the reference has no dimension".to_owned());
        }
        if self.reference.contains_key(Concordance::MEAN) {
            return Some(format!(
                "{:?} is the name of the mean over dimensions, and no dimension",
                Concordance::MEAN
            ));
        }
        let expected = &first.unwrap_or(self).reference;
        for (what, values) in [
            ("reference", &self.reference),
            ("predicted", &self.predicted),
        ] {
            if !values.keys().eq(expected.keys()) {
                let (expected, found) = (names(expected), names(values));
                return Some(format!("{what} has values of {found}, expected {expected}"));
            }
            let far = values.iter().find(|(_, value)| value.abs() > LARGEST);
            if let Some((name, value)) = far {
                return Some(format!("{what} has {name} {value:e}, which is on no scale"));
            }
        }
        None
    }
}

/// Reads `predictions.jsonl` of dimensions, as [`read_predictions`](crate::read_predictions) reads that of classes.
///
/// # Errors
/// The first line that is not a prediction of the same dimensions as the first, or a key that stands twice in a fold, with its
/// line number.
pub fn read_rated_predictions(
    reader: impl BufRead,
    file: &str,
) -> Result<Vec<RatedPrediction>, ScoreError> {
    read_lines(reader, file)
}

/// Lin's coefficient; `None` for fewer than two items or where it is 0 / 0 (both sides are the same constant). If only one side
/// is constant, it is 0.
///
/// ```
/// let found = emobox_score::concordance(&[0.0, 1.0, 1.0], &[0.0, 1.0, 2.0]).unwrap();
/// assert!((found - 2.0 / 3.0).abs() < 1e-12);
/// ```
pub fn concordance(predicted: &[f64], reference: &[f64]) -> Option<f64> {
    let n = predicted.len().min(reference.len());
    if n < 2 {
        return None;
    }
    let mean = |values: &[f64]| values[..n].iter().sum::<f64>() / n as f64;
    let (mx, my) = (mean(predicted), mean(reference));
    let mut sums = Sums::default();
    for (x, y) in predicted.iter().zip(reference) {
        sums.add(x - mx, y - my);
    }
    sums.concordance_about(mx - my)
}

/// Sums of deviations from an origin.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    fn plus(&mut self, other: &Self, sign: f64) {
        self.n += sign * other.n;
        self.x += sign * other.x;
        self.y += sign * other.y;
        self.xx += sign * other.xx;
        self.yy += sign * other.yy;
        self.xy += sign * other.xy;
    }

    /// The coefficient, with `apart` the origin of x minus that of y.
    fn concordance_about(&self, apart: f64) -> Option<f64> {
        if self.n < 2.0 {
            return None;
        }
        let (mx, my) = (self.x / self.n, self.y / self.n);
        let sxy = self.xy - self.n * mx * my;
        let spread = self.xx - self.n * mx * mx + self.yy - self.n * my * my;
        let whole = spread + self.n * (mx - my + apart).powi(2);
        (whole > 0.0).then(|| 2.0 * sxy / whole)
    }
}

/// Concordance of one dimension, or the mean over dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Concordance {
    /// `valence`, `arousal`, `dominance`, or [`Concordance::MEAN`].
    pub dimension: String,
    /// −1 to 1; `None` where it is not defined.
    pub ccc: Option<f64>,
    /// Its 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<[f64; 2]>,
    /// The standard error behind the interval, with the variance over seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StandardError>,
    /// Standard deviation (n − 1) over training seeds, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<f64>,
}

impl Concordance {
    /// The known dimensions, in the order of every table.
    pub const DIMENSIONS: [&'static str; 3] = ["valence", "arousal", "dominance"];

    /// The name of the mean over dimensions, the headline score and the one that probes are selected by.
    pub const MEAN: &'static str = "mean";
}

/// The concordances of one configuration on one set of test items. A file of scores has these beside its runs, never among
/// The concordances of one configuration on one set of test items. A score file keeps them apart from its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionScores {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder.
    pub encoder: String,
    /// Protocol name.
    pub protocol: String,
    /// Partition scheme.
    pub partition: String,
    /// What else distinguishes it from runs with the same names.
    pub config: String,
    /// Which test items.
    pub fold: FoldName,
    /// Whether this is the score of the configuration: the mean over folds, or the pooled score where a fold has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headline: bool,
    /// Number of test items.
    pub n: u64,
    /// Each dimension, then their mean.
    pub scores: Vec<Concordance>,
    /// How the intervals were made, or why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Number of folds averaged; on the mean alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Number of training seeds that the scores are the mean of.
    #[serde(default = "one_seed")]
    pub seeds: u32,
    /// The audit's verdict on the partition, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
    /// Which utterances of the corpus were left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

fn one_seed() -> u32 {
    1
}

impl DimensionScores {
    /// The mean over dimensions.
    pub fn mean(&self) -> Option<&Concordance> {
        let mut scores = self.scores.iter();
        scores.find(|score| score.dimension == Concordance::MEAN)
    }
}

/// The test items as sums, from which those of any speaker can be subtracted.
struct Table {
    /// `[seed][dimension][fold][cluster]`, about the origins.
    sums: Vec<Vec<Vec<Vec<Sums>>>>,
    /// `[seed][dimension][fold]`: the origin of x minus that of y.
    apart: Vec<Vec<Vec<f64>>>,
    unit: IntervalUnit,
    clusters: usize,
    /// Clusters of each fold.
    of_fold: Vec<BTreeSet<usize>>,
}

/// Scores predictions of dimensions: the mean over folds, the pooled items, then each fold. `seeds` holds the predictions of
/// each training seed on the same items; scores are means over seeds.
///
/// # Errors
/// No predictions; seeds with other items; an item without a dimension that another has; a value that is not finite.
pub fn score_dimensions(
    labels: &RunLabels,
    seeds: &[&[RatedPrediction]],
    inference: &InferenceOptions,
) -> Result<Vec<DimensionScores>, ScoreError> {
    inference.check()?;
    let Some(first) = seeds.first().filter(|first| !first.is_empty()) else {
        return Err(ScoreError::Empty {
            subject: format!("{} on {}", labels.encoder, labels.corpus),
        });
    };
    let name = |p: &RatedPrediction| format!("{} (fold {})", p.key, p.fold);
    let names: Vec<String> = first.iter().map(name).collect();
    for other in &seeds[1..] {
        let others: Vec<String> = other.iter().map(name).collect();
        let (ours, theirs) = (names.iter(), others.iter());
        Mismatch::between(ours.map(String::as_str), theirs.map(String::as_str)).into_result()?;
    }
    let dimensions = dimensions_of(seeds)?;
    let folds: Vec<u32> = first
        .iter()
        .map(|p| p.fold)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let by_fold = Table::of(seeds, &dimensions, &folds);
    let mut pooled: Vec<Vec<RatedPrediction>> = seeds.iter().map(|list| list.to_vec()).collect();
    pooled.iter_mut().flatten().for_each(|p| p.fold = 1);
    let lists: Vec<&[RatedPrediction]> = pooled.iter().map(Vec::as_slice).collect();
    let pooled = Table::of(&lists, &dimensions, &[1]);
    let mut all = Vec::new();
    let mut add = |fold: FoldName, table: &Table, part: Option<usize>, n: usize| {
        let mut scores = DimensionScores {
            corpus: labels.corpus.clone(),
            encoder: labels.encoder.clone(),
            protocol: labels.protocol.clone(),
            partition: labels.partition.clone(),
            config: labels.config.clone(),
            fold,
            headline: false,
            n: n as u64,
            scores: Vec::new(),
            interval: None,
            folds: (fold == FoldName::Mean).then_some(folds.len() as u32),
            seeds: seeds.len() as u32,
            audit: None,
            skipped: Vec::new(),
        };
        table.score(&mut scores, &dimensions, part, inference.level);
        all.push(scores);
    };
    add(FoldName::Mean, &by_fold, None, first.len());
    add(FoldName::Pooled, &pooled, None, first.len());
    for (at, &fold) in folds.iter().enumerate() {
        let n = first.iter().filter(|p| p.fold == fold).count();
        add(FoldName::Fold(fold), &by_fold, Some(at), n);
    }
    let defined = |scores: &DimensionScores| scores.scores.iter().all(|s| s.ccc.is_some());
    let headline = usize::from(!all[2..].iter().all(defined));
    all[headline].headline = true;
    Ok(all)
}

/// The dimensions that all items have.
fn dimensions_of(seeds: &[&[RatedPrediction]]) -> Result<Vec<String>, ScoreError> {
    let items = || seeds.iter().flat_map(|list| list.iter());
    let names: BTreeSet<&String> = items().flat_map(|p| p.reference.keys()).collect();
    // Valence, arousal, dominance in this order, then others by name.
    let place = |name: &str| {
        let known = Concordance::DIMENSIONS;
        known
            .iter()
            .position(|known| *known == name)
            .unwrap_or(known.len())
    };
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    names.sort_by_key(|name| place(name));
    for item in items() {
        for (what, values) in [
            ("reference", &item.reference),
            ("predicted", &item.predicted),
        ] {
            let invalid = |expected: String, got: String| ScoreError::Invalid {
                subject: format!("{}: {what}", item.key),
                expected,
                got,
            };
            if !values
                .keys()
                .eq(items().next().map_or(values, |p| &p.reference).keys())
            {
                let got = values.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(invalid(format!("values of {}", names.join(", ")), got));
            }
            if let Some((name, value)) = values.iter().find(|(_, value)| !value.is_finite()) {
                return Err(invalid(format!("a finite {name}"), value.to_string()));
            }
        }
    }
    Ok(names)
}

impl Table {
    fn of(seeds: &[&[RatedPrediction]], dimensions: &[String], folds: &[u32]) -> Self {
        let speakers: BTreeSet<&String> =
            seeds[0].iter().filter_map(|p| p.speaker.as_ref()).collect();
        let unit = match speakers.len() {
            0 | 1 => IntervalUnit::Utterance,
            _ => IntervalUnit::Speaker,
        };
        // An utterance without a speaker is its own cluster.
        let cluster = |p: &'_ RatedPrediction| match (&p.speaker, unit) {
            (Some(speaker), IntervalUnit::Speaker) => (true, speaker.clone()),
            _ => (false, p.key.clone()),
        };
        let names: BTreeSet<(bool, String)> = seeds[0].iter().map(cluster).collect();
        let names: HashMap<(bool, String), usize> = names.into_iter().zip(0..).collect();
        let count = names.len();
        let empty = || vec![vec![vec![Sums::default(); count]; folds.len()]; dimensions.len()];
        let mut table = Self {
            sums: seeds.iter().map(|_| empty()).collect(),
            apart: Vec::new(),
            unit,
            clusters: count,
            of_fold: vec![BTreeSet::new(); folds.len()],
        };
        for (seed, list) in seeds.iter().enumerate() {
            // Sorted, so that the order of a file has no effect.
            let mut items: Vec<&RatedPrediction> = list.iter().collect();
            items.sort_by(|a, b| (a.fold, &a.key).cmp(&(b.fold, &b.key)));
            let mut apart = Vec::new();
            for (at, dimension) in dimensions.iter().enumerate() {
                let mut of_folds = Vec::new();
                for (fold, number) in folds.iter().enumerate() {
                    let mine: Vec<(&RatedPrediction, f64, f64)> = items
                        .iter()
                        .filter(|p| p.fold == *number)
                        .map(|p| (*p, p.predicted[dimension], p.reference[dimension]))
                        .collect();
                    let n = mine.len().max(1) as f64;
                    let x = mine.iter().map(|item| item.1).sum::<f64>() / n;
                    let y = mine.iter().map(|item| item.2).sum::<f64>() / n;
                    for (item, predicted, reference) in mine {
                        let cluster = names[&cluster(item)];
                        table.of_fold[fold].insert(cluster);
                        table.sums[seed][at][fold][cluster].add(predicted - x, reference - y);
                    }
                    of_folds.push(x - y);
                }
                apart.push(of_folds);
            }
            table.apart.push(apart);
        }
        table
    }

    /// The coefficients `[dimension]` of a seed with one cluster left out, in one fold or as the mean over folds.
    fn values(&self, seed: usize, part: Option<usize>, without: Option<usize>) -> Vec<Option<f64>> {
        let folds = match part {
            Some(fold) => fold..fold + 1,
            None => 0..self.of_fold.len(),
        };
        let one = |dimension: usize, fold: usize| {
            let clusters = &self.sums[seed][dimension][fold];
            let mut sums = Sums::default();
            for cluster in &self.of_fold[fold] {
                sums.plus(&clusters[*cluster], 1.0);
            }
            if let Some(cluster) = without {
                sums.plus(&clusters[cluster], -1.0);
            }
            sums.concordance_about(self.apart[seed][dimension][fold])
        };
        let of_dimension = |dimension: usize| {
            // A fold is skipped when its only cluster is left out.
            let alone = |fold: &usize| match without {
                Some(cluster) => {
                    self.of_fold[*fold].len() > 1 || !self.of_fold[*fold].contains(&cluster)
                }
                None => true,
            };
            let found: Vec<Option<f64>> = folds
                .clone()
                .filter(alone)
                .map(|fold| one(dimension, fold))
                .collect();
            let found: Vec<f64> = found.into_iter().collect::<Option<_>>()?;
            (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
        };
        (0..self.sums[seed].len()).map(of_dimension).collect()
    }

    fn score(
        &self,
        into: &mut DimensionScores,
        dimensions: &[String],
        part: Option<usize>,
        level: f64,
    ) {
        let seeds = self.sums.len();
        let with_mean = |mut values: Vec<Option<f64>>| {
            let all: Option<Vec<f64>> = values.iter().copied().collect();
            values.push(all.map(|all| all.iter().sum::<f64>() / all.len() as f64));
            values
        };
        let of_seeds = |without: Option<usize>| -> Vec<Vec<Option<f64>>> {
            let seeds = 0..seeds;
            seeds
                .map(|seed| with_mean(self.values(seed, part, without)))
                .collect()
        };
        let mean = |values: &[Vec<Option<f64>>], at: usize| {
            let all: Option<Vec<f64>> = values.iter().map(|seed| seed[at]).collect();
            all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
        };
        let whole = of_seeds(None);
        let clusters: Vec<usize> = match part {
            Some(fold) => self.of_fold[fold].iter().copied().collect(),
            None => (0..self.clusters).collect(),
        };
        let enough = clusters.len() >= FEWEST_CLUSTERS;
        let left: Vec<Vec<Vec<Option<f64>>>> = match enough {
            true => clusters.iter().map(|&c| of_seeds(Some(c))).collect(),
            false => Vec::new(),
        };
        let names = dimensions.iter().map(String::as_str);
        for (at, dimension) in names.chain([Concordance::MEAN]).enumerate() {
            let ccc = mean(&whole, at);
            let deviation = (seeds > 1).then(|| deviation(&whole, at)).flatten();
            let replicates: Option<Vec<f64>> = left.iter().map(|values| mean(values, at)).collect();
            let error = replicates.filter(|_| enough).map(|replicates| {
                jackknife(&replicates).with_seeds(deviation.unwrap_or(0.0), seeds as u32)
            });
            into.scores.push(Concordance {
                dimension: dimension.to_owned(),
                ccc,
                ci: ccc
                    .zip(error)
                    .and_then(|(ccc, error)| interval(ccc, &error, level)),
                error,
                seeds: deviation,
            });
        }
        into.interval = Some(Interval {
            unit: self.unit,
            units: clusters.len(),
            level,
            method: IntervalMethod::Jackknife,
            refused: (!enough).then_some(NoInterval::FewClusters),
        });
    }
}

/// Standard deviation over seeds.
fn deviation(values: &[Vec<Option<f64>>], at: usize) -> Option<f64> {
    let all: Vec<f64> = values.iter().map(|seed| seed[at]).collect::<Option<_>>()?;
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let squares: f64 = all.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (all.len() - 1) as f64).sqrt())
}

/// The standard error from the values without each cluster.
fn jackknife(replicates: &[f64]) -> StandardError {
    let count = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / count;
    let squares: f64 = replicates.iter().map(|value| (value - mean).powi(2)).sum();
    StandardError {
        error: ((count - 1.0) / count * squares).sqrt(),
        degrees: count - 1.0,
    }
}

/// Student's t on the scale of atanh. A perfect score has an interval of zero length, which says nothing of its precision.
fn interval(ccc: f64, error: &StandardError, level: f64) -> Option<[f64; 2]> {
    let slope = 1.0 - ccc * ccc;
    if slope <= 0.0 {
        return Some([ccc, ccc]);
    }
    let half = student_quantile(f64::midpoint(1.0, level), error.degrees) * error.error / slope;
    let middle = ccc.atanh();
    Some([(middle - half).tanh(), (middle + half).tanh()])
}
