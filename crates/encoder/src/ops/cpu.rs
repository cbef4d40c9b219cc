//! The CPU: packed weights and fused operations of `emobox_kernels`, one utterance per thread.

use super::distances::Distances;
use super::{
    Activation, Attend, Bias, ConvWeights, FirstWeights, Framing, GateWeights, LinearWeights,
    NormWeights, OpResult, Ops, Piece, Prepare,
};
use emobox_kernels::{
    Affine, Attention, AttentionBias, Conv1d, Epilogue, MatRef, PackedLinear, Precision, Rows,
    attention, conv1d, gelu, layer_norm, linear, matmul, relu, silu, softmax_rows,
};
use std::sync::Arc;

/// The CPU, with products in a given precision.
pub(crate) struct Cpu {
    pub(crate) precision: Precision,
}

/// `[row, column]` in main memory.
#[derive(Clone)]
pub(crate) struct Plane {
    values: Vec<f32>,
    columns: usize,
}

impl Plane {
    fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            values: vec![0.0; rows * columns],
            columns,
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// `width` columns, starting at column `from`.
    fn columns(&self, from: usize, width: usize) -> Rows<'_> {
        Rows {
            data: &self.values[from..],
            rows: self.rows(),
            cols: width,
            stride: self.columns,
        }
    }
}

pub(crate) struct CpuLinear {
    weight: PackedLinear,
    bias: Option<Vec<f32>>,
}

pub(crate) struct CpuConv {
    conv: Conv1d,
    bias: Option<Vec<f32>>,
}

/// The convolution of the waveform.
pub(crate) enum CpuFirst {
    Plain(CpuConv),
    /// With a norm whose statistics are those of the utterance.
    Normed(FirstWeights),
}

/// The one waveform of a call.
pub(crate) struct Signal {
    samples: Arc<Vec<f32>>,
    framing: Framing,
}

/// The only element: the CPU processes one utterance at a time.
fn only<T>(all: &[T]) -> &T {
    match all {
        [one] => one,
        _ => panic!("{} utterances at once on the CPU", all.len()),
    }
}

impl Prepare for Cpu {
    type Linear = CpuLinear;
    type Conv = CpuConv;
    type First = CpuFirst;
    type Norm = NormWeights;
    type Gate = GateWeights;
    type Tensor = Plane;

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<CpuLinear> {
        let LinearWeights {
            out,
            inp,
            weight,
            bias,
            ..
        } = weights;
        Ok(CpuLinear {
            weight: PackedLinear::new(&weight, out, inp, self.precision),
            bias,
        })
    }

    fn conv_weights(&self, weights: ConvWeights) -> OpResult<CpuConv> {
        let ConvWeights {
            shape,
            weight,
            bias,
            ..
        } = weights;
        // The first convolution reads the waveform itself and has ten products per output: rounding it would not save time, and
        // would affect all that follows.
        let precision = if shape.inputs == 1 {
            Precision::F32
        } else {
            self.precision
        };
        Ok(CpuConv {
            conv: Conv1d::new(&weight, shape, precision),
            bias,
        })
    }

    fn first_weights(&self, weights: FirstWeights) -> OpResult<CpuFirst> {
        Ok(match weights.norm {
            Some(_) => CpuFirst::Normed(weights),
            None => CpuFirst::Plain(self.conv_weights(weights.plain())?),
        })
    }

    fn norm_weights(&self, weights: NormWeights) -> OpResult<NormWeights> {
        Ok(weights)
    }

    fn gate_weights(&self, weights: GateWeights) -> OpResult<GateWeights> {
        Ok(weights)
    }

    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Plane> {
        Ok(Plane { values, columns })
    }
}

impl Ops for Cpu {
    type Signals = Signal;
    type Folded = CpuConv;

    fn batch_frames(&self) -> Option<usize> {
        None
    }

    fn front_end_frames(&self) -> usize {
        FRONT_END_FRAMES
    }

