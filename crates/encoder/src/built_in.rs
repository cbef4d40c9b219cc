//! Encoders without weights.

/// The built-in encoder without weights.
pub const FBANK: &str = "fbank";

/// The encoder's name.
pub const EGEMAPS: &str = "egemaps";

/// The encoders without a checkpoint.
pub const BUILT_IN: [&str; 2] = [FBANK, EGEMAPS];
