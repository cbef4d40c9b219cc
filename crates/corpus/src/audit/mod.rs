//! Leaks and gaps of a partition: speakers, texts and recordings on both sides, absent classes, label conflicts, and, if the
//! audio was read, twins, clipping, silence, offsets and unusual lengths.

mod sound;
mod text;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use sound::{AudioAudit, Flagged, Sound, Twins, scan_audio};
pub(crate) use sound::{findings, recordings, same_place};
pub(crate) use text::verdict;

/// Findings on one manifest and partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The most important findings, in one line.
    pub verdict: String,
    /// Fold by fold.
    pub folds: Vec<FoldAudit>,
    /// Groups of utterances with the same part of the same file but different labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_conflicts: Vec<LabelConflict>,
    /// Findings in the audio itself, if it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioAudit>,
}

/// Findings on one fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldAudit {
    /// The fold, from 1.
    pub fold: u32,
    /// Utterances by part.
    pub sizes: BTreeMap<String, usize>,
    /// What two parts share; empty if nothing is shared.
    pub overlaps: Vec<Overlap>,
    /// Distinct speakers of the test part, if all are known.
    pub test_speakers: Option<usize>,
    /// Classes of the corpus that a part lacks.
    pub absent: Vec<Absent>,
}

/// What two parts of a fold share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// What is shared.
    pub what: Shared,
    /// The part trained or validated on.
    pub seen: String,
    /// The part evaluated.
    pub judged: String,
    /// Distinct values in the evaluated part.
    pub of: usize,
    /// Those that also occur in the other part.
    pub shared: usize,
    /// Utterances of the evaluated part that have a shared value.
    pub utterances: usize,
    /// Utterances of the evaluated part.
    pub of_utterances: usize,
    /// Some of the shared values.
    pub examples: Vec<String>,
}

/// Kinds of things that two parts can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shared {
    /// The same person.
    Speakers,
    /// The same sentence.
    Texts,
    /// Overlapping parts of the same file, or, if the audio was read, the same samples up to gain.
    Recordings,
}

impl Shared {
    /// The plural noun.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Speakers => "speakers",
            Self::Texts => "texts",
            Self::Recordings => "recordings",
        }
    }
}

/// A class that a part lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The harmonised class.
    pub class: String,
    /// The part.
    pub part: String,
}

/// The same audio under different labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelConflict {
    /// The utterances.
    pub keys: Vec<String>,
    /// Their raw labels, in the same order.
    pub labels: Vec<String>,
}
