//! Log-mel energies with deltas: the baseline that needs no weights.

use super::Network;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::{FbankOptions, fbank};

/// The one hidden state is the features themselves.
pub(crate) struct Fbank {
    pub(crate) options: FbankOptions,
}

impl Network for Fbank {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        fbank(samples, &self.options).data
    }

    fn encode(&self, inputs: &[Prepared], _: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        Ok(inputs.iter().map(|input| input.values.to_vec()).collect())
    }

    fn batch_frames(&self) -> Option<usize> {
        None
    }
}
