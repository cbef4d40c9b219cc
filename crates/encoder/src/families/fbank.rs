//! Log-mel energies with deltas: the baseline that needs no weights.

use super::Network;
use crate::EncoderError;
use emobox_audio::log_mel::{FbankOptions, fbank};

/// The one hidden state is the features themselves.
pub(crate) struct Fbank {
    pub(crate) options: FbankOptions,
}

impl Network for Fbank {
    fn encode(&self, samples: &[f32], _layers: &[usize]) -> Result<Vec<f32>, EncoderError> {
        Ok(fbank(samples, &self.options).data)
    }
}
