//! Dasheng (Dinkel et al. 2024), a vision transformer on mel spectra, as the authors' package `dasheng` 0.0.9 computes it:
//! patches of all bands and four spectra, in windows of about ten seconds that are processed independently.

use super::Network;
use super::windows::in_windows;
use crate::config::Config;
use crate::ops::{Activation, LinearWeights, OpResult, Ops, Prepare, Role};
use crate::parts::{
    Block, BlockBias, BlockConfig, BlockNames, Kept, NormOrder, Stack, batch_norm_affine,
};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::{DECIBELS_HOP, DECIBELS_SHORTEST, decibels, decibels_frames};
use emobox_checkpoint::Checkpoint;

/// Epsilon of every layer norm.
const EPSILON: f64 = 1e-6;

/// The shape of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DashengConfig {
    bands: usize,
    /// Spectra per patch.
    spectra: usize,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    inner: usize,
    /// Patches that attend to each other.
    window: usize,
}

/// The sizes to use where a configuration leaves them out.
struct Sizes {
    dim: usize,
    layers: usize,
}

impl Sizes {
    /// The remote code on the hub has three names, each with its sizes.
    fn named(name: &str) -> Self {
        let (dim, layers) = match name {
            "dasheng-1.2B" => (1536, 40),
            "dasheng-0.6B" => (1280, 32),
            _ => (768, 12),
        };
        Self { dim, layers }
    }

    /// The authors' own files do not have the sizes, so they are read from the tensors.
    fn counted(checkpoint: &Checkpoint) -> Self {
        let dim = checkpoint.shape("norm.weight").and_then(<[usize]>::first);
        let layers = (0..).take_while(|i| checkpoint.has(&format!("blocks.{i}.norm1.weight")));
        Self {
            dim: dim.copied().unwrap_or(768),
            layers: layers.count().max(1),
        }
    }
}

impl DashengConfig {
    /// From the hub's `config.json` and the configuration of its feature extractor.
    pub(crate) fn read(
        config: &Config<'_>,
        extractor: Option<&Config<'_>>,
    ) -> Result<Self, EncoderError> {
        let sizes = Sizes::named(config.text("name").unwrap_or_default());
        let model = config.at("/encoder_kwargs");
        let read = Self::of(&model, &sizes)?;
        if let Some(extractor) = extractor {
            extractor.count("feature_size", Some(64), read.bands..=read.bands)?;
            Self::check_spectra(extractor)?;
        }
        Ok(read)
    }

    /// From the `config` of the authors' own file.
    pub(crate) fn of_file(
        config: &Config<'_>,
        checkpoint: &Checkpoint,
    ) -> Result<Self, EncoderError> {
        let read = Self::of(config, &Sizes::counted(checkpoint))?;
        Self::check_spectra(config)?;
        Ok(read)
    }

    fn of(config: &Config<'_>, sizes: &Sizes) -> Result<Self, EncoderError> {
        let count =
            |key: &str, default: usize, most: usize| config.count(key, Some(default), 1..=most);
        let bands = count("n_mels", 64, 128)?;
        let patch = config.counts("patch_size", &[bands, 4], 1..=128)?;
        let &[height, spectra] = patch.as_slice() else {
            return Err(config.bad("patch_size", "two whole numbers"));
        };
        if height != bands {
            let expected = format!("patches of all {bands} bands; smaller ones are not read");
            return Err(config.bad("patch_size", expected));
        }
        if config.counts("patch_stride", &[bands, 4], 1..=128)? != patch {
            return Err(config.bad("patch_stride", "what patch_size is"));
        }
        let dim = count("embed_dim", sizes.dim, 16_384)?;
        let heads = match dim {
            768 => 12,
            1280 => 16,
            1536 => 24,
            _ => 8,
        };
        let heads = count("num_heads", heads, 1024)?;
        if !dim.is_multiple_of(heads) {
            let expected = format!("a divisor of embed_dim, which is {dim}");
            return Err(config.bad("num_heads", expected));
        }
        let length = config.count("target_length", Some(1008), spectra..=1_000_000)?;
        if !length.is_multiple_of(spectra) {
            return Err(config.bad("target_length", "whole patches"));
        }
        let ratio = config.number("mlp_ratio", 4.0)?;
        let inner = (dim as f64 * ratio) as usize;
        if !(1..=65_536).contains(&inner) {
            return Err(config.bad("mlp_ratio", "a ratio that makes an MLP of 1 to 65536"));
        }
        config.choice("pooling", &[("mean", ()), ("cat", ())])?;
        for (key, on) in [("qkv_bias", true), ("init_bn", true)] {
            if !config.flag(key, on)? {
                return Err(config.bad(key, "true"));
            }
        }
        if config.has("init_values") {
            return Err(config.bad("init_values", "null (scales of layers are not read)"));
        }
        Ok(Self {
            bands,
            spectra,
            dim,
            layers: config.count("depth", Some(sizes.layers), 1..=512)?,
            heads,
            inner,
            window: length / spectra,
        })
    }

