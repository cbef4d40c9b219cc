//! The encoder of Whisper (Radford et al. 2022), as transformers' `WhisperEncoder` computes it, and audio towers with the same
//! architecture.

mod config;
mod openai;

pub(crate) use config::{Tower, WhisperConfig, check_log_mel, sinusoids};
pub(crate) use openai::{spell_openai, translate_dims};

use super::Network;
use crate::ops::{Activation, ConvShape, ConvWeights, OpResult, Ops, Prepare, Role};
use crate::parts::{Block, BlockBias, BlockConfig, BlockNames, Kept, NormOrder, Stack};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use config::{Positions, Windows};
use emobox_audio::log_mel::{WHISPER_FRAMES, WHISPER_SAMPLES, whisper_frames};
use emobox_kernels::{Affine, layer_norm};
use std::ops::Range;
use std::sync::Arc;

/// Epsilon of every layer norm: PyTorch's default, which Whisper's configuration cannot change.
const EPSILON: f64 = 1e-5;
/// Positions of a 30 s window, two log-mel frames each.
const POSITIONS: usize = WHISPER_FRAMES / 2;
/// Samples per position at 16 kHz.
const HOP: usize = 320;
/// Samples per log-mel frame at 16 kHz.
pub(super) const MEL_HOP: usize = 160;

/// The encoder on a device.
pub(crate) struct Whisper<P: Prepare> {
    config: WhisperConfig,
    device: P,
    convs: [P::Conv; 2],
    positions: P::Tensor,
    stack: Stack<P>,
    /// Scale and shift of the norm after frames were averaged in pairs.
    pooled_norm: Option<(Vec<f32>, Vec<f32>)>,
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
        let positions = match config.positions {
            Positions::Stored => loader.tensor("embed_positions.weight", &[POSITIONS, dim])?,
            Positions::Sinusoids => sinusoids(config.window_rows(), dim),
        };
        let positions = device.upload(positions, dim)?;
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig {
            key_bias: false,
            ..BlockConfig::new(shape, EPSILON, NormOrder::Pre, config.activation)
        };
        let blocks = (0..config.layers)
            .map(|i| {
                Block::build(
                    &block,
                    &BlockNames::WHISPER,
                    &format!("layers.{i}"),
                    loader,
                    &device,
                )
            })
            .collect::<OpResult<_>>()?;
        let norm = match config.positions {
            Positions::Stored => "layer_norm",
            Positions::Sinusoids => "ln_post",
        };
        let (final_norm, pooled_norm) = match config.pooled {
            false => {
                let norm = loader.norm(&device, norm, dim, (EPSILON, Role::Stream))?;
                (Some(norm), None)
            }
            true => {
                let weight = loader.tensor(&format!("{norm}.weight"), &[dim])?;
                let bias = loader.tensor(&format!("{norm}.bias"), &[dim])?;
                (None, Some((weight, bias)))
            }
        };
        Ok(Self {
            config: config.clone(),
            convs,
            positions,
            stack: Stack { blocks, final_norm },
            pooled_norm,
            device,
        })
    }
}

/// A unit that goes through the blocks independently: a window of 30 s, or a chunk.
struct Window {
    input: usize,
    /// Its log-mel frames.
    mel: Range<usize>,
    /// Number of positions attended to.
    rows: usize,
    /// How many of the first of them are kept.
    kept: usize,
}

impl<O: Ops> Whisper<O> {
    /// The windows of an input. With pooling, one position more than its frames is kept if that completes the last pair.
    fn windows(&self, input: usize, prepared: &Prepared) -> Vec<Window> {
        let config = &self.config;
        let seen = config.seen(prepared.samples);
        let mel = prepared.values.len() / config.bins;
        let wide = 2 * config.window_rows();
        let mut kept = match config.pooled {
            false => config.frames(seen),
            true => config.frames(seen).next_multiple_of(2),
        };
        let mut windows = Vec::new();
        for start in (0..mel).step_by(wide) {
            let mel = start..mel.min(start + wide);
            let rows = match config.masked {
                false => mel.len().div_ceil(2),
                true => seen
                    .saturating_sub(start * MEL_HOP)
                    .min(WHISPER_SAMPLES)
                    .div_ceil(HOP)
                    .max(1),
            };
            let of_these = kept.min(rows);
            kept -= of_these;
            if of_these > 0 {
                windows.push(Window {
                    input,
                    mel,
                    rows,
                    kept: of_these,
                });
            }
        }
        windows
    }

