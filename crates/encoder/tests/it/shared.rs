//! Paths of the shared material, and small readers for it.

use std::path::PathBuf;

/// A path inside the shared folder; tests that need it are ignored if it does not exist.
pub(crate) fn shared(path: &str) -> PathBuf {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    assert!(full.exists(), "{} is not here", full.display());
    full
}

/// The largest absolute difference; panics if the lengths differ.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}