    fn signals(&self, mut signals: Vec<Arc<Vec<f32>>>, framing: Framing) -> OpResult<Signal> {
        only(&signals);
        let samples = signals.swap_remove(0);
        Ok(Signal { samples, framing })
    }

    fn fold(&self, signal: &Signal, weights: &CpuFirst) -> OpResult<Option<CpuConv>> {
        match weights {
            CpuFirst::Plain(_) => Ok(None),
            CpuFirst::Normed(weights) => {
                let folded = weights.for_utterance(&signal.samples);
                folded.map(|folded| self.conv_weights(folded)).transpose()
            }
        }
    }

    fn first(
        &self,
        signal: &Signal,
        weights: &CpuFirst,
        folded: Option<&CpuConv>,
        pieces: &[Piece],
        activation: Activation,
    ) -> OpResult<Plane> {
        let &Piece { start, frames, .. } = only(pieces);
        let Framing { hop, reach } = signal.framing;
        let seen = &signal.samples[start * hop..(start + frames - 1) * hop + reach];
        let x = Plane {
            values: seen.to_vec(),
            columns: 1,
        };
        match (weights, folded) {
            (CpuFirst::Plain(conv), _) | (CpuFirst::Normed(_), Some(conv)) => {
                self.conv(&x, conv, activation)
            }
            (CpuFirst::Normed(_), None) => panic!("a norm over the utterance that was not folded"),
        }
    }

    fn join(&self, parts: &[Plane], lengths: &[usize]) -> OpResult<Plane> {
        only(lengths);
        let values: Vec<&[f32]> = parts.iter().map(|part| part.values.as_slice()).collect();
        Ok(Plane {
            values: values.concat(),
            columns: parts[0].columns,
        })
    }

    fn stack(&self, utterances: &[Arc<Vec<f32>>], columns: usize) -> OpResult<Plane> {
        let values = only(utterances).to_vec();
        Ok(Plane { values, columns })
    }

    fn lengths(&self, x: &Plane) -> Vec<usize> {
        vec![x.rows()]
    }

    fn columns(&self, x: &Plane) -> usize {
        x.columns
    }

    fn download(&self, x: &Plane, skip: usize, counts: &[usize]) -> OpResult<Vec<Vec<f32>>> {
        let rows = skip..skip + only(counts);
        Ok(vec![
            x.values[rows.start * x.columns..rows.end * x.columns].to_vec(),
        ])
    }

    fn first_rows(&self, x: &Plane, counts: &[usize]) -> OpResult<Plane> {
        Ok(Plane {
            values: x.values[..only(counts) * x.columns].to_vec(),
            columns: x.columns,
        })
    }

    fn prepend(&self, rows: &Plane, x: &Plane) -> OpResult<Plane> {
        Ok(Plane {
            values: [rows.values.as_slice(), &x.values].concat(),
            columns: x.columns,
        })
    }

    fn add(&self, mut x: Plane, y: &Plane) -> OpResult<Plane> {
        for (a, b) in x.values.iter_mut().zip(&y.values) {
            *a += b;
        }
        Ok(x)
    }

    fn linear(
        &self,
        x: &Plane,
        weights: &CpuLinear,
        activation: Activation,
        residual: Option<&Plane>,
    ) -> OpResult<Plane> {
        let mut out = Plane::zeros(x.rows(), weights.weight.outputs());
        let epilogue = Epilogue {
            bias: weights.bias.as_deref(),
            activation,
            residual: residual.map(|plane| plane.values.as_slice()),
        };
        linear(
            x.columns(0, x.columns),
            &weights.weight,
            &epilogue,
            &mut out.values,
        );
        Ok(out)
    }

    fn conv(&self, x: &Plane, weights: &CpuConv, activation: Activation) -> OpResult<Plane> {
        let shape = weights.conv.shape();
        let mut out = Plane::zeros(shape.frames(x.rows()), shape.outputs);
        let epilogue = Epilogue {
            bias: weights.bias.as_deref(),
            activation,
            residual: None,
        };
        conv1d(&x.values, &weights.conv, &epilogue, &mut out.values);
        Ok(out)
    }

