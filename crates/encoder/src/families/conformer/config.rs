use crate::EncoderError;
use crate::config::Config;
use crate::families::speech::{ACTIVATIONS, KERNELS, STRIDES, front_end};
use crate::ops::Activation;
use crate::parts::FrontEndConfig;
use emobox_audio::log_mel::{KALDI_HOP, KALDI_WINDOW, kaldi_frames};

/// Number of spectra that make one frame.
pub(super) const STACKED: usize = 2;

/// Input of the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Front {
    /// [`STACKED`] spectra of `bands` bands.
    Spectra { bands: usize },
    /// The convolutions of wav2vec 2.0.
    Waveform(FrontEndConfig),
}

/// How attention takes positions into account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Positions {
    None,
    /// Sinusoids of the distance, projected, with two offsets per head (Dai et al. 2019, "Transformer-XL").
    Relative,
    /// An embedding per distance, from `left` to the left up to `right` to the right.
    RelativeKey {
        left: usize,
        right: usize,
    },
    /// Rotated before the projections to queries and keys.
    Rotary {
        base: f64,
    },
}

/// The shape of a conformer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConformerConfig {
    pub(crate) front: Front,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(super) inner: usize,
    pub(super) eps: f64,
    pub(super) activation: Activation,
    pub(super) positions: Positions,
    /// Kernel size of the convolution over frames.
    pub(super) kernel: usize,
}

impl ConformerConfig {
    /// The kinds, by transformers' `model_type`.
    pub(crate) const ALL: [&'static str; 2] = ["wav2vec2-bert", "wav2vec2-conformer"];

    /// From transformers' configurations of a model and its feature extractor; an absent key has the default of its class.
    pub(crate) fn read(
        model_type: &str,
        config: &Config<'_>,
        extractor: Option<&Config<'_>>,
    ) -> Result<Self, EncoderError> {
        let bert = model_type == Self::ALL[0];
        let dim_key = if bert { 1024 } else { 768 };
        let dim = config.count("hidden_size", Some(dim_key), 1..=16_384)?;
        let heads = if bert { 16 } else { 12 };
        let heads = config.count("num_attention_heads", Some(heads), 1..=1024)?;
        if !dim.is_multiple_of(2 * heads) {
            let expected = format!("a divisor of half of hidden_size, which is {dim}");
            return Err(config.bad("num_attention_heads", expected));
        }
        let front = match bert {
            true => spectra(config, extractor)?,
            false => Front::Waveform(front_end(config, false, [&[512; 7], &KERNELS, &STRIDES])?),
        };
        let swish = [("swish", Activation::Silu), ("silu", Activation::Silu)];
        let activations = match bert {
            true => [&swish[..], &ACTIVATIONS].concat(),
            false => [&ACTIVATIONS[..], &swish].concat(),
        };
        let (layers, inner) = if bert { (24, 4096) } else { (12, 3072) };
        let kernel = config.count("conv_depthwise_kernel_size", Some(31), 1..=4096)?;
        if kernel % 2 == 0 {
            return Err(config.bad("conv_depthwise_kernel_size", "an odd number"));
        }
        Ok(Self {
            front,
            dim,
            layers: config.count("num_hidden_layers", Some(layers), 1..=512)?,
            heads,
            inner: config.count("intermediate_size", Some(inner), 1..=65_536)?,
            eps: config.number("layer_norm_eps", 1e-5)?,
            activation: config.choice("hidden_act", &activations)?,
            positions: positions(bert, config)?,
            kernel,
        })
    }

    /// Whether embeddings are computed for every distance within an utterance.
    pub(crate) fn computes_distances(&self) -> bool {
        self.positions == Positions::Relative
    }

    /// The family's display name.
    pub(crate) fn family(&self) -> &'static str {
        match self.front {
            Front::Spectra { .. } => "w2v-BERT 2.0",
            Front::Waveform(_) => "wav2vec 2.0 conformer",
        }
    }

    /// Width of a frame before the projection.
    pub(super) fn features(&self) -> usize {
        match &self.front {
            Front::Spectra { bands } => STACKED * bands,
            Front::Waveform(front) => front.dim(),
        }
    }

    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        match &self.front {
            Front::Spectra { .. } => STACKED * KALDI_HOP,
            Front::Waveform(front) => front.hop(),
        }
    }

    /// The number of frames for `samples`; a last spectrum without a partner is left out.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        match &self.front {
            Front::Spectra { .. } => kaldi_frames(samples) / STACKED,
            Front::Waveform(front) => front.frames(samples),
        }
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        match &self.front {
            Front::Spectra { .. } => KALDI_WINDOW + (STACKED - 1) * KALDI_HOP,
            Front::Waveform(front) => front.shortest(),
        }
    }
}

fn spectra(config: &Config<'_>, extractor: Option<&Config<'_>>) -> Result<Front, EncoderError> {
    let features = config.count("feature_projection_input_dim", Some(160), 2..=512)?;
    let bands = features / STACKED;
    if features % STACKED != 0 {
        return Err(config.bad("feature_projection_input_dim", "an even number"));
    }
    if let Some(extractor) = extractor {
        extractor.count("num_mel_bins", Some(80), bands..=bands)?;
        extractor.count("stride", Some(STACKED), STACKED..=STACKED)?;
        extractor.count("sampling_rate", Some(16_000), 16_000..=16_000)?;
    }
    Ok(Front::Spectra { bands })
}

fn positions(bert: bool, config: &Config<'_>) -> Result<Positions, EncoderError> {
    // null means none; if the key is absent, the default of the class applies.
    if config.is_null("position_embeddings_type") {
        return Ok(Positions::None);
    }
    let (left, right) = (
        "left_max_position_embeddings",
        "right_max_position_embeddings",
    );
    let key = Positions::RelativeKey {
        left: config.count(left, Some(64), 0..=100_000)?,
        right: config.count(right, Some(8), 0..=100_000)?,
    };
    let rotary = Positions::Rotary {
        base: config.number("rotary_embedding_base", 10_000.0)?,
    };
    let mut choices = vec![("relative", Positions::Relative), ("rotary", rotary)];
    if bert {
        choices.insert(0, ("relative_key", key));
    }
    config.choice("position_embeddings_type", &choices)
}
