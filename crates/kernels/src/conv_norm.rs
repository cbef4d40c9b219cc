//! A convolution followed by a normalisation of each output channel over time, as one convolution.

use crate::conv::Conv1d;
use crate::conv_shape::ConvShape;
use crate::linear::Precision;
use crate::norm::Affine;

/// The first layer of wav2vec 2.0: a convolution whose output channels are each normalised over all frames.
///
/// Mean and variance of an output channel follow from the mean and covariance of the input's windows, which are few numbers;
/// the normalisation is then folded into the weights. So the widest array of the whole encoder, the output of this layer, is
/// written once and not read again for normalisation.
#[derive(Clone, Debug)]
pub struct ConvNorm {
    shape: ConvShape,
    /// `[output, window]`, in the order of the input's windows: `[output, kernel, input]`.
    weight: Vec<f32>,
    /// `[output]`
    scale: Vec<f32>,
    /// `[output]`
    shift: Vec<f32>,
    eps: f32,
    precision: Precision,
}

/// [`ConvNorm`] for one input: what [`conv1d`](crate::conv1d) takes, and the bias for its epilogue.
#[derive(Clone, Debug)]
pub struct FoldedConv {
    /// The convolution with the normalisation in its weights.
    pub conv: Conv1d,
    /// `[output]`
    pub bias: Vec<f32>,
}

/// Largest window (`kernel * inputs`); the covariance is square in it.
const LARGEST_WINDOW: usize = 64;

impl ConvNorm {
    /// Takes a weight in PyTorch's layout `[output, input, kernel]` and the norm's affine `[output]`. There is no convolution
    /// bias: the norm would remove it.
    ///
    /// # Panics
    /// If the convolution is grouped or padded, a size is zero, the window is above 64 numbers, or a slice has another length.
    #[must_use]
    pub fn new(
        weight: &[f32],
        shape: ConvShape,
        affine: Affine<'_>,
        eps: f32,
        precision: Precision,
    ) -> Self {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            ..
        } = shape;
        let window = inputs * kernel;
        assert!(
            (1..=LARGEST_WINDOW).contains(&window) && stride > 0,
            "normed convolution of {shape:?}"
        );
        assert!(
            shape.groups == 1 && shape.padding == (0, 0),
            "normed convolution of {shape:?}"
        );
        assert_eq!(weight.len(), outputs * window, "weight of {shape:?}");
        assert_eq!(
            (affine.weight.len(), affine.bias.len()),
            (outputs, outputs),
            "affine of {shape:?}"
        );
        let mut ordered = vec![0.0; weight.len()];
        for (target, source) in ordered
            .chunks_exact_mut(window)
            .zip(weight.chunks_exact(window))
        {
            for i in 0..inputs {
                for k in 0..kernel {
                    target[k * inputs + i] = source[i * kernel + k];
                }
            }
        }
        let (scale, shift) = (affine.weight.to_vec(), affine.bias.to_vec());
        Self {
            shape,
            weight: ordered,
            scale,
            shift,
            eps,
            precision,
        }
    }

    /// The shape of the convolution.
    #[must_use]
    pub fn shape(&self) -> ConvShape {
        self.shape
    }

    /// The convolution that, with the bias, gives the normalised output for the whole of `x` `[frame, input]`. It may be
    /// run over parts of `x`.
    ///
    /// # Panics
    /// If `x` is not whole frames.
    #[must_use]
    pub fn fold(&self, x: &[f32]) -> FoldedConv {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            ..
        } = self.shape;
        let window = inputs * kernel;
        assert!(
            x.len().is_multiple_of(inputs),
            "fold: {} numbers in frames of {inputs}",
            x.len()
        );
        let rows = self.shape.frames(x.len() / inputs);
        let (mean, covariance) = moments(x, rows, window, stride * inputs);
        let mut weight = vec![0.0; self.weight.len()];
        let mut bias = Vec::with_capacity(outputs);
        for (o, (target, source)) in weight
            .chunks_exact_mut(window)
            .zip(self.weight.chunks_exact(window))
            .enumerate()
        {
            let center: f64 = source
                .iter()
                .zip(&mean)
                .map(|(&w, m)| f64::from(w) * m)
                .sum();
            let variance: f64 = covariance
                .chunks_exact(window)
                .zip(source)
                .map(|(row, &w)| {
                    f64::from(w)
                        * row
                            .iter()
                            .zip(source)
                            .map(|(c, &v)| c * f64::from(v))
                            .sum::<f64>()
                })
                .sum();
            // Rounding may leave a constant channel's variance slightly below zero.
            let inverse = 1.0 / (variance.max(0.0) + f64::from(self.eps)).sqrt();
            let factor = f64::from(self.scale[o]) * inverse;
            for (t, &s) in target.iter_mut().zip(source) {
                *t = (f64::from(s) * factor) as f32;
            }
            bias.push((f64::from(self.shift[o]) - center * factor) as f32);
        }
        let shape = ConvShape {
            inputs: window,
            kernel: 1,
            ..self.shape
        };
        let conv = Conv1d::new(&weight, shape, self.precision).with_shape(self.shape);
        FoldedConv { conv, bias }
    }
}

/// Mean and (biased) covariance `[window, window]` of the `rows` windows of `x` that begin `step` apart.
fn moments(x: &[f32], rows: usize, window: usize, step: usize) -> (Vec<f64>, Vec<f64>) {
    let count = rows.max(1) as f64;
    let mut mean = vec![0.0; window];
    let mut products = vec![0.0; window * window];
    // Subtracting one sample keeps the products free of a constant offset.
    let pivot = x.first().map_or(0.0, |&v| f64::from(v));
    let mut centered = vec![0.0; window];
    for r in 0..rows {
        for (c, &v) in centered.iter_mut().zip(&x[r * step..][..window]) {
            *c = f64::from(v) - pivot;
        }
        for (m, &c) in mean.iter_mut().zip(&centered) {
            *m += c;
        }
        for (row, &a) in products.chunks_exact_mut(window).zip(&centered) {
            for (p, &b) in row.iter_mut().zip(&centered) {
                *p += a * b;
            }
        }
    }
    for m in &mut mean {
        *m /= count;
    }
    for i in 0..window {
        for j in 0..window {
            products[i * window + j] = products[i * window + j] / count - mean[i] * mean[j];
        }
    }
    for m in &mut mean {
        *m += pivot;
    }
    (mean, products)
}
