//! The paper's head, for all sweep points at once.
//!
//! The points read the same frames in the same order, so their hidden layers are rows of one tall
//! weight matrix: one product of the ragged frames with it serves them all, and one product of the
//! frames with the gradient behind the rectifier gives all weight gradients. Nothing is padded. The
//! features need no gradient. With several threads the rows of the tall matrix are shared out; a
//! row's arithmetic does not see the others, so the result is the same to the bit.

use super::{Setup, Sizes, SmallGradients, Sweep, small_linear, small_linear_backward};
use crate::ProbeError;
use crate::batch::{BLOCK, Batch, Piece};
use emobox_kernels::{
    Activation, Epilogue, MatRef, PackedLinear, Precision, Rows, linear, matmul, split_rows,
};
use std::ops::Range;

/// Rows of the tall matrix are shared out in multiples of this, the kernels' register tile.
const TILE: usize = 64;

pub(super) struct Stack {
    dim: usize,
    classes: usize,
    points: Vec<Pooled>,
    groups: Vec<Group>,
    /// Frames of the slab in hand, `[frame, dim]`.
    x: Vec<f32>,
}

/// What one point keeps of a batch.
struct Pooled {
    hidden: usize,
    /// Mean over frames of the hidden layer, `[utterance, hidden]`.
    mean: Vec<f32>,
    /// Its gradient.
    gradient: Vec<f32>,
}

/// Consecutive rows of the tall matrix, done by one thread.
struct Group {
    parts: Vec<Part>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    packed: PackedLinear,
    /// Hidden layer of the slab in hand, `[frame, row]`; going backward, its gradient.
    z: Vec<f32>,
    /// Sums over frames, `[utterance, row]`; going backward, the gradient of each frame.
    pooled: Vec<f32>,
    weight_gradient: Vec<f32>,
    bias_gradient: Vec<f32>,
}

/// Hidden units of one point inside a group.
#[derive(Clone, Debug)]
struct Part {
    point: usize,
    /// The width of the point's hidden layer.
    hidden: usize,
    units: Range<usize>,
    /// The group's row of the first of them.
    at: usize,
}

impl Stack {
    pub(super) fn new(setup: &Setup<'_>) -> Self {
        let rows = setup.hidden.iter().sum::<usize>();
        let groups = split_rows(rows.div_ceil(TILE), setup.team.size())
            .into_iter()
            .map(|tiles| tiles.start * TILE..(tiles.end * TILE).min(rows))
            .map(|rows| Group::new(&rows, setup))
            .collect();
        let points = setup.hidden.iter().map(|&hidden| Pooled {
            hidden,
            mean: Vec::new(),
            gradient: Vec::new(),
        });
        Self {
            dim: setup.dim,
            classes: setup.classes,
            points: points.collect(),
            groups,
            x: Vec::new(),
        }
    }

    fn sizes(&self, point: usize) -> Sizes {
        Sizes {
            layers: 1,
            dim: self.dim,
            hidden: self.points[point].hidden,
            classes: self.classes,
        }
    }
}

/// Where the four tensors lie in a point's flat weights.
fn offsets(sizes: &Sizes) -> [Range<usize>; 4] {
    let weight = sizes.hidden * sizes.dim;
    let bias = weight + sizes.hidden;
    let output = bias + sizes.classes * sizes.hidden;
    [
        0..weight,
        weight..bias,
        bias..output,
        output..output + sizes.classes,
    ]
}

impl Sweep for Stack {
    fn forward(
        &mut self,
        weights: &[&[f32]],
        batch: &Batch<'_>,
        logits: &mut [Vec<f32>],
    ) -> Result<(), ProbeError> {
        let rows = batch.rows.len();
        batch.team.each(&mut self.groups, |group| {
            group.load(weights, rows);
        });
        for slab in batch.slabs() {
            batch.load(&slab, 0, &mut self.x)?;
            let x = &self.x;
            batch.team.each(&mut self.groups, |group| {
                group.forward(x, &slab);
                group.add_up(&slab);
            });
        }
        for (index, point) in self.points.iter_mut().enumerate() {
            point.mean.resize(rows * point.hidden, 0.0);
            for group in &self.groups {
                for part in group.parts.iter().filter(|part| part.point == index) {
                    for row in 0..rows {
                        let scale = 1.0 / batch.frames(row) as f32;
                        let sums = &group.pooled[row * group.rows() + part.at..];
                        let to = &mut point.mean[row * point.hidden..][part.units.clone()];
                        for (to, sum) in to.iter_mut().zip(sums) {
                            *to = sum * scale;
                        }
                    }
                }
            }
        }
        for (index, (out, weights)) in logits.iter_mut().zip(weights).enumerate() {
            let [_, _, weight, bias] = offsets(&self.sizes(index)).map(|range| &weights[range]);
            small_linear(&self.points[index].mean, weight, bias, out);
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
        for (index, gradient) in gradients.iter_mut().enumerate() {
            let [_, _, weight, bias] = offsets(&self.sizes(index));
            let point = &mut self.points[index];
            gradient[weight.start..].fill(0.0);
            let (weight_gradient, bias_gradient) =
                gradient[weight.start..].split_at_mut(weight.len());
            debug_assert_eq!(bias.len(), bias_gradient.len());
            let into = SmallGradients {
                weight: weight_gradient,
                bias: bias_gradient,
                input: &mut point.gradient,
            };
            small_linear_backward(&point.mean, &weights[index][weight], &logits[index], into);
        }
        let (points, dim) = (&self.points, self.dim);
        batch.team.each(&mut self.groups, |group| {
            group.spread(points, batch);
        });
        let slabs = batch.slabs();
        for slab in &slabs {
            if slabs.len() > 1 {
                // The slab in hand is the last one; the others are made again.
                batch.load(slab, 0, &mut self.x)?;
            }
            let x = &self.x;
            batch.team.each(&mut self.groups, |group| {
                if slabs.len() > 1 {
                    group.forward(x, slab);
                }
                group.backward(x, slab, dim);
            });
        }
        for group in &self.groups {
            for part in &group.parts {
                let sizes = self.sizes(part.point);
                let [weight, bias, _, _] = offsets(&sizes);
                let gradient = &mut gradients[part.point];
                let rows = part.at..part.at + part.units.len();
                gradient[weight][part.units.start * dim..part.units.end * dim]
                    .copy_from_slice(&group.weight_gradient[rows.start * dim..rows.end * dim]);
                gradient[bias][part.units.clone()].copy_from_slice(&group.bias_gradient[rows]);
            }
        }
        Ok(())
    }
}

impl Group {
    /// The rows `wanted` of the tall matrix.
    fn new(wanted: &Range<usize>, setup: &Setup<'_>) -> Self {
        let (mut parts, mut first) = (Vec::new(), 0);
        for (point, &hidden) in setup.hidden.iter().enumerate() {
            let (from, to) = (wanted.start.max(first), wanted.end.min(first + hidden));
            if from < to {
                parts.push(Part {
                    point,
                    hidden,
                    units: from - first..to - first,
                    at: from - wanted.start,
                });
            }
            first += hidden;
        }
        let (rows, dim) = (wanted.len(), setup.dim);
        let weight = vec![0.0; rows * dim];
        Self {
            parts,
            packed: PackedLinear::new(&weight, rows, dim, Precision::F32),
            weight_gradient: weight.clone(),
            weight,
            bias: vec![0.0; rows],
            bias_gradient: vec![0.0; rows],
            z: Vec::new(),
            pooled: Vec::new(),
        }
    }

