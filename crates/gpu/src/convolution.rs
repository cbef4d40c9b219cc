//! Convolutions over packed utterances: as batches of products; the first one, of a waveform, has its own kernel.

use crate::depthwise::turned;
use crate::rows::RowCopy;
use crate::{Activation, Argument, Array, Gpu, GpuError, Numbers, Product, Shape, Spans};

/// The most taps, and the longest stride, of a convolution of the waveform.
pub const MOST_TAPS: usize = 16;

/// A convolution's weights on a device.
pub struct Convolution {
    shape: Shape,
    weights: Weights,
    bias: Option<Array>,
}

enum Weights {
    /// One product weight per group, `[outputs / groups, kernel × inputs / groups]`.
    Products(Vec<Array>),
    /// Every channel is convolved alone: `[kernel, channel]`.
    Taps(Array),
}

impl Convolution {
    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// A convolution of the waveform: one input column.
pub struct First {
    weight: Array,
    bias: Option<Array>,
    outputs: usize,
    taps: usize,
    stride: usize,
}

/// A convolution of the waveform whose channels are normalised over the utterance.
pub struct GroupNorm {
    weight: Array,
    gain: Array,
    offset: Array,
    outputs: usize,
    taps: usize,
    stride: usize,
    epsilon: f32,
}

/// [`GroupNorm`] for the signals of a call: a set of weights for each.
pub struct Folded(First);

/// Some frames of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First sample.
    pub sample: usize,
    /// First row of the result.
    pub row: usize,
    /// Rows of the result.
    pub rows: usize,
    /// The set of weights: the signal's number.
    pub set: usize,
}

impl Gpu {
    /// A convolution's weights, `[outputs, inputs / groups, kernel]`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If the lengths do not match.
    pub fn convolution(
        &self,
        shape: Shape,
        weight: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Convolution, GpuError> {
        let Shape {
            inputs,
            outputs,
            kernel,
            groups,
            ..
        } = shape;
        let (into, out) = (inputs / groups, outputs / groups);
        assert_eq!(
            weight.len(),
            outputs * into * kernel,
            "convolution: weights of {shape:?}"
        );
        let bias = bias.map(|bias| self.upload(bias)).transpose()?;
        if shape.depthwise() {
            return Ok(Convolution {
                shape,
                weights: Weights::Taps(self.upload(&turned(weight, kernel))?),
                bias,
            });
        }
        // A window is stored in memory as [tap, channel].
        let windows = |group: usize| -> Vec<f32> {
            let mut turned = Vec::with_capacity(out * into * kernel);
            for filter in weight[group * out * into * kernel..]
                .chunks_exact(into * kernel)
                .take(out)
            {
                for tap in 0..kernel {
                    turned.extend((0..into).map(|channel| filter[channel * kernel + tap]));
                }
            }
            turned
        };
        let weights = (0..groups).map(|group| self.upload_as(self.operands(), &windows(group)));
        Ok(Convolution {
            shape,
            weights: Weights::Products(weights.collect::<Result<_, _>>()?),
            bias,
        })
    }

    /// The convolution of every utterance, with its bias and `activation`; the result in f32 if `wide`, else in the operands' number type.
    /// Also returns the positions of the utterances in the result.
    ///
    /// Channels that are convolved alone have a kernel of their own; for all else the convolution is made of products.
    /// A window is a contiguous run of numbers, and windows overlap, which products do not allow; so the windows are processed in turns: those
    /// at every `kernel / stride`-th row do not overlap and are one product of a batch. Windows that span two utterances are
    /// computed too and ignored.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If an utterance is shorter than the kernel, or the lengths do not match.
    pub fn convolve(
        &self,
        x: &Array,
        spans: &Spans,
        weights: &Convolution,
        activation: Activation,
        wide: bool,
    ) -> Result<(Array, Spans), GpuError> {
        let shape = weights.shape;
        let Shape {
            inputs,
            outputs,
            stride,
            groups,
            padding,
            ..
        } = shape;
        let bias = weights.bias.as_ref();
        let products = match &weights.weights {
            Weights::Products(products) => products,
            Weights::Taps(taps) => {
                return self.depthwise(x, spans, shape, taps, bias, activation, wide);
            }
        };
        let plain = groups == 1 && padding == (0, 0);
        let aligned = spans
            .all()
            .iter()
            .all(|&(first, _)| first.is_multiple_of(stride));
        let numbers = if wide { Numbers::F32 } else { self.operands() };
        // Read in place if windows start at multiples of the stride and nothing is inserted between utterances.
        if plain && aligned && x.numbers() == self.operands() && !wide {
            let made = spans.end().div_ceil(stride);
            let found = spans
                .all()
                .iter()
                .map(|&(first, rows)| (first / stride, shape.rows(rows)));
            let found = Spans::new(found.collect());
            if x.len() / inputs >= room_of(made, shape) {
                let (y, _) = self.windows(x, x.len() / inputs, made, shape, products)?;
                self.bias_activate(&y, bias, outputs, activation)?;
                return Ok((y, found));
            }
        }
        let mut jobs = Vec::new();
        let mut back = Vec::new();
        let (mut at, mut made) = (0usize, 0usize);
        for &(first, rows) in spans.all() {
            at = at.next_multiple_of(stride);
            jobs.push(RowCopy {
                source: first,
                target: at + padding.0,
                rows,
            });
            back.push(RowCopy {
                source: at / stride,
                target: made,
                rows: shape.rows(rows),
            });
            at += rows + padding.0 + padding.1;
            made += shape.rows(rows);
        }
        let computed = at.div_ceil(stride);
        let rows = room_of(computed, shape);
        let spread = self.spread(x, inputs, groups, rows, &jobs)?;
        let (y, y_rows) = self.windows(&spread, rows, computed, shape, products)?;
        let y = self.gather(
            &y,
            outputs,
            groups,
            y_rows,
            made,
            bias,
            activation,
            numbers == Numbers::F32,
            &back,
        )?;
        Ok((y, Spans::packed(back.iter().map(|job| job.rows))))
    }

    /// The windows that start in the first `made × stride` rows of `[group, rows, channel]`: `[group, made or a few more, channel]`.
    fn windows(
        &self,
        x: &Array,
        rows: usize,
        made: usize,
        shape: Shape,
        weights: &[Array],
    ) -> Result<(Array, usize), GpuError> {
        let Shape {
            inputs,
            outputs,
            kernel,
            stride,
            groups,
            ..
        } = shape;
        let turns = kernel.div_ceil(stride);
        let each = made.div_ceil(turns);
        assert!(
            rows >= room_of(made, shape) && x.len() >= rows * inputs,
            "windows: {rows} rows for {made} windows"
        );
        let (into, out) = (inputs / groups, outputs / groups);
        let y_rows = each * turns + spare(groups);
        let y = self.room(self.operands(), y_rows * outputs)?;
        for (group, weight) in weights.iter().enumerate() {
            let product = Product {
                operands: self.operands(),
                results: self.operands(),
                rows: each,
                outputs: out,
                inputs: kernel * into,
                batch: turns,
                x: x.address_of(group * rows * into),
                x_row: turns * stride * into,
                x_next: stride * into,
                weight: weight.address(),
                y: y.address_of(group * y_rows * out),
                y_row: turns * out,
                y_next: out,
                bias: 0,
                residual: 0,
            };
            // SAFETY: the last window ends within `room_of` rows of the group; `y` has `each × turns` rows in every group.
            unsafe { self.backend().product(&product)? };
        }
        Ok((y, y_rows))
    }

    /// Samples of several signals, each starting at a multiple of `hop`, and their positions.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn signals(&self, signals: &[&[f32]], hop: usize) -> Result<(Array, Spans), GpuError> {
        let mut spans = Vec::new();
        let mut all = Vec::new();
        for signal in signals {
            all.resize(all.len().next_multiple_of(hop), 0.0);
            spans.push((all.len(), signal.len()));
            all.extend_from_slice(signal);
        }
        Ok((self.upload(&all)?, Spans::new(spans)))
    }

