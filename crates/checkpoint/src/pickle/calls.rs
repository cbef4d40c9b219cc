//! The meaning, as data, of the few calls that PyTorch writes.

use super::PickleError;
use super::value::{Arena, Id, Node, Storage, StoredTensor};
use crate::{limits, tensor::Dtype};

/// A value, or what is wrong with the call.
type Meaning<'a> = Result<Node<'a>, String>;

/// The meaning of a call.
pub(super) enum CallOutcome<'a> {
    /// This value.
    Value(Node<'a>),
    /// One of its arguments.
    Same(Id),
    /// No special meaning: the name and the arguments are kept as a record.
    Record,
    /// An error.
    Wrong(String),
}

impl<'a> From<Meaning<'a>> for CallOutcome<'a> {
    fn from(meaning: Meaning<'a>) -> Self {
        match meaning {
            Ok(node) => Self::Value(node),
            Err(detail) => Self::Wrong(detail),
        }
    }
}

/// The meaning of a call to the functions and containers that state dicts consist of.
pub(super) fn outcome<'a>(
    arena: &mut Arena<'a>,
    class: Id,
    arguments: Id,
) -> Result<CallOutcome<'a>, PickleError> {
    let mut name = arena.class(class).unwrap_or_default();
    let mut arguments = arena.items(arguments).unwrap_or_default();
    if let ("torch._tensor._rebuild_from_type_v2", [function, _, inner, ..]) = (name, arguments) {
        name = arena.class(*function).unwrap_or_default();
        arguments = arena.items(*inner).unwrap_or_default();
    }
    let bare = name
        .strip_prefix("builtins.")
        .or(name.strip_prefix("__builtin__."))
        .unwrap_or(name);
    let outcome = match (bare, arguments) {
        ("collections.OrderedDict" | "dict", []) => CallOutcome::Value(Node::Dict(Vec::new())),
        ("collections.OrderedDict", [list]) => match pairs(arena, *list) {
            Some(pairs) => {
                arena.charge(pairs.len())?;
                CallOutcome::Value(Node::Dict(pairs))
            }
            None => {
                CallOutcome::Wrong("an ordered dictionary of something else than pairs".to_owned())
            }
        },
        // Containers of containers: the same items, to which nothing is appended afterwards.
        ("set" | "frozenset" | "list" | "tuple" | "torch.Size", [items])
            if arena.items(*items).is_some() =>
        {
            CallOutcome::Same(*items)
        }
        // A parameter is equivalent to its data.
        (
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
            [data, ..],
        ) => match arena.get(*data) {
            Node::Tensor(_) => CallOutcome::Same(*data),
            _ => CallOutcome::Wrong("a parameter without a tensor".to_owned()),
        },
        (
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2",
            [storage, offset, shape, strides, ..],
        ) => strided(arena, [*storage, *offset, *shape, *strides], None).into(),
        ("torch._utils._rebuild_tensor_v3", [storage, offset, shape, strides, _, _, dtype, ..]) => {
            let dtype = arena
                .class(*dtype)
                .and_then(|name| name.strip_prefix("torch."));
            strided(
                arena,
                [*storage, *offset, *shape, *strides],
                dtype.map(dtype_attribute),
            )
            .into()
        }
        _ if name.starts_with("torch._utils._rebuild_") => {
            CallOutcome::Value(Node::Tensor(Box::new(StoredTensor::Unreadable {
                function: name.to_owned(),
            })))
        }
        _ => CallOutcome::Record,
    };
    if matches!(outcome, CallOutcome::Value(Node::Tensor(_))) {
        arena.count_tensor()?;
    }
    Ok(outcome)
}

