//! The configuration objects of fairseq, FunASR, WavLM and Whisper checkpoints as JSON.

use super::within;
use crate::pickle::{Arena, Id, Node, Record};
use crate::{CheckpointError, limits};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Top-level keys under which programs save their settings.
const KEYS: [&str; 7] = [
    "cfg",
    "args",
    "config",
    "dims",
    "hyper_parameters",
    "model_cfg",
    "task_cfg",
];

/// An object with those of [`KEYS`] that the checkpoint has; `None` if it has none.
pub(super) fn config(
    path: &Path,
    arena: &Arena<'_>,
    root: Id,
) -> Result<Option<Value>, CheckpointError> {
    let mut reader = Reader {
        path,
        arena,
        values: 0,
    };
    let mut found = Map::new();
    for key in KEYS {
        if let Some(id) = arena.value(root, key)
            && !matches!(arena.get(id), Node::None | Node::Tensor(_))
        {
            let value = reader.value(id, 0)?;
            let resolved = interpolate(&value, &value);
            found.insert(key.to_owned(), resolved);
        }
    }
    Ok((!found.is_empty()).then_some(Value::Object(found)))
}

struct Reader<'p, 'a> {
    path: &'p Path,
    arena: &'p Arena<'a>,
    values: usize,
}

impl Reader<'_, '_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, CheckpointError> {
        within(
            self.path,
            "the nesting of the configuration",
            limits::DEPTH,
            depth,
        )?;
        self.charge(1)?;
        let arena = self.arena;
        Ok(match arena.get(id) {
            Node::None | Node::Long(_) | Node::Bytes(_) | Node::Storage(_) => Value::Null,
            Node::Bool(value) => Value::from(*value),
            Node::Int(value) => Value::from(*value),
            Node::Float(value) => Value::from(*value),
            Node::Text(text) => {
                // Shared texts are copied at every occurrence.
                self.charge(text.len() / 64)?;
                Value::from(text.as_ref())
            }
            Node::Class(name) => Value::from(name.as_ref()),
            Node::Tensor(_) => Value::from("<tensor>"),
            Node::Tuple(items) | Node::List(items) => self.list(items, depth)?,
            Node::Dict(pairs) => Value::Object(self.object(pairs, depth)?),
            Node::Record(record) => self.record(record, depth)?,
        })
    }

    /// Counts visited values, because a shared one is visited again and again.
    fn charge(&mut self, values: usize) -> Result<(), CheckpointError> {
        self.values = self.values.saturating_add(values);
        let what = "the number of values in the configuration";
        within(self.path, what, limits::TREE_VALUES, self.values)
    }

    fn list(&mut self, items: &[Id], depth: usize) -> Result<Value, CheckpointError> {
        let values: Result<_, _> = items
            .iter()
            .map(|item| self.value(*item, depth + 1))
            .collect();
        Ok(Value::Array(values?))
    }

    fn object(
        &mut self,
        pairs: &[(Id, Id)],
        depth: usize,
    ) -> Result<Map<String, Value>, CheckpointError> {
        let mut map = Map::new();
        for (key, value) in pairs {
            let key = match self.value(*key, depth + 1)? {
                Value::String(key) => key,
                // No configuration has such keys, and nested keys would grow with every level.
                Value::Array(_) | Value::Object(_) => continue,
                scalar => scalar.to_string(),
            };
            map.insert(key, self.value(*value, depth + 1)?);
        }
        Ok(map)
    }

    /// Configuration classes become their contents, everything else its name and all arguments.
    fn record(&mut self, record: &Record, depth: usize) -> Result<Value, CheckpointError> {
        let arena = self.arena;
        let mut class = arena.class(record.class).unwrap_or_default();
        let mut arguments = arena.items(record.arguments).unwrap_or_default();
        let state_pairs = record.state.and_then(|state| arena.pairs(state));
        self.charge(arguments.len() + state_pairs.map_or(0, <[_]>::len))?;
        // `copyreg._reconstructor(class, base, state)` of protocols 0 and 1.
        if class.ends_with("._reconstructor")
            && let [inner, _base, rest @ ..] = arguments
        {
            class = arena.class(*inner).unwrap_or_default();
            arguments = rest;
        }
        if class.starts_with("omegaconf.")
            && let Some(state) = record.state
        {
            for attribute in ["_content", "_val"] {
                if let Some(content) = arena.value(state, attribute) {
                    return self.value(content, depth + 1);
                }
            }
        }
        if class.ends_with(".multiarray.scalar")
            && let Some(number) = numpy_scalar(arena, arguments)
        {
            return Ok(number);
        }
        if class.starts_with("pathlib.") {
            let mut path = PathBuf::new();
            for part in arguments {
                path.extend(self.value(*part, depth + 1)?.as_str());
            }
            return Ok(Value::from(path.to_string_lossy()));
        }
        let bare = record.pairs.is_empty() && record.items.is_empty();
        if let ([only], None, true) = (arguments, record.state, bare)
            && !matches!(arena.get(*only), Node::Record(_) | Node::Dict(_))
        {
            // An enumeration member becomes its value, a device its name.
            return self.value(*only, depth + 1);
        }
        if !record.items.is_empty() {
            return self.list(&record.items, depth);
        }
        let mut map = self.object(&record.pairs, depth)?;
        if let Some(state) = record.state {
            // Instances with slots have a pair of dictionaries as their state.
            let parts = match arena.get(state) {
                Node::Tuple(parts) => parts.as_slice(),
                _ => &[state],
            };
            for part in parts {
                if let Some(pairs) = arena.pairs(*part) {
                    map.extend(self.object(pairs, depth)?);
                }
            }
        }
        if map.is_empty() && !class.starts_with("collections.") && class != "argparse.Namespace" {
            map.insert("class".to_owned(), Value::from(class));
            if !arguments.is_empty() {
                map.insert("arguments".to_owned(), self.list(arguments, depth)?);
            }
        }
        Ok(Value::Object(map))
    }
}

