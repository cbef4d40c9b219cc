//! The configuration of a model of any family, and the network built from it.

use crate::families::Network;
use crate::families::beats::{Beats, BeatsConfig};
use crate::families::conformer::{Conformer, ConformerConfig, Front};
use crate::families::dasheng::{Dasheng, DashengConfig};
use crate::families::data2vec2::{Data2Vec2, Data2Vec2Config};
use crate::families::egemaps::{self, Egemaps};
use crate::families::fbank::Fbank;
use crate::families::omni::{self, Omni, OmniConfig};
use crate::families::sensevoice::{SenseVoice, SenseVoiceConfig};
use crate::families::sew_d::{SewD, SewDConfig};
use crate::families::speech::{Speech, SpeechConfig};
use crate::families::whisper::{Whisper, WhisperConfig};
use crate::ops::{Census, OpResult, Ops, Prepare};
use crate::weights::Loader;
use crate::{EncoderError, WaveformNormalisation};
use emobox_audio::log_mel::{FBANK_HOP, FbankOptions};

/// The checked configuration of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ModelConfig {
    Whisper(WhisperConfig),
    Speech(SpeechConfig),
    Data2Vec2(Data2Vec2Config),
    Conformer(ConformerConfig),
    Omni(OmniConfig),
    Dasheng(DashengConfig),
    Beats(BeatsConfig),
    SewD(SewDConfig),
    SenseVoice(SenseVoiceConfig),
    /// Log-mel energies, without weights.
    Fbank(FbankOptions),
    /// Functionals by openSMILE.
    Egemaps,
}

