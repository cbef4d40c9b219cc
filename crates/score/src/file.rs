use crate::{Comparison, CrossMatrix, DimensionScores, Leak, PerturbedScores, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema of `scores.json` and of every other file that this crate defines.
pub const SCHEMA: u32 = 1;

/// `scores.json`: all results of a run of the benchmark, as fractions 0..1.
///
/// `Default` is an empty file of the current schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoresFile {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// What made the numbers.
    #[serde(default)]
    pub provenance: Provenance,
    /// One entry for each corpus, encoder, configuration and fold.
    pub runs: Vec<Run>,
    /// Concordances, where dimensions were learned; a corpus and encoder has either these or runs of classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<DimensionScores>,
    /// Cross-corpus matrices, one an encoder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cross: Vec<CrossMatrix>,
    /// Systems compared on the same items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// What noise, rooms and codecs cost, where tested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perturbed: Vec<PerturbedScores>,
    /// How much higher scores are on partitions with speakers on both sides, where a run has both kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<Leak>,
    /// Cells of the experiment that have no scores, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
}

/// A corpus and an encoder without scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// The partition scheme that was requested.
    pub partition: String,
    /// For a pair of corpora, the test corpus; `corpus` is then the training corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_on: Option<String>,
    /// `failed`, or `open` while the work on it is not finished.
    pub state: AbsentState,
    /// The stage it stopped at: `prepare`, `extract`, `train`, `score`.
    pub stage: String,
    /// The reason as text of one line.
    pub reason: String,
}

/// Why a cell has no scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AbsentState {
    /// It was tried and failed.
    Failed,
    /// It is not finished yet.
    Open,
    /// It was left out on request: its raw folder is not there.
    Skipped,
}

/// Versions and digests of everything that went into the numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Program name to version, as `emobox` → `0.1.0`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
    /// Digests of what was read: manifests, partitions, checkpoints, stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The command as typed, if the caller records it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `manifest`, `partition`, `checkpoint`, `store`.
    pub kind: String,
    /// Corpus or encoder, or both as `emodb/whisper-tiny.en`.
    pub name: String,
    /// SHA-256 in hexadecimal; for a store, that of its header, which says how its features were made.
    pub digest: String,
}

impl Default for ScoresFile {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            provenance: Provenance::default(),
            runs: Vec::new(),
            cross: Vec::new(),
            dimensions: Vec::new(),
            comparisons: Vec::new(),
            perturbed: Vec::new(),
            leaks: Vec::new(),
            absent: Vec::new(),
        }
    }
}
