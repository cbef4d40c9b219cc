use super::{HOP, MEL_HOP, POSITIONS};
use crate::EncoderError;
use crate::config::Config;
use crate::ops::Activation;
use emobox_audio::log_mel::WHISPER_SAMPLES;

/// Which parts of a recording are encoded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Windows {
    /// The first 30 s.
    First,
    /// Every 30 s, each with its own spectrum.
    Each,
    /// Every 30 s of the spectrum of the whole recording.
    OfWhole,
    /// Chunks of `rows` positions of the spectrum of the whole recording, of which only the first `longest` samples are used.
    Chunks { rows: usize, longest: usize },
}

/// Where the position embeddings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Positions {
    /// A tensor.
    Stored,
    /// [`sinusoids`].
    Sinusoids,
}

/// An audio tower with the architecture of Whisper's encoder, as transformers 5.23 computes it.
pub(crate) struct Tower {
    /// The `model_type` of the model that contains it, or of the tower alone.
    pub(crate) model_type: &'static str,
    family: &'static str,
    /// Path of its configuration inside the model's.
    at: &'static str,
    windows: Windows,
    positions: Positions,
    /// See [`WhisperConfig::masked`].
    masked: bool,
    pooled: bool,
}

impl Tower {
    /// The encoder whose configuration also has its decoder.
    const WHISPER: Self = Self {
        model_type: "whisper",
        family: "Whisper",
        at: "",
        windows: Windows::First,
        positions: Positions::Stored,
        masked: false,
        pooled: false,
    };

    const fn qwen2_audio(model_type: &'static str, at: &'static str) -> Self {
        Self {
            model_type,
            family: "Qwen2-Audio",
            at,
            masked: true,
            pooled: true,
            ..Self::WHISPER
        }
    }

    const fn flamingo(model_type: &'static str, at: &'static str) -> Self {
        Self {
            family: "Audio Flamingo 3",
            windows: Windows::Each,
            ..Self::qwen2_audio(model_type, at)
        }
    }

    const fn voxtral(model_type: &'static str, at: &'static str) -> Self {
        Self {
            model_type,
            family: "Voxtral",
            at,
            windows: Windows::OfWhole,
            ..Self::WHISPER
        }
    }

    const fn omni(model_type: &'static str, at: &'static str) -> Self {
        // Both numbers are the release's defaults; a configuration may set others.
        let windows = Windows::Chunks {
            rows: 100,
            longest: 300 * 16_000,
        };
        Self {
            model_type,
            family: "Qwen2.5-Omni",
            at,
            windows,
            positions: Positions::Sinusoids,
            masked: false,
            pooled: true,
        }
    }

    /// All towers, Whisper first.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        const NESTED: &str = "/audio_config";
        static TOWERS: [Tower; 11] = [
            Tower::WHISPER,
            Tower::qwen2_audio("qwen2_audio", NESTED),
            Tower::qwen2_audio("qwen2_audio_encoder", ""),
            Tower::flamingo("audioflamingo3", NESTED),
            Tower::flamingo("musicflamingo", NESTED),
            Tower::flamingo("audioflamingo3_encoder", ""),
            Tower::voxtral("voxtral", NESTED),
            Tower::voxtral("voxtral_encoder", ""),
            Tower::omni("qwen2_5_omni", "/thinker_config/audio_config"),
            Tower::omni("qwen2_5_omni_thinker", NESTED),
            Tower::omni("qwen2_5_omni_audio_encoder", ""),
        ];
        TOWERS.iter()
    }

    /// The tower with this `model_type`.
    pub(crate) fn of(model_type: &str) -> Option<&'static Self> {
        Self::all().find(|tower| tower.model_type == model_type)
    }

    /// Whisper itself.
    pub(crate) fn whisper() -> &'static Self {
        static WHISPER: Tower = Tower::WHISPER;
        &WHISPER
    }

    /// Whether it is part of its model's checkpoint.
    pub(crate) fn is_inside(&self) -> bool {
        !self.at.is_empty()
    }

    /// The prefixes of its tensors.
    pub(crate) fn prefixes(&self) -> Vec<&'static str> {
        match self.family {
            "Whisper" => vec!["model.encoder.", "encoder.", "", "whisper.encoder."],
            _ => vec![
                "audio_tower.",
                "model.audio_tower.",
                "thinker.audio_tower.",
                "model.thinker.audio_tower.",
                "",
            ],
        }
    }
}

/// The shape of a Whisper encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WhisperConfig {
    pub(crate) family: &'static str,
    pub(super) bins: usize,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(super) inner: usize,
    pub(super) activation: Activation,
    pub(super) windows: Windows,
    pub(super) positions: Positions,
    /// Whether attention is masked after the end of the recording in its window.
    pub(super) masked: bool,
    /// Whether the last hidden state is of pairs of frames: their mean, normalised, is used for both.
    pub(super) pooled: bool,
}