/// The storage that a persistent identifier names:
/// `("storage", class, key, location, elements[, None | (key, first, elements)])`.
pub(super) fn persistent<'a>(arena: &Arena<'a>, id: Id) -> Meaning<'a> {
    let wrong = || "a persistent identifier that names no storage".to_owned();
    let items = arena.items(id).ok_or_else(wrong)?;
    let [kind, class, rest @ ..] = items else {
        return Err(wrong());
    };
    match (arena.text(*kind), rest) {
        (Some("storage"), [key, _location, elements, view @ ..]) => {
            let class = arena.class(*class).ok_or_else(wrong)?;
            let dtype =
                storage_class(class).ok_or_else(|| format!("a storage of class {class}"))?;
            let mut elements = arena.unsigned(*elements).ok_or_else(wrong)?;
            arena.text(*key).ok_or_else(wrong)?;
            let mut first = 0;
            if let Some(view) = view.first()
                && let Some([_, offset, length]) = arena.items(*view)
            {
                first = arena.unsigned(*offset).ok_or_else(wrong)?;
                elements = arena.unsigned(*length).ok_or_else(wrong)?;
            }
            Ok(Node::Storage(Box::new(Storage {
                dtype,
                key: *key,
                elements,
                first,
            })))
        }
        // The source text of a module, which old files contain for warnings; only the name is used.
        (Some("module"), _) => {
            let class = arena.class(*class).ok_or_else(wrong)?;
            Ok(Node::Class(class.into()))
        }
        _ => Err(wrong()),
    }
}

fn pairs(arena: &Arena<'_>, list: Id) -> Option<Vec<(Id, Id)>> {
    let items = arena.items(list)?;
    items
        .iter()
        .map(|item| match arena.items(*item) {
            Some([key, value]) => Some((*key, *value)),
            _ => None,
        })
        .collect()
}

fn strided<'a>(
    arena: &Arena<'a>,
    [storage, offset, shape, strides]: [Id; 4],
    dtype: Option<Dtype>,
) -> Meaning<'a> {
    if !matches!(arena.get(storage), Node::Storage(_)) {
        return Err("a tensor without a storage".to_owned());
    }
    let numbers = |id: Id, what: &str| -> Result<Vec<u64>, String> {
        let items = arena
            .items(id)
            .ok_or_else(|| format!("a tensor without {what}"))?;
        if items.len() > limits::DIMENSIONS {
            return Err(format!(
                "a tensor of {} dimensions, more than {}",
                items.len(),
                limits::DIMENSIONS
            ));
        }
        items
            .iter()
            .map(|item| arena.unsigned(*item))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("a tensor with {what} that is negative or no number"))
    };
    let offset = arena
        .unsigned(offset)
        .ok_or_else(|| "a tensor with an offset that is negative or no number".to_owned())?;
    let (shape, strides) = (numbers(shape, "a shape")?, numbers(strides, "strides")?);
    if shape.len() != strides.len() {
        return Err(format!(
            "a tensor of {} dimensions with {} strides",
            shape.len(),
            strides.len()
        ));
    }
    Ok(Node::Tensor(Box::new(StoredTensor::Strided {
        storage,
        dtype,
        offset,
        shape,
        strides,
    })))
}

/// `Some(None)` for untyped storages, `None` for anything that is not a storage.
fn storage_class(class: &str) -> Option<Option<Dtype>> {
    if class == "torch.storage.UntypedStorage" {
        return Some(None);
    }
    let name = class.strip_prefix("torch.")?.strip_suffix("Storage")?;
    let other = |size| Dtype::Other {
        name: format!("torch.{name}Storage"),
        size,
    };
    Some(match name.strip_prefix("cuda.").unwrap_or(name) {
        "Untyped" => None,
        "Double" => Some(Dtype::F64),
        "Float" => Some(Dtype::F32),
        "Half" => Some(Dtype::F16),
        "BFloat16" => Some(Dtype::Bf16),
        "Long" => Some(Dtype::I64),
        "Int" => Some(Dtype::I32),
        "Short" => Some(Dtype::I16),
        "Char" => Some(Dtype::I8),
        "Byte" => Some(Dtype::U8),
        "Bool" => Some(Dtype::Bool),
        "ComplexDouble" => Some(other(16)),
        "ComplexFloat" => Some(other(8)),
        "QInt32" => Some(other(4)),
        "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => Some(other(1)),
        _ => return None,
    })
}

fn dtype_attribute(name: &str) -> Dtype {
    match name {
        "float64" | "double" => Dtype::F64,
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::Bf16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        _ => Dtype::Other {
            name: format!("torch.{name}"),
            // Wide enough for all of them; only used to check that the bytes are there.
            size: 1,
        },
    }
}
