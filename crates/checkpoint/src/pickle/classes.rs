//! Which names a checkpoint may contain.
//!
//! Nothing is ever imported, so this list does not prevent code from running: no code runs anyway. It
//! distinguishes checkpoints from files that only pretend to be one.

/// Whole names, `module.name`.
const NAMES: &[&str] = &[
    "_codecs.encode",
    "argparse.Namespace",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "copyreg._reconstructor",
    "copy_reg._reconstructor",
    "datetime.timedelta",
    "numpy.dtype",
    "numpy.ndarray",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch._tensor._rebuild_from_type_v2",
    "types.SimpleNamespace",
];

/// Modules with some names that are plain data.
const MEMBERS: &[(&[&str], &[&str])] = &[
    (
        &["builtins", "__builtin__"],
        &[
            "NoneType",
            "bool",
            "bytearray",
            "bytes",
            "complex",
            "dict",
            "float",
            "frozenset",
            "int",
            "list",
            "long",
            "object",
            "range",
            "set",
            "slice",
            "str",
            "tuple",
            "unicode",
        ],
    ),
    (
        &["numpy.core.multiarray", "numpy._core.multiarray"],
        &["scalar", "_reconstruct"],
    ),
    (
        &["numpy.core.numeric", "numpy._core.numeric"],
        &["_frombuffer"],
    ),
    (
        &["numpy"],
        &[
            "bool", "bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "str_", "uint8", "uint16", "uint32", "uint64",
        ],
    ),
    (
        &["torch"],
        &[
            "bfloat16",
            "bool",
            "complex128",
            "complex64",
            "double",
            "float",
            "float16",
            "float32",
            "float64",
            "half",
            "int",
            "int16",
            "int32",
            "int64",
            "int8",
            "long",
            "per_channel_affine",
            "per_tensor_affine",
            "short",
            "sparse_coo",
            "strided",
            "uint8",
        ],
    ),
    (
        &["pathlib", "pathlib._local"],
        &[
            "Path",
            "PosixPath",
            "PurePath",
            "PurePosixPath",
            "PureWindowsPath",
            "WindowsPath",
        ],
    ),
];

/// Packages whose classes in checkpoints are configurations, dictionaries of labels, enumerations,
/// schedules and modules.
const PACKAGES: &[&str] = &[
    "enum",
    "examples.data2vec",
    "examples.hubert",
    "examples.wav2vec",
    "fairseq",
    "funasr",
    "numpy.dtypes",
    "omegaconf",
    "torch.nn.modules",
    "torch.optim",
    "typing",
];

/// Longer names are not class names.
const LONGEST: usize = 200;

/// Whether a checkpoint has a reason to contain this name.
pub(super) fn allowed(module: &str, name: &str) -> bool {
    if module.len() + name.len() > LONGEST || !is_path(module) || !is_identifier(name) {
        // A dotted name is a path through attributes, which reaches `os` from almost any module.
        return false;
    }
    let whole = |candidate: &&str| {
        candidate
            .strip_prefix(module)
            .and_then(|rest| rest.strip_prefix('.'))
            == Some(name)
    };
    NAMES.iter().any(whole)
        || MEMBERS
            .iter()
            .any(|(modules, names)| modules.contains(&module) && names.contains(&name))
        || (module == "torch" && name.ends_with("Storage"))
        || (module == "torch._utils" && name.starts_with("_rebuild_"))
        || PACKAGES.iter().any(|package| {
            module
                .strip_prefix(package)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

fn is_path(module: &str) -> bool {
    module.split('.').all(is_identifier)
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn configurations_pass_and_everything_else_does_not() {
        for (module, name) in [
            ("collections", "OrderedDict"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "BFloat16Storage"),
            ("torch", "float16"),
            ("omegaconf.dictconfig", "DictConfig"),
            ("fairseq.data.dictionary", "Dictionary"),
            ("examples.data2vec.data.modality", "Modality"),
            ("__builtin__", "set"),
        ] {
            assert!(allowed(module, name), "{module}.{name}");
        }
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("subprocess", "Popen"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("__builtin__", "apply"),
            ("torch.storage", "_load_from_bytes"),
            ("torch.hub", "load"),
            ("torch", "load"),
            ("torch", "os.system"),
            ("fairseq.utils", "os.system"),
            ("fairseqevil", "x"),
            ("fairseq..os", "x"),
            ("collections", "OrderedDict.x"),
            ("fairseq.utils", ""),
            ("numpy", "load"),
            ("collections.OrderedDict", ""),
        ] {
            assert!(!allowed(module, name), "{module}.{name}");
        }
        assert!(!allowed("fairseq", &"x".repeat(1000)));
    }
}
