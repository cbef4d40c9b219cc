//! The convolution of the waveform, optionally followed by a norm of each channel over the utterance.

use super::{ConvShape, ConvWeights, Role};

/// Epsilon of that norm: PyTorch's default, independent of the transformer's.
pub(crate) const EPSILON: f64 = 1e-5;

/// The weights of the first convolution as stored: `weight` is `[channel, 1, tap]`.
pub(crate) struct FirstWeights {
    pub(crate) shape: ConvShape,
    pub(crate) weight: Vec<f32>,
    /// Left out if a norm follows, which removes it with the mean.
    pub(crate) bias: Option<Vec<f32>>,
    /// Gain and offset per channel of a norm over the utterance.
    pub(crate) norm: Option<(Vec<f32>, Vec<f32>)>,
}

impl FirstWeights {
    /// The convolution itself.
    pub(crate) fn plain(self) -> ConvWeights {
        ConvWeights {
            role: Role::Operand,
            shape: self.shape,
            weight: self.weight,
            bias: self.bias,
        }
    }

    /// The convolution with the norm folded into its weights. A channel is a weighted sum of the samples in a window, so its
    /// mean and variance over the utterance follow from the windows' means and covariances (a 10 by 10 matrix); the channels
    /// themselves are not needed. In double precision; within 1e-6 of normalising the channels (`tests`).
    pub(crate) fn for_utterance(&self, samples: &[f32]) -> Option<ConvWeights> {
        let (gain, offset) = self.norm.as_ref()?;
        let ConvShape { kernel, stride, .. } = self.shape;
        let (means, covariances) = window_statistics(samples, kernel, stride);
        let mut weight = Vec::with_capacity(self.weight.len());
        let mut bias = Vec::with_capacity(offset.len());
        for (channel, taps) in self.weight.chunks_exact(kernel).enumerate() {
            let taps: Vec<f64> = taps.iter().map(|&tap| f64::from(tap)).collect();
            let dot = |row: &[f64]| row.iter().zip(&taps).map(|(a, b)| a * b).sum::<f64>();
            let rows = covariances.chunks_exact(kernel).zip(&taps);
            let variance: f64 = rows.map(|(row, tap)| tap * dot(row)).sum();
            let scale = f64::from(gain[channel]) / (variance.max(0.0) + EPSILON).sqrt();
            bias.push((f64::from(offset[channel]) - dot(&means) * scale) as f32);
            weight.extend(taps.iter().map(|tap| (tap * scale) as f32));
        }
        Some(ConvWeights {
            role: Role::Operand,
            shape: self.shape,
            weight,
            bias: Some(bias),
        })
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

    /// Compares with the definition, with an offset a thousand times the signal and on silence.
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
        let (gain, offsets) = (vec![1.0f32, 0.5, 2.0], vec![0.0f32, 0.1, -0.4]);
        let conv = FirstWeights {
            shape,
            weight: (0..outputs * kernel).map(noise(5)).collect(),
            bias: None,
            norm: Some((gain.clone(), offsets.clone())),
        };
        for (amplitude, offset) in [(1.0, 0.0), (1e-3, 1.0), (0.0, 0.0)] {
            let samples: Vec<f32> = (0..4000)
                .map(|i| amplitude * noise(1)(i) + offset)
                .collect();
            let folded = conv.for_utterance(&samples).unwrap();
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
                    let expected = (y - mean) / (variance + EPSILON).sqrt() * f64::from(gain[c])
                        + f64::from(offsets[c]);
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
