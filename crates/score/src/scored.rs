//! The scores of one configuration on one fold or over all folds.

use crate::{
    Calibration, ClassScores, Confusion, GroupScores, Interval, NoInterval, Rates, SoftScores,
    StandardErrors,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Which test items a run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoldName {
    /// The average of the folds' scores.
    Mean,
    /// All test items of all folds as one.
    Pooled,
    /// One fold, from 1.
    Fold(u32),
}

impl fmt::Display for FoldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("mean"),
            Self::Pooled => f.write_str("pooled"),
            Self::Fold(fold) => write!(f, "{fold}"),
        }
    }
}

impl Serialize for FoldName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FoldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "mean" => Ok(Self::Mean),
            "pooled" => Ok(Self::Pooled),
            number => number
                .parse()
                .ok()
                .filter(|&n| n > 0)
                .map(Self::Fold)
                .ok_or_else(|| {
                    serde::de::Error::custom(format!(
                        "expected a fold as \"mean\", \"pooled\" or a number from 1, got {number:?}"
                    ))
                }),
        }
    }
}

/// The scores of one configuration on one set of test items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder, or the name of an outside system.
    pub encoder: String,
    /// Protocol name, as `strict`.
    pub protocol: String,
    /// Partition scheme, as `paper`.
    pub partition: String,
    /// What else distinguishes it from runs with the same names: layer, pooling, head, settings.
    pub config: String,
    /// Which test items.
    pub fold: FoldName,
    /// Number of test items.
    pub n: u64,
    /// Unweighted accuracy; see [`Rates`] for the exact conventions.
    pub ua: f64,
    /// Weighted accuracy.
    pub wa: f64,
    /// Macro F1 over those of `classes` that occur in the reference.
    pub macro_f1: f64,
    /// Micro F1.
    pub micro_f1: f64,
    /// F1 weighted by support.
    pub weighted_f1: f64,
    /// Whether this is the score of the configuration: the mean over folds, or the pooled score where a fold lacks a class that
    /// others have (in a mean over folds, the weight of such a class would depend on how speakers are grouped). No run is
    /// marked in files of earlier versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headline: bool,
    /// 95 % interval of `ua` as `[low, high]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ua_ci: Option<[f64; 2]>,
    /// 95 % interval of `wa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_ci: Option<[f64; 2]>,
    /// 95 % interval of `macro_f1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1_ci: Option<[f64; 2]>,
    /// The standard errors that the intervals come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<StandardErrors>,
    /// How the intervals were made, or why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Number of folds averaged; on the mean alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Standard deviation (n − 1) of the folds' scores; on the mean of two folds or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Rates>,
    /// The training seeds that the scores are the mean of; `None` for a single seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// `confusion[reference][prediction]`; for the mean, the sum over folds; with several seeds, the sum over seeds.
    pub confusion: Vec<Vec<u64>>,
    /// The classes of the corpus, in the order of the confusion's rows and columns.
    pub classes: Vec<String>,
    /// Scores of each class from `confusion`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_class: Vec<ClassScores>,
    /// How well the probabilities match the accuracy, where predictions have scores; on the pooled items alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How near the probabilities are to annotators' votes, where a probe was trained on votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<SoftScores>,
    /// Scores of each speaker and gender, where known; on the pooled items alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupScores>,
    /// The test-selected score: never a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<Oracle>,
    /// What the published recipe would print: never a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_published: Option<AsPublished>,
    /// The audit's verdict on the partition, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
    /// UA of a classifier that sees only duration, level, noise floor, rate and channels of the same recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nuisance_ua: Option<f64>,
    /// Set if the encoder is known to have been trained on this corpus: how, and the source of that statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
    /// Which utterances of the corpus were left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// Utterances of which the encoder was given only the beginning because they are longer than its longest input.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the same training would have scored if the epoch and the sweep point had been chosen on the test part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Oracle {
    /// Always [`Oracle::SELECTION`].
    pub selection: String,
    /// Unweighted accuracy.
    pub ua: f64,
    /// Weighted accuracy.
    pub wa: f64,
    /// Macro F1.
    pub macro_f1: f64,
    /// Micro F1.
    pub micro_f1: f64,
}

