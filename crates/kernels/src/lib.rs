//! CPU arithmetic for inference and probe training; one of the two crates with unsafe code (the other is `crates/gpu`).
//!
//! Conventions that hold for every operation here:
//!
//! * Matrices are row-major `f32`, sequences are channels-last: `[frame, channel]`.
//! * A call runs only on the calling thread. Callers distribute utterances, folds or (see [`split_rows`]) rows over threads.
//! * The value of an output row depends on that input row and the weights, never on how many other rows are in the call,
//!   so neither batching nor threads change a bit of any result.
//! * Shapes that do not match are a mistake of the calling code: it panics with the lengths in the message.
//! * The instruction set is chosen once at run time; see [`Path`] and `EMOBOX_KERNELS`.

mod activation;
mod arch;
mod attention;
mod conv;
mod conv_norm;
mod conv_shape;
mod convert;
mod depthwise;
mod exp;
mod gate;
mod gemm;
mod left;
mod linear;
mod mapped_file;
mod matmul;
mod matrix;
mod norm;
mod pack;
mod path;
mod peak;
mod softmax;
mod statistics;

pub use activation::{Activation, gelu, relu, silu};
pub use attention::{Attention, AttentionBias, attention};
pub use conv::{Conv1d, conv1d};
pub use conv_norm::{ConvNorm, FoldedConv};
pub use conv_shape::ConvShape;
pub use convert::{narrow_bf16, narrow_f16, widen_bf16, widen_f16};
pub use gate::{GATE_COLUMNS, GATE_FRAMES, Gate, GateTable};
pub use linear::{Epilogue, PackedLinear, Precision, linear};
pub use mapped_file::MappedFile;
pub use matmul::matmul;
pub use matrix::{Element, MatRef, Rows, split_rows};
pub use norm::{Affine, group_norm, layer_norm};
pub use path::{Path, PathError, active_path, available_paths, bf16_is_native, with_path};
pub use peak::measured_peak;
pub use softmax::softmax_rows;
pub use statistics::mean_and_deviation;
