//! The model families. Each says how its configuration reads, which tensors it needs, and how a
//! waveform becomes hidden states; everything is written once on [`crate::ops`].

pub(crate) mod beats;
pub(crate) mod conformer;
pub(crate) mod dasheng;
pub(crate) mod data2vec2;
pub(crate) mod egemaps;
pub(crate) mod fbank;
pub(crate) mod omni;
pub(crate) mod sensevoice;
pub(crate) mod sew_d;
pub(crate) mod speech;
pub(crate) mod whisper;
mod windows;

use crate::{EncoderError, Prepared};
use std::sync::Arc;

/// A model on a device.
pub(crate) trait Network: Send + Sync {
    /// What becomes of a waveform at the model's rate before the device sees it: normalised samples, a spectrum. On any thread.
    fn prepare(&self, samples: &[f32]) -> Vec<f32>;

    /// The hidden states `layers` (ascending) of prepared waveforms, of each `[layer, frame, dim]` with as
    /// many frames as [`ModelConfig::frames`](crate::model::ModelConfig::frames) says. Several at once only
    /// where [`Network::batch_frames`] says so.
    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError>;

    /// Frames of a batch that the device likes; none where utterances are encoded one at a time.
    fn batch_frames(&self) -> Option<usize>;
}

/// What was prepared, without copies.
fn inputs(prepared: &[Prepared]) -> Vec<Arc<Vec<f32>>> {
    let all = prepared.iter();
    all.map(|input| Arc::clone(&input.values)).collect()
}
