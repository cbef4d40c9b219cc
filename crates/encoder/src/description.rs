use crate::families::egemaps;
use crate::model::ModelConfig;
use crate::{EGEMAPS, EncoderError, EncoderInfo, FBANK, WaveformNormalisation};
use emobox_audio::log_mel::FbankOptions;
use emobox_files::sha256_bytes;

/// What is known of an encoder without its weights: its identity, and how much output it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    pub(crate) info: EncoderInfo,
    pub(crate) model: ModelConfig,
    pub(crate) has_head: bool,
}

impl Description {
    pub(crate) fn fbank() -> Self {
        let options = FbankOptions::default();
        let digest = sha256_bytes(format!("{options:?}").as_bytes());
        Self::without_weights(FBANK, ModelConfig::Fbank(options), digest.to_string())
    }

    /// # Errors
    /// If openSMILE is not installed: its version is part of the encoder's identity.
    pub(crate) fn egemaps() -> Result<Self, EncoderError> {
        let model = ModelConfig::Egemaps;
        Ok(Self::without_weights(EGEMAPS, model, egemaps::identity()?))
    }

    fn without_weights(name: &str, model: ModelConfig, weights_digest: String) -> Self {
        Self {
            info: EncoderInfo {
                name: name.to_owned(),
                family: model.family().to_owned(),
                hidden_states: model.layers() + 1,
                dim: model.dim(),
                sample_rate: model.sample_rate(),
                hop: model.hop(),
                longest: model.longest(),
                shortest: model.shortest(),
                weights_digest,
                parameters: 0,
                normalisation: WaveformNormalisation::None,
                unused: Vec::new(),
            },
            model,
            has_head: false,
        }
    }

    /// Name, shape and digest.
    pub fn info(&self) -> &EncoderInfo {
        &self.info
    }

    /// Whether it is a model, with products on a device and in a precision that the caller chooses; spectra are always computed
    /// on the CPU in f32.
    pub fn has_products(&self) -> bool {
        !matches!(self.model, ModelConfig::Fbank(_))
    }

    /// Whether it has an emotion classifier.
    pub fn has_head(&self) -> bool {
        self.has_head
    }

    /// The number of frames for `samples` samples at [`EncoderInfo::sample_rate`]; 0 if they are too few for one.
    pub fn frames(&self, samples: usize) -> usize {
        if samples < self.info.shortest {
            0
        } else {
            self.model.frames(samples)
        }
    }

    /// The number of frames computed for `samples` samples, which may exceed the number kept: Whisper's window.
    pub fn computed_frames(&self, samples: usize) -> usize {
        let seen = samples.min(self.info.longest.unwrap_or(usize::MAX));
        self.model.computed_frames(seen.max(self.info.shortest))
    }

    /// Approximate number of bytes for encoding `samples` samples, besides the weights, while all hidden states are kept: the
    /// states, one block's intermediate planes and the front end's output. An upper bound on measured use, so that a memory
    /// budget holds.
    pub fn working_bytes(&self, samples: usize) -> usize {
        /// Planes of `[frame, dim]` alive at once within a block: its input, queries, keys and values, the inner layer of the
        /// feed-forward (four), and temporary copies.
        const PLANES: usize = 12;
        let seen = samples.min(self.info.longest.unwrap_or(usize::MAX));
        let frames = self.model.computed_frames(seen);
        let planes = self.info.hidden_states + PLANES;
        let states = frames.saturating_mul(self.info.dim).saturating_mul(planes);
        // The waveform as decoded, resampled and normalised.
        let waveforms = samples.saturating_mul(4);
        states
            .saturating_add(waveforms)
            .saturating_mul(size_of::<f32>())
    }
}