    /// The weights of a convolution of the waveform, `[outputs, 1, taps]`.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If there are more than [`MOST_TAPS`], or the lengths do not match.
    pub fn first(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        outputs: usize,
        stride: usize,
    ) -> Result<First, GpuError> {
        let taps = taps(weight.len(), outputs, stride);
        let bias = bias.map(|bias| self.upload(bias)).transpose()?;
        Ok(First {
            weight: self.upload(weight)?,
            bias,
            outputs,
            taps,
            stride,
        })
    }

    /// The same followed by a norm of every channel over the utterance, with one `gain` and `offset` per channel.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// Like [`Gpu::first`].
    pub fn group_norm(
        &self,
        weight: &[f32],
        gain: &[f32],
        offset: &[f32],
        stride: usize,
        epsilon: f32,
    ) -> Result<GroupNorm, GpuError> {
        let outputs = gain.len();
        assert_eq!(offset.len(), outputs, "group norm: gain and offset");
        let taps = taps(weight.len(), outputs, stride);
        let [weight, gain, offset] = [
            self.upload(weight)?,
            self.upload(gain)?,
            self.upload(offset)?,
        ];
        Ok(GroupNorm {
            weight,
            gain,
            offset,
            outputs,
            taps,
            stride,
            epsilon,
        })
    }

