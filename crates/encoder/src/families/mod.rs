//! The model families. Each says how its configuration reads, which tensors it needs, and how a
//! waveform becomes hidden states; everything is written once on [`crate::ops`].

pub(crate) mod data2vec2;
pub(crate) mod fbank;
pub(crate) mod speech;
pub(crate) mod whisper;

use crate::EncoderError;

/// A model on a device.
pub(crate) trait Network: Send + Sync {
    /// The hidden states `layers` (ascending) of a waveform at 16 kHz, `[layer, frame, dim]`, as
    /// many frames as [`ModelConfig::frames`](crate::model::ModelConfig::frames) says.
    fn encode(&self, samples: &[f32], layers: &[usize]) -> Result<Vec<f32>, EncoderError>;
}
