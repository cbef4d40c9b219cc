//! The format before PyTorch 1.6: five pickles (a magic number, the protocol, the writer's system, the
//! object, the keys of the storages), then each storage as a count of elements and their bytes.
//! Layout from `torch/serialization.py`, `_legacy_save` (PyTorch 2.x).

use super::{Storages, check_pickle_size, malformed, refusal};
use crate::CheckpointError;
use crate::limits;
use crate::pickle::{self, Node, Pickle};
use crate::tensor::Dtype;
use std::collections::HashMap;
use std::path::Path;

/// `0x1950a86a20f9469cfc6c`, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// A pickle of protocol 2 or later; its contents show whether it is a checkpoint.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 0..=5, ..])
}

/// The object's pickle and the storages.
pub(super) fn open<'a>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(Pickle<'a>, Storages), CheckpointError> {
    let mut at = 0;
    let mut next = || -> Result<Pickle<'a>, CheckpointError> {
        let rest = &bytes[at..];
        let rest = &rest[..rest.len().min(limits::PICKLE_BYTES + 1)];
        let pickle = pickle::load(rest).map_err(|e| match check_pickle_size(path, rest.len()) {
            Err(too_long) if matches!(e, pickle::PickleError::Truncated { .. }) => too_long,
            _ => refusal(path, e),
        })?;
        at += pickle.consumed;
        Ok(pickle)
    };
    let magic = next()?;
    if !matches!(magic.arena.get(magic.root), Node::Long(bytes) if bytes[..] == MAGIC) {
        return Err(CheckpointError::UnknownFormat {
            path: path.to_owned(),
            found: "a pickle, but not one of PyTorch".to_owned(),
        });
    }
    let protocol = next()?;
    if !matches!(protocol.arena.get(protocol.root), Node::Int(PROTOCOL)) {
        return Err(malformed(path, format!("the protocol is not {PROTOCOL}")));
    }
    let system = next()?;
    let little = system.arena.value(system.root, "little_endian");
    let big_endian = little.is_some_and(|id| matches!(system.arena.get(id), Node::Bool(false)));
    let object = next()?;
    let keys = next()?;
    let mut ranges = HashMap::new();
    let sizes = element_sizes(path, &object)?;
    let names = keys
        .arena
        .items(keys.root)
        .ok_or_else(|| malformed(path, "the keys of the storages are no list".to_owned()))?;
    for name in names {
        let key = keys.arena.text(*name).unwrap_or_default();
        let Some(size) = sizes.get(key) else {
            return Err(malformed(path, format!("no tensor uses storage {key:?}")));
        };
        let short = |expected: u64, found: usize| CheckpointError::Truncated {
            path: path.to_owned(),
            what: format!("storage {key:?}"),
            expected,
            found: found as u64,
        };
        let rest = &bytes[at..];
        let count = rest.first_chunk().ok_or_else(|| short(8, rest.len()))?;
        let count = if big_endian {
            u64::from_be_bytes(*count)
        } else {
            u64::from_le_bytes(*count)
        };
        at += 8;
        let length = count.saturating_mul(*size as u64);
        if length > (bytes.len() - at) as u64 {
            return Err(short(length, bytes.len() - at));
        }
        let range = at..at + length as usize;
        at = range.end;
        if ranges.insert(key.to_owned(), range).is_some() {
            return Err(malformed(path, format!("storage {key:?} stands twice")));
        }
    }
    Ok((object, Storages { ranges, big_endian }))
}

/// Bytes per element by storage: the file counts elements and leaves their type to the pickle.
fn element_sizes<'p>(
    path: &Path,
    object: &'p Pickle<'_>,
) -> Result<HashMap<&'p str, usize>, CheckpointError> {
    let mut sizes = HashMap::new();
    for storage in object.arena.storages() {
        let key = object.arena.text(storage.key).unwrap_or_default();
        let size = storage.dtype.as_ref().map_or(1, Dtype::size);
        if sizes
            .insert(key, size)
            .is_some_and(|earlier| earlier != size)
        {
            return Err(malformed(
                path,
                format!("storage {key:?} has elements of two sizes"),
            ));
        }
    }
    Ok(sizes)
}
