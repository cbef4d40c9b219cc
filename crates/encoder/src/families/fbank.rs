//! Log-mel energies with deltas: the baseline that needs no weights.

use super::Network;
use crate::EncoderError;
use emobox_audio::log_mel::{FbankOptions, fbank};

/// The one hidden state is the features themselves.
pub(crate) struct Fbank {
    pub(crate) options: FbankOptions,
}

impl Network for Fbank {
    fn encode(&self, signals: &[&[f32]], _: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let features = signals
            .iter()
            .map(|samples| fbank(samples, &self.options).data);
        Ok(features.collect())
    }

    fn batch_frames(&self) -> Option<usize> {
        None
    }
}
