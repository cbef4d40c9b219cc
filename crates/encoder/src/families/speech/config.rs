use crate::EncoderError;
use crate::config::Config;
use crate::ops::Activation;
use crate::parts::{ConvLayer, FrontEndConfig, FrontNorm, NormOrder, PositionalConfig};

pub(crate) use super::relative::RelativeShape as Relative;

/// Which member of the family a configuration describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Wav2Vec2,
    Hubert,
    WavLm,
    Data2VecAudio,
    /// Arithmetic of wav2vec 2.0.
    UniSpeechSat,
    /// Arithmetic of wav2vec 2.0.
    UniSpeech,
    /// HuBERT's arithmetic on music at 24 kHz (Li et al. 2023).
    Mert,
}

impl Kind {
    /// The kinds by transformers' `model_type`.
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("wav2vec2", Self::Wav2Vec2),
        ("hubert", Self::Hubert),
        ("wavlm", Self::WavLm),
        ("data2vec-audio", Self::Data2VecAudio),
        ("unispeech-sat", Self::UniSpeechSat),
        ("unispeech", Self::UniSpeech),
        ("mert_model", Self::Mert),
    ];

    /// The prefixes of its tensors in transformers and fairseq.
    pub(crate) fn prefixes(self) -> Vec<&'static str> {
        let own = match self {
            Self::Wav2Vec2 => "wav2vec2.",
            Self::Hubert => "hubert.",
            Self::WavLm => "wavlm.",
            Self::Data2VecAudio => "data2vec_audio.",
            Self::UniSpeechSat => "unispeech_sat.",
            Self::UniSpeech => "unispeech.",
            Self::Mert => "mert_model.",
        };
        vec![
            "",
            own,
            "model.",
            "encoder.",
            "wav2vec2.",
            "w2v_encoder.w2v_model.",
            "w2v_model.",
            "wav2vec_encoder.w2v_model.",
            "model.wav2vec2.",
        ]
    }

    /// The display name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wav2Vec2 => "wav2vec 2.0",
            Self::Hubert => "HuBERT",
            Self::WavLm => "WavLM",
            Self::Data2VecAudio => "data2vec-audio",
            Self::UniSpeechSat => "UniSpeech-SAT",
            Self::UniSpeech => "UniSpeech",
            Self::Mert => "MERT",
        }
    }
}

/// The variation points of the family.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpeechConfig {
    pub(crate) kind: Kind,
    /// Samples per second.
    pub(crate) rate: u32,
    pub(crate) front_end: FrontEndConfig,
    /// Before the projection to the transformer's width.
    pub(crate) projection_norm: bool,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) eps: f64,
    pub(crate) activation: Activation,
    pub(crate) order: NormOrder,
    pub(crate) positional: PositionalConfig,
    pub(crate) relative: Option<Relative>,
    pub(crate) adapter: Option<usize>,
    /// Weight of residuals ("DeepNorm").
    pub(crate) residual: f64,
}

/// Kernels of the front end, which all released models of the family share.
pub(in crate::families) const KERNELS: [usize; 7] = [10, 3, 3, 3, 3, 2, 2];
pub(in crate::families) const STRIDES: [usize; 7] = [5, 2, 2, 2, 2, 2, 2];
/// `gelu_python` is the same exact function, written out in transformers.
pub(crate) const ACTIVATIONS: [(&str, Activation); 3] = [
    ("gelu", Activation::Gelu),
    ("relu", Activation::Relu),
    ("gelu_python", Activation::Gelu),
];

impl SpeechConfig {
    /// From transformers' configuration, and that of the feature extractor; an absent key has the default of its class.
    pub(crate) fn read(
        kind: Kind,
        config: &Config<'_>,
        extractor: Option<&Config<'_>>,
    ) -> Result<Self, EncoderError> {
        let dim = config.count("hidden_size", Some(768), 1..=16_384)?;
        let heads = config.count("num_attention_heads", Some(12), 1..=1024)?;
        if !dim.is_multiple_of(heads) {
            let expected = format!("a divisor of hidden_size, which is {dim}");
            return Err(config.bad("num_attention_heads", expected));
        }
        let data2vec = kind == Kind::Data2VecAudio;
        let order = match config.flag("do_stable_layer_norm", false)? && !data2vec {
            true => NormOrder::Pre,
            false => NormOrder::Post,
        };
        let layers = config.count("num_hidden_layers", Some(12), 1..=512)?;
        let normed = [Kind::Hubert, Kind::Mert].contains(&kind);
        Ok(Self {
            kind,
            rate: rate(kind, config, extractor)?,
            front_end: front_end(config, data2vec, [&[512; 7], &KERNELS, &STRIDES])?,
            projection_norm: !normed || config.flag("feat_proj_layer_norm", true)?,
            dim,
            layers,
            heads,
            inner: config.count("intermediate_size", Some(3072), 1..=65_536)?,
            eps: config.number("layer_norm_eps", 1e-5)?,
            activation: config.choice("hidden_act", &ACTIVATIONS)?,
            order,
            positional: positional(config, kind, dim)?,
            relative: match kind {
                Kind::WavLm => Some(Relative::read(
                    config,
                    [("num_buckets", 320), ("max_bucket_distance", 800)],
                )?),
                _ => None,
            },
            adapter: match config.has("adapter_attn_dim") && order == NormOrder::Pre {
                true => Some(config.count("adapter_attn_dim", None, 1..=16_384)?),
                false => None,
            },
            residual: match kind {
                Kind::Mert => deepnorm(config, order, layers)?,
                _ => 1.0,
            },
        })
    }
}

