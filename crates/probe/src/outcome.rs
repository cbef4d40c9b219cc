use crate::{Point, ValidRecord, ValidationSplit};
use serde::{Deserialize, Serialize};

/// A probe's prediction for one utterance of a test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// The utterance.
    pub key: String,
    /// Its class, as an index into the outcome's classes.
    pub label: usize,
    /// The most probable class; the earlier one at a tie.
    pub prediction: usize,
    /// Natural logarithms of the class probabilities; empty where dimensions are learned.
    pub log_probabilities: Vec<f64>,
    /// Reference and prediction of each dimension, where dimensions are learned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<[f64; 2]>,
}

/// One epoch of one sweep point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Mean training loss over the epoch's batches, weighted by their size.
    pub train_loss: f64,
    /// The validation part after the epoch.
    pub valid: ValidRecord,
}

/// The training of one sweep point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The point.
    pub point: Point,
    /// Its epochs, from the first.
    pub epochs: Vec<EpochRecord>,
}

/// The result of one seed: the point and epoch selected on the validation part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// The selected point.
    pub point: Point,
    /// The selected epoch, from 1.
    pub epoch: usize,
    /// The validation record it was selected by.
    pub valid: ValidRecord,
    /// The test part, predicted once.
    pub predictions: Vec<Predicted>,
    /// Further test sets, predicted once.
    pub extra: Vec<Predicted>,
    /// The head's weights, all tensors one after the other, see [`crate::heads::Head::layout`].
    #[serde(skip)]
    pub weights: Vec<f32>,
}

/// The point and epoch that are best **on the test part** itself. Not a result: it shows the score of selecting on the test
/// part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Oracle {
    /// The point.
    pub point: Point,
    /// The epoch, from 1.
    pub epoch: usize,
    /// UA on the test part, by which it was chosen.
    pub test_ua: f64,
    /// Its predictions of the test part.
    pub predictions: Vec<Predicted>,
}

/// What the published recipe reports for the same training: predictions pooled over the epochs up to one, the best epoch and
/// sweep point chosen **on the test part**. Not a result; it is the score to compare published tables with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsPublished {
    /// The point.
    pub point: Point,
    /// The epoch, from 1.
    pub epoch: usize,
    /// `[label][prediction]`: counts over the test part and the epochs up to `epoch`.
    pub confusion: Vec<Vec<u64>>,
}

/// Everything that training a fold produces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldOutcome {
    /// The fold, from 1.
    pub fold: u32,
    /// The classes, or the dimensions, in the order of the outputs.
    pub classes: Vec<String>,
    /// How the validation part was made.
    pub validation: ValidationSplit,
    /// One result per seed.
    pub selected: Vec<Selected>,
    /// One oracle per seed; empty if the protocol computes none.
    pub oracle: Vec<Oracle>,
    /// One per seed; empty if the protocol computes no oracle, and in outcomes of earlier versions.
    #[serde(default)]
    pub as_published: Vec<AsPublished>,
    /// One curve per point.
    pub curves: Vec<Curve>,
    /// Updates skipped because the gradient was not finite, over all points.
    pub skipped_steps: u64,
}