    fn rows(&self) -> usize {
        self.bias.len()
    }

    /// Takes up the points' present weights and clears the sums.
    fn load(&mut self, weights: &[&[f32]], utterances: usize) {
        let dim = self.weight.len() / self.rows();
        for part in &self.parts {
            // The hidden layer's weight and bias lead a point's flat weights; see `Head::layout`.
            let flat = weights[part.point];
            let rows = part.at..part.at + part.units.len();
            self.weight[rows.start * dim..rows.end * dim]
                .copy_from_slice(&flat[part.units.start * dim..part.units.end * dim]);
            self.bias[rows].copy_from_slice(&flat[part.hidden * dim..][part.units.clone()]);
        }
        self.packed.repack(&self.weight);
        self.pooled.clear();
        self.pooled.resize(utterances * self.rows(), 0.0);
        self.weight_gradient.fill(0.0);
        self.bias_gradient.fill(0.0);
    }

    /// The hidden layer of every frame of a slab.
    fn forward(&mut self, x: &[f32], slab: &[Piece]) {
        let (rows, dim) = (self.rows(), self.packed.inputs());
        let frames = x.len() / dim;
        self.z.resize(frames * rows, 0.0);
        let epilogue = Epilogue {
            bias: Some(&self.bias),
            activation: Activation::Relu,
            residual: None,
        };
        for piece in slab {
            let range = piece.start..piece.start + piece.frames.len();
            let frames = Rows::new(&x[range.start * dim..range.end * dim], range.len(), dim);
            let out = &mut self.z[range.start * rows..range.end * rows];
            linear(frames, &self.packed, &epilogue, out);
        }
    }

    /// Adds the hidden layer of a slab to the sums over frames.
    fn add_up(&mut self, slab: &[Piece]) {
        let rows = self.rows();
        let mut block_sum = vec![0f32; rows];
        for piece in slab {
            let z = &self.z[piece.start * rows..(piece.start + piece.frames.len()) * rows];
            let total = &mut self.pooled[piece.row * rows..(piece.row + 1) * rows];
            for block in z.chunks(BLOCK * rows) {
                block_sum.fill(0.0);
                for frame in block.chunks_exact(rows) {
                    add(&mut block_sum, frame);
                }
                add(total, &block_sum);
            }
        }
    }

    /// Replaces the sums over frames by the gradient that every frame's hidden layer receives.
    fn spread(&mut self, points: &[Pooled], batch: &Batch<'_>) {
        let rows = self.rows();
        for (row, to) in self.pooled.chunks_exact_mut(rows).enumerate() {
            let scale = 1.0 / batch.frames(row) as f32;
            for part in &self.parts {
                let from = &points[part.point].gradient[row * part.hidden..][part.units.clone()];
                for (to, from) in to[part.at..].iter_mut().zip(from) {
                    *to = from * scale;
                }
            }
        }
    }

    /// Adds the gradients of a slab, whose hidden layer is in `z`.
    fn backward(&mut self, x: &[f32], slab: &[Piece], dim: usize) {
        let rows = self.rows();
        for piece in slab {
            let z = &mut self.z[piece.start * rows..(piece.start + piece.frames.len()) * rows];
            let gradient = &self.pooled[piece.row * rows..(piece.row + 1) * rows];
            for frame in z.chunks_exact_mut(rows) {
                for ((z, &g), total) in frame.iter_mut().zip(gradient).zip(&mut self.bias_gradient)
                {
                    *z = if *z > 0.0 { g } else { 0.0 };
                    *total += *z;
                }
            }
        }
        let frames = x.len() / dim;
        matmul(
            MatRef::new(&self.z, frames, rows).transposed(),
            MatRef::new(x, frames, dim),
            true,
            &mut self.weight_gradient,
        );
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
