//! The paper's head, for all sweep points at once.
//!
//! The points read the same frames in the same order. Forty-eight frames at a time are converted to f32 in the second-level
//! cache and go through the hidden layers of all points; nothing is padded, and the hidden layer is reduced to what the
//! gradient needs: one bit per frame and unit. The mean over frames gives every frame of an utterance the same gradient, so the
//! weight gradient is a sum of those frames in which a unit was above zero, which [`GateTable`] adds up without
//! multiplications. The features need no gradient. Threads share pieces of utterances in the forward pass and columns in the
//! backward pass; these are independent, so the result is bit-identical for any number of threads.

use super::{Setup, Sizes, SmallGradients, Sweep, small_linear, small_linear_backward};
use crate::ProbeError;
use crate::batch::{BLOCK, Batch, Piece, finite};
use emobox_features::FrameData;
use emobox_kernels::{
    Epilogue, GATE_COLUMNS, Gate, GateTable, PackedLinear, Precision, Rows, linear, widen_f16,
};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

pub(super) struct Stack {
    dim: usize,
    classes: usize,
    points: Vec<Layer>,
    workers: Vec<Worker>,
    columns: Vec<Columns>,
    /// The current batch, slab by slab.
    chunks: Vec<Chunk>,
    /// Each slab's range of chunks.
    slabs: Vec<Range<usize>>,
    /// Frames of the current slab, `[frame, dim]`, if the source has no view of them.
    x: Vec<f32>,
}

/// The hidden layer of one point, and its values for a batch.
struct Layer {
    hidden: usize,
    packed: PackedLinear,
    /// Mean over frames of the hidden layer, `[utterance, hidden]`.
    mean: Vec<f32>,
    /// Number of frames above zero, `[utterance, hidden]`.
    count: Vec<f32>,
    /// The gradient of the hidden layer of each frame, `[utterance, hidden]`.
    gradient: Vec<f32>,
}

/// At most [`BLOCK`] frames of an utterance.
#[derive(Default)]
struct Chunk {
    piece: Piece,
    /// One per point.
    gates: Vec<Gate>,
    /// Sums over the frames and numbers of frames above zero, `[unit]`, point after point.
    total: Vec<f32>,
    count: Vec<f32>,
    problem: Option<ProbeError>,
}

/// Buffers of one thread.
#[derive(Default)]
struct Worker {
    x: Vec<f32>,
    z: Vec<f32>,
}

/// The weight gradients for some columns.
struct Columns {
    range: Range<usize>,
    table: GateTable,
    /// `[unit, GATE_COLUMNS]`, point after point.
    gradient: Vec<f32>,
}

