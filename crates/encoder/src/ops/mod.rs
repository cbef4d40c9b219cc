//! The operation boundary: model code is written once on these operations, and a device implements
//! them. What a device does best (packed weights, fused attention, overlapping rows instead of
//! im2col) is chosen inside the operation, never in a model.
//!
//! A tensor here is a plane `[row, column]` of f32: rows are frames (samples at the very input),
//! columns are channels. One utterance at a time: nothing can leak from one into another.

#[cfg(feature = "candle")]
mod candle;
mod census;
mod cpu;
mod timed;

#[cfg(feature = "candle")]
pub(crate) use candle::Candle;
pub(crate) use census::Census;
pub(crate) use cpu::Cpu;
pub use timed::OpTiming;
pub(crate) use timed::{Tally, Timed};

pub(crate) use emobox_kernels::{Activation, ConvShape};

use crate::EncoderError;

/// The result of an operation; only devices other than the CPU can fail.
pub(crate) type OpResult<T> = Result<T, EncoderError>;

/// A linear map's weights as stored: `weight` is `[out, inp]`.
pub(crate) struct LinearWeights {
    pub(crate) out: usize,
    pub(crate) inp: usize,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// A convolution's weights as stored: `weight` is `[out, inp / groups, kernel]`.
pub(crate) struct ConvWeights {
    pub(crate) shape: ConvShape,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// A normalisation's scale and shift; both absent where it has none.
pub(crate) struct NormWeights {
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

/// What a device makes of weights once, when an encoder is opened.
pub(crate) trait Prepare {
    type Linear: Send + Sync;
    type Conv: Send + Sync;
    type Norm: Send + Sync;
    type Gate: Send + Sync;
    /// A plane that is the same for every utterance: position embeddings, extra tokens.
    type Tensor: Clone + Send + Sync;

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<Self::Linear>;
    fn conv_weights(&self, weights: ConvWeights) -> OpResult<Self::Conv>;
    fn norm_weights(&self, weights: NormWeights) -> OpResult<Self::Norm>;
    fn gate_weights(&self, weights: GateWeights) -> OpResult<Self::Gate>;
    /// A plane `[values.len() / columns, columns]`.
    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Self::Tensor>;
}

/// What is added to the scaled scores of attention.
pub(crate) enum Bias<'a, T> {
    None,
    /// WavLM's: `gate[h, i] · table[h, j − i + frames − 1]` for query `i` and key `j`.
    Relative {
        /// `[head, 2 · frames − 1]`: one value a distance, `j − i = −(frames − 1)` first.
        table: &'a T,
        /// `[head, query]`.
        gate: &'a T,
    },
    /// ALiBi: `−scales[h] · |i − j|`, except where query or key is one of the first `tokens` rows.
    Alibi {
        /// One slope a head.
        scales: &'a [f32],
        /// Leading rows (extra tokens) that neither give nor get a bias.
        tokens: usize,
    },
}

/// Self-attention over one utterance.
pub(crate) struct Attend<'a, T> {
    /// `[query, head × head dim]`, not yet scaled; may be the first rows alone.
    pub(crate) query: &'a T,
    /// `[frame, 2 × head × head dim]`: keys, then values.
    pub(crate) key_value: &'a T,
    pub(crate) heads: usize,
    pub(crate) bias: Bias<'a, T>,
}

/// The operations of a forward pass.
pub(crate) trait Ops: Prepare + Send + Sync {
    /// Frames of the front end that are best computed at once.
    fn front_end_frames(&self) -> usize;
    /// `[row, column]` back as row-major values.
    fn download(&self, x: &Self::Tensor) -> OpResult<Vec<f32>>;
    fn rows(&self, x: &Self::Tensor) -> usize;
    fn columns(&self, x: &Self::Tensor) -> usize;
    /// The first `rows` rows.
    fn first_rows(&self, x: &Self::Tensor, rows: usize) -> OpResult<Self::Tensor>;
    /// The rows of the first, then those of the second, and so on; at least one.
    fn concat(&self, parts: &[&Self::Tensor]) -> OpResult<Self::Tensor>;
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
    /// Layer normalisation: every row to zero mean and unit variance.
    fn norm_rows(
        &self,
        x: Self::Tensor,
        weights: &Self::Norm,
        activation: Activation,
    ) -> OpResult<Self::Tensor>;
    /// The affine part of a norm alone: `x · scale + shift` (batch normalisation of a trained model).
    fn scale_shift(&self, x: Self::Tensor, weights: &Self::Norm) -> OpResult<Self::Tensor>;
    /// `softmax(q kᵀ / √(head dim) + bias) v`, heads side by side: `[query, head × head dim]`.
    fn attention(&self, attend: &Attend<'_, Self::Tensor>) -> OpResult<Self::Tensor>;
    /// The gate of every head and frame, `[head, frame]`, from the input of attention.
    fn gate(&self, x: &Self::Tensor, weights: &Self::Gate) -> OpResult<Self::Tensor>;
}
