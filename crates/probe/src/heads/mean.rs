//! The mean over frames, and the paper's head that uses it.

use super::linear_relu_mean::Stack;
use super::{Head, Pooling, Tensor};

pub(super) const HEAD: Head = Head {
    name: super::DEFAULT,
    summary: "linear, ReLU, mean over frames, linear: the paper's",
    has_hidden: true,
    learning_rates: [1e-3, 1e-4],
    pooling: || Box::new(Mean),
    fused: Some(|setup| Box::new(Stack::new(setup))),
    on_card: emobox_gpu::Pooling::Mean,
};

pub(super) struct Mean;

impl Pooling for Mean {
    fn width(&self, width: usize) -> usize {
        width
    }

    fn tensors(&self, _: usize) -> Vec<Tensor> {
        Vec::new()
    }

    fn forward(&mut self, _: &[f32], z: &[f32], out: &mut [f32]) {
        mean(z, out);
    }

    fn backward(&mut self, _: &[f32], z: &[f32], out: &[f32], dz: &mut [f32], _: &mut [f32]) {
        let scale = out.len() as f32 / z.len() as f32;
        for frame in dz.chunks_exact_mut(out.len()) {
            for (to, g) in frame.iter_mut().zip(out) {
                *to = g * scale;
            }
        }
    }
}

/// The mean over frames of `z`, `[frame, width]`, summed in f64.
pub(super) fn mean(z: &[f32], out: &mut [f32]) {
    let mut sums = vec![0f64; out.len()];
    for frame in z.chunks_exact(out.len()) {
        for (sum, &x) in sums.iter_mut().zip(frame) {
            *sum += f64::from(x);
        }
    }
    let frames = (z.len() / out.len()) as f64;
    for (to, sum) in out.iter_mut().zip(sums) {
        *to = (sum / frames) as f32;
    }
}