impl Stack {
    pub(super) fn new(setup: &Setup<'_>) -> Self {
        let units: usize = setup.hidden.iter().sum();
        let layer = |&hidden: &usize| Layer {
            hidden,
            packed: PackedLinear::new(
                &vec![0.0; hidden * setup.dim],
                hidden,
                setup.dim,
                Precision::F32,
            ),
            mean: Vec::new(),
            count: Vec::new(),
            gradient: Vec::new(),
        };
        let columns = (0..setup.dim).step_by(GATE_COLUMNS).map(|from| Columns {
            range: from..setup.dim.min(from + GATE_COLUMNS),
            table: GateTable::default(),
            gradient: vec![0.0; units * GATE_COLUMNS],
        });
        Self {
            dim: setup.dim,
            classes: setup.classes,
            points: setup.hidden.iter().map(layer).collect(),
            workers: (0..setup.team.size()).map(|_| Worker::default()).collect(),
            columns: columns.collect(),
            chunks: Vec::new(),
            slabs: Vec::new(),
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

    /// Cuts the slabs of a batch into chunks, counted from each utterance's first frame.
    fn cut(&mut self, slabs: &[Vec<Piece>]) {
        let mut used = 0;
        self.slabs.clear();
        for slab in slabs {
            let first = used;
            for piece in slab {
                for from in piece.frames.clone().step_by(BLOCK) {
                    if used == self.chunks.len() {
                        self.chunks.push(Chunk::default());
                    }
                    self.chunks[used].piece = Piece {
                        row: piece.row,
                        frames: from..piece.frames.end.min(from + BLOCK),
                        start: piece.start + from - piece.frames.start,
                    };
                    used += 1;
                }
            }
            self.slabs.push(first..used);
        }
    }

    /// Combines the chunks into means over frames.
    fn pool(&mut self, batch: &Batch<'_>) {
        let mut first = 0;
        let used = self.slabs.last().map_or(0, |slab| slab.end);
        for point in &mut self.points {
            let hidden = point.hidden;
            for numbers in [&mut point.mean, &mut point.count] {
                numbers.clear();
                numbers.resize(batch.rows.len() * hidden, 0.0);
            }
            for chunk in &self.chunks[..used] {
                let row = chunk.piece.row * hidden..(chunk.piece.row + 1) * hidden;
                add(
                    &mut point.mean[row.clone()],
                    &chunk.total[first..first + hidden],
                );
                add(&mut point.count[row], &chunk.count[first..first + hidden]);
            }
            for (row, mean) in point.mean.chunks_exact_mut(hidden).enumerate() {
                let scale = 1.0 / batch.frames(row) as f32;
                mean.iter_mut().for_each(|x| *x *= scale);
            }
            first += hidden;
        }
    }
}

/// Ranges of the four tensors in a point's flat weights.
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
        let dim = self.dim;
        let mut points: Vec<_> = self.points.iter_mut().zip(weights).collect();
        batch.team.each(&mut points, |(point, weights)| {
            point.packed.repack(&weights[..point.hidden * dim]);
        });
        let slabs = batch.slabs();
        self.cut(&slabs);
        for (slab, range) in slabs.iter().zip(&self.slabs) {
            load(batch, slab, &mut self.x)?;
            let (x, points) = (&self.x, &self.points);
            let queue = Mutex::new(self.chunks[range.clone()].iter_mut());
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            batch.team.each(&mut self.workers, |worker| {
                while let Some(chunk) = next() {
                    worker.forward(batch, x, points, weights, chunk);
                }
            });
            for chunk in &mut self.chunks[range.clone()] {
                chunk.problem.take().map_or(Ok(()), Err)?;
            }
        }
        self.pool(batch);
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
            let [_, hidden_bias, weight, _] = offsets(&self.sizes(index));
            let point = &mut self.points[index];
            gradient[hidden_bias.start..].fill(0.0);
            let (bias_gradient, rest) = gradient[hidden_bias.start..].split_at_mut(point.hidden);
            let (weight_gradient, output_bias) = rest.split_at_mut(weight.len());
            let into = SmallGradients {
                weight: weight_gradient,
                bias: output_bias,
                input: &mut point.gradient,
            };
            small_linear_backward(&point.mean, &weights[index][weight], &logits[index], into);
            let rows = point.gradient.chunks_exact_mut(point.hidden);
            for (row, (g, count)) in rows.zip(point.count.chunks_exact(point.hidden)).enumerate() {
                let scale = 1.0 / batch.frames(row) as f32;
                for ((g, count), total) in g.iter_mut().zip(count).zip(&mut *bias_gradient) {
                    *g *= scale;
                    *total += *g * count;
                }
            }
        }
        let (dim, slabs) = (self.dim, batch.slabs());
        for (number, (slab, range)) in slabs.iter().zip(&self.slabs).enumerate() {
            if slabs.len() > 1 {
                // The slab in memory is the last one; the others are read again.
                load(batch, slab, &mut self.x)?;
            }
            let (x, points, chunks) = (&self.x, &self.points, &self.chunks[range.clone()]);
            batch.team.each(&mut self.columns, |columns| {
                if number == 0 {
                    columns.gradient.fill(0.0);
                }
                for chunk in chunks {
                    columns.add(frames(batch, x, dim, &chunk.piece), dim, points, chunk);
                }
            });
        }
        let mut first = 0;
        let mut parts = Vec::new();
        for (point, gradient) in self.points.iter().zip(gradients) {
            parts.push((first * GATE_COLUMNS, &mut gradient[..point.hidden * dim]));
            first += point.hidden;
        }
        let columns = &self.columns;
        batch.team.each(&mut parts, |(first, gradient)| {
            for (unit, row) in gradient.chunks_exact_mut(dim).enumerate() {
                for part in columns {
                    let from = *first + unit * GATE_COLUMNS;
                    let values = &part.gradient[from..from + part.range.len()];
                    row[part.range.clone()].copy_from_slice(values);
                }
            }
        });
        Ok(())
    }
}

