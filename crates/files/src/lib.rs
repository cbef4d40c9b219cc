//! Atomic file writes, digests, locks, and paths that stay inside their root.
//!
//! Every artefact of emobox passes through [`write_atomic`] or [`write_atomic_with`], so a reader
//! never sees half a file and a crash leaves at most a temporary file, which the next process that writes there deletes.

mod counted;
mod digest;
mod error;
mod guard;
mod lock;
mod remove;
mod safe_path;
mod stamp;
mod stray;
mod write;
mod yaml;

pub use counted::counted;
pub use digest::{Sha256, sha256_bytes, sha256_file, sha256_parts};
pub use error::FileError;
pub use guard::guarded;
pub use lock::{DirLock, LockOutcome};
pub use remove::{remove_file, remove_folder};
pub use safe_path::{absolute, join_inside};
pub use stamp::Stamp;
pub use stray::is_temporary;
pub use write::{read_json, try_write_atomic, write_atomic, write_atomic_with, write_json};
pub use yaml::parse_yaml;