/// `numpy.core.multiarray.scalar(dtype, bytes)`.
fn numpy_scalar(arena: &Arena<'_>, arguments: &[Id]) -> Option<Value> {
    let [dtype, bytes] = arguments else {
        return None;
    };
    let Node::Record(dtype) = arena.get(*dtype) else {
        return None;
    };
    let code = arena.text(*arena.items(dtype.arguments)?.first()?)?;
    let bytes = match arena.get(*bytes) {
        Node::Bytes(bytes) => bytes.to_vec(),
        Node::Text(text) => latin1(text)?,
        // `_codecs.encode(text, "latin1")` of protocol 2.
        Node::Record(record) => latin1(arena.text(*arena.items(record.arguments)?.first()?)?)?,
        _ => return None,
    };
    Some(match code {
        "f8" => Value::from(f64::from_le_bytes(bytes.try_into().ok()?)),
        "f4" => Value::from(f32::from_le_bytes(bytes.try_into().ok()?)),
        "i8" => Value::from(i64::from_le_bytes(bytes.try_into().ok()?)),
        "i4" => Value::from(i32::from_le_bytes(bytes.try_into().ok()?)),
        "b1" => Value::from(*bytes.first()? != 0),
        _ => return None,
    })
}

/// The bytes of a short text of characters below 256.
fn latin1(text: &str) -> Option<Vec<u8>> {
    let bytes = text
        .chars()
        .take(16)
        .map(|c| u8::try_from(u32::from(c)).ok());
    bytes.collect()
}

/// Replaces strings that consist of one reference from the root, `${a.b.c}`, to a scalar by that scalar.
/// Relative references and those inside a longer text stay as written.
fn interpolate(value: &Value, root: &Value) -> Value {
    match value {
        Value::String(_) => referent(value, root).unwrap_or(value).clone(),
        Value::Array(items) => items.iter().map(|item| interpolate(item, root)).collect(),
        Value::Object(map) => {
            let resolved = map
                .iter()
                .map(|(key, item)| (key.clone(), interpolate(item, root)));
            resolved.collect()
        }
        other => other.clone(),
    }
}

/// The scalar at the end of a chain of references.
fn referent<'v>(value: &'v Value, root: &'v Value) -> Option<&'v Value> {
    let mut at = value;
    for _ in 0..limits::DEPTH {
        let Value::String(text) = at else { break };
        let Some(path) = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
        else {
            break;
        };
        at = path.split('.').try_fold(root, |at, key| at.get(key))?;
    }
    match at {
        Value::Object(_) | Value::Array(_) => None,
        // A long text that many references repeat would grow without bound.
        Value::String(text) if text.len() > limits::NAME_BYTES || text.starts_with("${") => None,
        scalar => Some(scalar),
    }
}
