use crate::WaveformNormalisation;
use serde::Serialize;

/// Properties of an opened encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderInfo {
    /// The name in results and feature stores.
    pub name: String,
    /// The family's display name: `WavLM`, `Whisper`, `log-mel`.
    pub family: String,
    /// The embedding output and one per block.
    pub hidden_states: usize,
    /// Width of a frame.
    pub dim: usize,
    /// Sampling rate of the input in samples per second: 16000 for all but MERT.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The largest number of samples used; the rest is cut off.
    pub longest: Option<usize>,
    /// The smallest number of samples that gives a frame.
    pub shortest: usize,
    /// SHA-256 of the weights file (of the list of shards if there are several); for an encoder without weights, of its
    /// settings; for eGeMAPS the version of openSMILE as text.
    pub weights_digest: String,
    /// Number of parameters in the tensors used.
    pub parameters: u64,
    /// Normalisation of the waveform.
    pub normalisation: WaveformNormalisation,
    /// Other contents of the checkpoint: heads and parts for pre-training that an encoder does not need.
    pub unused: Vec<String>,
}
