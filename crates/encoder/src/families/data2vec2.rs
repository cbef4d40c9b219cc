//! data2vec 2.0 (Baevski et al. 2022) and emotion2vec (Ma et al. 2023) on the same backbone, as
//! fairseq 3d262bb (`examples/data2vec/models/data2vec2.py`) and FunASR compute them.

use super::Network;
use crate::config::Config;
use crate::conv_spec;
use crate::normalise::WaveformNormalisation;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::{
    Block, BlockBias, BlockConfig, BlockNames, FrontEnd, FrontEndConfig, FrontNorm, Kept,
    NormOrder, Positional, PositionalConfig, Stack,
};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};

/// Prefix of the parts for audio.
const AUDIO: &str = "modality_encoders.AUDIO";
const SPEC: &str = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]";

/// The learned linear distance penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlibiConfig {
    pub(crate) heads: usize,
    pub(crate) scale_per_head: bool,
    pub(crate) scale_per_layer: bool,
}

/// The variation points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Data2Vec2Config {
    pub(crate) front_end: FrontEndConfig,
    pub(crate) positional: PositionalConfig,
    pub(crate) dim: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) eps: f64,
    /// Blocks of the audio encoder, then blocks shared between modalities.
    pub(crate) prenet: usize,
    pub(crate) depth: usize,
    pub(crate) order: NormOrder,
    /// Learned tokens before the first frame (emotion2vec's utterance embeddings).
    pub(crate) tokens: usize,
    pub(crate) alibi: Option<AlibiConfig>,
}

impl Data2Vec2Config {
    /// From fairseq's `cfg.model` or FunASR's `model_conf`.
    pub(crate) fn read<'a>(model: &Config<'a>, audio: &Config<'a>) -> Result<Self, EncoderError> {
        let dim = model.count("embed_dim", Some(768), 1..=16_384)?;
        let heads = model.count("num_heads", Some(12), 1..=1024)?;
        if !dim.is_multiple_of(heads) {
            return Err(model.bad(
                "num_heads",
                format!("a divisor of embed_dim, which is {dim}"),
            ));
        }
        if !model.flag("norm_affine", true)? {
            return Err(model.bad("norm_affine", "true"));
        }
        let ratio = model.number("mlp_ratio", 4.0)?;
        let inner = (dim as f64 * ratio) as usize;
        if !(1..=65_536).contains(&inner) {
            return Err(model.bad("mlp_ratio", "a ratio that makes an MLP of 1 to 65536"));
        }
        let order = match model.flag("layer_norm_first", false)? {
            true => NormOrder::PreDoubled,
            false => NormOrder::Post,
        };
        Ok(Self {
            front_end: front_end(audio)?,
            positional: positional(audio, dim)?,
            dim,
            heads,
            inner,
            eps: model.number("norm_eps", 1e-6)?,
            prenet: audio.count("prenet_depth", Some(4), 0..=512)?,
            depth: model.count("depth", Some(8), 1..=512)?,
            order,
            tokens: audio.count("num_extra_tokens", Some(0), 0..=4096)?,
            alibi: alibi(audio, heads)?,
        })
    }

    /// Total number of blocks.
    pub(crate) fn layers(&self) -> usize {
        self.prenet + self.depth
    }
}

fn front_end(audio: &Config<'_>) -> Result<FrontEndConfig, EncoderError> {
    let key = "feature_encoder_spec";
    let layers = conv_spec::parse(audio.text(key).unwrap_or(SPEC))
        .ok_or_else(|| audio.bad(key, format!("a list of triples such as `{SPEC}`")))?;
    let norms = [
        ("layer_norm", FrontNorm::Layer),
        ("default", FrontNorm::Group),
    ];
    let norm = audio.choice("extractor_mode", &norms)?;
    Ok(FrontEndConfig {
        layers,
        bias: false,
        norm,
        activation: Activation::Gelu,
    })
}

fn positional(audio: &Config<'_>, dim: usize) -> Result<PositionalConfig, EncoderError> {
    let depth = audio.count("conv_pos_depth", Some(5), 1..=64)?;
    let width = audio.count("conv_pos_width", Some(95), 1..=8192)?;
    let groups = audio.count("conv_pos_groups", Some(16), 1..=16_384)?;
    if !dim.is_multiple_of(groups) {
        let expected = format!("a divisor of embed_dim, which is {dim}");
        return Err(audio.bad("conv_pos_groups", expected));
    }
    let leading_norm = audio.flag("conv_pos_pre_ln", false)?;
    Ok(PositionalConfig::Stack {
        depth,
        kernel: (width / depth).max(3),
        groups,
        leading_norm,
    })
}

