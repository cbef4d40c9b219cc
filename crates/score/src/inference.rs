//! Standard errors over speakers, and intervals from them.
//!
//! A score is a sum over clusters (speakers) `s` and classes `c` of `y[s, c]`, the cluster's part of it, and each part has a
//! weight `b[s, c]`: for the unweighted accuracy `y` is the number of correct items and `b` the number of items, both divided
//! by (items of the class × classes × folds). With `m[c] = Σ y / Σ b`, the residual of a cluster is
//! `u[s] = Σ_c (y[s, c] − b[s, c] m[c])`, and `Σ u²` estimates the variance of the score (Taylor linearisation of a ratio over
//! clusters: Binder, "On the variances of asymptotically normal estimators from complex surveys", International Statistical
//! Review 51, 1983). With few clusters of unequal weight the estimate is too small and has fewer degrees of freedom than the
//! number of clusters minus one. Both are corrected from the weights alone as in Bell and McCaffrey ("Bias reduction in
//! standard errors for linear regression with multi-stage samples", Survey Methodology 28, 2002), under the working model that
//! two classes of one speaker share half their variance ([`SHARED`]): the sum is divided by its expectation relative to the
//! true variance, and the degrees of freedom are Satterthwaite's, `tr(K)² / tr(K²)` with `K` the covariance of the `u`. Equal
//! weights give the plain variance of a mean and one degree of freedom less than clusters.
//!
//! Near 100 %, a few speakers make most errors, and a test part that happens to have none of them underestimates the variance.
//! The variance between clusters is therefore at least [`FLOOR`]` (1 − 2 p)² (p (1 − p))^1.5` at a score of `p`: 0 at 50 %,
//! where errors are not skewed. The exponent lies between a constant intra-class correlation (1), which is too much near 100 %,
//! and a constant spread of the logits (2), which is too much at 90 %.
//!
//! Intervals are Student's t on the logit scale, so that they stay within 0..1 and are skewed as scores near 1 are.
//! `docs/statistics.md` has the simulated coverage of this method and of the alternatives tried.

use crate::ScoreError;
use crate::clusters::{IntervalUnit, Over, Tables};
use crate::distribution::{logistic, logit, student_quantile};
use serde::{Deserialize, Serialize};

/// Fewer clusters give no interval: in the simulations of `docs/statistics.md` no interval there has the coverage and is narrow
/// enough to be useful.
pub const FEWEST_CLUSTERS: usize = 5;

/// Below this many clusters an interval is marked: it depends on the assumed least variance more than on the measured one, and
/// where hard speakers are rarer than one in five its coverage is below its level (docs/statistics.md).
pub const FEW_CLUSTERS: usize = 20;

/// Scale of the least variance between clusters: the smallest for which 95 % intervals cover 93 % in every design of
/// docs/statistics.md, including that with one hard speaker in five.
const FLOOR: f64 = 0.4;

/// Fewer effective degrees of freedom give no interval: the score depends on one or two speakers.
pub const FEWEST_DEGREES: f64 = 1.5;

/// Share of a speaker's variance that is common to the classes, in the working model. It has no effect where all clusters have
/// equal weight.
const SHARED: f64 = 0.5;

/// Above this many clusters only the diagonal of K is summed; with n of them the degrees differ by about one in n.
const MOST_EXACT: usize = 1000;

/// Sums of contributions below this are rounding errors.
const ROUNDING: f64 = 1e-12;

/// How intervals and p values are computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InferenceOptions {
    /// Number of sampled sign flips, where there are too many speakers to try all patterns.
    pub sampled_flips: usize,
    /// Seed of the ChaCha8 stream of the sampled flips. Intervals use no random numbers.
    pub seed: u64,
    /// Nominal coverage, as 0.95.
    pub level: f64,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            sampled_flips: 10_000,
            seed: 0,
            level: 0.95,
        }
    }
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalMethod {
    /// Percentiles of a bootstrap over clusters: in files of earlier versions, which do not name a method.
    #[default]
    PercentileBootstrap,
    /// Standard error over clusters with Student's t on the logit scale.
    ClusterT,
    /// Jackknife over clusters with Student's t on the scale of the inverse hyperbolic tangent: for concordances.
    Jackknife,
}

/// Why there is no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoInterval {
    /// Fewer than [`FEWEST_CLUSTERS`] clusters.
    FewClusters,
    /// Enough clusters, but fewer than [`FEWEST_DEGREES`] effective degrees of freedom: nearly all items, or a whole class,
    /// belong to one cluster.
    FewDegrees,
    /// All clusters have the same score, near 50 %, where the assumed least variance is 0.
    NoSpread,
}

