//! BEATs (Chen et al. 2022), WavLM's transformer on patches of a spectrum, as `beats/BEATs.py` of microsoft/unilm 768a3c8
//! computes it. The patches of one time step are consecutive, the lowest bands first: eight frames every 160 ms.

use super::Network;
use super::speech::{RelativeShape, Transformer};
use crate::config::Config;
use crate::ops::{Activation, LinearWeights, OpResult, Ops, Prepare, Role};
use crate::parts::{BlockConfig, GateOf, NormOrder, PositionalConfig};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::{KALDI_HOP, KALDI_WINDOW, KaldiWindow, kaldi_fbank, kaldi_frames};

/// Mel bands of the spectra.
const BANDS: usize = 128;
/// The mean of spectra and twice their standard deviation, as fixed by the reference.
const MEAN: f64 = 15.416_63;
const SPREAD: f64 = 2.0 * 6.555_82;
/// Epsilon of every layer norm: PyTorch's default.
const EPSILON: f64 = 1e-5;

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BeatsConfig {
    /// Bands and spectra per patch.
    patch: usize,
    patch_bias: bool,
    features: usize,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    inner: usize,
    activation: Activation,
    order: NormOrder,
    residual: f64,
    kernel: usize,
    groups: usize,
    relative: Option<RelativeShape>,
}

impl BeatsConfig {
    /// From the `cfg` of a checkpoint; an absent key has the default of `BEATsConfig`.
    pub(crate) fn read(config: &Config<'_>) -> Result<Self, EncoderError> {
        let count =
            |key: &str, default: usize, most: usize| config.count(key, Some(default), 1..=most);
        let patch = config.count("input_patch_size", None, 1..=BANDS)?;
        if !BANDS.is_multiple_of(patch) {
            let expected = format!("a divisor of {BANDS}, the number of bands");
            return Err(config.bad("input_patch_size", expected));
        }
        let dim = count("encoder_embed_dim", 768, 16_384)?;
        let heads = count("encoder_attention_heads", 12, 1024)?;
        let groups = count("conv_pos_groups", 16, 16_384)?;
        for (key, part) in [
            ("encoder_attention_heads", heads),
            ("conv_pos_groups", groups),
        ] {
            if !dim.is_multiple_of(part) {
                let expected = format!("a divisor of encoder_embed_dim, which is {dim}");
                return Err(config.bad(key, expected));
            }
        }
        let layers = count("encoder_layers", 12, 512)?;
        let order = match config.flag("layer_norm_first", false)? {
            true => NormOrder::Pre,
            false => NormOrder::Post,
        };
        let deep = config.flag("deep_norm", false)?;
        if deep && order == NormOrder::Pre {
            return Err(config.bad("deep_norm", "false where layer_norm_first is true"));
        }
        let relative = match config.flag("relative_position_embedding", false)? {
            false => None,
            true if !config.flag("gru_rel_pos", false)? => {
                let expected = "true where relative_position_embedding is";
                return Err(config.bad("gru_rel_pos", expected));
            }
            true => Some(RelativeShape::read(
                config,
                [("num_buckets", 320), ("max_distance", 1280)],
            )?),
        };
        let activations = [("gelu", Activation::Gelu), ("relu", Activation::Relu)];
        Ok(Self {
            patch,
            patch_bias: config.flag("conv_bias", false)?,
            features: count("embed_dim", 512, 16_384)?,
            dim,
            layers,
            heads,
            inner: count("encoder_ffn_embed_dim", 3072, 65_536)?,
            activation: config.choice("activation_fn", &activations)?,
            order,
            residual: match deep {
                true => (2.0 * layers as f64).powf(0.25),
                false => 1.0,
            },
            kernel: count("conv_pos", 128, 4096)?,
            groups,
            relative,
        })
    }

    /// Frames per time step.
    fn patches(&self) -> usize {
        BANDS / self.patch
    }

    /// Samples from one frame to the next: those of a time step, divided by its frames.
    pub(crate) fn hop(&self) -> usize {
        self.patch * KALDI_HOP / self.patches()
    }

    pub(crate) fn frames(&self, samples: usize) -> usize {
        kaldi_frames(samples) / self.patch * self.patches()
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        KALDI_WINDOW + (self.patch - 1) * KALDI_HOP
    }
}

/// A model on a device.
pub(crate) struct Beats<P: Prepare> {
    config: BeatsConfig,
    device: P,
    patches: P::Linear,
    norm: P::Norm,
    projection: Option<P::Linear>,
    transformer: Transformer<P>,
}

impl<P: Prepare> Beats<P> {
    pub(crate) fn build(
        config: &BeatsConfig,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &BeatsConfig {
            patch,
            features,
            dim,
            order,
            kernel,
            groups,
            ..
        } = config;
        let weight = loader.tensor("patch_embedding.weight", &[features, 1, patch, patch])?;
        let bias = match config.patch_bias {
            true => Some(loader.tensor("patch_embedding.bias", &[features])?),
            false => None,
        };
        let patches = device.linear_weights(LinearWeights {
            role: Role::Stream,
            out: features,
            inp: patch * patch,
            weight,
            bias,
        })?;
        let name = "feature_projection.layer_norm";
        let norm = loader.norm(&device, name, features, (EPSILON, Role::Both))?;
        let name = "feature_projection.projection";
        let projection = match features == dim {
            true => None,
            false => Some(loader.linear(&device, name, (dim, features), true, Role::Stream)?),
        };
        let positional = PositionalConfig::Single {
            kernel,
            groups,
            batch_norm: false,
            squeeze: 1,
        };
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig {
            gated: config.relative.map(|_| GateOf::Query),
            residual: config.residual,
            ..BlockConfig::new(shape, EPSILON, order, config.activation)
        };
        let transformer = Transformer::build(
            (&block, config.layers),
            (positional, Activation::Gelu),
            config.relative,
            loader,
            &device,
        )?;
        Ok(Self {
            config: config.clone(),
            patches,
            norm,
            projection,
            transformer,
            device,
        })
    }
}

impl<O: Ops> Network for Beats<O> {
    /// Patches, `[time step × patch, spectrum × band]`.
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let patch = self.config.patch;
        let spectra = kaldi_fbank(samples, BANDS, KaldiWindow::Povey);
        let mut out = Vec::with_capacity(spectra.len());
        for moment in spectra.chunks_exact(patch * BANDS) {
            for first in (0..BANDS).step_by(patch) {
                for spectrum in moment.chunks_exact(BANDS) {
                    let bands = spectrum[first..first + patch].iter();
                    out.extend(bands.map(|&v| ((v - MEAN) / SPREAD) as f32));
                }
            }
        }
        out
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let patch = self.config.patch;
        let x = ops.stack(&super::inputs(inputs), patch * patch)?;
        let x = ops.linear(&x, &self.patches, Activation::None, None)?;
        let mut x = ops.norm_rows(x, &self.norm, Activation::None)?;
        if let Some(projection) = &self.projection {
            x = ops.linear(&x, projection, Activation::None, None)?;
        }
        self.transformer.forward(ops, x, layers)
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
