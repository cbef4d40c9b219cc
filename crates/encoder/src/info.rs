use crate::Normalisation;
use serde::Serialize;

/// What an opened encoder is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderInfo {
    /// The name that results and feature stores carry.
    pub name: String,
    /// The family, for people: `WavLM`, `Whisper`, `log-mel`.
    pub family: String,
    /// Embedding output and one a block.
    pub hidden_states: usize,
    /// Values of a frame.
    pub dim: usize,
    /// Samples a second of the waveform that it takes: 16000 for all but MERT.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The most samples that are looked at; what follows is cut off.
    pub longest: Option<usize>,
    /// The fewest samples that yield a frame.
    pub shortest: usize,
    /// SHA-256 of the weights file (of the list of shards where there are several); for an encoder
    /// without weights, of its settings; for eGeMAPS the version of openSMILE in words.
    pub weights_digest: String,
    /// Numbers in the tensors that are used.
    pub parameters: u64,
    /// What is done to the waveform first.
    pub normalisation: Normalisation,
    /// What else the checkpoint holds: heads and parts of pre-training that an encoder does not need.
    pub unused: Vec<String>,
}
