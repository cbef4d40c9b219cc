//! Finds the tensors among everything else that a training program saves.

use super::{Storages, malformed, within};
use crate::pickle::{Arena, Id, Node, StoredTensor};
use crate::tensor::{Dtype, Tensor, row_major_strides};
use crate::{CheckpointError, limits};
use std::collections::HashSet;
use std::path::Path;

/// The keys under which programs put the state dict; the first match is used: fairseq and WavLM `model`, Lightning
/// `state_dict`, Whisper and FunASR `model_state_dict`, S3PRL `model_weight`, and others found in the wild.
const WRAPPERS: [&str; 9] = [
    "model",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model_weight",
    "module",
    "net",
    "ema",
    "teacher",
];

/// The tensors of the state dict under their dotted names.
pub(super) fn tensors(
    path: &Path,
    file: usize,
    arena: &Arena<'_>,
    root: Id,
    storages: &Storages,
) -> Result<Vec<(String, Tensor)>, CheckpointError> {
    let mut flat = Flat {
        path,
        arena,
        visits: 0,
        name_bytes: 0,
        found: Vec::new(),
    };
    flat.search(root, 0)?;
    if flat.found.is_empty() {
        let pairs = arena.pairs(root).unwrap_or_default();
        let keys = pairs.iter().filter_map(|(key, _)| key_text(arena, *key));
        return Err(CheckpointError::NoTensors {
            path: path.to_owned(),
            found: keys.take(12).collect(),
        });
    }
    let mut seen = HashSet::new();
    let mut tensors = Vec::with_capacity(flat.found.len());
    for (name, tensor) in flat.found {
        if !seen.insert(name.clone()) {
            return Err(malformed(path, format!("tensor {name:?} stands twice")));
        }
        let placed = place(path, file, arena, storages, &name, tensor)?;
        tensors.push((name, placed));
    }
    Ok(tensors)
}

struct Flat<'p, 'a> {
    path: &'p Path,
    arena: &'p Arena<'a>,
    visits: usize,
    name_bytes: usize,
    found: Vec<(String, &'p StoredTensor)>,
}

impl Flat<'_, '_> {
    /// Collects the tensors of the first wrapper that has any, otherwise those of `dict` itself.
    fn search(&mut self, dict: Id, level: usize) -> Result<(), CheckpointError> {
        let arena = self.arena;
        let pairs = arena.pairs(dict).unwrap_or_default();
        self.charge(pairs.len())?;
        let is_tensor = |value: Id| matches!(arena.get(value), Node::Tensor(_));
        // At the top level a tensor may be a counter beside the state dict; deeper inside it is a weight.
        let is_state = level > 0 && pairs.iter().any(|(_, value)| is_tensor(*value));
        if !is_state && level < WRAPPERS.len() {
            for value in WRAPPERS.iter().filter_map(|key| arena.value(dict, key)) {
                if !is_tensor(value) {
                    self.search(value, level + 1)?;
                }
                if !self.found.is_empty() {
                    return Ok(());
                }
            }
        }
        self.walk("", dict, 0)
    }

