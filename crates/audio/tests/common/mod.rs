//! Shared by the integration tests of this crate; each uses a part.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test binary uses another part"
)]

use std::path::PathBuf;

/// `../shared` beside the checkout, or `None` with a word on standard error.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
pub(crate) fn shared(relative: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// A file beside the tests, made by a script under `parity/audio`.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// One f32 tensor of a safetensors file.
pub(crate) fn tensor(path: &std::path::Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let table: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let entry = &table[name];
    assert_eq!(entry["dtype"], "F32", "{name}");
    let at = |i: usize| 8 + header + entry["data_offsets"][i].as_u64().unwrap() as usize;
    floats(&bytes[at(0)..at(1)])
}

/// Little-endian f32 values.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b))
        .collect()
}

/// The largest absolute difference.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths");
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}
