//! The encoder of Whisper (Radford et al. 2022), as transformers' `WhisperEncoder` computes it.

use super::Network;
use crate::config::Config;
use crate::ops::{Activation, ConvShape, ConvWeights, OpResult, Ops, Prepare, Role};
use crate::parts::{Block, BlockBias, BlockConfig, BlockNames, Kept, NormOrder, Stack};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::{WHISPER_FRAMES, WHISPER_SAMPLES, whisper};

/// Epsilon of every layer norm: PyTorch's default, which Whisper's configuration cannot change.
const EPSILON: f64 = 1e-5;
/// Positions of a 30 s window, two log-mel frames each.
pub(crate) const POSITIONS: usize = WHISPER_FRAMES / 2;
/// Samples of 16 kHz a position.
const HOP: usize = 320;
/// Samples of the one window that is heard.
pub(crate) const LONGEST: usize = WHISPER_SAMPLES;

/// The frames that are kept of so many samples: the rest of the 30 s window is silence, which the benchmark
/// leaves out.
pub(crate) fn frames(samples: usize) -> usize {
    (samples.min(LONGEST) / HOP).clamp(1, POSITIONS)
}

const NAMES: BlockNames = BlockNames {
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    out: "self_attn.out_proj",
    attention_norm: "self_attn_layer_norm",
    inner: "fc1",
    outer: "fc2",
    mlp_norm: "final_layer_norm",
};

/// The shape of a Whisper encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WhisperConfig {
    pub(crate) bins: usize,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) activation: Activation,
}

impl WhisperConfig {
    pub(crate) fn read(config: &Config<'_>) -> Result<Self, EncoderError> {
        let dim = config.count("d_model", None, 1..=16_384)?;
        let heads = config.count("encoder_attention_heads", None, 1..=1024)?;
        if !dim.is_multiple_of(heads) {
            let expected = format!("a divisor of d_model, which is {dim}");
            return Err(config.bad("encoder_attention_heads", expected));
        }
        // The window belongs to the log-mel's normalisation too, so no other length is the same model.
        config.count(
            "max_source_positions",
            Some(POSITIONS),
            POSITIONS..=POSITIONS,
        )?;
        let bins = config.count("num_mel_bins", Some(80), 1..=128)?;
        if bins != 80 && bins != 128 {
            return Err(config.bad("num_mel_bins", "80 or 128"));
        }
        Ok(Self {
            bins,
            dim,
            layers: config.count("encoder_layers", None, 1..=512)?,
            heads,
            inner: config.count("encoder_ffn_dim", None, 1..=65_536)?,
            activation: config.choice(
                "activation_function",
                &[("gelu", Activation::Gelu), ("relu", Activation::Relu)],
            )?,
        })
    }
}

/// The settings (`dims`) of OpenAI's own files in transformers' words.
pub(crate) fn translate_dims(dims: &serde_json::Value) -> Option<serde_json::Value> {
    let number = |key: &str| dims.get(key)?.as_u64();
    let dim = number("n_audio_state")?;
    Some(serde_json::json!({
        "d_model": dim,
        "encoder_layers": number("n_audio_layer")?,
        "encoder_attention_heads": number("n_audio_head")?,
        "encoder_ffn_dim": 4 * dim,
        "num_mel_bins": number("n_mels")?,
        "max_source_positions": number("n_audio_ctx")?,
    }))
}

/// transformers' name of a tensor in OpenAI's spelling.
pub(crate) fn spell_openai(name: &str) -> String {
    const PARTS: [(&str, &str); 10] = [
        ("self_attn.q_proj.", "attn.query."),
        ("self_attn.k_proj.", "attn.key."),
        ("self_attn.v_proj.", "attn.value."),
        ("self_attn.out_proj.", "attn.out."),
        ("self_attn_layer_norm.", "attn_ln."),
        ("fc1.", "mlp.0."),
        ("fc2.", "mlp.2."),
        ("final_layer_norm.", "mlp_ln."),
        ("embed_positions.weight", "positional_embedding"),
        ("layer_norm.", "ln_post."),
    ];
    let (head, tail) = match name
        .strip_prefix("layers.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((index, part)) => (format!("blocks.{index}."), part),
        None => (String::new(), name),
    };
    let part = PARTS
        .iter()
        .find_map(|(from, to)| tail.strip_prefix(from).map(|rest| format!("{to}{rest}")));
    format!("{head}{}", part.as_deref().unwrap_or(tail))
}

/// The encoder on a device.
pub(crate) struct Whisper<P: Prepare> {
    device: P,
    bins: usize,
    convs: [P::Conv; 2],
    positions: P::Tensor,
    stack: Stack<P>,
}

impl<P: Prepare> Whisper<P> {
    pub(crate) fn build(
        config: &WhisperConfig,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &WhisperConfig { bins, dim, .. } = config;
        let conv = |name: &str, inputs: usize, stride: usize, role, loader: &mut Loader<'_>| {
            let weight = loader.tensor(&format!("{name}.weight"), &[dim, inputs, 3])?;
            let bias = Some(loader.tensor(&format!("{name}.bias"), &[dim])?);
            let padding = (1, 1);
            let shape = ConvShape {
                inputs,
                outputs: dim,
                kernel: 3,
                stride,
                groups: 1,
                padding,
            };
            device.conv_weights(ConvWeights {
                role,
                shape,
                weight,
                bias,
            })
        };
        let convs = [
            conv("conv1", bins, 1, Role::Operand, loader)?,
            conv("conv2", dim, 2, Role::Stream, loader)?,
        ];
        let positions = loader.tensor("embed_positions.weight", &[POSITIONS, dim])?;
        let positions = device.upload(positions, dim)?;
        let block = BlockConfig {
            dim,
            heads: config.heads,
            inner: config.inner,
            eps: EPSILON,
            order: NormOrder::Pre,
            activation: config.activation,
            key_bias: false,
            fused: false,
            gated: false,
            adapter: None,
        };
        let blocks = (0..config.layers)
            .map(|i| Block::build(&block, &NAMES, &format!("layers.{i}"), loader, &device))
            .collect::<OpResult<_>>()?;
        let final_norm = Some(loader.norm(&device, "layer_norm", dim, (EPSILON, Role::Stream))?);
        Ok(Self {
            convs,
            positions,
            stack: Stack { blocks, final_norm },
            bins,
            device,
        })
    }
}

impl<O: Ops> Network for Whisper<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let window = &samples[..samples.len().min(WHISPER_SAMPLES)];
        transpose(&whisper(window, self.bins), self.bins)
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let kept = inputs.iter().map(|input| frames(input.samples));
        let frames: Vec<usize> = kept.collect();
        let ops = &self.device;
        let mut x = ops.stack(&super::inputs(inputs), self.bins)?;
        for conv in &self.convs {
            x = ops.conv(&x, conv, Activation::Gelu)?;
        }
        let x = ops.add(x, &self.positions)?;
        self.stack.forward(
            ops,
            x,
            Kept {
                layers,
                skip: 0,
                frames: &frames,
            },
            |_| BlockBias::None,
        )
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}

/// `[bin, frame]` to `[frame, bin]`.
fn transpose(spectrum: &[f32], bins: usize) -> Vec<f32> {
    let frames = spectrum.len() / bins;
    let mut out = vec![0.0; spectrum.len()];
    for (bin, row) in spectrum.chunks_exact(frames).enumerate() {
        for (frame, &value) in row.iter().enumerate() {
            out[frame * bins + bin] = value;
        }
    }
    out
}