    fn walk(&mut self, prefix: &str, id: Id, depth: usize) -> Result<(), CheckpointError> {
        let arena = self.arena;
        let join = |key: &str| {
            if prefix.is_empty() {
                key.to_owned()
            } else {
                format!("{prefix}.{key}")
            }
        };
        within(
            self.path,
            "the nesting of the state dict",
            limits::DEPTH,
            depth,
        )?;
        self.charge(1)?;
        within(
            self.path,
            "the length of a tensor's name",
            limits::NAME_BYTES,
            prefix.len(),
        )?;
        match arena.get(id) {
            Node::Tensor(tensor) => {
                self.name_bytes += prefix.len();
                within(
                    self.path,
                    "the length of all names",
                    limits::NAMES_BYTES,
                    self.name_bytes,
                )?;
                within(
                    self.path,
                    "the number of tensors",
                    limits::TENSORS,
                    self.found.len(),
                )?;
                self.found.push((prefix.to_owned(), tensor));
            }
            Node::Dict(_) | Node::Record(_) => {
                let pairs = arena.pairs(id).unwrap_or_default();
                self.charge(pairs.len())?;
                for (key, value) in pairs {
                    if self.holds_values(*value)
                        && let Some(key) = key_text(arena, *key)
                    {
                        self.walk(&join(&key), *value, depth + 1)?;
                    }
                }
            }
            Node::List(items) | Node::Tuple(items) => {
                self.charge(items.len())?;
                for (index, value) in items.iter().enumerate() {
                    if self.holds_values(*value) {
                        self.walk(&join(&index.to_string()), *value, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts visited values, because a shared one is visited again and again.
    fn charge(&mut self, values: usize) -> Result<(), CheckpointError> {
        self.visits = self.visits.saturating_add(values);
        let what = "the number of values in the state dict";
        within(self.path, what, limits::TREE_VALUES, self.visits)
    }

    /// Whether a value is a tensor or may hold one, so that names are built only for those.
    fn holds_values(&self, id: Id) -> bool {
        match self.arena.get(id) {
            Node::Tensor(_) => true,
            Node::Dict(pairs) => !pairs.is_empty(),
            Node::Record(record) => !record.pairs.is_empty(),
            Node::List(items) | Node::Tuple(items) => !items.is_empty(),
            _ => false,
        }
    }
}

fn key_text(arena: &Arena<'_>, key: Id) -> Option<String> {
    match arena.get(key) {
        Node::Text(text) => Some(text.chars().take(limits::NAME_BYTES).collect()),
        Node::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Checks a view against its storage and returns the position of its elements in the file.
fn place(
    path: &Path,
    file: usize,
    arena: &Arena<'_>,
    storages: &Storages,
    name: &str,
    tensor: &StoredTensor,
) -> Result<Tensor, CheckpointError> {
    let (storage, dtype, offset, shape, strides) = match tensor {
        StoredTensor::Unreadable { function } => {
            return Ok(Tensor {
                file,
                dtype: Dtype::Other {
                    name: format!("that {function} makes"),
                    size: 0,
                },
                shape: Vec::new(),
                start: 0,
                strides: None,
                big_endian: false,
            });
        }
        StoredTensor::Strided {
            storage,
            dtype,
            offset,
            shape,
            strides,
        } => (*storage, dtype, *offset, shape, strides),
    };
    let Node::Storage(storage) = arena.get(storage) else {
        return Err(malformed(path, format!("tensor {name:?} has no storage")));
    };
    let key = arena.text(storage.key).unwrap_or_default();
    let Some(range) = storages.ranges.get(key) else {
        return Err(malformed(
            path,
            format!("storage {key:?} of tensor {name:?} is not in the file"),
        ));
    };
    let Some(dtype) = dtype.clone().or_else(|| storage.dtype.clone()) else {
        return Err(malformed(
            path,
            format!("tensor {name:?} has no element type"),
        ));
    };
    let unit = storage.dtype.as_ref().map_or(1, Dtype::size) as u64;
    let out = |needed: u64, available: u64| CheckpointError::OutOfStorage {
        path: path.to_owned(),
        name: name.to_owned(),
        storage: key.to_owned(),
        needed,
        available,
    };
    // The storage must be in the file as declared, and the view in the storage.
    let first = storage.first.saturating_mul(unit);
    let announced = storage.elements.saturating_mul(unit);
    if first.saturating_add(announced) > range.len() as u64 {
        return Err(out(first.saturating_add(announced), range.len() as u64));
    }
    let size = dtype.size() as u64;
    let elements = shape
        .iter()
        .try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let empty = shape.contains(&0);
    let end = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |end, (&dim, &stride)| {
            end.checked_add(dim.saturating_sub(1).checked_mul(stride)?)
        })
        .and_then(|last| last.checked_add(1)?.checked_mul(size))
        .unwrap_or(u64::MAX);
    if !empty && end > announced {
        return Err(out(end, announced));
    }
    let elements = if empty {
        0
    } else {
        elements.unwrap_or(u64::MAX)
    };
    let repeated = limits::REPEATED_ELEMENTS as u64;
    if elements > repeated && elements > announced / size.max(1) {
        return Err(CheckpointError::Limit {
            path: path.to_owned(),
            what: format!("the number of elements of tensor {name:?}, which repeats its storage,"),
            limit: repeated,
            found: elements,
        });
    }
    let shape: Vec<usize> = shape.iter().map(|&dim| dim as usize).collect();
    let contiguous = empty
        || row_major_strides(&shape)
            .iter()
            .zip(strides)
            .zip(&shape)
            .all(|((&expected, &stride), &dim)| dim == 1 || expected as u64 == stride);
    Ok(Tensor {
        file,
        dtype,
        start: range.start
            + if empty {
                0
            } else {
                (first + offset * size) as usize
            },
        strides: (!contiguous).then(|| strides.iter().map(|&stride| stride as usize).collect()),
        shape,
        big_endian: storages.big_endian,
    })
}