impl std::fmt::Display for NoInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewClusters => write!(f, "fewer than {FEWEST_CLUSTERS} speakers"),
            Self::FewDegrees => f.write_str("one or two speakers decide the score"),
            Self::NoSpread => {
                f.write_str("all speakers scored alike, so nothing shows how others would")
            }
        }
    }
}

/// How the intervals of a run were computed, for `scores.json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The independent units.
    pub unit: IntervalUnit,
    /// Number of units.
    pub units: usize,
    /// Nominal coverage.
    pub level: f64,
    /// The method.
    #[serde(default)]
    pub method: IntervalMethod,
    /// Why there is no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<NoInterval>,
}

impl Interval {
    /// Whether reports should warn about few units: an interval from fewer than [`FEW_CLUSTERS`].
    pub fn is_marked(&self) -> bool {
        self.refused.is_none() && self.units < FEW_CLUSTERS
    }
}

/// A standard error and its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StandardError {
    /// Standard error of the score, as a fraction.
    pub error: f64,
    /// Effective degrees of freedom: clusters minus one where all have equal weight, fewer otherwise.
    pub degrees: f64,
}

/// The standard errors of the three scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StandardErrors {
    /// Of the unweighted accuracy.
    pub ua: StandardError,
    /// Of the weighted accuracy.
    pub wa: StandardError,
    /// Of the macro F1.
    pub macro_f1: StandardError,
}

impl StandardErrors {
    pub(crate) fn all(&self) -> [StandardError; 3] {
        [self.ua, self.wa, self.macro_f1]
    }

    pub(crate) fn map(&self, change: impl Fn(usize, StandardError) -> StandardError) -> Self {
        Self {
            ua: change(0, self.ua),
            wa: change(1, self.wa),
            macro_f1: change(2, self.macro_f1),
        }
    }
}

impl StandardError {
    /// The interval about `score`, or why there is none. For 0 and 1 it has zero length, the limit on the logit scale; such an
    /// interval says nothing of precision, and reports say so.
    pub fn interval_or_reason(&self, score: f64, level: f64) -> Result<[f64; 2], NoInterval> {
        if score <= 0.0 || score >= 1.0 {
            return Ok([score, score]);
        }
        if self.degrees < FEWEST_DEGREES {
            return Err(NoInterval::FewDegrees);
        }
        if self.error < ROUNDING {
            return Err(NoInterval::NoSpread);
        }
        let quantile = student_quantile(f64::midpoint(1.0, level), self.degrees);
        let half = quantile * self.error / (score * (1.0 - score));
        let middle = logit(score);
        Ok([logistic(middle - half), logistic(middle + half)])
    }

    /// The interval about `score`, if there is one.
    pub fn interval(&self, score: f64, level: f64) -> Option<[f64; 2]> {
        self.interval_or_reason(score, level).ok()
    }

    /// Adds the variance of the mean over training seeds, from their standard deviation.
    pub(crate) fn with_seeds(&self, deviation: f64, seeds: u32) -> Self {
        if deviation == 0.0 {
            return *self;
        }
        self.plus(&Self {
            error: deviation / f64::from(seeds).sqrt(),
            degrees: f64::from(seeds - 1),
        })
    }

    /// The sum of two independent errors, with Satterthwaite's degrees.
    pub fn plus(&self, other: &Self) -> Self {
        let (a, b) = (self.error.powi(2), other.error.powi(2));
        if a == 0.0 || b == 0.0 {
            return if a == 0.0 { *other } else { *self };
        }
        let spread = a * a / self.degrees + b * b / other.degrees;
        Self {
            error: (a + b).sqrt(),
            degrees: (a + b).powi(2) / spread,
        }
    }
}

/// The three scores that have intervals; every list of them is in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Score {
    Ua,
    Wa,
    MacroF1,
}

impl Score {
    pub(crate) const ALL: [Self; 3] = [Self::Ua, Self::Wa, Self::MacroF1];
}

/// Each cluster's part of a score, `[cluster][class]`; the sum of `y` is the score (for the macro F1, that of the table summed
/// over seeds).
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    y: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
}

