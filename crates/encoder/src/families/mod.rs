//! The model families. Each defines how its configuration is read, which tensors it needs, and how a waveform becomes hidden
//! states; everything is written once on [`crate::ops`].

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
    /// Converts a waveform at the model's rate to the device's input: normalised samples, or a spectrum. On any thread.
    fn prepare(&self, samples: &[f32]) -> Vec<f32>;

    /// The hidden states `layers` (ascending) of prepared waveforms, each `[layer, frame, dim]` with the number of frames given
    /// by [`ModelConfig::frames`](crate::model::ModelConfig::frames). Several at once only if [`Network::batch_frames`] is not
    /// `None`.
    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError>;

    /// The device's preferred number of frames per batch; `None` if utterances are encoded one at a time.
    fn batch_frames(&self) -> Option<usize>;
}

/// The prepared values, without copying.
fn inputs(prepared: &[Prepared]) -> Vec<Arc<Vec<f32>>> {
    let all = prepared.iter();
    all.map(|input| Arc::clone(&input.values)).collect()
}
