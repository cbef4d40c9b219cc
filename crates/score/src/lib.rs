//! Metrics, intervals, tests and rankings from predictions: the whole of `emobox evaluate` without its files.
//!
//! Everything here is a pure function of [`Prediction`]s: the room knows no corpus, no encoder and no
//! probe, so a file of predictions from any program scores exactly as our own do.
//!
//! * [`read_predictions`] / [`write_predictions`] — `predictions.jsonl`
//! * [`Confusion`] → [`Rates`] and [`ClassScores`], equal to scikit-learn's to 1e-12
//! * [`score_folds`] → the `runs` of [`ScoresFile`] with 95 % intervals from a bootstrap over speakers
//!
//! Metrics are fractions 0..1 throughout; per cent is a matter of printing.

mod bootstrap;
mod confusion;
mod error;
mod file;
mod prediction;
mod run;

pub use bootstrap::{
    BootstrapOptions, Interval, IntervalUnit, Intervals, PooledAndMean, Resampling,
};
pub use confusion::{ClassScores, Confusion, Rates, classes_of};
pub use error::ScoreError;
pub use file::{FoldName, Oracle, Provenance, Run, SCHEMA, ScoresFile, Skipped, Source};
pub use prediction::{Prediction, read_predictions, write_predictions};
pub use run::{RunLabels, ScoreRequest, score_folds};