impl WhisperConfig {
    /// From the configurations of a model and of its feature extractor.
    pub(crate) fn read(
        tower: &Tower,
        config: &Config<'_>,
        extractor: Option<&Config<'_>>,
    ) -> Result<Self, EncoderError> {
        let nested = config.at(tower.at);
        let config = if tower.at.is_empty() { config } else { &nested };
        // Whisper's own configuration always has its sizes; those of the towers may leave out defaults of their class.
        let default = |value: usize| (tower.family != "Whisper").then_some(value);
        let count = |names: [&'static str; 2], value: usize, most: usize| {
            let name = names.iter().find(|name| config.has(name));
            let name = name.unwrap_or(&names[0]);
            let count = config.count(name, default(value), 1..=most)?;
            Ok::<_, EncoderError>((*name, count))
        };
        let (_, dim) = count(["d_model", "hidden_size"], 1280, 16_384)?;
        let (heads_key, heads) =
            count(["encoder_attention_heads", "num_attention_heads"], 20, 1024)?;
        if !dim.is_multiple_of(heads) {
            let expected = format!("a divisor of d_model, which is {dim}");
            return Err(config.bad(heads_key, expected));
        }
        let (_, layers) = count(["encoder_layers", "num_hidden_layers"], 32, 512)?;
        let (_, inner) = count(["encoder_ffn_dim", "intermediate_size"], 5120, 65_536)?;
        let most = Some(POSITIONS);
        let mut windows = tower.windows;
        if let Windows::Chunks { rows, longest } = &mut windows {
            let most = config.count("max_source_positions", most, 1..=100_000)?;
            *rows = config.count("n_window", Some(*rows), 1..=most)?;
            if let Some(extractor) = extractor {
                let seconds = extractor.count("chunk_length", Some(30), 1..=3600)?;
                *longest = seconds * 16_000;
            }
            if dim < 4 || dim % 2 != 0 {
                return Err(config.bad("d_model", "an even number of at least 4"));
            }
        } else {
            // The window also affects the log-mel normalisation, so another length would be a different model.
            config.count("max_source_positions", most, POSITIONS..=POSITIONS)?;
            if let Some(extractor) = extractor {
                extractor.count("chunk_length", Some(30), 30..=30)?;
            }
        }
        let bins = config.count("num_mel_bins", default(128).or(Some(80)), 1..=128)?;
        check_log_mel(config, extractor, bins)?;
        Ok(Self {
            family: tower.family,
            bins,
            dim,
            layers,
            heads,
            inner,
            activation: config.choice(
                "activation_function",
                &[("gelu", Activation::Gelu), ("relu", Activation::Relu)],
            )?,
            windows,
            positions: tower.positions,
            masked: tower.masked,
            pooled: tower.pooled,
        })
    }

    /// Positions per window.
    pub(super) fn window_rows(&self) -> usize {
        match self.windows {
            Windows::Chunks { rows, .. } => rows,
            Windows::First | Windows::Each | Windows::OfWhole => POSITIONS,
        }
    }

    /// The largest number of samples used.
    pub(crate) fn longest(&self) -> Option<usize> {
        match self.windows {
            Windows::First => Some(WHISPER_SAMPLES),
            Windows::Chunks { longest, .. } => Some(longest),
            Windows::Each | Windows::OfWhole => None,
        }
    }

    /// How many of `samples` samples are used.
    pub(super) fn seen(&self, samples: usize) -> usize {
        samples.min(self.longest().unwrap_or(usize::MAX))
    }

    /// The number of frames kept for `samples` samples: the rest of the last window is silence, which the benchmark leaves out.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        (self.seen(samples) / HOP).max(1)
    }

    /// The number of frames computed for `samples` samples.
    pub(crate) fn computed_frames(&self, samples: usize) -> usize {
        match self.windows {
            Windows::Chunks { .. } => self.seen(samples).div_ceil(HOP).max(1),
            _ => self.frames(samples).next_multiple_of(POSITIONS),
        }
    }
}

/// Rejects a log-mel spectrum other than Whisper's: with other bands, or an extractor with another rate, step or window.
pub(crate) fn check_log_mel(
    config: &Config<'_>,
    extractor: Option<&Config<'_>>,
    bins: usize,
) -> Result<(), EncoderError> {
    if bins != 80 && bins != 128 {
        return Err(config.bad("num_mel_bins", "80 or 128"));
    }
    if let Some(extractor) = extractor {
        extractor.count("feature_size", Some(bins), bins..=bins)?;
        extractor.count("sampling_rate", Some(16_000), 16_000..=16_000)?;
        extractor.count("hop_length", Some(MEL_HOP), MEL_HOP..=MEL_HOP)?;
        extractor.count("n_fft", Some(400), 400..=400)?;
    }
    Ok(())
}

/// Embeddings of positions, sines then cosines, computed as PyTorch does: frequencies and angles in f32.
pub(crate) fn sinusoids(positions: usize, dim: usize) -> Vec<f32> {
    let half = dim / 2;
    let step = 10_000f64.ln() / (half - 1) as f64;
    let frequencies: Vec<f32> = (0..half)
        .map(|index| f64::from(-(step as f32) * index as f32).exp() as f32)
        .collect();
    let mut out = Vec::with_capacity(positions * dim);
    for position in 0..positions {
        let angles = frequencies.iter().map(|&f| f64::from(position as f32 * f));
        out.extend(angles.clone().map(|angle| angle.sin() as f32));
        out.extend(angles.map(|angle| angle.cos() as f32));
    }
    out
}