    /// Rejects spectra other than those of the releases.
    fn check_spectra(config: &Config<'_>) -> Result<(), EncoderError> {
        for (key, value) in [
            ("sampling_rate", 16_000),
            ("n_fft", 512),
            ("win_size", 512),
            ("hop_size", DECIBELS_HOP),
            ("f_min", 0),
            ("f_max", 8_000),
            ("top_db", 120),
        ] {
            config.count(key, Some(value), value..=value)?;
        }
        if !config.flag("center", true)? {
            return Err(config.bad("center", "true"));
        }
        Ok(())
    }

    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        self.spectra * DECIBELS_HOP
    }

    pub(crate) fn frames(&self, samples: usize) -> usize {
        decibels_frames(samples) / self.spectra
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        ((self.spectra - 1) * DECIBELS_HOP).max(DECIBELS_SHORTEST)
    }
}

/// A model on a device.
pub(crate) struct Dasheng<P: Prepare> {
    config: DashengConfig,
    device: P,
    /// Scale and shift per band.
    bands: (Vec<f32>, Vec<f32>),
    patches: P::Linear,
    /// `[patch, dim]`.
    positions: P::Tensor,
    stack: Stack<P>,
}

impl<P: Prepare> Dasheng<P> {
    pub(crate) fn build(
        config: &DashengConfig,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &DashengConfig {
            bands,
            spectra,
            dim,
            window,
            ..
        } = config;
        let affine = batch_norm_affine("init_bn.1", bands, loader)?;
        let weight = loader.tensor("patch_embed.proj.weight", &[dim, 1, bands, spectra])?;
        let bias = loader.tensor("patch_embed.proj.bias", &[dim])?;
        let patches = device.linear_weights(LinearWeights {
            role: Role::Stream,
            out: dim,
            inp: bands * spectra,
            weight,
            bias: Some(bias),
        })?;
        let time = loader.tensor("time_pos_embed", &[1, dim, 1, window])?;
        let frequency = loader.tensor("freq_pos_embed", &[1, dim, 1, 1])?;
        let position = |patch: usize| {
            let columns = time.chunks_exact(window).zip(&frequency);
            columns.map(move |(time, frequency)| time[patch] + frequency)
        };
        let positions = (0..window).flat_map(position).collect();
        let positions = device.upload(positions, dim)?;
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig {
            fused: true,
            ..BlockConfig::new(shape, EPSILON, NormOrder::Pre, Activation::Gelu)
        };
        let blocks = (0..config.layers)
            .map(|i| {
                Block::build(
                    &block,
                    &BlockNames::TIMM,
                    &format!("blocks.{i}"),
                    loader,
                    &device,
                )
            })
            .collect::<OpResult<_>>()?;
        let final_norm = Some(loader.norm(&device, "norm", dim, (EPSILON, Role::Stream))?);
        Ok(Self {
            config: config.clone(),
            bands: affine,
            patches,
            positions,
            stack: Stack { blocks, final_norm },
            device,
        })
    }
}

impl<O: Ops> Network for Dasheng<O> {
    /// Patches `[patch, band × spectrum]` of whole spectra.
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let DashengConfig { bands, spectra, .. } = self.config;
        let mel = decibels(samples, bands);
        let (scale, shift) = &self.bands;
        let mut out = Vec::with_capacity(mel.len());
        for patch in mel.chunks_exact(bands * spectra) {
            for band in 0..bands {
                let values = patch.iter().skip(band).step_by(bands);
                out.extend(
                    values.map(|&v| (v * f64::from(scale[band]) + f64::from(shift[band])) as f32),
                );
            }
        }
        out
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let shape = (self.config.window, self.config.bands * self.config.spectra);
        in_windows(ops, inputs, shape, layers.len(), |x| {
            let x = ops.linear(&x, &self.patches, Activation::None, None)?;
            let x = ops.add(x, &self.positions)?;
            let frames = &ops.lengths(&x);
            let kept = Kept {
                layers,
                skip: 0,
                frames,
            };
            self.stack.forward(ops, x, kept, |_| BlockBias::None)
        })
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
