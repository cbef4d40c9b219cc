//! The operation boundary: model code is written once on these operations, and a device implements them. A device's
//! optimisations (packed weights, fused attention, overlapping rows instead of im2col) are inside the operations, never in a
//! model.
//!
//! A tensor here is a plane `[row, column]`: rows are frames, columns are channels. It has the rows of one or several
//! utterances, one after another; no operation mixes utterances, so the result for one does not depend on the others. The CPU
//! processes one utterance at a time, a GPU a batch of any lengths.

mod census;
mod cpu;
mod device;
mod distances;
mod first;
mod timed;

pub(crate) use census::Census;
pub(crate) use cpu::Cpu;
pub use device::BATCHES_AT_ONCE;
pub(crate) use device::{Need, OnGpu};
pub(crate) use first::FirstWeights;
pub use timed::OpTiming;
pub(crate) use timed::{Tally, Timed};

pub(crate) use emobox_kernels::{Activation, ConvShape};

use crate::EncoderError;
use std::sync::Arc;

/// The result of an operation; only devices other than the CPU can fail.
pub(crate) type OpResult<T> = Result<T, EncoderError>;

/// What reads the result of an operation, for devices with several number formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The residual stream, sums and norms: f32.
    Stream,
    /// Products and attention only: their operands' format.
    Operand,
    /// Both.
    Both,
}

/// A linear map's weights as stored: `weight` is `[out, inp]`.
pub(crate) struct LinearWeights {
    pub(crate) role: Role,
    pub(crate) out: usize,
    pub(crate) inp: usize,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// A convolution's weights as stored: `weight` is `[out, inp / groups, kernel]`.
pub(crate) struct ConvWeights {
    pub(crate) role: Role,
    pub(crate) shape: ConvShape,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// A normalisation's scale and shift; both absent where it has none.
pub(crate) struct NormWeights {
    pub(crate) role: Role,
    pub(crate) affine: Option<(Vec<f32>, Vec<f32>)>,
    pub(crate) eps: f32,
}

/// The gate of WavLM's relative position bias (Chen et al. 2022, equations 3 to 5), one a head.
pub(crate) struct GateWeights {
    /// `[2, head dim]`: the two sums of four rows that the gate takes of `gru_rel_pos_linear`.
    pub(crate) weight: Vec<f32>,
    /// `[2]`.
    pub(crate) bias: Vec<f32>,
    /// `[head]`: `gru_rel_pos_const`.
    pub(crate) constant: Vec<f32>,
}

/// Conversion of weights to a device's format, once, when an encoder is opened.
pub(crate) trait Prepare {
    type Linear: Send + Sync;
    type Conv: Send + Sync;
    /// The convolution of the waveform itself.
    type First: Send + Sync;
    type Norm: Send + Sync;
    type Gate: Send + Sync;
    /// A plane that all utterances share: position embeddings, extra tokens.
    type Tensor: Clone + Send + Sync;

    /// Checks that attention of this shape is supported; the error names the shape.
    fn attention_shape(&self, _dim: usize, _heads: usize) -> OpResult<()> {
        Ok(())
    }

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<Self::Linear>;
    fn conv_weights(&self, weights: ConvWeights) -> OpResult<Self::Conv>;
    fn first_weights(&self, weights: FirstWeights) -> OpResult<Self::First>;
    fn norm_weights(&self, weights: NormWeights) -> OpResult<Self::Norm>;
    fn gate_weights(&self, weights: GateWeights) -> OpResult<Self::Gate>;
    /// A plane `[values.len() / columns, columns]` of one span.
    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Self::Tensor>;
}

/// What is added to the scaled scores of attention.
pub(crate) enum Bias<'a, T> {
    None,
    /// WavLM's: `gate[h, i]` times the table's value for the distance `j − i` of query `i` and key `j`.
    Relative {
        /// `[head, 2 · frames − 1]` for the longest utterance: one value per distance, `−(frames − 1)` first.
        table: &'a T,
        /// `[head, query]`.
        gate: &'a T,
    },
    /// Embeddings of distances: `query[i] · table[d] / √(head dim) + offsets[d, h]` with the distance `d = j − i` from
    /// `−before` up; distances beyond the table use its first or last row.
    Distances {
        /// `[distance, head × head dim]`.
        table: &'a T,
        /// The same for keys: `key[j] · keys[d] / √(head dim)` is added too.
        keys: Option<&'a T>,
        /// `[distance, head]`, already scaled.
        offsets: Option<&'a T>,
        /// The first row is for the distance `−before`.
        before: usize,
    },
    /// ALiBi: `−scales[h] · |i − j|`, except where query or key is one of the first `tokens` rows.
    Alibi {
        /// One slope per head.
        scales: &'a [f32],
        /// Leading rows (extra tokens) without a bias as query or key.
        tokens: usize,
    },
}

/// A range of frames of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Index of the signal.
    pub(crate) signal: usize,
    /// The first frame, and the number of frames.
    pub(crate) start: usize,
    pub(crate) frames: usize,
}

/// The samples of frames: frame `i` covers `[i · hop, i · hop + reach)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    pub(crate) hop: usize,
    pub(crate) reach: usize,
}

