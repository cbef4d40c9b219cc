//! Conversions between `f32` and the 16-bit formats of stores and checkpoints, rounding to nearest even.

use half::{bf16, f16};

use crate::arch::{Kernel, LANES, Simd, dispatch};

/// A 16-bit format.
trait Half: Copy {
    const ZERO: Self;
    fn load<S: Simd>(simd: S, x: &[Self; LANES]) -> S::V;
    fn store<S: Simd>(simd: S, v: S::V, x: &mut [Self; LANES]);
}

impl Half for f16 {
    const ZERO: Self = f16::ZERO;
    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[Self; LANES]) -> S::V {
        simd.load_f16(x)
    }
    #[inline(always)]
    fn store<S: Simd>(simd: S, v: S::V, x: &mut [Self; LANES]) {
        simd.store_f16(v, x);
    }
}

impl Half for bf16 {
    const ZERO: Self = bf16::ZERO;
    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[Self; LANES]) -> S::V {
        simd.load_bf16(x)
    }
    #[inline(always)]
    fn store<S: Simd>(simd: S, v: S::V, x: &mut [Self; LANES]) {
        simd.store_bf16(v, x);
    }
}

struct Widen<'a, H>(&'a [H], &'a mut [f32]);

impl<H: Half> Kernel for Widen<'_, H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, x_rest) = self.0.as_chunks::<LANES>();
        let (out, out_rest) = self.1.as_chunks_mut::<LANES>();
        for (x, out) in x.iter().zip(out) {
            simd.store(H::load(simd, x), out);
        }
        if !x_rest.is_empty() {
            let mut last = [H::ZERO; LANES];
            last[..x_rest.len()].copy_from_slice(x_rest);
            simd.store_first(H::load(simd, &last), out_rest);
        }
    }
}

struct Narrow<'a, H>(&'a [f32], &'a mut [H]);

impl<H: Half> Kernel for Narrow<'_, H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, x_rest) = self.0.as_chunks::<LANES>();
        let (out, out_rest) = self.1.as_chunks_mut::<LANES>();
        for (x, out) in x.iter().zip(out) {
            H::store(simd, simd.load(x), out);
        }
        if !x_rest.is_empty() {
            let mut last = [H::ZERO; LANES];
            H::store(simd, simd.load_first(x_rest), &mut last);
            out_rest.copy_from_slice(&last[..x_rest.len()]);
        }
    }
}

/// [`Narrow`] to bf16 by the conversion instruction if the path has one.
struct NarrowNormal<'a>(&'a [f32], &'a mut [bf16]);

impl Kernel for NarrowNormal<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (x, x_rest) = self.0.as_chunks::<LANES>();
        let (out, out_rest) = self.1.as_chunks_mut::<LANES>();
        for (x, out) in x.iter().zip(out) {
            simd.store_bf16_normal(simd.load(x), out);
        }
        if !x_rest.is_empty() {
            let mut last = [bf16::ZERO; LANES];
            simd.store_bf16_normal(simd.load_first(x_rest), &mut last);
            out_rest.copy_from_slice(&last[..x_rest.len()]);
        }
    }
}

/// [`narrow_bf16`] for the operands of products, whose instruction treats subnormal numbers as zero anyway.
pub(crate) fn narrow_operand(x: &[f32], out: &mut [bf16]) {
    assert_eq!(x.len(), out.len(), "narrow_operand: x and out");
    dispatch::<true, _>(NarrowNormal(x, out));
}

/// `out[i] = x[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn widen_f16(x: &[f16], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "widen_f16: x and out");
    dispatch::<false, _>(Widen(x, out));
}

/// `out[i] = x[i]`, rounded; values beyond ±65504 become infinite.
///
/// # Panics
/// If the lengths differ.
pub fn narrow_f16(x: &[f32], out: &mut [f16]) {
    assert_eq!(x.len(), out.len(), "narrow_f16: x and out");
    dispatch::<false, _>(Narrow(x, out));
}

/// `out[i] = x[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn widen_bf16(x: &[bf16], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "widen_bf16: x and out");
    dispatch::<false, _>(Widen(x, out));
}

/// `out[i] = x[i]`, rounded.
///
/// # Panics
/// If the lengths differ.
pub fn narrow_bf16(x: &[f32], out: &mut [bf16]) {
    assert_eq!(x.len(), out.len(), "narrow_bf16: x and out");
    dispatch::<false, _>(Narrow(x, out));
}
