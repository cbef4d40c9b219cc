use crate::Comparison;
use serde::{Deserialize, Serialize};

/// What an encoder and its probes lose when the test part is heard through noise, a room or a codec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerturbedScores {
    /// The encoder.
    pub encoder: String,
    /// What tells the configuration from others of the same encoder, as in its runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config: String,
    /// What was done to the audio, by its name: `noise:10dB`.
    pub perturbation: String,
    /// The same for people.
    pub about: String,
    /// What decides the audio that was heard: the name and the versions of what made it.
    pub identity: String,
    /// The perturbed test part (`a`) against the same utterances as they are (`b`): differences are what is lost, hence
    /// mostly negative. The same probes answer both.
    pub comparison: Comparison,
}
