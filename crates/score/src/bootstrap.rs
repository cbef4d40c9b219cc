use crate::confusion::{ClassIndex, rates};
use crate::{Prediction, Rates, ScoreError};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How an interval is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapOptions {
    /// Number of resamples.
    pub replicates: usize,
    /// Seed of the ChaCha8 stream.
    pub seed: u64,
    /// Coverage aimed at, as 0.95.
    pub level: f64,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            replicates: 2000,
            seed: 0,
            level: 0.95,
        }
    }
}

impl BootstrapOptions {
    /// Refuses what would give no interval or take without end.
    pub(crate) fn check(&self) -> Result<(), ScoreError> {
        let invalid = |subject: &str, expected: &str, got: String| ScoreError::Invalid {
            subject: subject.to_owned(),
            expected: expected.to_owned(),
            got,
        };
        if !(10..=1_000_000).contains(&self.replicates) {
            let got = self.replicates.to_string();
            return Err(invalid("bootstrap replicates", "10 to 1000000", got));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            let got = self.level.to_string();
            return Err(invalid("interval level", "a share between 0 and 1", got));
        }
        Ok(())
    }
}

/// What one draw of the bootstrap takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalUnit {
    /// All utterances of a speaker together, since they resemble each other.
    Speaker,
    /// One utterance: where fewer than two speakers are known.
    Utterance,
}

/// How the intervals of a run were made, for `scores.json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// What was resampled.
    pub unit: IntervalUnit,
    /// How many of them there are. Below about ten, a percentile interval is too narrow.
    pub units: usize,
    /// Number of resamples.
    pub replicates: usize,
    /// Seed of the stream.
    pub seed: u64,
    /// Coverage aimed at.
    pub level: f64,
}

/// `[low, high]` of each metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    /// Of the unweighted accuracy.
    pub ua: [f64; 2],
    /// Of the weighted accuracy.
    pub wa: [f64; 2],
    /// Of the macro F1.
    pub macro_f1: [f64; 2],
}

/// Predictions as one sparse confusion a cluster, so that a resample costs additions of counts only.
///
/// The percentile bootstrap over clusters (Davison & Hinkley 1997, sections 3.8 and 5.3.1): clusters are
/// speakers, drawn with replacement over all folds at once; an utterance without a speaker is its own
/// cluster, and so is every utterance where fewer than two speakers are known.
#[derive(Debug, Clone)]
pub struct Resampling {
    unit: IntervalUnit,
    classes: usize,
    /// Clusters that have items in each fold.
    fold_clusters: Vec<f64>,
    /// `cells[starts[c]..starts[c + 1]]` are the cells of cluster `c`.
    starts: Vec<usize>,
    /// (index into `[fold, reference, predicted]`, count).
    cells: Vec<(u32, f64)>,
    /// `folds[fold_starts[c]..fold_starts[c + 1]]` are the folds that cluster `c` has items in.
    fold_starts: Vec<usize>,
    folds: Vec<u32>,
}

/// One draw, or the sample itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replicate {
    /// Over the summed confusion.
    pub(crate) pooled: Rates,
    /// Mean over folds, each weighted by the share of its clusters that was drawn.
    pub(crate) mean: Rates,
}

impl Resampling {
    /// Groups predictions into clusters.
    ///
    /// # Errors
    /// No predictions, or a class outside `classes`.
    pub fn new(predictions: &[Prediction], classes: &[String]) -> Result<Self, ScoreError> {
        Self::with_clusters(predictions, classes, &Clusters::of(predictions))
    }