/// Reads a slab into `x` unless the source has views of its utterances.
fn load(batch: &Batch<'_>, slab: &[Piece], x: &mut Vec<f32>) -> Result<(), ProbeError> {
    if slab.iter().all(|piece| batch.view(piece).is_some()) {
        x.clear();
        return Ok(());
    }
    batch.load(slab, 0, x)
}

/// The frames of a piece: a view, or from the current slab.
fn frames<'f>(batch: &Batch<'f>, x: &'f [f32], dim: usize, piece: &Piece) -> FrameData<'f> {
    match batch.view(piece) {
        Some(view) if x.is_empty() => view.data,
        _ => FrameData::F32(&x[piece.start * dim..(piece.start + piece.frames.len()) * dim]),
    }
}

impl Worker {
    /// The hidden layers of a chunk, of which only the sums and the gates are kept.
    fn forward(
        &mut self,
        batch: &Batch<'_>,
        slab: &[f32],
        points: &[Layer],
        weights: &[&[f32]],
        chunk: &mut Chunk,
    ) {
        let dim = batch.source.dim();
        let count = chunk.piece.frames.len();
        let x = match frames(batch, slab, dim, &chunk.piece) {
            FrameData::F32(x) => x,
            FrameData::F16(narrow) => {
                self.x.resize(narrow.len(), 0.0);
                widen_f16(narrow, &mut self.x);
                &self.x
            }
        };
        if batch.check && slab.is_empty() {
            let item = &batch.items[batch.rows[chunk.piece.row]];
            chunk.problem = finite(item, &chunk.piece, x, dim).err();
        }
        let units = points.iter().map(|point| point.hidden).sum();
        chunk.gates.resize_with(points.len(), Gate::default);
        chunk.total.resize(units, 0.0);
        chunk.count.resize(units, 0.0);
        let mut first = 0;
        for ((point, weights), gate) in points.iter().zip(weights).zip(&mut chunk.gates) {
            let hidden = point.hidden;
            self.z.resize(count * hidden, 0.0);
            let epilogue = Epilogue {
                bias: Some(&weights[hidden * dim..][..hidden]),
                ..Epilogue::default()
            };
            linear(
                Rows::new(x, count, dim),
                &point.packed,
                &epilogue,
                &mut self.z,
            );
            let units = first..first + hidden;
            let total = &mut chunk.total[units.clone()];
            gate.read(&self.z, count, total, &mut chunk.count[units]);
            first += hidden;
        }
    }
}

impl Columns {
    /// Adds the weight gradients of a chunk.
    fn add(&mut self, x: FrameData<'_>, dim: usize, points: &[Layer], chunk: &Chunk) {
        let (rows, from, cols) = (chunk.piece.frames.len(), self.range.start, self.range.len());
        match x {
            FrameData::F16(x) => self.table.fill(columns_of(&x[from..], rows, cols, dim)),
            FrameData::F32(x) => self.table.fill(columns_of(&x[from..], rows, cols, dim)),
        }
        let mut rest = self.gradient.as_mut_slice();
        for (point, gate) in points.iter().zip(&chunk.gates) {
            let (mine, others) = rest.split_at_mut(point.hidden * GATE_COLUMNS);
            rest = others;
            let row = chunk.piece.row * point.hidden;
            self.table
                .add(gate, &point.gradient[row..row + point.hidden], mine);
        }
    }
}

fn columns_of<T>(data: &[T], rows: usize, cols: usize, stride: usize) -> Rows<'_, T> {
    Rows {
        data,
        rows,
        cols,
        stride,
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
