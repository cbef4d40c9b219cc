//! Probes on frozen features: heads, protocols, training, prediction.
//!
//! [`train_fold`] takes the utterances of one fold with their features and trains every point of the protocol's sweep at once,
//! over the same ragged batches. The epoch and the point are selected on the validation part; the test part is predicted once
//! with the selected probe. The score of selecting on the test part is computed beside it, as [`Oracle`], and so is what the
//! published recipe would have reported, as [`AsPublished`]; neither influences the result.
//!
//! Results depend on the data and the [`Protocol`] alone: not on threads, on the other points of the sweep, or on interruptions
//! (a [`TrainState`] carries every bit from one epoch to the next).

mod adam;
mod as_published;
mod batch;
mod card;
mod concordance;
mod dimensions;
mod engine;
mod error;
pub mod heads;
mod layers;
mod logs;
mod loss;
mod nuisance;
mod onnx;
mod oracle;
mod origin;
mod outcome;
#[cfg(test)]
mod parity;
mod protocol;
mod random;
mod saved;
mod select;
mod softmax;
mod source;
mod split;
mod state;
mod target;
mod task;
mod team;
mod train;

pub use card::Card;
pub use engine::most_probable;
pub use error::ProbeError;
pub use layers::{LayerCurveTask, layer_curve};
pub use logs::{curves_csv, tensorboard_events};
pub use nuisance::nuisance_baseline;
pub use origin::{Constant, Origin};
pub use outcome::{AsPublished, Curve, EpochRecord, FoldOutcome, Oracle, Predicted, Selected};
pub use protocol::{ClassWeighting, Point, Protocol, ValidationRule, ValidationScheme};
pub use saved::{FeatureDescription, Probe, ProbeDescription, ProbeOrigin};
pub use select::ValidRecord;
pub use source::{FeatureSource, LayerSource, StreamSource, ViewSource};
pub use split::{ValidationOrigin, ValidationSplit, validation_split};
pub use state::TrainState;
pub use target::Target;
pub use task::{FoldTask, Item, Role};
pub use train::{
    EpochProgress, Flow, Observer, TRAINING_REVISION, TrainOptions, Training, train_fold,
};
