//! Any device, with its operations timed.

use super::{
    Activation, Attend, ConvShape, ConvWeights, FirstWeights, Framing, GateWeights, LinearWeights,
    NormWeights, OpResult, Ops, Piece, Prepare,
};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time spent in one kind of operation since the encoder was opened, over all threads.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct OpTiming {
    /// The operation: `linear`, `conv`, `grouped conv`, `attention`, `norm`, …
    pub operation: &'static str,
    /// Number of calls.
    pub calls: u64,
    /// Wall-clock seconds, summed over threads.
    pub seconds: f64,
    /// Floating-point operations of its products (two per multiply-add); 0 if it has none.
    pub flops: f64,
}

/// The sums over all operations so far, shared with the encoder that reports them.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Vec<OpTiming>>);

impl Tally {
    fn add(&self, operation: &'static str, time: Duration, flops: f64) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match rows.iter().position(|row| row.operation == operation) {
            Some(at) => at,
            None => {
                rows.push(OpTiming {
                    operation,
                    ..OpTiming::default()
                });
                rows.len() - 1
            }
        };
        let row = &mut rows[at];
        row.calls += 1;
        row.seconds += time.as_secs_f64();
        row.flops += flops;
    }

    /// The sums, the slowest operation first.
    pub(crate) fn rows(&self) -> Vec<OpTiming> {
        let mut rows = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        rows
    }
}

/// A device with timing. Its results are exactly those of the device.
pub(crate) struct Timed<D> {
    device: D,
    tally: Arc<Tally>,
}

impl<D> Timed<D> {
    pub(crate) fn new(device: D, tally: Arc<Tally>) -> Self {
        Self { device, tally }
    }
}

impl<D: Ops> Timed<D> {
    fn timed<T>(
        &self,
        operation: &'static str,
        flops: f64,
        run: impl FnOnce(&D) -> OpResult<T>,
    ) -> OpResult<T> {
        let start = Instant::now();
        let result = run(&self.device).and_then(|result| self.device.settle().map(|()| result));
        self.tally.add(operation, start.elapsed(), flops);
        result
    }
}

impl<D: Prepare> Prepare for Timed<D> {
    /// With the number of floating-point operations per row.
    type Linear = (D::Linear, f64);
    type Conv = (D::Conv, ConvShape);
    type First = (D::First, ConvShape);
    type Norm = D::Norm;
    type Gate = D::Gate;
    type Tensor = D::Tensor;

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<Self::Linear> {
        let flops = 2.0 * weights.out as f64 * weights.inp as f64;
        Ok((self.device.linear_weights(weights)?, flops))
    }

    fn conv_weights(&self, weights: ConvWeights) -> OpResult<Self::Conv> {
        let shape = weights.shape;
        Ok((self.device.conv_weights(weights)?, shape))
    }

    fn attention_shape(&self, dim: usize, heads: usize) -> OpResult<()> {
        self.device.attention_shape(dim, heads)
    }

    fn first_weights(&self, weights: FirstWeights) -> OpResult<Self::First> {
        let shape = weights.shape;
        Ok((self.device.first_weights(weights)?, shape))
    }

    fn norm_weights(&self, weights: NormWeights) -> OpResult<Self::Norm> {
        self.device.norm_weights(weights)
    }

    fn gate_weights(&self, weights: GateWeights) -> OpResult<Self::Gate> {
        self.device.gate_weights(weights)
    }

    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Self::Tensor> {
        self.device.upload(values, columns)
    }
}

