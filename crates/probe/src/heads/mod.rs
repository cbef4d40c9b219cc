//! The heads, by name. A head is one file here and one line in [`all`].

mod attentive;
mod linear;
mod linear_relu_mean;
mod machine;
mod mean;
mod statistics;
#[cfg(test)]
mod tests;

use crate::ProbeError;
use crate::batch::Batch;
use crate::random::{Purpose, stream, uniform};
use crate::team::Team;
pub(crate) use machine::Pooling;
pub(crate) use statistics::VARIANCE_FLOOR;

/// The paper's head.
pub const DEFAULT: &str = "linear-relu-mean-linear";

/// A kind of probe: an optional hidden layer with ReLU on every frame, a pooling over frames, and a linear output layer.
#[derive(Debug)]
pub struct Head {
    /// The name in protocols and options.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// Whether there is a hidden layer, so that hidden sizes apply.
    pub has_hidden: bool,
    /// Maximum learning rates of its sweep.
    pub learning_rates: [f64; 2],
    pub(crate) pooling: fn() -> Box<dyn Pooling>,
    /// A way to train all points together, for one layer of features.
    pub(crate) fused: Option<Fused>,
    /// Its pooling on a GPU.
    pub(crate) on_card: emobox_gpu::Pooling,
}

/// Builds the implementation that trains a whole sweep.
pub(crate) type Fused = fn(&Setup<'_>) -> Box<dyn Sweep>;

/// All heads.
pub fn all() -> &'static [Head] {
    &[mean::HEAD, statistics::HEAD, attentive::HEAD, linear::HEAD]
}

/// The head of that name.
pub fn find(name: &str) -> Result<&'static Head, ProbeError> {
    let unknown = || ProbeError::UnknownHead {
        name: name.to_owned(),
        known: all().iter().map(|h| h.name).collect::<Vec<_>>().join(", "),
    };
    all().iter().find(|h| h.name == name).ok_or_else(unknown)
}

/// What determines the tensors' shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Layers of features; several are summed with learned weights.
    pub layers: usize,
    /// The width of a frame.
    pub dim: usize,
    /// The width of the hidden layer, where there is one.
    pub hidden: usize,
    /// The number of classes.
    pub classes: usize,
}

/// A tensor of a head: PyTorch's layout, weights as `[out, in]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in a saved probe.
    pub name: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Initial values are uniform within ±1/√fan_in, PyTorch's default for linear layers; with 0 they are zero.
    pub fan_in: usize,
}

impl Tensor {
    pub(crate) fn new(name: &'static str, shape: &[usize], fan_in: usize) -> Self {
        Self {
            name,
            shape: shape.to_vec(),
            fan_in,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Head {
    /// The head's tensors, in the order of its flat weights.
    pub fn layout(&self, sizes: &Sizes) -> Vec<Tensor> {
        let &Sizes {
            layers,
            dim,
            hidden,
            classes,
        } = sizes;
        let mut tensors = Vec::new();
        if layers > 1 {
            tensors.push(Tensor::new("layers.weight", &[layers], 0));
        }
        let width = if self.has_hidden {
            tensors.push(Tensor::new("hidden.weight", &[hidden, dim], dim));
            tensors.push(Tensor::new("hidden.bias", &[hidden], dim));
            hidden
        } else {
            dim
        };
        let pooling = (self.pooling)();
        tensors.extend(pooling.tensors(width));
        let pooled = pooling.width(width);
        tensors.push(Tensor::new("output.weight", &[classes, pooled], pooled));
        tensors.push(Tensor::new("output.bias", &[classes], pooled));
        tensors
    }

    /// Number of parameters of a head of these sizes.
    pub fn parameters(&self, sizes: &Sizes) -> usize {
        self.layout(sizes).iter().map(Tensor::len).sum()
    }

    /// Initial values, all tensors one after the other. They depend only on the sizes and the seed.
    pub fn initial(&self, sizes: &Sizes, seed: u64) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.parameters(sizes));
        for (tensor, number) in self.layout(sizes).iter().zip(0..) {
            let bound = match tensor.fan_in {
                0 => 0.0,
                fan_in => 1.0 / (fan_in as f32).sqrt(),
            };
            let mut rng = stream(seed, Purpose::Tensor(number));
            values.extend((0..tensor.len()).map(|_| uniform(&mut rng, bound)));
        }
        values
    }

    pub(crate) fn sweep(&self, setup: &Setup<'_>) -> Box<dyn Sweep> {
        match self.fused {
            Some(fused) if setup.layers == 1 => fused(setup),
            _ => Box::new(machine::Machines::new(self, setup)),
        }
    }
}

/// The input for building a sweep of one head.
pub(crate) struct Setup<'a> {
    pub(crate) layers: usize,
    pub(crate) dim: usize,
    pub(crate) classes: usize,
    /// The hidden size of every point.
    pub(crate) hidden: &'a [usize],
    pub(crate) team: &'a Team,
}

