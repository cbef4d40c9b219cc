//! The model families. Each says how its configuration reads, which tensors it needs, and how a
//! waveform becomes hidden states; everything is written once on [`crate::ops`].

pub(crate) mod data2vec2;
pub(crate) mod fbank;
pub(crate) mod speech;
pub(crate) mod whisper;

use crate::EncoderError;

/// A model on a device.
pub(crate) trait Network: Send + Sync {
    /// The hidden states `layers` (ascending) of waveforms at 16 kHz, of each `[layer, frame, dim]` with as
    /// many frames as [`ModelConfig::frames`](crate::model::ModelConfig::frames) says. Several at once only
    /// where [`Network::batch_frames`] says so.
    fn encode(&self, signals: &[&[f32]], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError>;

    /// Frames of a batch that the device likes; none where utterances are encoded one at a time.
    fn batch_frames(&self) -> Option<usize>;
}