fn alibi(audio: &Config<'_>, heads: usize) -> Result<Option<AlibiConfig>, EncoderError> {
    if !audio.flag("use_alibi_encoder", false)? {
        return Ok(None);
    }
    if audio.flag("learned_alibi", false)? {
        return Err(audio.bad(
            "learned_alibi",
            "false (a learned table of distances is not read)",
        ));
    }
    Ok(Some(AlibiConfig {
        heads: audio.count("num_alibi_heads", Some(heads), 1..=heads)?,
        scale_per_head: audio.flag("learned_alibi_scale_per_head", false)?,
        scale_per_layer: audio.flag("learned_alibi_scale_per_layer", false)?,
    }))
}

/// A model on a device.
pub(crate) struct Data2Vec2<P: Prepare> {
    device: P,
    normalisation: WaveformNormalisation,
    config: Data2Vec2Config,
    front_end: FrontEnd<P>,
    projection_norm: P::Norm,
    projection: P::Linear,
    positional: Positional<P>,
    tokens: Option<P::Tensor>,
    /// Before the first block, for blocks that normalise after their sums.
    entry_norm: Option<P::Norm>,
    stack: Stack<P>,
    /// `[block, head]`; one row where all blocks share it.
    slopes: Vec<Vec<f32>>,
}

impl<P: Prepare> Data2Vec2<P> {
    pub(crate) fn build(
        config: &Data2Vec2Config,
        normalisation: WaveformNormalisation,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &Data2Vec2Config {
            dim,
            eps,
            tokens,
            order,
            ..
        } = config;
        let front_end = FrontEnd::build(&config.front_end, loader, &device)?;
        let features = config.front_end.dim();
        // The projection's norm keeps PyTorch's own epsilon.
        let projection_norm = loader.norm(
            &device,
            "feature_projection.layer_norm",
            features,
            (1e-5, Role::Operand),
        )?;
        let name = "feature_projection.projection";
        let projection = loader.linear(&device, name, (dim, features), true, Role::Stream)?;
        let positional =
            Positional::build(config.positional, dim, Activation::Gelu, loader, &device)?;
        let tokens = match tokens {
            0 => None,
            _ => {
                let name = format!("{AUDIO}.extra_tokens");
                Some(device.upload(loader.tensor(&name, &[1, tokens, dim])?, dim)?)
            }
        };
        let slopes = match config.alibi {
            None => Vec::new(),
            Some(alibi) => slopes(config, alibi, loader)?,
        };
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig {
            fused: true,
            ..BlockConfig::new(shape, eps, order, Activation::Gelu)
        };
        let (entry_norm, final_norm) = if order == NormOrder::Post {
            let name = format!("{AUDIO}.context_encoder.norm");
            (
                Some(loader.norm(&device, &name, dim, (eps, Role::Both))?),
                None,
            )
        } else {
            (
                None,
                Some(loader.norm(&device, "norm", dim, (eps, Role::Stream))?),
            )
        };
        let prenet = (0..config.prenet).map(|i| format!("{AUDIO}.context_encoder.blocks.{i}"));
        let shared = (0..config.depth).map(|i| format!("blocks.{i}"));
        let blocks = prenet
            .chain(shared)
            .map(|prefix| Block::build(&block, &BlockNames::TIMM, &prefix, loader, &device))
            .collect::<OpResult<_>>()?;
        Ok(Self {
            normalisation,
            config: config.clone(),
            front_end,
            projection_norm,
            projection,
            positional,
            tokens,
            entry_norm,
            stack: Stack { blocks, final_norm },
            slopes,
            device,
        })
    }
}

impl<O: Ops> Network for Data2Vec2<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        self.normalisation.apply(samples)
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let x = self.front_end.forward(ops, super::inputs(inputs))?;
        let x = ops.norm_rows(x, &self.projection_norm, Activation::None)?;
        let x = ops.linear(&x, &self.projection, Activation::None, None)?;
        let mut x = self.positional.forward(ops, x)?;
        let frames = &ops.lengths(&x);
        if let Some(tokens) = &self.tokens {
            x = ops.prepend(tokens, &x)?;
        }
        if let Some(norm) = &self.entry_norm {
            x = ops.norm_rows(x, norm, Activation::None)?;
        }
        let tokens = self.config.tokens;
        let bias = |block: usize| match self.slopes.get(block).or_else(|| self.slopes.first()) {
            None => BlockBias::None,
            Some(scales) => BlockBias::Alibi {
                scales: scales.clone(),
                tokens,
            },
        };
        self.stack.forward(
            ops,
            x,
            Kept {
                layers,
                skip: tokens,
                frames,
            },
            bias,
        )
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}