impl Tables {
    pub(crate) fn shares(&self, score: Score, over: Over) -> Shares {
        let totals = self.totals(over);
        let classes = self.classes;
        // The weight of an item that is correct, of the class, or predicted as the class, by fold and class.
        let weights: Vec<Vec<f64>> = totals
            .iter()
            .map(|cells| weights(score, cells, classes, totals.len()))
            .collect();
        let wide = match score {
            Score::Wa => 1,
            _ => classes,
        };
        let mut shares = Shares {
            y: vec![vec![0.0; wide]; self.clusters.len()],
            b: vec![vec![0.0; wide]; self.clusters.len()],
        };
        for (cluster, cells) in self.clusters.iter().enumerate() {
            for &(cell, count) in cells {
                let weight = &weights[self.fold(over, cell)];
                let (reference, predicted) = self.place(cell);
                let right = f64::from(u8::from(reference == predicted));
                let (y, b) = (&mut shares.y[cluster], &mut shares.b[cluster]);
                match score {
                    Score::Wa => {
                        y[0] += right * count * weight[0];
                        b[0] += count * weight[0];
                    }
                    Score::Ua => {
                        y[reference] += right * count * weight[reference];
                        b[reference] += count * weight[reference];
                    }
                    Score::MacroF1 => {
                        y[reference] += 2.0 * right * count * weight[reference];
                        b[reference] += count * weight[reference];
                        b[predicted] += count * weight[predicted];
                    }
                }
            }
        }
        shares
    }
}

/// 1 / (denominator × classes present × folds) of each class; 0 for a class that the reference lacks.
fn weights(score: Score, cells: &[f64], classes: usize, folds: usize) -> Vec<f64> {
    let support = |c: usize| cells[c * classes..][..classes].iter().sum::<f64>();
    let predicted = |c: usize| (0..classes).map(|r| cells[r * classes + c]).sum::<f64>();
    if score == Score::Wa {
        let total: f64 = cells.iter().sum();
        return vec![1.0 / (total.max(f64::MIN_POSITIVE) * folds as f64)];
    }
    let present = present(cells, classes);
    (0..classes)
        .map(|c| match (score, support(c)) {
            (_, 0.0) => 0.0,
            (Score::MacroF1, n) => 1.0 / ((n + predicted(c)) * (present * folds) as f64),
            (_, n) => 1.0 / (n * (present * folds) as f64),
        })
        .collect()
}

/// How many classes the reference has.
fn present(cells: &[f64], classes: usize) -> usize {
    let rows = cells.chunks_exact(classes.max(1));
    rows.filter(|row| row.iter().any(|&n| n > 0.0)).count()
}

impl Shares {
    /// `u`: how each cluster departs from the mean of its classes.
    pub(crate) fn residuals(&self) -> Vec<f64> {
        let sum = |of: &[Vec<f64>], c: usize| of.iter().map(|row| row[c]).sum::<f64>();
        let classes = self.y.first().map_or(0, Vec::len);
        let means: Vec<f64> = (0..classes)
            .map(|c| match sum(&self.b, c) {
                0.0 => 0.0,
                weight => sum(&self.y, c) / weight,
            })
            .collect();
        let residual = |(y, b): (&Vec<f64>, &Vec<f64>)| {
            let parts = y.iter().zip(b).zip(&means);
            parts.map(|((y, b), mean)| y - b * mean).sum()
        };
        self.y.iter().zip(&self.b).map(residual).collect()
    }

    /// The standard error of the sum of `residuals` under this design, with a variance of at least `least` between clusters.
    pub(crate) fn error(&self, residuals: &[f64], least: f64) -> StandardError {
        let Design { bias, degrees } = design(&self.b);
        let sum_of_squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum();
        let seen: f64 = sum_of_squares(&mut residuals.iter().copied());
        let weights: f64 = sum_of_squares(&mut self.b.iter().map(|row| row.iter().sum()));
        StandardError {
            error: (seen * bias).max(weights * least).sqrt(),
            degrees,
        }
    }

    /// The score itself.
    fn score(&self) -> f64 {
        self.y.iter().flatten().sum()
    }

    /// The mean of two designs, for the difference of two systems.
    pub(crate) fn between(&self, other: &Self) -> Self {
        let halfway = |x: &[Vec<f64>], y: &[Vec<f64>]| {
            let row = |(x, y): (&Vec<f64>, &Vec<f64>)| {
                x.iter()
                    .zip(y)
                    .map(|(x, y)| f64::midpoint(*x, *y))
                    .collect()
            };
            x.iter().zip(y).map(row).collect()
        };
        Self {
            y: halfway(&self.y, &other.y),
            b: halfway(&self.b, &other.b),
        }
    }
}

