#[cfg(doc)]
use crate::SCHEMA;
use crate::{Prediction, Provenance, Run};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// One file with all that is needed to recompute its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the system on the leaderboard.
    pub system: String,
    /// A sentence about it.
    #[serde(default)]
    pub description: String,
    /// Versions and digests of its inputs: for every entry the manifest, the partition, and the checkpoint of its encoder by
    /// name.
    #[serde(default)]
    pub provenance: Provenance,
    /// One entry for each corpus and partition scheme.
    pub entries: Vec<SubmissionEntry>,
    /// SHA-256 of everything above, as [`Submission::seal`] computes it. It detects damage and careless edits; it is not a
    /// signature, and only recomputing the scores is evidence.
    pub digest: String,
}

/// The predictions of one configuration and its claimed scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmissionEntry {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder.
    pub encoder: String,
    /// Protocol name.
    pub protocol: String,
    /// The protocol's constants, in full.
    #[serde(default)]
    pub protocol_details: serde_json::Value,
    /// SHA-256 of the protocol; empty in files of earlier versions, which are refused.
    #[serde(default)]
    pub protocol_digest: String,
    /// Partition scheme.
    pub partition: String,
    /// What else distinguishes it from entries with the same names.
    #[serde(default)]
    pub config: String,
    /// The classes of the corpus.
    pub classes: Vec<String>,
    /// SHA-256 of the manifest.
    pub manifest_digest: String,
    /// SHA-256 of the partition.
    pub partition_digest: String,
    /// SHA-256 of the feature store, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_digest: Option<String>,
    /// Predictions on the test parts of all folds, from the protocol's first training seed.
    pub predictions: Vec<Prediction>,
    /// The same for its further seeds, in the protocol's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_seeds: Vec<Vec<Prediction>>,
    /// The scores as claimed.
    pub scores: Vec<Run>,
}

impl Submission {
    /// Fills in the digest.
    pub fn seal(mut self) -> Self {
        self.digest = self.content_digest();
        self
    }

    pub(crate) fn content_digest(&self) -> String {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        // Serialising plain data to memory cannot fail; if it did, no digest would match.
        let bytes = serde_json::to_vec(&bare).unwrap_or_default();
        sha256_hex(&bytes)
    }
}

impl SubmissionEntry {
    /// The predictions of every training seed.
    pub fn seeds(&self) -> Vec<&[Prediction]> {
        let further = self.further_seeds.iter().map(Vec::as_slice);
        std::iter::once(self.predictions.as_slice())
            .chain(further)
            .collect()
    }

    /// `corpus, encoder`, as refusals name the entry.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.corpus, self.encoder)
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
