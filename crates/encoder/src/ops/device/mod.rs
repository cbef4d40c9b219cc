//! A GPU through `emobox_gpu`: batches of utterances of any lengths, concatenated.

use super::{Activation, Attend, Bias, Framing, OpResult, Ops, Piece, Role};
use crate::{Device, EncoderError};
use emobox_gpu::{Array, Attention, AttentionBias, Folded, Gpu, Numbers, Outputs, RowCopy, Spans};
use std::sync::Arc;
use weights::{FirstShape, GpuConv, GpuFirst, GpuGate, GpuLinear, GpuNorm};

mod need;
mod weights;

pub use need::BATCHES_AT_ONCE;
pub(crate) use need::Need;
use need::Room;

/// A GPU, with products in a given number format.
pub(crate) struct OnGpu {
    gpu: Gpu,
    device: Device,
    room: Room,
}

/// `[row, column]` in device memory, as f32, as operands of products, or both.
#[derive(Clone)]
pub(crate) struct Plane {
    wide: Option<Array>,
    narrow: Option<Array>,
    spans: Arc<Spans>,
    columns: usize,
}

/// Concatenated samples; each signal starts at a multiple of the hop.
pub(crate) struct Signals {
    samples: Array,
    spans: Spans,
    framing: Framing,
}

impl Device {
    /// The device itself, with products in these numbers; an error for the CPU.
    fn open(self, numbers: Numbers) -> Result<Gpu, EncoderError> {
        let gpu = match self {
            Self::Cuda(index) => Gpu::cuda(index, numbers),
            Self::Cpu | Self::Host(_) => Gpu::host(numbers, self.host_memory()),
        };
        gpu.map_err(|error| EncoderError::DeviceUnavailable {
            device: self.to_string(),
            reason: error.to_string(),
        })
    }

    /// The device, for uses other than an encoder.
    ///
    /// # Errors
    /// [`EncoderError::DeviceUnavailable`] with what is missing and where it was searched for.
    pub fn gpu(self) -> Result<Gpu, EncoderError> {
        self.open(Numbers::F32)
    }
}

impl OnGpu {
    /// Opens the device and reserves memory for a model with these needs.
    pub(crate) fn open(device: Device, precision: crate::Precision, need: Need) -> OpResult<Self> {
        let numbers = precision.of_gpu();
        let gpu = device.open(numbers)?;
        let room = need.room(gpu.memory()?.free, numbers);
        Ok(Self { gpu, device, room })
    }

    /// Rejects what the kernels do not support, naming it.
    fn needs(&self, possible: bool, what: impl FnOnce() -> String) -> OpResult<()> {
        match possible {
            true => Ok(()),
            false => Err(EncoderError::DeviceUnavailable {
                device: self.device.to_string(),
                reason: format!("its kernels do not have {}; use --device cpu", what()),
            }),
        }
    }

    fn wide(&self, x: &Plane) -> OpResult<Array> {
        self.as_numbers(x, Numbers::F32)
    }

    fn narrow(&self, x: &Plane) -> OpResult<Array> {
        self.as_numbers(x, self.gpu.operands())
    }

    fn as_numbers(&self, x: &Plane, numbers: Numbers) -> OpResult<Array> {
        let there = [&x.wide, &x.narrow].into_iter().flatten();
        match there.clone().find(|array| array.numbers() == numbers) {
            Some(array) => Ok(array.clone()),
            None => match there.clone().next() {
                Some(array) => Ok(self.gpu.cast(array, numbers)?),
                None => Err(EncoderError::Device("a plane without numbers".to_owned())),
            },
        }
    }

    fn plane(&self, array: Array, spans: Arc<Spans>, columns: usize) -> Plane {
        let (wide, narrow) = match array.numbers() {
            Numbers::F32 => (Some(array), None),
            _ => (None, Some(array)),
        };
        Plane {
            wide,
            narrow,
            spans,
            columns,
        }
    }

    /// The number format of an operation's result.
    fn numbers(&self, role: Role) -> Numbers {
        match role {
            Role::Operand => self.gpu.operands(),
            Role::Stream | Role::Both => Numbers::F32,
        }
    }

    /// Rows of `x` in the number format it has; f32 if it has both.
    fn any(x: &Plane) -> OpResult<&Array> {
        let array = x.wide.as_ref().or(x.narrow.as_ref());
        array.ok_or_else(|| EncoderError::Device("a plane without numbers".to_owned()))
    }
}