impl Oracle {
    /// The note that every table prints with these numbers.
    pub const SELECTION: &'static str = "test-selected, not a result";

    pub(crate) fn new(rates: &Rates) -> Self {
        Self {
            selection: Self::SELECTION.to_owned(),
            ua: rates.ua,
            wa: rates.wa,
            macro_f1: rates.macro_f1,
            micro_f1: rates.micro_f1,
        }
    }
}

/// Several seeds of the same training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seeds {
    /// How many.
    pub count: u32,
    /// Standard deviation (n − 1) of the seeds' scores.
    pub deviation: Rates,
}

/// What the published recipe reports for the same training: every epoch scored on the test part, the predictions of the epochs
/// so far pooled, the best epoch and sweep point chosen on the test part. Never a result; published tables are compared with it
/// and with nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AsPublished {
    /// Unweighted accuracy.
    pub ua: f64,
    /// Weighted accuracy.
    pub wa: f64,
    /// Macro F1 as the recipe computes it: over all classes that occur in the reference or the predictions.
    pub macro_f1: f64,
}

impl AsPublished {
    /// The scores of one fold's confusion `[reference][prediction]`, accumulated over epochs.
    pub fn of(confusion: &[Vec<u64>]) -> Self {
        let n = confusion.len();
        let row = |c: usize| confusion[c].iter().sum::<u64>() as f64;
        let column = |c: usize| confusion.iter().map(|r| r[c]).sum::<u64>() as f64;
        let hits = |c: usize| confusion[c][c] as f64;
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let total: f64 = (0..n).map(row).sum();
        let recalls = (0..n).filter(|&c| row(c) > 0.0).map(|c| hits(c) / row(c));
        let met = (0..n).filter(|&c| row(c) + column(c) > 0.0);
        Self {
            ua: mean(recalls.collect()),
            wa: (0..n).map(hits).sum::<f64>() / total.max(1.0),
            macro_f1: mean(met.map(|c| 2.0 * hits(c) / (row(c) + column(c))).collect()),
        }
    }

    /// The mean over folds, as the recipe reports it; `None` without folds.
    pub fn mean(folds: &[Self]) -> Option<Self> {
        let mean =
            |pick: fn(&Self) -> f64| folds.iter().map(pick).sum::<f64>() / folds.len() as f64;
        (!folds.is_empty()).then(|| Self {
            ua: mean(|f| f.ua),
            wa: mean(|f| f.wa),
            macro_f1: mean(|f| f.macro_f1),
        })
    }
}

/// Utterances that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why, as `longer than 30 s`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl Run {
    /// The summary scores.
    pub fn rates(&self) -> Rates {
        Rates {
            ua: self.ua,
            wa: self.wa,
            macro_f1: self.macro_f1,
            micro_f1: self.micro_f1,
            weighted_f1: self.weighted_f1,
        }
    }

    /// The confusion as a table with names.
    pub fn confusion(&self) -> Confusion {
        Confusion {
            classes: self.classes.clone(),
            counts: self.confusion.clone(),
        }
    }

    /// Sets the intervals from the standard errors, or the reason why there are none.
    pub(crate) fn set_intervals(
        &mut self,
        errors: Result<StandardErrors, NoInterval>,
        mut how: Interval,
    ) {
        let scores = self.rates().three();
        let intervals = [0, 1, 2].map(|i| {
            let error = errors.map(|errors| errors.all()[i]);
            error.and_then(|error| error.interval_or_reason(scores[i], how.level))
        });
        how.refused = intervals.iter().find_map(|interval| interval.err());
        [self.ua_ci, self.wa_ci, self.macro_f1_ci] = intervals.map(Result::ok);
        self.errors = errors.ok();
        self.interval = Some(how);
    }
}
