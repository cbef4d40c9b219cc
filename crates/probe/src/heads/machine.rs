//! Any head, one point and one utterance at a time: the simple implementation, for heads and features without a fused one. The
//! backward pass computes the hidden layer again instead of storing it, so memory is that of one utterance per thread.

use super::{
    Head, Setup, Sizes, SmallGradients, Sweep, Tensor, small_linear, small_linear_backward,
};
use crate::ProbeError;
use crate::batch::{Batch, Piece};
use emobox_kernels::{MatRef, matmul};

/// Pools an utterance's frames `z`, `[frame, width]`, into one vector.
pub(crate) trait Pooling: Send {
    /// The width of the vector for frames of `width`.
    fn width(&self, width: usize) -> usize;
    /// The pooling's own tensors.
    fn tensors(&self, width: usize) -> Vec<Tensor>;
    /// Computes the vector.
    fn forward(&mut self, weights: &[f32], z: &[f32], out: &mut [f32]);
    /// From the vector's gradient `out`, writes that of the frames to `dz` and adds that of the weights to `gradient`.
    fn backward(
        &mut self,
        weights: &[f32],
        z: &[f32],
        out: &[f32],
        dz: &mut [f32],
        gradient: &mut [f32],
    );
}

/// A dense matrix with rows of `width`.
pub(super) fn matrix(data: &[f32], width: usize) -> MatRef<'_> {
    MatRef::new(data, data.len() / width, width)
}

/// `out = a · b`.
pub(super) fn product(a: MatRef<'_>, b: MatRef<'_>, out: &mut [f32]) {
    matmul(a, b, false, out);
}

/// All points of a sweep, each with its own machine.
pub(super) struct Machines {
    layers: usize,
    machines: Vec<Machine>,
    /// The current utterance, `[layer][frame, dim]`.
    x: Vec<Vec<f32>>,
}

struct Machine {
    sizes: Sizes,
    has_hidden: bool,
    pooling: Box<dyn Pooling>,
    /// Lengths of the parts of the flat weights: layer weights, hidden weight, hidden bias, pooling, output weight, output
    /// bias.
    parts: [usize; 6],
    mixed: Vec<f32>,
    z: Vec<f32>,
    dz: Vec<f32>,
    pooled: Vec<f32>,
    dpooled: Vec<f32>,
    logits: Vec<f32>,
}

impl Machines {
    pub(super) fn new(head: &Head, setup: &Setup<'_>) -> Self {
        let machine = |&hidden: &usize| {
            let sizes = Sizes {
                layers: setup.layers,
                dim: setup.dim,
                hidden,
                classes: setup.classes,
            };
            Machine::new(head, sizes)
        };
        Self {
            layers: setup.layers,
            machines: setup.hidden.iter().map(machine).collect(),
            x: vec![Vec::new(); setup.layers],
        }
    }

    fn load(&mut self, batch: &Batch<'_>, row: usize) -> Result<(), ProbeError> {
        let whole = [Piece {
            row,
            frames: 0..batch.frames(row),
            start: 0,
        }];
        (0..self.layers).try_for_each(|layer| batch.load(&whole, layer, &mut self.x[layer]))
    }
}

impl Sweep for Machines {
    fn forward(
        &mut self,
        weights: &[&[f32]],
        batch: &Batch<'_>,
        logits: &mut [Vec<f32>],
    ) -> Result<(), ProbeError> {
        logits.iter_mut().for_each(Vec::clear);
        for row in 0..batch.rows.len() {
            self.load(batch, row)?;
            let x = &self.x;
            let machines = self.machines.iter_mut().zip(weights).zip(&mut *logits);
            let mut parts: Vec<_> = machines.map(|((m, w), l)| (m, *w, l)).collect();
            batch.team.each(&mut parts, |(machine, weights, logits)| {
                machine.forward(weights, x);
                logits.extend_from_slice(&machine.logits);
            });
        }
        Ok(())
    }

    fn backward(
        &mut self,
        weights: &[&[f32]],
        batch: &Batch<'_>,
        logits: &[Vec<f32>],
        gradients: &mut [Vec<f32>],
    ) -> Result<(), ProbeError> {
        gradients.iter_mut().for_each(|g| g.fill(0.0));
        for row in 0..batch.rows.len() {
            self.load(batch, row)?;
            let x = &self.x;
            let machines = self.machines.iter_mut().zip(weights).zip(&mut *gradients);
            let mut parts: Vec<_> = machines
                .zip(logits)
                .map(|(((m, w), g), l)| (m, *w, g, l))
                .collect();
            batch
                .team
                .each(&mut parts, |(machine, weights, gradient, logits)| {
                    let classes = machine.sizes.classes;
                    let of_row = &logits[row * classes..(row + 1) * classes];
                    machine.backward(weights, x, of_row, gradient);
                });
        }
        Ok(())
    }
}