/// The assumed least variance between clusters at a score of `share`.
pub(crate) fn least_variance(share: f64) -> f64 {
    let binomial = share * (1.0 - share);
    if binomial < ROUNDING {
        return 0.0;
    }
    FLOOR * (1.0 - 2.0 * share).powi(2) * binomial.powf(1.5)
}

/// Each cluster's part of the difference of two systems on the same items. Swapping the systems for one cluster negates its
/// part and changes no other: denominators and slopes come from both systems together, so a swap does not change them. The sum
/// is the difference of UA and of WA exactly, and that of macro F1 to second order.
pub(crate) fn differences(a: &Tables, b: &Tables, score: Score, over: Over) -> Vec<f64> {
    let (classes, square) = (a.classes, a.classes * a.classes);
    let both: Vec<Vec<f64>> = a
        .totals(over)
        .iter()
        .zip(b.totals(over))
        .map(|(x, y)| x.iter().zip(y).map(|(x, y)| f64::midpoint(*x, y)).collect())
        .collect();
    // How much one more item in a cell adds to the score, by fold and cell.
    let slopes: Vec<Vec<f64>> = both
        .iter()
        .map(|cells| {
            let weight = weights(score, cells, classes, both.len());
            let f1 = |c: usize| 2.0 * cells[c * classes + c] * weight[c];
            let parts = (both.len() * present(cells, classes)) as f64;
            (0..square)
                .map(|cell| {
                    let (reference, predicted) = (cell / classes, cell % classes);
                    let right = f64::from(u8::from(reference == predicted));
                    match score {
                        Score::Wa => right * weight[0],
                        Score::Ua => right * weight[reference],
                        // `f1` is the F1 of the class divided by `parts`; both systems have the same items of a class.
                        Score::MacroF1 => {
                            2.0 * right * weight[reference]
                                - f1(predicted) * parts * weight[predicted]
                        }
                    }
                })
                .collect()
        })
        .collect();
    let value = |tables: &Tables, cluster: usize| -> f64 {
        let cells = tables.clusters[cluster].iter();
        cells
            .map(|&(cell, count)| count * slopes[tables.fold(over, cell)][cell % square])
            .sum()
    };
    (0..a.clusters.len())
        .map(|cluster| value(a, cluster) - value(b, cluster))
        .collect()
}

/// Properties of `Σ u²` that follow from the weights alone.
#[derive(Debug, Clone, Copy)]
struct Design {
    /// The true variance divided by the expectation of the sum; 0 where the sum is always 0.
    bias: f64,
    /// Satterthwaite's degrees of freedom.
    degrees: f64,
}

fn design(b: &[Vec<f64>]) -> Design {
    let classes = b.first().map_or(0, Vec::len);
    let sums: Vec<f64> = (0..classes).map(|c| b.iter().map(|r| r[c]).sum()).collect();
    // a[s, c]: the share of a cluster in its class.
    let a: Vec<Vec<f64>> = b
        .iter()
        .map(|row| {
            let share = |(x, sum): (&f64, &f64)| if *sum > 0.0 { x / sum } else { 0.0 };
            row.iter().zip(&sums).map(share).collect()
        })
        .collect();
    let own = 1.0 - SHARED;
    let product = |c: usize, d: usize| a.iter().map(|row| row[c] * row[d]).sum::<f64>();
    let q: Vec<Vec<f64>> = (0..classes)
        .map(|c| (0..classes).map(|d| product(c, d)).collect())
        .collect();
    let total = |row: &[f64]| row.iter().sum::<f64>();
    let truth: f64 = b
        .iter()
        .map(|row| SHARED * total(row).powi(2) + own * row.iter().map(|x| x * x).sum::<f64>())
        .sum();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let through: Vec<Vec<f64>> = b
        .iter()
        .map(|row| q.iter().map(|column| dot(row, column)).collect())
        .collect();
    let covariance = |s: usize, r: usize| {
        let same = f64::from(u8::from(s == r));
        let (bs, br) = (total(&b[s]), total(&b[r]));
        let shared = same * bs * br - bs * dot(&b[r], &a[s]) - br * dot(&b[s], &a[r])
            + dot(&through[s], &b[r]);
        let apart: f64 = (0..classes)
            .map(|c| b[s][c] * b[r][c] * (same - a[s][c] - a[r][c] + q[c][c]))
            .sum();
        SHARED * shared + own * apart
    };
    let count = b.len();
    let diagonal: Vec<f64> = (0..count).map(|s| covariance(s, s)).collect();
    let trace: f64 = diagonal.iter().sum();
    if trace <= ROUNDING * truth {
        return Design {
            bias: 0.0,
            degrees: 0.0,
        };
    }
    let mut squares: f64 = diagonal.iter().map(|k| k * k).sum();
    if count <= MOST_EXACT {
        for s in 0..count {
            squares += (0..s).map(|r| 2.0 * covariance(s, r).powi(2)).sum::<f64>();
        }
    }
    Design {
        bias: truth / trace,
        degrees: trace * trace / squares,
    }
}