    /// Folds the norm into the weights, a set for every signal.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If a signal is shorter than a window.
    pub fn fold(
        &self,
        samples: &Array,
        signals: &Spans,
        weights: &GroupNorm,
    ) -> Result<Folded, GpuError> {
        let &GroupNorm {
            outputs,
            taps,
            stride,
            epsilon,
            ..
        } = weights;
        let sets = signals.all().len();
        assert!(
            samples.numbers() == Numbers::F32 && signals.end() <= samples.len(),
            "fold: signals beyond the samples"
        );
        assert!(
            signals.all().iter().all(|&(_, count)| count >= taps),
            "fold: a signal of less than {taps} samples"
        );
        let folded = self.room(Numbers::F32, sets * outputs * taps)?;
        let bias = self.room(Numbers::F32, sets * outputs)?;
        let arguments = [
            Argument::Address(samples.address()),
            Argument::Address(signals.address(self)?),
            Argument::Address(weights.weight.address()),
            Argument::Address(weights.gain.address()),
            Argument::Address(weights.offset.address()),
            Argument::Address(folded.address()),
            Argument::Address(bias.address()),
            Argument::Int(outputs as i32),
            Argument::Int(taps as i32),
            Argument::Int(stride as i32),
            Argument::Double(epsilon.into()),
        ];
        // SAFETY: signals lie inside the samples and hold a window; the results have a set for each.
        unsafe { self.run("fold_group_norm", [sets, 1, 1], 256, &arguments)? };
        Ok(Folded(First {
            weight: folded,
            bias: Some(bias),
            outputs,
            taps,
            stride,
        }))
    }

    /// The convolution of the waveform, activated, for pieces of signals, in the operands' number type; `rows` rows in all. Rows that
    /// belong to no piece have arbitrary contents.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// If a piece exceeds the samples, the result, or the sets of weights.
    pub fn convolve_first(
        &self,
        samples: &Array,
        weights: &First,
        pieces: &[Piece],
        rows: usize,
        activation: Activation,
    ) -> Result<Array, GpuError> {
        self.first_rows(samples, weights, 1, pieces, rows, activation)
    }

    /// [`Gpu::convolve_first`] with a set of weights per signal.
    ///
    /// # Errors
    /// [`GpuError`].
    ///
    /// # Panics
    /// Like [`Gpu::convolve_first`].
    pub fn convolve_folded(
        &self,
        samples: &Array,
        weights: &Folded,
        pieces: &[Piece],
        rows: usize,
        activation: Activation,
    ) -> Result<Array, GpuError> {
        let First {
            weight,
            outputs,
            taps,
            ..
        } = &weights.0;
        let sets = weight.len() / (outputs * taps);
        self.first_rows(samples, &weights.0, sets, pieces, rows, activation)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the two public calls differ in `sets` alone"
    )]
    fn first_rows(
        &self,
        samples: &Array,
        weights: &First,
        sets: usize,
        pieces: &[Piece],
        rows: usize,
        activation: Activation,
    ) -> Result<Array, GpuError> {
        let &First {
            outputs,
            taps,
            stride,
            ..
        } = weights;
        let out = self.room(self.operands(), (rows + spare(1)) * outputs)?;
        let kernel = format!("first_{}", self.operands().name());
        for pieces in pieces.chunks(crate::gpu::MOST) {
            let mut table = Vec::with_capacity(4 * pieces.len());
            let mut longest = 0;
            for piece in pieces {
                let inside = piece.rows > 0
                    && piece.sample + (piece.rows - 1) * stride + taps <= samples.len()
                    && piece.row + piece.rows <= rows;
                let set = if sets == 1 { 0 } else { piece.set };
                assert!(
                    inside && set < sets,
                    "{piece:?} of {} samples, {rows} rows, {sets} sets",
                    samples.len()
                );
                table.extend([
                    piece.sample as i32,
                    piece.row as i32,
                    piece.rows as i32,
                    set as i32,
                ]);
                longest = longest.max(piece.rows);
            }
            let table = self.table(&table)?;
            let arguments = [
                Argument::Address(samples.address()),
                Argument::Address(weights.weight.address()),
                Argument::Address(weights.bias.as_ref().map_or(0, Array::address)),
                Argument::Address(out.address()),
                Argument::Address(table.address()),
                Argument::Int(outputs as i32),
                Argument::Int(taps as i32),
                Argument::Int(stride as i32),
                activation.code(),
            ];
            // SAFETY: the pieces were checked to stay inside samples, result and weights.
            unsafe {
                self.run(
                    &kernel,
                    [longest.div_ceil(32), pieces.len(), 1],
                    256,
                    &arguments,
                )?
            };
        }
        Ok(out)
    }
}

/// Number of taps for this many weights.
fn taps(weights: usize, outputs: usize, stride: usize) -> usize {
    assert!(
        outputs > 0 && weights.is_multiple_of(outputs),
        "{weights} weights of {outputs} outputs"
    );
    let taps = weights / outputs;
    assert!(
        (1..=MOST_TAPS).contains(&taps) && (1..=MOST_TAPS).contains(&stride),
        "{taps} taps, stride {stride}"
    );
    taps
}

/// Rows that the windows read: every turn has the same number of them, so a few more than requested.
fn room_of(made: usize, shape: Shape) -> usize {
    let turns = shape.kernel.div_ceil(shape.stride);
    (made.div_ceil(turns) * turns - 1) * shape.stride + shape.kernel
}

/// Extra rows after the last, so that the next convolution of a stack does not read past the end of memory.
fn spare(groups: usize) -> usize {
    if groups == 1 { SPARE } else { 0 }
}

/// Twice the widest kernel of a front end.
const SPARE: usize = 128;