/// The sampling rate of a model's input. It is 16 kHz for all but MERT.
fn rate(
    kind: Kind,
    config: &Config<'_>,
    extractor: Option<&Config<'_>>,
) -> Result<u32, EncoderError> {
    let among = match kind {
        Kind::Mert => 8_000..=48_000,
        _ => 16_000..=16_000,
    };
    // The default of Wav2Vec2FeatureExtractor.
    let heard = match extractor {
        Some(extractor) => extractor.count("sampling_rate", Some(16_000), among)?,
        None if kind == Kind::Mert => config.count("sample_rate", None, among)?,
        None => 16_000,
    };
    if kind == Kind::Mert {
        config.count("sample_rate", Some(heard), heard..=heard)?;
    }
    Ok(heard as u32)
}

/// The weight of residuals, which MERT's published code (`modeling_MERT.py` of m-a-p/MERT-v1-330M) adds to HuBERT. Its
/// `attention_relax` subtracts the largest score from all of them, which does not change the softmax.
fn deepnorm(config: &Config<'_>, order: NormOrder, layers: usize) -> Result<f64, EncoderError> {
    if config.flag("feature_extractor_cqt", false)? {
        let expected = "false (a constant-Q transform beside the convolutions is not computed)";
        return Err(config.bad("feature_extractor_cqt", expected));
    }
    if !config.flag("deepnorm", false)? {
        return Ok(1.0);
    }
    if order != NormOrder::Post {
        let expected = "false where do_stable_layer_norm is true";
        return Err(config.bad("deepnorm", expected));
    }
    Ok((2.0 * layers as f64).powf(0.25))
}

/// The convolutions, with these default widths, kernels and strides.
pub(crate) fn front_end(
    config: &Config<'_>,
    data2vec: bool,
    [dims, kernels, strides]: [&[usize]; 3],
) -> Result<FrontEndConfig, EncoderError> {
    let dims = config.counts("conv_dim", dims, 1..=8192)?;
    let kernels = config.counts("conv_kernel", kernels, 1..=64)?;
    let strides = config.counts("conv_stride", strides, 1..=64)?;
    for (key, list) in [("conv_kernel", &kernels), ("conv_stride", &strides)] {
        if list.len() != dims.len() {
            let expected = format!("{} entries, as many as conv_dim has", dims.len());
            return Err(config.bad(key, expected));
        }
    }
    let layers = dims.iter().zip(&kernels).zip(&strides);
    let layers = layers.map(|((&dim, &kernel), &stride)| ConvLayer {
        dim,
        kernel,
        stride,
    });
    let norms = [("group", FrontNorm::Group), ("layer", FrontNorm::Layer)];
    Ok(FrontEndConfig {
        layers: layers.collect(),
        bias: config.flag("conv_bias", false)?,
        norm: if data2vec {
            FrontNorm::Layer
        } else {
            config.choice("feat_extract_norm", &norms)?
        },
        activation: config.choice("feat_extract_activation", &ACTIVATIONS)?,
    })
}

fn positional(
    config: &Config<'_>,
    kind: Kind,
    dim: usize,
) -> Result<PositionalConfig, EncoderError> {
    let groups = config.count("num_conv_pos_embedding_groups", Some(16), 1..=16_384)?;
    if !dim.is_multiple_of(groups) {
        let expected = format!("a divisor of hidden_size, which is {dim}");
        return Err(config.bad("num_conv_pos_embedding_groups", expected));
    }
    Ok(if kind == Kind::Data2VecAudio {
        PositionalConfig::Stack {
            depth: config.count("num_conv_pos_embeddings", Some(5), 1..=64)?,
            kernel: config.count("conv_pos_kernel_size", Some(19), 1..=4096)?,
            groups,
            leading_norm: false,
        }
    } else {
        PositionalConfig::Single {
            kernel: config.count("num_conv_pos_embeddings", Some(128), 1..=4096)?,
            groups,
            batch_norm: kind == Kind::Hubert && config.flag("conv_pos_batch_norm", false)?,
            squeeze: 1,
        }
    })
}