    fn norm_rows(
        &self,
        mut x: Plane,
        weights: &NormWeights,
        activation: Activation,
    ) -> OpResult<Plane> {
        layer_norm(&mut x.values, x.columns, affine(weights), weights.eps);
        activate(&mut x, activation);
        Ok(x)
    }

    fn scale_shift(&self, mut x: Plane, weights: &NormWeights) -> OpResult<Plane> {
        if let Some((scale, shift)) = &weights.affine {
            for row in x.values.chunks_exact_mut(x.columns) {
                for ((v, a), b) in row.iter_mut().zip(scale).zip(shift) {
                    *v = *v * a + b;
                }
            }
        }
        Ok(x)
    }

    fn attention(&self, attend: &Attend<'_, Plane>) -> OpResult<Plane> {
        let &Attend {
            query,
            key_value,
            heads,
            ref bias,
        } = attend;
        let dim = query.columns;
        let frames = key_value.rows();
        let bias = match bias {
            Bias::None => AttentionBias::None,
            Bias::Relative { table, gate } => AttentionBias::Relative {
                gate: &gate.values,
                table: &table.values,
                span: frames,
            },
            Bias::Distances {
                table,
                keys,
                offsets,
                before,
            } => {
                let distances = Distances {
                    query: &query.values,
                    key_value: &key_value.values,
                    heads,
                    dim,
                    scale: scale(dim / heads),
                    table: &table.values,
                    keys: keys.map(|plane| plane.values.as_slice()),
                    offsets: offsets.map(|plane| plane.values.as_slice()),
                    before: *before,
                };
                return Ok(Plane {
                    values: distances.attention(),
                    columns: dim,
                });
            }
            Bias::Alibi { scales, tokens: 0 } => AttentionBias::Alibi { scales },
            Bias::Alibi { scales, tokens } => return Ok(attention_after(attend, scales, *tokens)),
        };
        let mut out = Plane::zeros(query.rows(), dim);
        let attention_of = Attention {
            query: query.columns(0, dim),
            key: key_value.columns(0, dim),
            value: key_value.columns(dim, dim),
            heads,
            scale: scale(dim / heads),
            bias,
            key_count: frames,
            precision: self.precision,
        };
        attention(&attention_of, &mut out.values);
        Ok(out)
    }

    fn glu(&self, x: &Plane) -> OpResult<Plane> {
        let columns = x.columns / 2;
        let mut out = Plane::zeros(x.rows(), columns);
        let rows = x.values.chunks_exact(x.columns);
        for (row, out) in rows.zip(out.values.chunks_exact_mut(columns)) {
            let (values, gates) = row.split_at(columns);
            for ((out, value), &gate) in out.iter_mut().zip(values).zip(gates) {
                *out = value * sigmoid(gate);
            }
        }
        Ok(out)
    }

    fn rotate(&self, x: &Plane, angles: &Plane) -> OpResult<Plane> {
        let mut out = x.clone();
        let rows = out.values.chunks_exact_mut(x.columns);
        for (row, angles) in rows.zip(angles.values.chunks_exact(angles.columns)) {
            let (cosines, sines) = angles.split_at(angles.len() / 2);
            for head in row.chunks_exact_mut(angles.len()) {
                let (first, second) = head.split_at_mut(angles.len() / 2);
                let both = first.iter_mut().zip(second);
                for ((a, b), (cosine, sine)) in both.zip(cosines.iter().zip(sines)) {
                    (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                }
            }
        }
        Ok(out)
    }

    fn beside(&self, x: &Plane, y: &Plane) -> OpResult<Plane> {
        let rows = x.values.chunks_exact(x.columns);
        let rows = rows.zip(y.values.chunks_exact(y.columns));
        Ok(Plane {
            values: rows.flat_map(|(a, b)| [a, b]).flatten().copied().collect(),
            columns: x.columns + y.columns,
        })
    }

    fn gate(&self, x: &Plane, weights: &GateWeights) -> OpResult<Plane> {
        let heads = weights.constant.len();
        let frames = x.rows();
        let dim = x.columns / heads;
        let (first, second) = weights.weight.split_at(dim);
        let mut gate = Plane::zeros(heads, frames);
        for (frame, row) in x.values.chunks_exact(x.columns).enumerate() {
            for (head, part) in row.chunks_exact(dim).enumerate() {
                let a = sigmoid(dot(part, first) + weights.bias[0]);
                let b = sigmoid(dot(part, second) + weights.bias[1]);
                gate.values[head * frames + frame] = a * (b * weights.constant[head] - 1.0) + 2.0;
            }
        }
        Ok(gate)
    }
}

fn affine(weights: &NormWeights) -> Option<Affine<'_>> {
    weights
        .affine
        .as_ref()
        .map(|(weight, bias)| Affine { weight, bias })
}