impl Machine {
    fn new(head: &Head, sizes: Sizes) -> Self {
        let pooling = (head.pooling)();
        let width = if head.has_hidden {
            sizes.hidden
        } else {
            sizes.dim
        };
        let pooled = pooling.width(width);
        let own: usize = pooling.tensors(width).iter().map(Tensor::len).sum();
        let hidden = if head.has_hidden { sizes.hidden } else { 0 };
        Self {
            parts: [
                if sizes.layers > 1 { sizes.layers } else { 0 },
                hidden * sizes.dim,
                hidden,
                own,
                sizes.classes * pooled,
                sizes.classes,
            ],
            sizes,
            has_hidden: head.has_hidden,
            pooling,
            mixed: Vec::new(),
            z: Vec::new(),
            dz: Vec::new(),
            pooled: vec![0.0; pooled],
            dpooled: Vec::new(),
            logits: Vec::new(),
        }
    }

    fn split<'w>(&self, weights: &'w [f32]) -> [&'w [f32]; 6] {
        let mut rest = weights;
        self.parts.map(|length| {
            let (part, others) = rest.split_at(length);
            rest = others;
            part
        })
    }

    fn forward(&mut self, weights: &[f32], x: &[Vec<f32>]) {
        let [layers, hidden, hidden_bias, own, output, output_bias] = self.split(weights);
        if layers.is_empty() {
            self.mixed.clone_from(&x[0]);
        } else {
            mix(&shares(layers), x, &mut self.mixed);
        }
        if self.has_hidden {
            let frames = self.mixed.len() / self.sizes.dim;
            self.z.clear();
            for _ in 0..frames {
                self.z.extend_from_slice(hidden_bias);
            }
            let hidden = matrix(hidden, self.sizes.dim).transposed();
            matmul(
                matrix(&self.mixed, self.sizes.dim),
                hidden,
                true,
                &mut self.z,
            );
            emobox_kernels::relu(&mut self.z);
        } else {
            self.z.clone_from(&self.mixed);
        }
        self.pooling.forward(own, &self.z, &mut self.pooled);
        small_linear(&self.pooled, output, output_bias, &mut self.logits);
    }

    fn backward(&mut self, weights: &[f32], x: &[Vec<f32>], logits: &[f32], gradient: &mut [f32]) {
        self.forward(weights, x);
        let [layers, hidden, _, own, output, _] = self.split(weights);
        let mut rest = gradient;
        let [dlayers, dhidden, dhidden_bias, down, doutput, doutput_bias] =
            self.parts.map(|length| {
                let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
                rest = others;
                part
            });
        let into = SmallGradients {
            weight: doutput,
            bias: doutput_bias,
            input: &mut self.dpooled,
        };
        small_linear_backward(&self.pooled, output, logits, into);
        self.dz.clear();
        self.dz.resize(self.z.len(), 0.0);
        self.pooling
            .backward(own, &self.z, &self.dpooled, &mut self.dz, down);
        let dim = self.sizes.dim;
        if self.has_hidden {
            for (g, z) in self.dz.iter_mut().zip(&self.z) {
                *g = if *z > 0.0 { *g } else { 0.0 };
            }
            for frame in self.dz.chunks_exact(dhidden_bias.len()) {
                for (total, g) in dhidden_bias.iter_mut().zip(frame) {
                    *total += g;
                }
            }
            let dz = matrix(&self.dz, self.sizes.hidden);
            matmul(dz.transposed(), matrix(&self.mixed, dim), true, dhidden);
        }
        if layers.is_empty() {
            return;
        }
        // With respect to the mixed frames; overwrites the frames themselves.
        if self.has_hidden {
            let dz = matrix(&self.dz, self.sizes.hidden);
            product(dz, matrix(hidden, dim), &mut self.mixed);
        } else {
            self.mixed.clone_from(&self.dz);
        }
        let shares = shares(layers);
        let slopes: Vec<f64> = x
            .iter()
            .map(|layer| {
                let products = layer.iter().zip(&self.mixed);
                products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            })
            .collect();
        let level: f64 = shares.iter().zip(&slopes).map(|(s, d)| s * d).sum();
        for ((to, share), slope) in dlayers.iter_mut().zip(&shares).zip(&slopes) {
            *to += (share * (slope - level)) as f32;
        }
    }
}

/// The layers' weights in the sum: a softmax.
fn shares(weights: &[f32]) -> Vec<f64> {
    let mut shares: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
    crate::softmax::log_softmax(&mut shares);
    shares.iter_mut().for_each(|s| *s = s.exp());
    shares
}

fn mix(shares: &[f64], x: &[Vec<f32>], out: &mut Vec<f32>) {
    out.clear();
    out.resize(x[0].len(), 0.0);
    for (layer, &share) in x.iter().zip(shares) {
        let share = share as f32;
        for (to, x) in out.iter_mut().zip(layer) {
            *to += share * x;
        }
    }
}
