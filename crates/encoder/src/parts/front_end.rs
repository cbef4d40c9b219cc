use crate::ops::{Activation, ConvShape, ConvWeights, OpResult, Ops, Prepare};
use crate::weights::Loader;

/// Epsilon of the norms between convolutions: PyTorch's default, whatever the transformer's is.
const EPSILON: f64 = 1e-5;

/// One convolution of the front end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvLayer {
    pub(crate) dim: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

/// Where the front end normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrontNorm {
    /// The first convolution's output, every channel over the utterance.
    Group,
    /// Every convolution's output, every frame over its channels.
    Layer,
}

/// The stack of strided convolutions that turns samples into frames.
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

    /// The frames that `samples` yield.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        self.layers.iter().fold(samples, |rows, layer| {
            rows.checked_sub(layer.kernel)
                .map_or(0, |rest| rest / layer.stride + 1)
        })
    }

    /// The fewest samples that yield a frame.
    pub(crate) fn shortest(&self) -> usize {
        let back = |rows: usize, layer: &ConvLayer| (rows - 1) * layer.stride + layer.kernel;
        self.layers.iter().rev().fold(1, back)
    }
}

/// The front end on a device.
pub(crate) struct FrontEnd<P: Prepare> {
    config: FrontEndConfig,
    /// The first convolution where its norm belongs to the utterance; else it is among the rest.
    first: Option<GroupNormConv>,
    rest: Vec<(P::Conv, Option<P::Norm>)>,
}

impl<P: Prepare> FrontEnd<P> {
    /// From `feature_extractor.conv_layers.*`.
    pub(crate) fn build(
        config: &FrontEndConfig,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let mut built = Self {
            config: config.clone(),
            first: None,
            rest: Vec::new(),
        };
        let mut inputs = 1;
        for (
            index,
            &ConvLayer {
                dim,
                kernel,
                stride,
            },
        ) in config.layers.iter().enumerate()
        {
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
            let norm = format!("{name}.layer_norm");
            match (config.norm, index) {
                (FrontNorm::Group, 0) => {
                    // The convolution's own bias moves the mean by as much, so it has no effect.
                    built.first = Some(GroupNormConv {
                        shape,
                        weight,
                        gain: loader.tensor(&format!("{norm}.weight"), &[dim])?,
                        offset: loader.tensor(&format!("{norm}.bias"), &[dim])?,
                    });
                }
                _ => {
                    let norm = match config.norm {
                        FrontNorm::Group => None,
                        FrontNorm::Layer => Some(loader.norm(device, &norm, dim, EPSILON)?),
                    };
                    let conv = device.conv_weights(ConvWeights {
                        shape,
                        weight,
                        bias,
                    })?;
                    built.rest.push((conv, norm));
                }
            }
            inputs = dim;
        }
        Ok(built)
    }
}

impl<O: Ops> FrontEnd<O> {
    /// Samples to `[frame, dim]`, some frames at a time: a frame sees its own samples alone, and
    /// the first convolution's output for a whole recording would be 200 times its size.
    pub(crate) fn forward(&self, ops: &O, samples: &[f32]) -> OpResult<O::Tensor> {
        let first = match &self.first {
            None => None,
            Some(conv) => Some(ops.conv_weights(conv.for_utterance(samples))?),
        };
        let (hop, reach) = (self.config.hop(), self.config.shortest());
        let frames = self.config.frames(samples.len());
        let mut parts = Vec::new();
        for start in (0..frames).step_by(ops.front_end_frames()) {
            let end = frames.min(start + ops.front_end_frames());
            let seen = &samples[start * hop..(end - 1) * hop + reach];
            parts.push(self.convolve(ops, seen, first.as_ref())?);
        }
        ops.concat(&parts.iter().collect::<Vec<_>>())
    }

    fn convolve(&self, ops: &O, samples: &[f32], first: Option<&O::Conv>) -> OpResult<O::Tensor> {
        let after = self.config.activation;
        let mut x = ops.upload(samples.to_vec(), 1)?;
        if let Some(conv) = first {
            x = ops.conv(&x, conv, after)?;
        }
        for (conv, norm) in &self.rest {
            x = match norm {
                None => ops.conv(&x, conv, after)?,
                Some(norm) => ops.norm_rows(ops.conv(&x, conv, Activation::None)?, norm, after)?,
            };
        }
        Ok(x)
    }
}

