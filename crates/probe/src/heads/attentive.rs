//! Attentive statistics pooling (Okabe et al., "Attentive Statistics Pooling for Deep Speaker
//! Embedding", Interspeech 2018, equations 1, 4, 5 and 6; the score's constant `k` cancels in the
//! softmax and is left out).

use super::machine::{matrix, product};
use super::statistics::VARIANCE_FLOOR;
use super::{Head, Pooling, Tensor};

pub(super) const HEAD: Head = Head {
    name: "linear-relu-attention-linear",
    summary: "linear, ReLU, attentive mean and standard deviation over frames, linear",
    has_hidden: true,
    learning_rates: [1e-3, 1e-4],
    pooling: || Box::new(Attentive::default()),
    fused: None,
    on_card: emobox_gpu::Pooling::Attentive,
};

/// The width of the layer that scores frames.
const ATTENTION: usize = 64;

#[derive(Default)]
struct Attentive {
    /// The scoring layer after tanh, `[frame, ATTENTION]`.
    scored: Vec<f32>,
    /// The weight of each frame.
    alpha: Vec<f32>,
}

/// The flat weights: `attention.weight` `[ATTENTION, width]`, its bias, `attention.vector`.
fn split(weights: &[f32]) -> (&[f32], &[f32], &[f32]) {
    let (rest, vector) = weights.split_at(weights.len() - ATTENTION);
    let (weight, bias) = rest.split_at(rest.len() - ATTENTION);
    (weight, bias, vector)
}

impl Attentive {
    fn attend(&mut self, weights: &[f32], z: &[f32]) {
        let (weight, bias, vector) = split(weights);
        let width = weight.len() / ATTENTION;
        let frames = z.len() / width;
        self.scored.clear();
        self.scored.resize(frames * ATTENTION, 0.0);
        let (z, weight) = (matrix(z, width), matrix(weight, width).transposed());
        product(z, weight, &mut self.scored);
        self.alpha.clear();
        for frame in self.scored.chunks_exact_mut(ATTENTION) {
            let mut score = 0.0;
            for ((x, b), v) in frame.iter_mut().zip(bias).zip(vector) {
                *x = (*x + b).tanh();
                score += *x * v;
            }
            self.alpha.push(score);
        }
        emobox_kernels::softmax_rows(&mut self.alpha, frames);
    }
}

impl Pooling for Attentive {
    fn width(&self, width: usize) -> usize {
        2 * width
    }

    fn tensors(&self, width: usize) -> Vec<Tensor> {
        vec![
            Tensor::new("attention.weight", &[ATTENTION, width], width),
            Tensor::new("attention.bias", &[ATTENTION], width),
            Tensor::new("attention.vector", &[ATTENTION], ATTENTION),
        ]
    }

    fn forward(&mut self, weights: &[f32], z: &[f32], out: &mut [f32]) {
        self.attend(weights, z);
        let width = out.len() / 2;
        let (centre, deviation) = out.split_at_mut(width);
        centre.fill(0.0);
        deviation.fill(0.0);
        for (frame, &alpha) in z.chunks_exact(width).zip(&self.alpha) {
            for (total, x) in centre.iter_mut().zip(frame) {
                *total += alpha * x;
            }
        }
        // Computed about the mean: E[z²] - E[z]² loses digits.
        for (frame, &alpha) in z.chunks_exact(width).zip(&self.alpha) {
            for ((total, x), m) in deviation.iter_mut().zip(frame).zip(&*centre) {
                *total += alpha * (x - m) * (x - m);
            }
        }
        for total in deviation {
            *total = (*total + VARIANCE_FLOOR).sqrt();
        }
    }

    fn backward(
        &mut self,
        weights: &[f32],
        z: &[f32],
        out: &[f32],
        dz: &mut [f32],
        gradient: &mut [f32],
    ) {
        let width = out.len() / 2;
        let mut pooled = vec![0.0; out.len()];
        self.forward(weights, z, &mut pooled);
        let (centre, deviation) = pooled.split_at(width);
        let (dcentre, ddeviation) = out.split_at(width);
        // With respect to the variance.
        let dvariance: Vec<f32> = ddeviation
            .iter()
            .zip(deviation)
            .map(|(g, s)| g / (2.0 * s))
            .collect();
        // With respect to each frame's weight, and directly to each frame. The terms through the mean cancel in the variance,
        // since the weighted deviations from it sum to zero.
        let mut dalpha = Vec::with_capacity(self.alpha.len());
        for ((frame, to), &alpha) in z
            .chunks_exact(width)
            .zip(dz.chunks_exact_mut(width))
            .zip(&self.alpha)
        {
            let mut total = 0.0;
            for unit in 0..width {
                let away = frame[unit] - centre[unit];
                total += dcentre[unit] * frame[unit] + dvariance[unit] * away * away;
                to[unit] = alpha * (dcentre[unit] + 2.0 * dvariance[unit] * away);
            }
            dalpha.push(total);
        }
        let level: f32 = self.alpha.iter().zip(&dalpha).map(|(a, d)| a * d).sum();
        let (weight, _, vector) = split(weights);
        let (rest, dvector) = gradient.split_at_mut(gradient.len() - ATTENTION);
        let (dweight, dbias) = rest.split_at_mut(rest.len() - ATTENTION);
        let frames = self.scored.chunks_exact_mut(ATTENTION);
        for ((frame, alpha), d) in frames.zip(&self.alpha).zip(&dalpha) {
            let dscore = alpha * (d - level);
            for (unit, x) in frame.iter_mut().enumerate() {
                dvector[unit] += dscore * *x;
                *x = dscore * vector[unit] * (1.0 - *x * *x);
                dbias[unit] += *x;
            }
        }
        let scored = matrix(&self.scored, ATTENTION);
        emobox_kernels::matmul(scored.transposed(), matrix(z, width), true, dweight);
        emobox_kernels::matmul(scored, matrix(weight, width), true, dz);
    }
}
