use crate::Comparison;
use serde::{Deserialize, Serialize};

/// Scores of an encoder and its probes on the test part with noise, a room or a codec applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerturbedScores {
    /// The encoder.
    pub encoder: String,
    /// What distinguishes the configuration from others of the same encoder, as in its runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config: String,
    /// The perturbation, by name: `noise:10dB`.
    pub perturbation: String,
    /// Its description for readers.
    pub about: String,
    /// What determines the perturbed audio: the name and versions of the code that made it.
    pub identity: String,
    /// The perturbed test part (`a`) against the same utterances unperturbed (`b`): differences are losses, hence mostly
    /// negative. The same probes predict both.
    pub comparison: Comparison,
}