fn activation(activation: Activation) -> emobox_gpu::Activation {
    match activation {
        Activation::Silu => emobox_gpu::Activation::Silu,
        Activation::None => emobox_gpu::Activation::None,
        Activation::Relu => emobox_gpu::Activation::Relu,
        Activation::Gelu => emobox_gpu::Activation::Gelu,
    }
}

impl Ops for OnGpu {
    type Signals = Signals;
    type Folded = Folded;

    fn batch_frames(&self) -> Option<usize> {
        Some(self.room.batch)
    }

    fn settle(&self) -> OpResult<()> {
        Ok(self.gpu.finish()?)
    }

    fn front_end_frames(&self) -> usize {
        self.room.front_end
    }

    fn signals(&self, signals: Vec<Arc<Vec<f32>>>, framing: Framing) -> OpResult<Signals> {
        let all: Vec<&[f32]> = signals.iter().map(|samples| samples.as_slice()).collect();
        let (samples, spans) = self.gpu.signals(&all, framing.hop)?;
        Ok(Signals {
            samples,
            spans,
            framing,
        })
    }

    fn fold(&self, signals: &Signals, weights: &GpuFirst) -> OpResult<Option<Folded>> {
        match weights {
            GpuFirst::Plain(..) => Ok(None),
            GpuFirst::Normed(norm, _) => Ok(Some(self.gpu.fold(
                &signals.samples,
                &signals.spans,
                norm,
            )?)),
        }
    }

    /// Every piece starts at a multiple of the frames' strides, so that the windows of the following convolutions are where the
    /// strides require, for any number of pieces.
    fn first(
        &self,
        signals: &Signals,
        weights: &GpuFirst,
        folded: Option<&Folded>,
        pieces: &[Piece],
        after: Activation,
    ) -> OpResult<Plane> {
        let (GpuFirst::Plain(_, shape) | GpuFirst::Normed(_, shape)) = weights;
        let &FirstShape {
            outputs,
            taps,
            stride,
        } = shape;
        let Framing { hop, reach } = signals.framing;
        let mut frame = 0;
        let mut placed = Vec::with_capacity(pieces.len());
        for piece in pieces {
            placed.push(emobox_gpu::Piece {
                sample: signals.spans.all()[piece.signal].0 + piece.start * hop,
                row: frame * (hop / stride),
                rows: ((piece.frames - 1) * hop + reach - taps) / stride + 1,
                set: piece.signal,
            });
            frame += piece.frames - 1 + reach.div_ceil(hop);
        }
        let rows = frame * (hop / stride);
        let after = activation(after);
        let array = match (weights, folded) {
            (GpuFirst::Plain(first, _), _) => {
                self.gpu
                    .convolve_first(&signals.samples, first, &placed, rows, after)?
            }
            (GpuFirst::Normed(..), Some(folded)) => {
                self.gpu
                    .convolve_folded(&signals.samples, folded, &placed, rows, after)?
            }
            (GpuFirst::Normed(..), None) => {
                return Err(EncoderError::Device(
                    "a norm over the utterance that was not folded".to_owned(),
                ));
            }
        };
        let spans = Spans::new(placed.iter().map(|piece| (piece.row, piece.rows)).collect());
        Ok(self.plane(array, Arc::new(spans), outputs))
    }

    fn join(&self, parts: &[Plane], lengths: &[usize]) -> OpResult<Plane> {
        let columns = parts[0].columns;
        let spans = Spans::packed(lengths.iter().copied());
        let out = self
            .gpu
            .empty(Self::any(&parts[0])?.numbers(), spans.end() * columns)?;
        let mut target = 0;
        for part in parts {
            let jobs: Vec<RowCopy> = part
                .spans
                .all()
                .iter()
                .map(|&(source, rows)| {
                    target += rows;
                    RowCopy {
                        source,
                        target: target - rows,
                        rows,
                    }
                })
                .collect();
            self.gpu.move_rows(Self::any(part)?, &out, columns, &jobs)?;
        }
        Ok(self.plane(out, Arc::new(spans), columns))
    }

    fn stack(&self, utterances: &[Arc<Vec<f32>>], columns: usize) -> OpResult<Plane> {
        let spans = Spans::packed(utterances.iter().map(|values| values.len() / columns));
        let all: Vec<&[f32]> = utterances.iter().map(|values| values.as_slice()).collect();
        let array = self.gpu.upload(&all.concat())?;
        Ok(self.plane(array, Arc::new(spans), columns))
    }

