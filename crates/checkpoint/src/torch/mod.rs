//! PyTorch checkpoints: current zip archives and plain pickles from before version 1.6.
//!
//! Both hold a pickle (see [`super::pickle`]) whose tensors are views of storages elsewhere in the file.

mod archive;
mod config;
mod legacy;
mod state_dict;

use super::pickle::{Arena, Id, PickleError};
use super::tensor::Tensor;
use super::{CheckpointError, limits};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

const FORMAT: &str = "PyTorch";

/// The contents of a file besides the bytes of tensors.
pub(super) struct Contents {
    pub(super) tensors: Vec<(String, Tensor)>,
    pub(super) config: Option<serde_json::Value>,
}

/// The positions of a file's storages.
struct Storages {
    /// Byte ranges by key.
    ranges: HashMap<String, Range<usize>>,
    big_endian: bool,
}

/// Whether the bytes begin like a zip archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    archive::recognises(bytes)
}

/// Whether the bytes begin like a legacy checkpoint, which is a sequence of pickles.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    legacy::recognises(bytes)
}

/// Reads a zip archive.
pub(super) fn read_archive(
    path: &Path,
    bytes: &[u8],
    file: usize,
) -> Result<Contents, CheckpointError> {
    let (pickle, storages) = archive::open(path, bytes)?;
    let pickle = super::pickle::load(pickle).map_err(|e| refusal(path, e))?;
    contents(path, file, &pickle.arena, pickle.root, &storages)
}

/// Reads a legacy checkpoint.
pub(super) fn read_legacy(
    path: &Path,
    bytes: &[u8],
    file: usize,
) -> Result<Contents, CheckpointError> {
    let (pickle, storages) = legacy::open(path, bytes)?;
    contents(path, file, &pickle.arena, pickle.root, &storages)
}

fn contents(
    path: &Path,
    file: usize,
    arena: &Arena<'_>,
    root: Id,
    storages: &Storages,
) -> Result<Contents, CheckpointError> {
    Ok(Contents {
        tensors: state_dict::tensors(path, file, arena, root, storages)?,
        config: config::config(path, arena, root)?,
    })
}

fn refusal(path: &Path, error: PickleError) -> CheckpointError {
    let path = path.to_owned();
    match error {
        PickleError::Refused { class } => CheckpointError::RefusedClass { path, class },
        PickleError::Limit { what, limit } => CheckpointError::Limit {
            path,
            what: what.to_owned(),
            limit: limit as u64,
            found: limit as u64 + 1,
        },
        other => malformed(&path, other.to_string()),
    }
}

fn malformed(path: &Path, detail: String) -> CheckpointError {
    CheckpointError::Malformed {
        path: path.to_owned(),
        format: FORMAT,
        detail,
    }
}

fn check_pickle_size(path: &Path, size: usize) -> Result<(), CheckpointError> {
    let what = "the size of the pickle in bytes";
    within(path, what, limits::PICKLE_BYTES, size)
}

/// Refuses a file that asks for more than a limit.
fn within(path: &Path, what: &str, limit: usize, found: usize) -> Result<(), CheckpointError> {
    if found <= limit {
        return Ok(());
    }
    Err(CheckpointError::Limit {
        path: path.to_owned(),
        what: what.to_owned(),
        limit: limit as u64,
        found: found as u64,
    })
}
