use crate::EncoderError;
use crate::ops::{
    Activation, ConvShape, ConvWeights, FirstWeights, Framing, OpResult, Ops, Piece, Prepare, Role,
};
use crate::weights::Loader;
use std::sync::Arc;

/// Epsilon of the norms between convolutions: PyTorch's default, independent of the transformer's.
const EPSILON: f64 = 1e-5;

/// One convolution of the front end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvLayer {
    pub(crate) dim: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

/// Where the front end applies norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrontNorm {
    /// The first convolution's output, every channel over the utterance.
    Group,
    /// Every convolution's output, every frame over its channels.
    Layer,
}

/// The stack of strided convolutions that converts samples to frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrontEndConfig {
    pub(crate) layers: Vec<ConvLayer>,
    pub(crate) bias: bool,
    pub(crate) norm: FrontNorm,
    pub(crate) activation: Activation,
}

impl FrontEndConfig {
    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        self.layers.iter().map(|layer| layer.stride).product()
    }

    pub(crate) fn dim(&self) -> usize {
        self.layers.last().map_or(1, |layer| layer.dim)
    }

    /// The number of frames for `samples`.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        self.layers.iter().fold(samples, |rows, layer| {
            rows.checked_sub(layer.kernel)
                .map_or(0, |rest| rest / layer.stride + 1)
        })
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        let back = |rows: usize, layer: &ConvLayer| (rows - 1) * layer.stride + layer.kernel;
        self.layers.iter().rev().fold(1, back)
    }
}

/// The front end on a device.
pub(crate) struct FrontEnd<P: Prepare> {
    config: FrontEndConfig,
    /// The convolution of the waveform, with a norm over the utterance folded in, or a norm over every frame after it.
    first: P::First,
    first_norm: Option<P::Norm>,
    rest: Vec<(P::Conv, Option<P::Norm>)>,
}

impl<P: Prepare> FrontEnd<P> {
    /// From `feature_extractor.conv_layers.*`.
    pub(crate) fn build(
        config: &FrontEndConfig,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let mut first = None;
        let mut rest = Vec::new();
        let mut inputs = 1;
        for (index, layer) in config.layers.iter().enumerate() {
            let &ConvLayer {
                dim,
                kernel,
                stride,
            } = layer;
            let name = format!("feature_extractor.conv_layers.{index}");
            let weight = loader.tensor(&format!("{name}.conv.weight"), &[dim, inputs, kernel])?;
            let bias = match config.bias {
                true => Some(loader.tensor(&format!("{name}.conv.bias"), &[dim])?),
                false => None,
            };
            let (outputs, groups, padding) = (dim, 1, (0, 0));
            let shape = ConvShape {
                inputs,
                outputs,
                kernel,
                stride,
                groups,
                padding,
            };
            let norm_name = format!("{name}.layer_norm");
            let norm = match config.norm {
                FrontNorm::Group => None,
                FrontNorm::Layer => {
                    Some(loader.norm(device, &norm_name, dim, (EPSILON, Role::Operand))?)
                }
            };
            if index == 0 {
                // A norm over the utterance removes the convolution's bias with the mean.
                let (bias, over) = match config.norm {
                    FrontNorm::Layer => (bias, None),
                    FrontNorm::Group => {
                        let gain = loader.tensor(&format!("{norm_name}.weight"), &[dim])?;
                        (
                            None,
                            Some((gain, loader.tensor(&format!("{norm_name}.bias"), &[dim])?)),
                        )
                    }
                };
                let weights = FirstWeights {
                    shape,
                    weight,
                    bias,
                    norm: over,
                };
                first = Some((device.first_weights(weights)?, norm));
            } else {
                let role = Role::Operand;
                rest.push((
                    device.conv_weights(ConvWeights {
                        role,
                        shape,
                        weight,
                        bias,
                    })?,
                    norm,
                ));
            }
            inputs = dim;
        }
        let Some((first, first_norm)) = first else {
            return Err(EncoderError::Device(
                "a front end without convolutions".to_owned(),
            ));
        };
        Ok(Self {
            config: config.clone(),
            first,
            first_norm,
            rest,
        })
    }
}

