//! Metrics, intervals, tests and rankings from predictions: the whole of `emobox evaluate` without its files.
//!
//! Everything here is a pure function of [`Prediction`]s: the room knows no corpus, no encoder and no
//! probe, so a file of predictions from any program scores exactly as our own do.
//!
//! * [`read_predictions`] / [`write_predictions`] — `predictions.jsonl`
//! * [`Confusion`] → [`Rates`] and [`ClassScores`], equal to scikit-learn's to 1e-12
//! * [`score_folds`] → the `runs` of [`ScoresFile`] with 95 % intervals from a bootstrap over speakers
//! * [`calibration`], [`group_scores`] — log-loss, Brier score, calibration error; speakers and genders
//! * [`compare`], [`mcnemar`], [`holm`], [`benjamini_hochberg`], [`rank`] — what of a difference can be believed
//! * [`Submission`], [`verify`] — scores that anybody can recompute
//! * [`CrossMatrix`] — training on one corpus, testing on another
//! * [`read_published_list`], [`Mismatch`] — the published toolkit's two lists, and keys that do not match
//!
//! Metrics are fractions 0..1 throughout; per cent is a matter of printing.

mod bootstrap;
mod calibration;
mod compare;
mod confusion;
mod correction;
mod cross;
mod distribution;
mod error;
mod file;
mod groups;
mod matching;
mod prediction;
mod ranking;
mod run;
mod submission;

pub use bootstrap::{
    BootstrapOptions, Interval, IntervalUnit, Intervals, PooledAndMean, Resampling,
};
pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin, calibration};
pub use compare::{CompareRequest, Comparison, Difference, McNemar, compare, mcnemar};
pub use confusion::{ClassScores, Confusion, Rates, classes_of};
pub use correction::{benjamini_hochberg, holm};
pub use cross::{CrossCell, CrossMatrix};
pub use error::ScoreError;
pub use file::{
    Absent, AbsentState, FoldName, Oracle, Provenance, Run, SCHEMA, ScoresFile, Skipped, Source,
};
pub use groups::{GroupScores, Grouping, group_scores};
pub use matching::{Mismatch, join_published_lists, read_published_list};
pub use prediction::{Prediction, read_predictions, write_predictions};
pub use ranking::{Ranking, descending_ranks, rank};
pub use run::{RunLabels, ScoreRequest, score_folds};
pub use submission::{
    Reference, ReferenceItem, Refusal, Submission, SubmissionEntry, Verified, verify,
};