    fn lengths(&self, x: &Plane) -> Vec<usize> {
        x.spans.all().iter().map(|&(_, rows)| rows).collect()
    }

    fn columns(&self, x: &Plane) -> usize {
        x.columns
    }

    fn download(&self, x: &Plane, skip: usize, counts: &[usize]) -> OpResult<Vec<Vec<f32>>> {
        let array = self.wide(x)?;
        // All in one copy: there are few rows between those requested.
        let all = self.gpu.download(&array, 0, x.spans.end() * x.columns)?;
        let parts = x
            .spans
            .all()
            .iter()
            .zip(counts)
            .map(|(&(first, rows), &count)| {
                assert!(skip + count <= rows, "{skip} + {count} of {rows} rows");
                all[(first + skip) * x.columns..(first + skip + count) * x.columns].to_vec()
            });
        Ok(parts.collect())
    }

    fn first_rows(&self, x: &Plane, counts: &[usize]) -> OpResult<Plane> {
        let spans = Arc::new(Spans::packed(counts.iter().copied()));
        let jobs: Vec<RowCopy> = x
            .spans
            .all()
            .iter()
            .zip(spans.all())
            .map(|(&(source, _), &(target, rows))| RowCopy {
                source,
                target,
                rows,
            })
            .collect();
        let take = |array: &Option<Array>| -> OpResult<Option<Array>> {
            match array {
                None => Ok(None),
                Some(array) => Ok(Some(self.gpu.take_rows(
                    array,
                    x.columns,
                    spans.end(),
                    &jobs,
                )?)),
            }
        };
        let (wide, narrow) = (take(&x.wide)?, take(&x.narrow)?);
        Ok(Plane {
            wide,
            narrow,
            spans,
            columns: x.columns,
        })
    }

    fn prepend(&self, rows: &Plane, x: &Plane) -> OpResult<Plane> {
        let more = rows.spans.end();
        let spans = Arc::new(Spans::packed(
            x.spans.all().iter().map(|&(_, rows)| more + rows),
        ));
        let out = self.gpu.empty(Numbers::F32, spans.end() * x.columns)?;
        let before: Vec<RowCopy> = spans
            .all()
            .iter()
            .map(|&(target, _)| RowCopy {
                source: 0,
                target,
                rows: more,
            })
            .collect();
        let own: Vec<RowCopy> = x
            .spans
            .all()
            .iter()
            .zip(spans.all())
            .map(|(&(source, rows), &(target, _))| RowCopy {
                source,
                target: target + more,
                rows,
            })
            .collect();
        self.gpu
            .move_rows(&self.wide(rows)?, &out, x.columns, &before)?;
        self.gpu.move_rows(&self.wide(x)?, &out, x.columns, &own)?;
        Ok(self.plane(out, spans, x.columns))
    }

    fn add(&self, x: Plane, y: &Plane) -> OpResult<Plane> {
        let alone = y.spans.all().len() == 1;
        let spans = Arc::clone(&x.spans);
        let jobs: Vec<RowCopy> = spans
            .all()
            .iter()
            .enumerate()
            .map(|(index, &(target, rows))| {
                let source = y.spans.all()[if alone { 0 } else { index }].0;
                RowCopy {
                    source,
                    target,
                    rows,
                }
            })
            .collect();
        let (wide, columns) = (self.wide(&x)?, x.columns);
        drop(x);
        let sum = self.gpu.add_rows(wide, &self.wide(y)?, columns, &jobs)?;
        Ok(self.plane(sum, spans, columns))
    }

    fn linear(
        &self,
        x: &Plane,
        weights: &GpuLinear,
        after: Activation,
        residual: Option<&Plane>,
    ) -> OpResult<Plane> {
        let residual = residual.map(|plane| self.wide(plane)).transpose()?;
        let numbers = match residual {
            Some(_) => Numbers::F32,
            None => self.numbers(weights.role),
        };
        let y = self.gpu.linear(
            &self.narrow(x)?,
            x.spans.end(),
            &weights.linear,
            activation(after),
            residual.as_ref(),
            numbers,
        )?;
        Ok(self.plane(y, Arc::clone(&x.spans), weights.linear.outputs()))
    }