    /// The hidden states of windows, each `[layer, kept position, dim]`.
    fn forward(
        &self,
        windows: &[Window],
        inputs: &[Prepared],
        layers: &[usize],
    ) -> OpResult<Vec<Vec<f32>>> {
        let (ops, bins) = (&self.device, self.config.bins);
        let mel = windows.iter().map(|window| {
            let values = &inputs[window.input].values;
            match window.mel.len() * bins == values.len() {
                true => Arc::clone(values),
                false => Arc::new(values[window.mel.start * bins..window.mel.end * bins].to_vec()),
            }
        });
        let mut x = ops.stack(&mel.collect::<Vec<_>>(), bins)?;
        for conv in &self.convs {
            x = ops.conv(&x, conv, Activation::Gelu)?;
        }
        let mut x = ops.add(x, &self.positions)?;
        let rows: Vec<usize> = windows.iter().map(|window| window.rows).collect();
        if ops.lengths(&x) != rows {
            x = ops.first_rows(&x, &rows)?;
        }
        let frames: Vec<usize> = windows.iter().map(|window| window.kept).collect();
        let kept = Kept {
            layers,
            skip: 0,
            frames: &frames,
        };
        self.stack.forward(ops, x, kept, |_| BlockBias::None)
    }

    /// The states of an input from those of its windows, `[layer, frame, dim]`.
    fn assemble(&self, frames: usize, parts: &[Vec<f32>], layers: &[usize]) -> Vec<f32> {
        let dim = self.config.dim;
        let mut out = Vec::with_capacity(layers.len() * frames * dim);
        for (index, &layer) in layers.iter().enumerate() {
            let parts = parts.iter().map(|part| {
                let size = part.len() / layers.len();
                &part[index * size..(index + 1) * size]
            });
            let mut rows = parts.collect::<Vec<_>>().concat();
            if layer == self.config.layers
                && let Some((weight, bias)) = &self.pooled_norm
            {
                pool(&mut rows, dim);
                layer_norm(
                    &mut rows,
                    dim,
                    Some(Affine { weight, bias }),
                    EPSILON as f32,
                );
            }
            out.extend_from_slice(&rows[..frames * dim]);
        }
        out
    }
}

/// Both rows of a pair become their mean; a last row without a partner is unchanged.
fn pool(rows: &mut [f32], dim: usize) {
    for pair in rows.chunks_exact_mut(2 * dim) {
        let (first, second) = pair.split_at_mut(dim);
        for (a, b) in first.iter_mut().zip(second) {
            *a = (*a + *b) / 2.0;
            *b = *a;
        }
    }
}

impl<O: Ops> Network for Whisper<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let config = &self.config;
        let samples = &samples[..config.seen(samples.len())];
        let bins = config.bins;
        let windows = config.frames(samples.len()).div_ceil(POSITIONS);
        match config.windows {
            Windows::First | Windows::Each => samples
                .chunks(WHISPER_SAMPLES)
                .take(windows)
                .flat_map(|part| whisper_frames(part, bins, WHISPER_SAMPLES, WHISPER_FRAMES))
                .collect(),
            Windows::OfWhole => {
                let padded = samples.len().next_multiple_of(WHISPER_SAMPLES);
                whisper_frames(samples, bins, padded, windows * WHISPER_FRAMES)
            }
            Windows::Chunks { longest, .. } => {
                let frames = samples.len().div_ceil(MEL_HOP);
                whisper_frames(samples, bins, longest, frames)
            }
        }
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let all = inputs.iter().enumerate();
        let windows: Vec<Window> = all
            .flat_map(|(index, input)| self.windows(index, input))
            .collect();
        let at_once = match self.batch_frames() {
            Some(_) => windows.len(),
            None => 1,
        };
        let mut parts: Vec<Vec<Vec<f32>>> = vec![Vec::new(); inputs.len()];
        for windows in windows.chunks(at_once.max(1)) {
            let states = self.forward(windows, inputs, layers)?;
            for (window, states) in windows.iter().zip(states) {
                parts[window.input].push(states);
            }
        }
        let inputs = inputs.iter().zip(&parts);
        Ok(inputs
            .map(|(input, parts)| {
                let frames = self.config.frames(self.config.seen(input.samples));
                self.assemble(frames, parts, layers)
            })
            .collect())
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
