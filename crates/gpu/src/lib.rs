//! NVIDIA GPUs, and a way to test their kernels without one.
//!
//! [`Gpu`] is a device and its checked operations; everything an encoder does on a GPU goes through it. Below it is a small [`Backend`]
//! with two implementations: CUDA's driver with cuBLASLt, opened when a device is requested (nothing is linked, nothing is needed to build
//! or to start), and [`Host`], which runs the same kernel source on this machine's CPU for tests.
//!
//! Conventions:
//!
//! * Matrices are row-major; sums of products, norms, softmax and the residual stream are f32 whatever the operands are ([`Numbers`]).
//! * Utterances follow each other in a matrix; [`Spans`] gives their rows. No kernel reads across their ends.
//! * Shapes that do not match are a mistake of the calling code: it panics with the numbers in the message. What depends on the machine
//!   (no driver, no memory) is a [`GpuError`].

mod array;
mod attention;
mod backend;
mod convolution;
mod cuda;
mod depthwise;
mod error;
mod frames;
mod gpu;
mod host;
mod numbers;
mod ptx;
mod rows;
mod shape;
mod spans;
mod sweep;

pub use array::Array;
pub use attention::{Attention, AttentionBias, LARGEST_HEAD};
pub use backend::{Argument, Backend, Memory, Product};
pub use convolution::{Convolution, First, Folded, GroupNorm, MOST_TAPS, Piece};
pub use cuda::{Report, inspect};
pub use error::GpuError;
pub use frames::Frames;
pub use gpu::{Activation, Gpu, Linear, Norm, Outputs};
pub use host::Host;
pub use numbers::Numbers;
pub use ptx::source;
pub use rows::RowCopy;
pub use shape::Shape;
pub use spans::Spans;
pub use sweep::{ATTENTION, MOST_CHUNKS, PointState, Pooling, Sweep, SweepShape, Utterance};
