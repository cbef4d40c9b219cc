//! Mean and standard deviation over frames.

use super::mean::mean;
use super::{Head, Pooling, Tensor};

pub(super) const HEAD: Head = Head {
    name: "linear-relu-statistics-linear",
    summary: "linear, ReLU, mean and standard deviation over frames, linear",
    has_hidden: true,
    learning_rates: [1e-3, 1e-4],
    pooling: || Box::new(Statistics),
    fused: None,
    on_card: emobox_gpu::Pooling::Statistics,
};

/// Added to the variance, so that a constant unit has a finite gradient.
pub(crate) const VARIANCE_FLOOR: f32 = 1e-5;

struct Statistics;

impl Pooling for Statistics {
    fn width(&self, width: usize) -> usize {
        2 * width
    }

    fn tensors(&self, _: usize) -> Vec<Tensor> {
        Vec::new()
    }

    fn forward(&mut self, _: &[f32], z: &[f32], out: &mut [f32]) {
        let (centre, deviation) = out.split_at_mut(out.len() / 2);
        mean(z, centre);
        let frames = (z.len() / centre.len()) as f32;
        deviation.fill(0.0);
        for frame in z.chunks_exact(centre.len()) {
            for ((total, x), m) in deviation.iter_mut().zip(frame).zip(&*centre) {
                *total += (x - m) * (x - m);
            }
        }
        for total in deviation {
            *total = (*total / frames + VARIANCE_FLOOR).sqrt();
        }
    }

    /// `∂σ/∂z = (z - μ) / (σ · frames)`: the term through the mean cancels.
    fn backward(&mut self, weights: &[f32], z: &[f32], out: &[f32], dz: &mut [f32], _: &mut [f32]) {
        let width = out.len() / 2;
        let mut pooled = vec![0.0; out.len()];
        self.forward(weights, z, &mut pooled);
        let (centre, deviation) = pooled.split_at(width);
        let scale = width as f32 / z.len() as f32;
        for (frame, to) in z.chunks_exact(width).zip(dz.chunks_exact_mut(width)) {
            for unit in 0..width {
                let slope = (frame[unit] - centre[unit]) / deviation[unit];
                to[unit] = scale * (out[unit] + out[width + unit] * slope);
            }
        }
    }
}