/// A convolution of the waveform with a norm of each channel over the utterance.
struct GroupNormConv {
    shape: ConvShape,
    /// `[channel, 1, tap]`.
    weight: Vec<f32>,
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl GroupNormConv {
    /// The convolution with the norm inside its weights. A channel is a weighted sum of the samples
    /// in a window, so its mean and variance over the utterance follow from the windows' means and
    /// covariances (a 10 by 10 matrix): nothing as large as the channels themselves is looked at.
    /// In double precision; within 1e-6 of normalising the channels (`tests`).
    fn for_utterance(&self, samples: &[f32]) -> ConvWeights {
        let ConvShape { kernel, stride, .. } = self.shape;
        let (means, covariances) = window_statistics(samples, kernel, stride);
        let mut weight = Vec::with_capacity(self.weight.len());
        let mut bias = Vec::with_capacity(self.offset.len());
        for (channel, taps) in self.weight.chunks_exact(kernel).enumerate() {
            let taps: Vec<f64> = taps.iter().map(|&tap| f64::from(tap)).collect();
            let dot = |row: &[f64]| row.iter().zip(&taps).map(|(a, b)| a * b).sum::<f64>();
            let rows = covariances.chunks_exact(kernel).zip(&taps);
            let variance: f64 = rows.map(|(row, tap)| tap * dot(row)).sum();
            let scale = f64::from(self.gain[channel]) / (variance.max(0.0) + EPSILON).sqrt();
            bias.push((f64::from(self.offset[channel]) - dot(&means) * scale) as f32);
            weight.extend(taps.iter().map(|tap| (tap * scale) as f32));
        }
        ConvWeights {
            shape: self.shape,
            weight,
            bias: Some(bias),
        }
    }
}

/// The mean of each tap over all windows, `[tap]`, and their covariances, `[tap, tap]`.
fn window_statistics(samples: &[f32], kernel: usize, stride: usize) -> (Vec<f64>, Vec<f64>) {
    let windows = || samples.windows(kernel).step_by(stride);
    let count = windows().count() as f64;
    let mut means = vec![0.0; kernel];
    for window in windows() {
        for (mean, &sample) in means.iter_mut().zip(window) {
            *mean += f64::from(sample);
        }
    }
    means.iter_mut().for_each(|mean| *mean /= count);
    let mut covariances = vec![0.0; kernel * kernel];
    let mut centred = vec![0.0; kernel];
    for window in windows() {
        for ((value, &sample), mean) in centred.iter_mut().zip(window).zip(&means) {
            *value = f64::from(sample) - mean;
        }
        for (row, &a) in covariances.chunks_exact_mut(kernel).zip(&centred) {
            for (sum, &b) in row.iter_mut().zip(&centred) {
                *sum += a * b;
            }
        }
    }
    covariances.iter_mut().for_each(|sum| *sum /= count);
    (means, covariances)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Against the definition, with an offset a thousand times the signal and on silence.
    #[test]
    fn the_norm_inside_the_weights_is_the_norm_of_the_channels() {
        let (kernel, stride, outputs) = (10, 5, 3);
        let shape = ConvShape {
            inputs: 1,
            outputs,
            kernel,
            stride,
            groups: 1,
            padding: (0, 0),
        };
        let noise = |seed: usize| move |i: usize| ((i * 7919 + seed) % 1013) as f32 / 506.5 - 1.0;
        let conv = GroupNormConv {
            shape,
            weight: (0..outputs * kernel).map(noise(5)).collect(),
            gain: vec![1.0, 0.5, 2.0],
            offset: vec![0.0, 0.1, -0.4],
        };
        for (amplitude, offset) in [(1.0, 0.0), (1e-3, 1.0), (0.0, 0.0)] {
            let samples: Vec<f32> = (0..4000)
                .map(|i| amplitude * noise(1)(i) + offset)
                .collect();
            let folded = conv.for_utterance(&samples);
            let channel = |weight: &[f32], bias: f64, c: usize| -> Vec<f64> {
                let taps = &weight[c * kernel..(c + 1) * kernel];
                let dot = |window: &[f32]| -> f64 {
                    window
                        .iter()
                        .zip(taps)
                        .map(|(&x, &w)| f64::from(x) * f64::from(w))
                        .sum()
                };
                samples
                    .windows(kernel)
                    .step_by(stride)
                    .map(|window| dot(window) + bias)
                    .collect()
            };
            for c in 0..outputs {
                let plain = channel(&conv.weight, 0.3, c);
                let n = plain.len() as f64;
                let mean = plain.iter().sum::<f64>() / n;
                let variance = plain.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n;
                let bias = folded.bias.as_ref().map_or(0.0, |bias| f64::from(bias[c]));
                let found = channel(&folded.weight, bias, c);
                for (y, found) in plain.iter().zip(found) {
                    let expected = (y - mean) / (variance + EPSILON).sqrt()
                        * f64::from(conv.gain[c])
                        + f64::from(conv.offset[c]);
                    // An offset a thousand times the signal costs three of seven digits.
                    let tolerance = if offset == 0.0 { 1e-6 } else { 1e-4 };
                    assert!(
                        (found - expected).abs() < tolerance,
                        "{found} for {expected}"
                    );
                }
            }
        }
    }
}
