//! Bounds on what a file may ask for. Real checkpoints stay far below all of them; a file above one
//! is broken or hostile and is refused before memory is spent on it.

/// Bytes of a safetensors header, an index or a pickle. The limit of the `safetensors` crate.
pub(super) const HEADER_BYTES: usize = 100_000_000;
/// Tensors of a checkpoint; the largest encoders have a few thousand.
pub(super) const TENSORS: usize = 100_000;
/// Dimensions of a tensor.
pub(super) const DIMENSIONS: usize = 16;