    fn conv(&self, x: &Plane, weights: &GpuConv, after: Activation) -> OpResult<Plane> {
        let wide =
            self.numbers(weights.role) == Numbers::F32 && self.gpu.operands() != Numbers::F32;
        let shape = weights.convolution.shape();
        // Products read 16 bits in any case; where channels are convolved alone, nothing needs to be rounded.
        let x_numbers = match (&x.wide, &x.narrow) {
            (Some(wide), _) if shape.depthwise() => wide,
            (_, Some(narrow)) => narrow,
            _ => Self::any(x)?,
        };
        let (y, spans) = self.gpu.convolve(
            x_numbers,
            &x.spans,
            &weights.convolution,
            activation(after),
            wide,
        )?;
        Ok(self.plane(y, Arc::new(spans), shape.outputs))
    }

    fn norm_rows(&self, x: Plane, weights: &GpuNorm, after: Activation) -> OpResult<Plane> {
        let outputs = match weights.role {
            Role::Stream => Outputs::Wide,
            Role::Operand => Outputs::Narrow,
            Role::Both => Outputs::Both,
        };
        let from = Self::any(&x)?.clone();
        // A norm of 16-bit rows gives 16-bit rows; the stream is f32.
        let from = match outputs == Outputs::Narrow {
            true => from,
            false => self.gpu.cast(&from, Numbers::F32)?,
        };
        let (wide, narrow) =
            self.gpu
                .norm(&from, x.columns, &weights.norm, activation(after), outputs)?;
        Ok(Plane {
            wide,
            narrow,
            spans: x.spans,
            columns: x.columns,
        })
    }

    fn scale_shift(&self, x: Plane, weights: &GpuNorm) -> OpResult<Plane> {
        let y = self.gpu.scale_shift(&self.wide(&x)?, &weights.norm)?;
        Ok(self.plane(y, x.spans, x.columns))
    }

    fn attention(&self, attend: &Attend<'_, Plane>) -> OpResult<Plane> {
        let &Attend {
            query,
            key_value,
            heads,
            ref bias,
        } = attend;
        let (held, gate_held, keys_held, offsets_held);
        let bias = match bias {
            Bias::None => AttentionBias::None,
            Bias::Relative { table, gate } => {
                held = self.wide(table)?;
                gate_held = self.wide(gate)?;
                AttentionBias::Relative {
                    table: &held,
                    span: table.columns,
                    gate: &gate_held,
                }
            }
            Bias::Distances {
                table,
                keys,
                offsets,
                before,
            } => {
                held = self.narrow(table)?;
                keys_held = keys.map(|keys| self.narrow(keys)).transpose()?;
                offsets_held = offsets.map(|offsets| self.wide(offsets)).transpose()?;
                AttentionBias::Distances {
                    table: &held,
                    keys: keys_held.as_ref(),
                    offsets: offsets_held.as_ref(),
                    before: *before,
                }
            }
            Bias::Alibi { scales, tokens } => {
                held = self.gpu.upload(scales)?;
                AttentionBias::Alibi {
                    slopes: &held,
                    tokens: *tokens,
                }
            }
        };
        let attention = Attention {
            query: &self.narrow(query)?,
            queries: &query.spans,
            key_value: &self.narrow(key_value)?,
            frames: &key_value.spans,
            heads,
            dim: query.columns,
            bias,
        };
        let y = self.gpu.attention(&attention)?;
        Ok(self.plane(y, Arc::clone(&query.spans), query.columns))
    }

    fn glu(&self, x: &Plane) -> OpResult<Plane> {
        let y = self.gpu.glu(Self::any(x)?, x.columns)?;
        Ok(self.plane(y, Arc::clone(&x.spans), x.columns / 2))
    }

    fn rotate(&self, x: &Plane, angles: &Plane) -> OpResult<Plane> {
        let table = self.wide(angles)?;
        let y = self
            .gpu
            .rotate(Self::any(x)?, &x.spans, x.columns, &table, angles.columns)?;
        Ok(self.plane(y, Arc::clone(&x.spans), x.columns))
    }

    fn beside(&self, x: &Plane, y: &Plane) -> OpResult<Plane> {
        let left = Self::any(x)?;
        let right = self.as_numbers(y, left.numbers())?;
        let both = self
            .gpu
            .side_by_side((left, x.columns), (&right, y.columns), x.spans.end())?;
        Ok(self.plane(both, Arc::clone(&x.spans), x.columns + y.columns))
    }

    fn gate(&self, x: &Plane, weights: &GpuGate) -> OpResult<Plane> {
        let array = Self::any(x)?;
        let gate = self
            .gpu
            .gate(array, &weights.weight, &weights.bias, &weights.constant)?;
        let columns = array.len() / x.columns;
        let spans = Arc::new(Spans::packed([gate.len() / columns]));
        Ok(self.plane(gate, spans, columns))
    }
}
