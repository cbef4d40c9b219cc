//! Limits on what a file may declare. Real checkpoints stay far below all of them; a file above one
//! is broken or malicious and is refused before memory is spent on it.

/// Bytes of a safetensors header or an index. The limit of the `safetensors` crate.
pub(super) const HEADER_BYTES: usize = 100_000_000;
/// Tensors of a checkpoint; the largest encoders have a few thousand.
pub(super) const TENSORS: usize = 100_000;
/// Dimensions of a tensor.
pub(super) const DIMENSIONS: usize = 16;
/// Bytes of a pickle without its tensors; those of the largest fairseq checkpoints have about one million.
pub(super) const PICKLE_BYTES: usize = 64_000_000;
/// Values in a pickle, and entries of its stack and memo. A dictionary of 250 000 words has 750 000.
pub(super) const VALUES: usize = 4_000_000;
/// Containers of a pickle that are open at once.
pub(super) const MARKS: usize = 100_000;
/// Nesting of state dicts and of configurations.
pub(super) const DEPTH: usize = 64;
/// Values of a state dict or of a configuration, where a shared value counts each time.
pub(super) const TREE_VALUES: usize = 1_000_000;
/// Elements of a tensor that repeats its storage (`expand`), which the file size does not bound.
pub(super) const REPEATED_ELEMENTS: usize = 1 << 24;
/// Longest name of a tensor; those of encoders stay below 200 characters.
pub(super) const NAME_BYTES: usize = 1024;
/// Bytes of the names of a whole checkpoint.
pub(super) const NAMES_BYTES: usize = 64_000_000;