    /// As [`Self::new`] with clusters shared between several systems.
    pub(crate) fn with_clusters(
        predictions: &[Prediction],
        classes: &[String],
        clusters: &Clusters,
    ) -> Result<Self, ScoreError> {
        if predictions.is_empty() {
            return Err(ScoreError::Empty {
                subject: "bootstrap".to_owned(),
            });
        }
        let index = ClassIndex::new(classes);
        let fold_names: BTreeSet<u32> = predictions.iter().map(|p| p.fold).collect();
        let fold_index: BTreeMap<u32, usize> = fold_names
            .iter()
            .enumerate()
            .map(|(i, &f)| (f, i))
            .collect();
        let per_fold = classes.len() * classes.len();
        let mut table: Vec<BTreeMap<u32, f64>> = vec![BTreeMap::new(); clusters.count()];
        for prediction in predictions {
            let (reference, predicted) = index.of(prediction)?;
            let fold = fold_index[&prediction.fold];
            let cell = fold * per_fold + reference * classes.len() + predicted;
            *table[clusters.index(prediction)]
                .entry(cell as u32)
                .or_default() += 1.0;
        }
        let mut this = Self {
            unit: clusters.unit,
            classes: classes.len(),
            fold_clusters: vec![0.0; fold_names.len()],
            starts: vec![0],
            cells: Vec::new(),
            fold_starts: vec![0],
            folds: Vec::new(),
        };
        for cluster in table {
            let folds: BTreeSet<u32> = cluster.keys().map(|&c| c / per_fold as u32).collect();
            for &fold in &folds {
                this.fold_clusters[fold as usize] += 1.0;
            }
            this.folds.extend(folds);
            this.fold_starts.push(this.folds.len());
            this.cells.extend(cluster);
            this.starts.push(this.cells.len());
        }
        Ok(this)
    }

    /// What is drawn.
    pub fn unit(&self) -> IntervalUnit {
        self.unit
    }

    /// How many clusters there are.
    pub fn units(&self) -> usize {
        self.starts.len() - 1
    }

    /// The description that goes beside the numbers.
    pub fn describe(&self, options: &BootstrapOptions) -> Interval {
        Interval {
            unit: self.unit,
            units: self.units(),
            replicates: options.replicates,
            seed: options.seed,
            level: options.level,
        }
    }

    /// Intervals of the pooled scores and of the mean over folds, from the same draws.
    ///
    /// # Errors
    /// Options out of range.
    pub fn intervals(&self, options: &BootstrapOptions) -> Result<PooledAndMean, ScoreError> {
        options.check()?;
        let mut draws = Draws::new(options.seed, self.units());
        let mut scratch = Scratch::default();
        let replicates: Vec<Replicate> = (0..options.replicates)
            .map(|_| self.replicate(draws.next(), &mut scratch))
            .collect();
        let of = |pick: fn(&Replicate) -> &Rates| Intervals {
            ua: percentiles(replicates.iter().map(|r| pick(r).ua), options.level),
            wa: percentiles(replicates.iter().map(|r| pick(r).wa), options.level),
            macro_f1: percentiles(replicates.iter().map(|r| pick(r).macro_f1), options.level),
        };
        Ok(PooledAndMean {
            pooled: of(|r| &r.pooled),
            mean: of(|r| &r.mean),
        })
    }

    /// The scores of one multiset of clusters.
    pub(crate) fn replicate(&self, drawn: &[u32], scratch: &mut Scratch) -> Replicate {
        let per_fold = self.classes * self.classes;
        scratch.cells.clear();
        scratch
            .cells
            .resize(per_fold * self.fold_clusters.len(), 0.0);
        scratch.hits.clear();
        scratch.hits.resize(self.fold_clusters.len(), 0.0);
        for &cluster in drawn {
            let cluster = cluster as usize;
            for &(cell, count) in &self.cells[self.starts[cluster]..self.starts[cluster + 1]] {
                scratch.cells[cell as usize] += count;
            }
            for &fold in &self.folds[self.fold_starts[cluster]..self.fold_starts[cluster + 1]] {
                scratch.hits[fold as usize] += 1.0;
            }
        }
        scratch.pooled.clear();
        scratch.pooled.resize(per_fold, 0.0);
        let (mut mean, mut weights) = (Rates::default(), 0.0);
        for (fold, cells) in scratch.cells.chunks_exact(per_fold).enumerate() {
            for (sum, &count) in scratch.pooled.iter_mut().zip(cells) {
                *sum += count;
            }
            // A fold that the draw left empty says nothing; one drawn twice over counts twice.
            let weight = scratch.hits[fold] / self.fold_clusters[fold];
            if weight > 0.0 {
                mean.add(&rates(cells, self.classes), weight);
                weights += weight;
            }
        }
        mean.scale(1.0 / weights);
        Replicate {
            pooled: rates(&scratch.pooled, self.classes),
            mean,
        }
    }
}

