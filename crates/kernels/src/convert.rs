//! Conversions between `f32` and the 16-bit formats of stores and checkpoints, rounding to nearest even.

use half::{bf16, f16};

/// `out[i] = x[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn widen_f16(x: &[f16], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "widen_f16: x and out");
    for (o, v) in out.iter_mut().zip(x) {
        *o = v.to_f32();
    }
}

/// `out[i] = x[i]`, rounded; what lies beyond ±65504 becomes infinite.
///
/// # Panics
/// If the lengths differ.
pub fn narrow_f16(x: &[f32], out: &mut [f16]) {
    assert_eq!(x.len(), out.len(), "narrow_f16: x and out");
    for (o, &v) in out.iter_mut().zip(x) {
        *o = f16::from_f32(v);
    }
}

/// `out[i] = x[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn widen_bf16(x: &[bf16], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "widen_bf16: x and out");
    for (o, v) in out.iter_mut().zip(x) {
        *o = v.to_f32();
    }
}

/// `out[i] = x[i]`, rounded.
///
/// # Panics
/// If the lengths differ.
pub fn narrow_bf16(x: &[f32], out: &mut [bf16]) {
    assert_eq!(x.len(), out.len(), "narrow_bf16: x and out");
    for (o, &v) in out.iter_mut().zip(x) {
        *o = bf16::from_f32(v);
    }
}