/// The slopes of every head times their learned scales (never below zero), by block.
fn slopes(
    config: &Data2Vec2Config,
    alibi: AlibiConfig,
    loader: &mut Loader<'_>,
) -> OpResult<Vec<Vec<f32>>> {
    let blocks = if alibi.scale_per_layer {
        config.layers()
    } else {
        1
    };
    let scales = if alibi.scale_per_head { alibi.heads } else { 1 };
    let name = format!("{AUDIO}.alibi_scale");
    // Scales in early checkpoints have no block dimension.
    let early = blocks == 1 && loader.shape(&name).is_some_and(|shape| shape.len() == 4);
    let shape: &[usize] = if early {
        &[1, scales, 1, 1]
    } else {
        &[blocks, 1, scales, 1, 1]
    };
    let values = loader.tensor(&name, shape)?;
    let slopes = alibi_slopes(alibi.heads);
    let scaled = |row: &[f32]| {
        // Heads beyond those of ALiBi have no penalty.
        let scale = |head: usize| row[head % row.len()].max(0.0);
        let slope = |head: usize| slopes.get(head).map_or(0.0, |slope| slope * scale(head));
        (0..config.heads).map(slope).collect()
    };
    Ok(values.chunks_exact(scales).map(scaled).collect())
}

/// ALiBi's slopes (Press et al. 2022): a geometric series for a power of two of heads, else that of
/// the power below and every other of the power above.
fn alibi_slopes(heads: usize) -> Vec<f32> {
    let series = |n: usize| -> Vec<f64> {
        let start = 2.0f64.powf(-(2.0f64.powf(-((n as f64).log2() - 3.0))));
        (0..n).map(|i| start * start.powi(i as i32)).collect()
    };
    let below = 1 << heads.ilog2();
    let mut slopes = series(below);
    if below < heads {
        slopes.extend(series(2 * below).into_iter().step_by(2).take(heads - below));
    }
    slopes.into_iter().map(|slope| slope as f32).collect()
}

/// A name of the common parts in data2vec 2.0's spelling.
pub(crate) fn spell(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("feature_extractor.conv_layers.") {
        let rest = rest
            .replace(".conv.", ".0.")
            .replace(".layer_norm.", ".2.1.");
        return format!("{AUDIO}.local_encoder.conv_layers.{rest}");
    }
    if let Some(part) = name.strip_prefix("feature_projection.layer_norm.") {
        return format!("{AUDIO}.project_features.1.{part}");
    }
    if let Some(part) = name.strip_prefix("feature_projection.projection.") {
        return format!("{AUDIO}.project_features.2.{part}");
    }
    // The first member of the sequence is a transposition.
    if let Some(rest) = name.strip_prefix("encoder.pos_conv_embed.layers.")
        && let Some((index, part)) = rest.split_once(".conv.")
        && let Ok(index) = index.parse::<usize>()
    {
        return format!("{AUDIO}.relative_positional_encoder.{}.0.{part}", index + 1);
    }
    name.to_owned()
}

/// [`spell`] where the positional stack begins with a norm.
pub(crate) fn spell_leading_norm(name: &str) -> String {
    if let Some(part) = name.strip_prefix("encoder.pos_conv_embed.layer_norm.") {
        return format!("{AUDIO}.relative_positional_encoder.0.{part}");
    }
    let stack = format!("{AUDIO}.relative_positional_encoder.");
    match spell(name).strip_prefix(&stack) {
        Some(rest) => format!("{stack}1.{rest}"),
        None => spell(name),
    }
}

/// [`spell`] where only the first convolution has a norm.
pub(crate) fn spell_group_norm(name: &str) -> String {
    spell(name).replace(".2.1.", ".2.")
}

/// Both.
pub(crate) fn spell_group_and_leading_norm(name: &str) -> String {
    spell_leading_norm(name).replace(".2.1.", ".2.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_geometric_and_interleaved() {
        assert_eq!(
            alibi_slopes(8),
            [
                0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625
            ]
        );
        assert_eq!(alibi_slopes(2), [0.0625, 0.00390625]);
        let twelve = alibi_slopes(12);
        assert_eq!(twelve[..8], alibi_slopes(8));
        let sixteen = alibi_slopes(16);
        assert_eq!(
            twelve[8..],
            [sixteen[0], sixteen[2], sixteen[4], sixteen[6]]
        );
    }
}
