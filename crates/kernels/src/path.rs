//! Which instructions the kernels use: detected once, overridable by `EMOBOX_KERNELS` and, in tests, by [`with_path`].

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use thiserror::Error;

/// An instruction set that every kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Plain Rust that any machine runs.
    Portable,
    /// aarch64 Advanced SIMD.
    Neon,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with the bf16 dot product.
    Avx512Bf16,
}

impl Path {
    /// All paths, the simplest first.
    pub const ALL: [Self; 5] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
    ];

    /// Its name in `EMOBOX_KERNELS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether this machine supports it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => {
                Self::Avx512.is_available() && is_x86_feature_detected!("avx512bf16")
            }
            _ => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(name: &str) -> Result<Self, PathError> {
        Self::ALL
            .into_iter()
            .find(|path| path.name() == name)
            .ok_or_else(|| PathError::Unknown {
                name: name.to_owned(),
                valid: names(&available_paths()),
            })
    }
}

/// Why the kernels cannot use the requested instructions.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// No such name.
    #[error("unknown kernels '{name}' (EMOBOX_KERNELS): this machine has {valid}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The valid names.
        valid: String,
    },
    /// The machine lacks the instructions.
    #[error(
        "kernels '{name}' (EMOBOX_KERNELS) need instructions that this machine lacks: it has {valid}"
    )]
    Unavailable {
        /// The requested name.
        name: &'static str,
        /// The valid names.
        valid: String,
    },
}

/// The paths that this machine supports, the simplest first; the last is the default.
#[must_use]
pub fn available_paths() -> Vec<Path> {
    Path::ALL
        .into_iter()
        .filter(|path| path.is_available())
        .collect()
}

/// The current path: that of `EMOBOX_KERNELS`, otherwise the best of this machine.
///
/// # Errors
/// If `EMOBOX_KERNELS` names no path or one that this machine does not support. The kernels themselves then use the best
/// path, so that a library never panics over an environment variable; a program should report the error and stop.
pub fn active_path() -> Result<Path, PathError> {
    match OVERRIDE.get() {
        Some(path) => Ok(path),
        None => chosen().clone(),
    }
}

/// Whether products in [`Precision::Bf16`](crate::Precision::Bf16) run on bf16 instructions; elsewhere they give the
/// same numbers (up to rounding) more slowly than `F32` would.
#[must_use]
pub fn bf16_is_native() -> bool {
    current() == Path::Avx512Bf16
}

/// Runs `work` with the kernels of this thread on `path`: for tests and measurements that compare paths.
///
/// # Errors
/// If this machine does not support `path`.
pub fn with_path<R>(path: Path, work: impl FnOnce() -> R) -> Result<R, PathError> {
    struct Restore(Option<Path>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    require(path)?;
    let _restore = Restore(OVERRIDE.replace(Some(path)));
    Ok(work())
}

thread_local! {
    static OVERRIDE: Cell<Option<Path>> = const { Cell::new(None) };
}

/// The path of a kernel called now. It is always one that the machine supports.
pub(crate) fn current() -> Path {
    OVERRIDE
        .get()
        .unwrap_or_else(|| chosen().clone().unwrap_or_else(|_| best()))
}

fn chosen() -> &'static Result<Path, PathError> {
    static CHOSEN: OnceLock<Result<Path, PathError>> = OnceLock::new();
    CHOSEN.get_or_init(|| match std::env::var_os("EMOBOX_KERNELS") {
        None => Ok(best()),
        Some(name) if name.is_empty() => Ok(best()),
        Some(name) => name.to_string_lossy().parse().and_then(require),
    })
}

fn best() -> Path {
    available_paths().last().copied().unwrap_or(Path::Portable)
}

fn require(path: Path) -> Result<Path, PathError> {
    if path.is_available() {
        Ok(path)
    } else {
        Err(PathError::Unavailable {
            name: path.name(),
            valid: names(&available_paths()),
        })
    }
}

fn names(paths: &[Path]) -> String {
    paths
        .iter()
        .map(|path| path.name())
        .collect::<Vec<_>>()
        .join(", ")
}