impl ModelConfig {
    /// The family's display name.
    pub(crate) fn family(&self) -> &'static str {
        match self {
            Self::Whisper(config) => config.family,
            Self::Speech(config) => config.kind.name(),
            Self::Data2Vec2(config) if config.tokens > 0 => "emotion2vec",
            Self::Data2Vec2(_) => "data2vec 2.0",
            Self::Conformer(config) => config.family(),
            Self::Omni(_) => "Qwen3-Omni",
            Self::Dasheng(_) => "Dasheng",
            Self::Beats(_) => "BEATs",
            Self::SewD(_) => "SEW-D",
            Self::SenseVoice(_) => "SenseVoice",
            Self::Fbank(_) => "log-mel",
            Self::Egemaps => "eGeMAPS",
        }
    }

    pub(crate) fn layers(&self) -> usize {
        match self {
            Self::Whisper(config) => config.layers,
            Self::Speech(config) => config.layers,
            Self::Data2Vec2(config) => config.layers(),
            Self::Conformer(config) => config.layers,
            Self::Omni(config) => config.layers,
            Self::Dasheng(config) => config.layers,
            Self::Beats(config) => config.layers,
            Self::SewD(config) => config.layers,
            Self::SenseVoice(config) => config.layers(),
            Self::Fbank(_) | Self::Egemaps => 0,
        }
    }

    pub(crate) fn heads(&self) -> usize {
        match self {
            Self::Whisper(config) => config.heads,
            Self::Speech(config) => config.heads,
            Self::Data2Vec2(config) => config.heads,
            Self::Conformer(config) => config.heads,
            Self::Omni(config) => config.heads,
            Self::Dasheng(config) => config.heads,
            Self::Beats(config) => config.heads,
            Self::SewD(config) => config.heads,
            Self::SenseVoice(config) => config.heads,
            Self::Fbank(_) | Self::Egemaps => 0,
        }
    }

    pub(crate) fn dim(&self) -> usize {
        match self {
            Self::Whisper(config) => config.dim,
            Self::Speech(config) => config.dim,
            Self::Data2Vec2(config) => config.dim,
            Self::Conformer(config) => config.dim,
            Self::Omni(config) => config.dim,
            Self::Dasheng(config) => config.dim,
            Self::Beats(config) => config.dim,
            Self::SewD(config) => config.dim,
            Self::SenseVoice(config) => config.dim,
            Self::Fbank(options) => options.dim(),
            Self::Egemaps => egemaps::FUNCTIONALS,
        }
    }

    /// Whether its input is a spectrum, so that the waveform is not normalised.
    pub(crate) fn hears_spectra(&self) -> bool {
        match self {
            Self::Whisper(_) | Self::Omni(_) | Self::Fbank(_) | Self::Egemaps => true,
            Self::Dasheng(_) | Self::Beats(_) | Self::SenseVoice(_) => true,
            Self::Conformer(config) => matches!(config.front, Front::Spectra { .. }),
            Self::Speech(_) | Self::Data2Vec2(_) | Self::SewD(_) => false,
        }
    }

    /// Sampling rate of the input in samples per second.
    pub(crate) fn sample_rate(&self) -> u32 {
        match self {
            Self::Speech(config) => config.rate,
            _ => 16_000,
        }
    }

    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        match self {
            Self::Whisper(_) => 320,
            Self::Speech(config) => config.front_end.hop(),
            Self::Data2Vec2(config) => config.front_end.hop(),
            Self::Conformer(config) => config.hop(),
            Self::Omni(_) => omni::HOP,
            Self::Dasheng(config) => config.hop(),
            Self::Beats(config) => config.hop(),
            Self::SewD(config) => config.front_end.hop(),
            Self::SenseVoice(config) => config.hop(),
            Self::Fbank(_) => FBANK_HOP,
            // One frame per utterance, whatever its length: a nominal rate only.
            Self::Egemaps => 16_000,
        }
    }

    /// The number of frames for `samples` samples, which must be at least [`ModelConfig::shortest`].
    pub(crate) fn frames(&self, samples: usize) -> usize {
        match self {
            Self::Whisper(config) => config.frames(samples),
            Self::Speech(config) => config.front_end.frames(samples),
            Self::Data2Vec2(config) => config.front_end.frames(samples),
            Self::Conformer(config) => config.frames(samples),
            Self::Omni(config) => config.frames(samples),
            Self::Dasheng(config) => config.frames(samples),
            Self::Beats(config) => config.frames(samples),
            Self::SewD(config) => config.frames(samples),
            Self::SenseVoice(config) => config.frames(samples),
            Self::Fbank(options) => options.frames(samples),
            Self::Egemaps => 1,
        }
    }

    /// The number of frames computed for `samples` samples, which may exceed the number kept.
    pub(crate) fn computed_frames(&self, samples: usize) -> usize {
        match self {
            Self::Whisper(config) => config.computed_frames(samples),
            _ => self.frames(samples),
        }
    }

    /// Whether embeddings are computed for every distance within an utterance.
    pub(crate) fn computes_distances(&self) -> bool {
        match self {
            Self::Conformer(config) => config.computes_distances(),
            _ => false,
        }
    }

    /// The largest number of samples used.
    pub(crate) fn longest(&self) -> Option<usize> {
        match self {
            Self::Whisper(config) => config.longest(),
            _ => None,
        }
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        match self {
            Self::Speech(config) => config.front_end.shortest(),
            Self::Data2Vec2(config) => config.front_end.shortest(),
            Self::Conformer(config) => config.shortest(),
            Self::Omni(_) => omni::SHORTEST,
            Self::Dasheng(config) => config.shortest(),
            Self::Beats(config) => config.shortest(),
            Self::SewD(config) => config.shortest(),
            Self::SenseVoice(_) => SenseVoiceConfig::SHORTEST,
            Self::Whisper(_) | Self::Fbank(_) => 1,
            Self::Egemaps => egemaps::SHORTEST,
        }
    }

    /// Registers every tensor that the model needs with the loader, and reads none.
    pub(crate) fn take_census(&self, loader: &mut Loader<'_>) -> OpResult<()> {
        match self {
            Self::Whisper(config) => Whisper::build(config, loader, Census).map(drop),
            Self::Speech(config) => {
                Speech::build(config, WaveformNormalisation::None, loader, Census).map(drop)
            }
            Self::Data2Vec2(config) => {
                Data2Vec2::build(config, WaveformNormalisation::None, loader, Census).map(drop)
            }
            Self::Conformer(config) => {
                Conformer::build(config, WaveformNormalisation::None, loader, Census).map(drop)
            }
            Self::Omni(config) => Omni::build(config, loader, Census).map(drop),
            Self::Dasheng(config) => Dasheng::build(config, loader, Census).map(drop),
            Self::Beats(config) => Beats::build(config, loader, Census).map(drop),
            Self::SewD(config) => {
                SewD::build(config, WaveformNormalisation::None, loader, Census).map(drop)
            }
            Self::SenseVoice(config) => SenseVoice::build(config, loader, Census).map(drop),
            Self::Fbank(_) | Self::Egemaps => Ok(()),
        }
    }

    pub(crate) fn build<O: Ops + 'static>(
        &self,
        normalisation: WaveformNormalisation,
        loader: &mut Loader<'_>,
        device: O,
    ) -> Result<Box<dyn Network>, EncoderError>
    where
        <O as Prepare>::Tensor: 'static,
    {
        Ok(match self {
            Self::Whisper(config) => Box::new(Whisper::build(config, loader, device)?),
            Self::Speech(config) => Box::new(Speech::build(config, normalisation, loader, device)?),
            Self::Data2Vec2(config) => {
                Box::new(Data2Vec2::build(config, normalisation, loader, device)?)
            }
            Self::Conformer(config) => {
                Box::new(Conformer::build(config, normalisation, loader, device)?)
            }
            Self::Omni(config) => Box::new(Omni::build(config, loader, device)?),
            Self::Dasheng(config) => Box::new(Dasheng::build(config, loader, device)?),
            Self::Beats(config) => Box::new(Beats::build(config, loader, device)?),
            Self::SewD(config) => {
                Box::new(SewD::build(config, normalisation, loader, device)?.ready()?)
            }
            Self::SenseVoice(config) => Box::new(SenseVoice::build(config, loader, device)?),
            Self::Fbank(options) => Box::new(Fbank { options: *options }),
            Self::Egemaps => Box::new(Egemaps::open()?),
        })
    }
}