/// The standard errors of the three scores, or the reason why there are none.
pub(crate) fn standard_errors(tables: &Tables, over: Over) -> Result<StandardErrors, NoInterval> {
    if tables.clusters.len() < FEWEST_CLUSTERS {
        return Err(NoInterval::FewClusters);
    }
    let error = |score| {
        let shares = tables.shares(score, over);
        shares.error(&shares.residuals(), least_variance(shares.score()))
    };
    Ok(StandardErrors {
        ua: error(Score::Ua),
        wa: error(Score::Wa),
        macro_f1: error(Score::MacroF1),
    })
}

impl InferenceOptions {
    /// Rejects options that would give no interval or take too long.
    pub(crate) fn check(&self) -> Result<(), ScoreError> {
        let invalid = |subject: &str, expected: &str, got: String| ScoreError::Invalid {
            subject: subject.to_owned(),
            expected: expected.to_owned(),
            got,
        };
        if !(10..=1_000_000).contains(&self.sampled_flips) {
            let got = self.sampled_flips.to_string();
            return Err(invalid("sampled sign flips", "10 to 1000000", got));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            let got = self.level.to_string();
            return Err(invalid("interval level", "a share between 0 and 1", got));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prediction;
    use crate::clusters::Clusters;
    use std::collections::BTreeMap;

    /// Six speakers in two folds, three classes of unequal size; every `every`-th answer is wrong.
    fn system(every: usize) -> Vec<Prediction> {
        let item = |i: usize| {
            let label = [0, 0, 0, 1, 1, 2][i % 6];
            let wrong = i.is_multiple_of(every);
            Prediction {
                key: i.to_string(),
                fold: 1 + (i % 6 / 4) as u32,
                label: label.to_string(),
                prediction: ((label + usize::from(wrong)) % 3).to_string(),
                scores: BTreeMap::new(),
                speaker: Some((i / 200).to_string()),
                votes: BTreeMap::new(),
                gender: None,
            }
        };
        (0..1200).map(item).collect()
    }

    #[test]
    fn the_parts_of_a_difference_add_up_to_it() {
        let classes: Vec<String> = (0..3).map(|c| c.to_string()).collect();
        let (first, mut second) = (system(7), system(7));
        for i in [3, 77, 500, 640, 1100] {
            second[i].prediction = if i == 640 { "0" } else { "2" }.to_owned();
        }
        let clusters = Clusters::of(&first);
        let [a, b] = [&first, &second]
            .map(|list| Tables::of(&[list.as_slice()], &classes, &clusters).unwrap());
        for over in [Over::Pooled, Over::Mean] {
            for (at, score) in Score::ALL.into_iter().enumerate() {
                let value = |list: &[Prediction]| -> f64 {
                    let folds: Vec<Vec<Prediction>> = match over {
                        Over::Pooled => vec![list.to_vec()],
                        Over::Mean => [1, 2]
                            .map(|fold| list.iter().filter(|p| p.fold == fold).cloned().collect())
                            .to_vec(),
                    };
                    let rates = folds
                        .iter()
                        .map(|fold| crate::Confusion::of(fold, &classes).unwrap().rates());
                    rates.map(|rates| rates.three()[at]).sum::<f64>() / folds.len() as f64
                };
                let wanted = value(&first) - value(&second);
                let found: f64 = differences(&a, &b, score, over).iter().sum();
                // Only five answers differ, so that what is of second order is far below this.
                let tolerance = match score {
                    Score::MacroF1 => 1e-3 * wanted.abs(),
                    Score::Wa | Score::Ua => 1e-12,
                };
                assert!(wanted.abs() > 1e-4);
                assert!(
                    (found - wanted).abs() <= tolerance,
                    "{score:?} {over:?}: {found} against {wanted}"
                );
            }
        }
    }
}
