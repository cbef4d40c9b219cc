//! Metrics, intervals, tests and rankings from predictions: all of `emobox evaluate` except its files.
//!
//! Everything here is a pure function of [`Prediction`]s: the crate knows nothing of corpora, encoders or probes, so
//! predictions from any program are scored as our own are.
//!
//! * [`read_predictions`] / [`write_predictions`] — `predictions.jsonl`
//! * [`Confusion`] → [`Rates`] and [`ClassScores`], equal to scikit-learn's to 1e-12
//! * [`score_folds`] → the `runs` of [`ScoresFile`] with 95 % intervals from a standard error over speakers
//! * [`score_dimensions`] → concordance of valence, arousal and dominance, kept apart from the runs; [`soft_scores`] from votes
//! * [`calibration`], [`group_scores`] — log-loss, Brier score, calibration error; speakers and genders
//! * [`compare`], [`sign_flip`], [`mcnemar`], [`holm`], [`benjamini_hochberg`], [`rank`] — whether a difference is significant
//! * [`separate`] — which averages differ by more than the noise of their scores
//! * [`Submission`], [`verify`], [`reproduce`] — scores that anybody can recompute and reproduce
//! * [`seal`] — test sets whose labels only the organiser has
//! * [`CrossMatrix`] — training on one corpus, testing on another
//! * [`read_published_list`], [`Mismatch`] — the published toolkit's two lists, and keys that do not match
//!
//! Metrics are fractions 0..1 throughout; percentages appear only in output.

mod calibration;
mod clusters;
mod compare;
mod confusion;
mod correction;
mod cross;
mod dimensions;
mod distribution;
mod error;
mod file;
mod flips;
mod groups;
mod inference;
mod leak;
mod matching;
mod mismatch;
mod perturbed;
mod prediction;
mod ranking;
mod rerun;
mod run;
mod scored;
mod seal;
mod separation;
mod soft;
mod submission;
mod verify;

pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin, calibration};
pub use clusters::IntervalUnit;
pub use compare::{
    CompareRequest, Comparison, Difference, McNemar, SeededSystem, compare, compare_seeds, correct,
    mcnemar,
};
pub use confusion::{ClassScores, Confusion, Rates, classes_of};
pub use correction::{benjamini_hochberg, holm};
pub use cross::{CrossCell, CrossMatrix};
pub use dimensions::{
    Concordance, DimensionScores, RatedPrediction, concordance, read_rated_predictions,
    score_dimensions,
};
pub use error::ScoreError;
pub use file::{Absent, AbsentState, Provenance, SCHEMA, ScoresFile, Source};
pub use flips::{MOST_FLIPS, SignFlip, sign_flip};
pub use groups::{Gap, GroupScores, Grouping, gap, group_scores};
pub use inference::{
    FEW_CLUSTERS, FEWEST_CLUSTERS, FEWEST_DEGREES, InferenceOptions, Interval, IntervalMethod,
    NoInterval, StandardError, StandardErrors,
};
pub use leak::{Leak, LeakWorth, leaks};
pub use matching::{join_published_lists, read_published_list};
pub use mismatch::Mismatch;
pub use perturbed::PerturbedScores;
pub use prediction::{Prediction, read_predictions, write_predictions};
pub use ranking::{Ranking, descending_ranks, rank};
pub use rerun::{RERUN_TIES, RERUN_TOLERANCE, Rerun, reproduce};
pub use run::{RunLabels, ScoreRequest, score_folds, score_seeds, set_oracle};
pub use scored::{AsPublished, FoldName, Oracle, Run, Seeds, Skipped};
pub use seal::{SealKey, SealedAnswer, SealedSet, seal};
pub use separation::{Estimate, Separation, separate};
pub use soft::{SoftScores, soft_scores};
pub use submission::{Submission, SubmissionEntry};
pub use verify::{
    KnownEncoder, KnownProtocol, Reference, ReferenceItem, Refusal, Rules, Verdict, Verified,
    repeated, verify,
};