impl<D: Ops> Ops for Timed<D> {
    type Signals = (D::Signals, Framing);
    type Folded = D::Folded;

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }

    fn front_end_frames(&self) -> usize {
        self.device.front_end_frames()
    }

    fn signals(&self, signals: Vec<Arc<Vec<f32>>>, framing: Framing) -> OpResult<Self::Signals> {
        let signals = self.timed("upload", 0.0, |device| device.signals(signals, framing))?;
        Ok((signals, framing))
    }

    fn fold(
        &self,
        (signals, _): &Self::Signals,
        (weights, _): &Self::First,
    ) -> OpResult<Option<Self::Folded>> {
        self.timed("fold", 0.0, |device| device.fold(signals, weights))
    }

    fn first(
        &self,
        (signals, framing): &Self::Signals,
        (weights, shape): &Self::First,
        folded: Option<&Self::Folded>,
        pieces: &[Piece],
        activation: Activation,
    ) -> OpResult<Self::Tensor> {
        let rows = |piece: &Piece| shape.frames((piece.frames - 1) * framing.hop + framing.reach);
        let rows: usize = pieces.iter().map(rows).sum();
        let flops = 2.0 * shape.kernel as f64 * (rows * shape.outputs) as f64;
        self.timed("first conv", flops, |device| {
            device.first(signals, weights, folded, pieces, activation)
        })
    }

    fn join(&self, parts: &[Self::Tensor], lengths: &[usize]) -> OpResult<Self::Tensor> {
        self.timed("copy", 0.0, |device| device.join(parts, lengths))
    }

    fn stack(&self, utterances: &[Arc<Vec<f32>>], columns: usize) -> OpResult<Self::Tensor> {
        self.timed("upload", 0.0, |device| device.stack(utterances, columns))
    }

    fn lengths(&self, x: &Self::Tensor) -> Vec<usize> {
        self.device.lengths(x)
    }

    fn columns(&self, x: &Self::Tensor) -> usize {
        self.device.columns(x)
    }

    fn download(&self, x: &Self::Tensor, skip: usize, counts: &[usize]) -> OpResult<Vec<Vec<f32>>> {
        self.timed("download", 0.0, |device| device.download(x, skip, counts))
    }

    fn first_rows(&self, x: &Self::Tensor, counts: &[usize]) -> OpResult<Self::Tensor> {
        self.timed("copy", 0.0, |device| device.first_rows(x, counts))
    }

    fn prepend(&self, rows: &Self::Tensor, x: &Self::Tensor) -> OpResult<Self::Tensor> {
        self.timed("copy", 0.0, |device| device.prepend(rows, x))
    }

    fn add(&self, x: Self::Tensor, y: &Self::Tensor) -> OpResult<Self::Tensor> {
        self.timed("add", 0.0, |device| device.add(x, y))
    }

    fn linear(
        &self,
        x: &Self::Tensor,
        (weights, flops): &Self::Linear,
        activation: Activation,
        residual: Option<&Self::Tensor>,
    ) -> OpResult<Self::Tensor> {
        let flops = flops * self.lengths(x).iter().sum::<usize>() as f64;
        self.timed("linear", flops, |device| {
            device.linear(x, weights, activation, residual)
        })
    }

    fn conv(
        &self,
        x: &Self::Tensor,
        (weights, shape): &Self::Conv,
        activation: Activation,
    ) -> OpResult<Self::Tensor> {
        let operation = match shape.groups {
            1 => "conv",
            _ => "grouped conv",
        };
        let window = shape.inputs / shape.groups * shape.kernel;
        let rows: usize = self
            .lengths(x)
            .into_iter()
            .map(|rows| shape.frames(rows))
            .sum();
        let outputs = rows * shape.outputs;
        let flops = 2.0 * window as f64 * outputs as f64;
        self.timed(operation, flops, |device| {
            device.conv(x, weights, activation)
        })
    }

    fn norm_rows(
        &self,
        x: Self::Tensor,
        weights: &Self::Norm,
        activation: Activation,
    ) -> OpResult<Self::Tensor> {
        self.timed("norm", 0.0, |device| {
            device.norm_rows(x, weights, activation)
        })
    }

    fn scale_shift(&self, x: Self::Tensor, weights: &Self::Norm) -> OpResult<Self::Tensor> {
        self.timed("norm", 0.0, |device| device.scale_shift(x, weights))
    }

    fn attention(&self, attend: &Attend<'_, Self::Tensor>) -> OpResult<Self::Tensor> {
        let lengths = self
            .lengths(attend.query)
            .into_iter()
            .zip(self.lengths(attend.key_value));
        let pairs: f64 = lengths
            .map(|(queries, keys)| queries as f64 * keys as f64)
            .sum();
        let flops = 4.0 * pairs * self.columns(attend.query) as f64;
        self.timed("attention", flops, |device| device.attention(attend))
    }

    fn glu(&self, x: &Self::Tensor) -> OpResult<Self::Tensor> {
        self.timed("gate", 0.0, |device| device.glu(x))
    }

    fn rotate(&self, x: &Self::Tensor, angles: &Self::Tensor) -> OpResult<Self::Tensor> {
        self.timed("rotate", 0.0, |device| device.rotate(x, angles))
    }

    fn beside(&self, x: &Self::Tensor, y: &Self::Tensor) -> OpResult<Self::Tensor> {
        self.timed("copy", 0.0, |device| device.beside(x, y))
    }

    fn gate(&self, x: &Self::Tensor, weights: &Self::Gate) -> OpResult<Self::Tensor> {
        self.timed("gate", 0.0, |device| device.gate(x, weights))
    }
}