fn activate(x: &mut Plane, activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Relu => relu(&mut x.values),
        Activation::Gelu => gelu(&mut x.values),
        Activation::Silu => silu(&mut x.values),
    }
}

fn scale(head_dim: usize) -> f32 {
    (1.0 / (head_dim as f64).sqrt()) as f32
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn dot(x: &[f32], y: &[f32]) -> f32 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// 1.3 s of audio: the widest intermediate, 4096 rows of 512 channels, stays in the last-level cache.
const FRONT_END_FRAMES: usize = 64;
/// Queries whose scores are in memory at once: 64 × 1500 scores stay in cache.
const QUERY_BLOCK: usize = 64;

/// Attention with ALiBi among the rows after the first `tokens`, and no bias from or to those. The fused kernel only has biases
/// by distance, so the scores are computed here in blocks of queries.
fn attention_after(attend: &Attend<'_, Plane>, scales: &[f32], tokens: usize) -> Plane {
    let &Attend {
        query,
        key_value,
        heads,
        ..
    } = attend;
    let dim = query.columns;
    let head_dim = dim / heads;
    let keys = key_value.rows();
    let scale = scale(head_dim);
    let mut out = Plane::zeros(query.rows(), dim);
    let mut scores = vec![0.0; QUERY_BLOCK * keys];
    let mut mixed = vec![0.0; QUERY_BLOCK * head_dim];
    for (head, &slope) in scales.iter().enumerate().take(heads) {
        let key = MatRef {
            data: &key_value.values[head * head_dim..],
            rows: head_dim,
            cols: keys,
            row_stride: 1,
            col_stride: key_value.columns,
        };
        let value = MatRef {
            data: &key_value.values[dim + head * head_dim..],
            rows: keys,
            cols: head_dim,
            row_stride: key_value.columns,
            col_stride: 1,
        };
        for start in (0..query.rows()).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(query.rows() - start);
            let scores = &mut scores[..count * keys];
            let mixed = &mut mixed[..count * head_dim];
            let queries = MatRef {
                data: &query.values[start * dim + head * head_dim..],
                rows: count,
                cols: head_dim,
                row_stride: dim,
                col_stride: 1,
            };
            matmul(queries, key, false, scores);
            for (row, scores) in scores.chunks_exact_mut(keys).enumerate() {
                let position = start + row;
                for (other, score) in scores.iter_mut().enumerate() {
                    *score *= scale;
                    if position >= tokens && other >= tokens {
                        *score -= slope * position.abs_diff(other) as f32;
                    }
                }
            }
            softmax_rows(scores, keys);
            let weights = MatRef {
                data: scores,
                rows: count,
                cols: keys,
                row_stride: keys,
                col_stride: 1,
            };
            matmul(weights, value, false, mixed);
            for (row, mixed) in mixed.chunks_exact(head_dim).enumerate() {
                let at = (start + row) * dim + head * head_dim;
                out.values[at..at + head_dim].copy_from_slice(mixed);
            }
        }
    }
    out
}
