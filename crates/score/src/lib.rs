//! Metrics, intervals, tests and rankings from predictions: the whole of `emobox evaluate` without its files.
//!
//! Everything here is a pure function of [`Prediction`]s: the room knows no corpus, no encoder and no
//! probe, so a file of predictions from any program scores exactly as our own do.
//!
//! * [`read_predictions`] / [`write_predictions`] — `predictions.jsonl`
//! * [`Confusion`] → [`Rates`] and [`ClassScores`], equal to scikit-learn's to 1e-12
//! * [`score_folds`] → the `runs` of [`ScoresFile`] with 95 % intervals from a standard error over speakers
//! * [`score_dimensions`] → concordance of valence, arousal and dominance, apart from the runs; [`soft_scores`] of votes
//! * [`calibration`], [`group_scores`] — log-loss, Brier score, calibration error; speakers and genders
//! * [`compare`], [`sign_flip`], [`mcnemar`], [`holm`], [`benjamini_hochberg`], [`rank`] — what of a difference can be believed
//! * [`separate`] — which averages the scores' own noise leaves apart
//! * [`Submission`], [`verify`], [`reproduce`] — scores that anybody can recompute, and make again
//! * [`seal`] — test sets whose labels the organiser keeps
//! * [`CrossMatrix`] — training on one corpus, testing on another
//! * [`read_published_list`], [`Mismatch`] — the published toolkit's two lists, and keys that do not match
//!
//! Metrics are fractions 0..1 throughout; per cent is a matter of printing.

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
mod perturbed;
mod prediction;
mod ranking;
mod rerun;
mod run;
mod seal;
mod separation;
mod soft;
mod submission;
mod verify;

pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin, calibration};
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
pub use file::{
    Absent, AbsentState, AsPublished, FoldName, Oracle, Provenance, Run, SCHEMA, ScoresFile, Seeds,
    Skipped, Source,
};
pub use flips::{MOST_FLIPS, SignFlip, sign_flip};
pub use groups::{Gap, GroupScores, Grouping, gap, group_scores};
pub use inference::{
    FEW_CLUSTERS, FEWEST_CLUSTERS, FEWEST_DEGREES, InferenceOptions, Interval, IntervalMethod,
    IntervalUnit, NoInterval, StandardError, StandardErrors,
};
pub use leak::{Leak, LeakWorth, leaks};
pub use matching::{Mismatch, join_published_lists, read_published_list};
pub use perturbed::PerturbedScores;
pub use prediction::{Prediction, read_predictions, write_predictions};
pub use ranking::{Ranking, descending_ranks, rank};
pub use rerun::{RERUN_TIES, RERUN_TOLERANCE, Rerun, reproduce};
pub use run::{RunLabels, ScoreRequest, score_folds, score_seeds, set_oracle};
pub use seal::{SealKey, SealedAnswer, SealedSet, seal};
pub use separation::{Estimate, Separation, separate};
pub use soft::{SoftScores, soft_scores};
pub use submission::{Submission, SubmissionEntry};
pub use verify::{
    KnownEncoder, KnownProtocol, Reference, ReferenceItem, Refusal, Rules, Verdict, Verified,
    repeated, verify,
};