/// Self-attention within utterances.
pub(crate) struct Attend<'a, T> {
    /// `[query, head × head dim]`, not yet scaled; may be only the first rows.
    pub(crate) query: &'a T,
    /// `[frame, 2 × head × head dim]`: keys, then values.
    pub(crate) key_value: &'a T,
    pub(crate) heads: usize,
    pub(crate) bias: Bias<'a, T>,
}

/// The operations of a forward pass.
pub(crate) trait Ops: Prepare + Send + Sync {
    /// Waveforms as the first convolution reads them.
    type Signals: Send + Sync;
    /// The weights of the first convolution for the signals of a call, where they depend on them.
    type Folded: Send + Sync;

    /// The number of frames of a good batch if several utterances at once are faster than one at a time, otherwise `None`.
    fn batch_frames(&self) -> Option<usize>;
    /// Waits until all requested work is done, on devices that work asynchronously.
    fn settle(&self) -> OpResult<()> {
        Ok(())
    }
    /// Best number of frames in the front end at once.
    fn front_end_frames(&self) -> usize;
    fn signals(&self, signals: Vec<Arc<Vec<f32>>>, framing: Framing) -> OpResult<Self::Signals>;
    /// Folds the norm over whole signals into the weights of the first convolution, if it has one.
    fn fold(
        &self,
        signals: &Self::Signals,
        weights: &Self::First,
    ) -> OpResult<Option<Self::Folded>>;
    /// The first convolution for the samples of some frames, one span per piece.
    fn first(
        &self,
        signals: &Self::Signals,
        weights: &Self::First,
        folded: Option<&Self::Folded>,
        pieces: &[Piece],
        activation: Activation,
    ) -> OpResult<Self::Tensor>;
    /// The rows of the pieces of `parts`, in their order, as utterances of these lengths.
    fn join(&self, parts: &[Self::Tensor], lengths: &[usize]) -> OpResult<Self::Tensor>;
    /// Utterances of `[row, columns]` values.
    fn stack(&self, utterances: &[Arc<Vec<f32>>], columns: usize) -> OpResult<Self::Tensor>;
    /// The rows of every utterance.
    fn lengths(&self, x: &Self::Tensor) -> Vec<usize>;
    fn columns(&self, x: &Self::Tensor) -> usize;
    /// The values, row-major: for every utterance `counts[i]` rows, starting at row `skip`.
    fn download(&self, x: &Self::Tensor, skip: usize, counts: &[usize]) -> OpResult<Vec<Vec<f32>>>;
    /// The first `counts[i]` rows of every utterance.
    fn first_rows(&self, x: &Self::Tensor, counts: &[usize]) -> OpResult<Self::Tensor>;
    /// Inserts the same rows before those of every utterance.
    fn prepend(&self, rows: &Self::Tensor, x: &Self::Tensor) -> OpResult<Self::Tensor>;
    /// `x + y`; a `y` of one utterance is added to every utterance of `x`.
    fn add(&self, x: Self::Tensor, y: &Self::Tensor) -> OpResult<Self::Tensor>;
    /// `activation(x Wᵀ + b) + residual`.
    fn linear(
        &self,
        x: &Self::Tensor,
        weights: &Self::Linear,
        activation: Activation,
        residual: Option<&Self::Tensor>,
    ) -> OpResult<Self::Tensor>;
    fn conv(
        &self,
        x: &Self::Tensor,
        weights: &Self::Conv,
        activation: Activation,
    ) -> OpResult<Self::Tensor>;
    /// Layer normalisation: every row is scaled to zero mean and unit variance.
    fn norm_rows(
        &self,
        x: Self::Tensor,
        weights: &Self::Norm,
        activation: Activation,
    ) -> OpResult<Self::Tensor>;
    /// Only the affine part of a norm: `x · scale + shift` (batch normalisation of a trained model).
    fn scale_shift(&self, x: Self::Tensor, weights: &Self::Norm) -> OpResult<Self::Tensor>;
    /// `softmax(q kᵀ / √(head dim) + bias) v`, heads side by side: `[query, head × head dim]`.
    fn attention(&self, attend: &Attend<'_, Self::Tensor>) -> OpResult<Self::Tensor>;
    /// The first half of the columns times the sigmoid of the second half.
    fn glu(&self, x: &Self::Tensor) -> OpResult<Self::Tensor>;
    /// Rotary positions: for each head's columns `a` and `b`, the first and second half, `a cos − b sin` and `b cos + a sin`,
    /// where `angles` `[row, head dim]` holds the cosines of `head dim / 2` angles, then their sines.
    fn rotate(&self, x: &Self::Tensor, angles: &Self::Tensor) -> OpResult<Self::Tensor>;
    /// The columns of `x`, then those of `y`.
    fn beside(&self, x: &Self::Tensor, y: &Self::Tensor) -> OpResult<Self::Tensor>;
    /// The gate of every head and frame, `[head, frame]`, from the input of attention.
    fn gate(&self, x: &Self::Tensor, weights: &Self::Gate) -> OpResult<Self::Tensor>;
}