/// Intervals of the pooled scores and of the fold average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledAndMean {
    /// Over all test items together.
    pub pooled: Intervals,
    /// Of the mean over folds.
    pub mean: Intervals,
}

impl Rates {
    pub(crate) fn add(&mut self, other: &Self, weight: f64) {
        self.ua += weight * other.ua;
        self.wa += weight * other.wa;
        self.macro_f1 += weight * other.macro_f1;
        self.micro_f1 += weight * other.micro_f1;
        self.weighted_f1 += weight * other.weighted_f1;
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        let zero = Self::default();
        let scaled = *self;
        *self = zero;
        self.add(&scaled, factor);
    }
}

/// Buffers of one bootstrap.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    cells: Vec<f64>,
    hits: Vec<f64>,
    pooled: Vec<f64>,
}

/// Which cluster each utterance belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Clusters {
    pub(crate) unit: IntervalUnit,
    /// Sorted by name, so that nothing depends on the order of the file.
    by_name: BTreeMap<(bool, String), usize>,
}

impl Clusters {
    pub(crate) fn of(predictions: &[Prediction]) -> Self {
        let speakers: BTreeSet<&String> = predictions
            .iter()
            .filter_map(|p| p.speaker.as_ref())
            .collect();
        let unit = if speakers.len() < 2 {
            IntervalUnit::Utterance
        } else {
            IntervalUnit::Speaker
        };
        let names: BTreeSet<(bool, String)> =
            predictions.iter().map(|p| cluster_name(p, unit)).collect();
        let by_name = names.into_iter().enumerate().map(|(i, n)| (n, i)).collect();
        Self { unit, by_name }
    }

    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The cluster of a prediction that was among those given to [`Self::of`].
    pub(crate) fn index(&self, prediction: &Prediction) -> usize {
        self.by_name[&cluster_name(prediction, self.unit)]
    }
}

/// Speakers and lone utterances are told apart, in case one is named as the other.
fn cluster_name(prediction: &Prediction, unit: IntervalUnit) -> (bool, String) {
    match (&prediction.speaker, unit) {
        (Some(speaker), IntervalUnit::Speaker) => (true, speaker.clone()),
        _ => (false, prediction.key.clone()),
    }
}

/// An endless row of draws with replacement of `count` out of `count`.
pub(crate) struct Draws {
    stream: ChaCha8Rng,
    drawn: Vec<u32>,
}

impl Draws {
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        Self {
            stream: ChaCha8Rng::seed_from_u64(seed),
            drawn: vec![0; count],
        }
    }

    pub(crate) fn next(&mut self) -> &[u32] {
        let count = self.drawn.len() as u64;
        for slot in &mut self.drawn {
            // Multiply-shift: the bias is below count / 2^32.
            *slot = ((u64::from(self.stream.next_u32()) * count) >> 32) as u32;
        }
        &self.drawn
    }
}

/// The two-sided percentile interval.
pub(crate) fn percentiles(values: impl Iterator<Item = f64>, level: f64) -> [f64; 2] {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    [quantile(&values, tail), quantile(&values, 1.0 - tail)]
}

/// Linear interpolation between order statistics (Hyndman & Fan type 7, numpy's default).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