impl<O: Ops> FrontEnd<O> {
    /// Samples to `[frame, dim]`, some frames at a time: a frame depends on its own samples only, and the first convolution's
    /// output for a whole recording would be 200 times its size.
    pub(crate) fn forward(&self, ops: &O, signals: Vec<Arc<Vec<f32>>>) -> OpResult<O::Tensor> {
        let (hop, reach) = (self.config.hop(), self.config.shortest());
        let frames = signals
            .iter()
            .map(|samples| self.config.frames(samples.len()));
        let lengths: Vec<usize> = frames.collect();
        let signals = match self.config.norm {
            FrontNorm::Group => signals.into_iter().map(without_offset).collect(),
            FrontNorm::Layer => signals,
        };
        let signals = ops.signals(signals, Framing { hop, reach })?;
        let folded = ops.fold(&signals, &self.first)?;
        let mut parts = Vec::new();
        for pieces in pieces(&lengths, ops.front_end_frames()) {
            parts.push(self.convolve(ops, &signals, folded.as_ref(), &pieces)?);
        }
        ops.join(&parts, &lengths)
    }

    fn convolve(
        &self,
        ops: &O,
        signals: &O::Signals,
        folded: Option<&O::Folded>,
        pieces: &[Piece],
    ) -> OpResult<O::Tensor> {
        let after = self.config.activation;
        let mut x = match &self.first_norm {
            None => ops.first(signals, &self.first, folded, pieces, after)?,
            Some(norm) => {
                let x = ops.first(signals, &self.first, folded, pieces, Activation::None)?;
                ops.norm_rows(x, norm, after)?
            }
        };
        for (conv, norm) in &self.rest {
            x = match norm {
                None => ops.conv(&x, conv, after)?,
                Some(norm) => ops.norm_rows(ops.conv(&x, conv, Activation::None)?, norm, after)?,
            };
        }
        Ok(x)
    }
}

/// Removes a signal's mean if it is larger than the rest. A norm over time removes an offset anyway, but a small signal is
/// amplified by the norm, and with it the rounding errors that the offset leaves.
fn without_offset(signal: Arc<Vec<f32>>) -> Arc<Vec<f32>> {
    let count = signal.len().max(1) as f64;
    let mean = signal.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let squares = signal.iter().map(|&v| (f64::from(v) - mean).powi(2));
    let variance = squares.sum::<f64>() / count;
    if mean * mean <= variance {
        return signal;
    }
    let mean = mean as f32;
    Arc::new(signal.iter().map(|v| v - mean).collect())
}

/// All frames in order, in groups of at most `most`.
fn pieces(lengths: &[usize], most: usize) -> Vec<Vec<Piece>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut room = most;
    for (signal, &length) in lengths.iter().enumerate() {
        let mut start = 0;
        while start < length {
            let frames = room.min(length - start);
            group.push(Piece {
                signal,
                start,
                frames,
            });
            start += frames;
            room -= frames;
            if room == 0 {
                groups.push(std::mem::take(&mut group));
                room = most;
            }
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_frame_once_and_in_order() {
        let piece = |signal, start, frames| Piece {
            signal,
            start,
            frames,
        };
        let found = pieces(&[5, 3, 9], 4);
        let expected = [
            vec![piece(0, 0, 4)],
            vec![piece(0, 4, 1), piece(1, 0, 3)],
            vec![piece(2, 0, 4)],
            vec![piece(2, 4, 4)],
            vec![piece(2, 8, 1)],
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn frames_follow_the_strides() {
        let layer = |kernel, stride| ConvLayer {
            dim: 512,
            kernel,
            stride,
        };
        let mut layers = vec![layer(10, 5)];
        layers.extend([layer(3, 2); 4]);
        layers.extend([layer(2, 2); 2]);
        let config = FrontEndConfig {
            layers,
            bias: false,
            norm: FrontNorm::Group,
            activation: Activation::Gelu,
        };
        assert_eq!(config.hop(), 320);
        assert_eq!(config.shortest(), 400);
        assert_eq!(
            [0, 399, 400, 719, 720, 16_000].map(|n| config.frames(n)),
            [0, 0, 1, 1, 2, 49]
        );
    }
}