/// All sweep points of one head, trained on the same batches.
///
/// The values of a point must not depend, to the bit, on which other points are in the sweep, on the
/// number of threads, or (for logits) on the other utterances of the batch.
pub(crate) trait Sweep: Send {
    /// Writes the logits `[utterance, class]` of every point.
    fn forward(
        &mut self,
        weights: &[&[f32]],
        batch: &Batch<'_>,
        logits: &mut [Vec<f32>],
    ) -> Result<(), ProbeError>;

    /// Writes the gradient of every point's weights, from that of the logits of the last forward pass.
    fn backward(
        &mut self,
        weights: &[&[f32]],
        batch: &Batch<'_>,
        logits: &[Vec<f32>],
        gradients: &mut [Vec<f32>],
    ) -> Result<(), ProbeError>;
}

/// `out[r] = weight · x[r] + bias`, for the small last layer: `[rows, inputs]` to `[rows, outputs]`.
pub(crate) fn small_linear(x: &[f32], weight: &[f32], bias: &[f32], out: &mut Vec<f32>) {
    let outputs = bias.len();
    let inputs = weight.len() / outputs;
    out.clear();
    for row in x.chunks_exact(inputs) {
        for (unit, &level) in weight.chunks_exact(inputs).zip(bias) {
            out.push(dot(row, unit) + level);
        }
    }
}

/// The gradients of [`small_linear`]: with respect to the weights and bias (added to `weight_gradient` and `bias_gradient`) and
/// to its input (written to `input_gradient`).
pub(crate) fn small_linear_backward(
    x: &[f32],
    weight: &[f32],
    out_gradient: &[f32],
    into: SmallGradients<'_>,
) {
    let SmallGradients {
        weight: weight_gradient,
        bias: bias_gradient,
        input: input_gradient,
    } = into;
    let outputs = bias_gradient.len();
    let inputs = weight.len() / outputs;
    input_gradient.clear();
    input_gradient.resize(x.len(), 0.0);
    let rows = x
        .chunks_exact(inputs)
        .zip(out_gradient.chunks_exact(outputs));
    for ((row, out), to) in rows.zip(input_gradient.chunks_exact_mut(inputs)) {
        for (class, &g) in out.iter().enumerate() {
            bias_gradient[class] += g;
            let unit = class * inputs..(class + 1) * inputs;
            for (total, &x) in weight_gradient[unit.clone()].iter_mut().zip(row) {
                *total += g * x;
            }
            for (total, &w) in to.iter_mut().zip(&weight[unit]) {
                *total += g * w;
            }
        }
    }
}

/// Where [`small_linear_backward`] writes.
pub(crate) struct SmallGradients<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) bias: &'a mut [f32],
    pub(crate) input: &'a mut Vec<f32>,
}

/// With eight running sums: faster than one, and more accurate.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}
