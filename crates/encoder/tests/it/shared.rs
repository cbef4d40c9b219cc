//! Where the shared material lies, and small readers for it.

use std::path::PathBuf;

/// A path inside the shared folder, or `None` (with a word about it) where that is absent.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!(
        "skipped: {path} is not there (looked at {})",
        full.display()
    );
    None
}

/// The largest absolute difference; panics where the lengths differ.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}
