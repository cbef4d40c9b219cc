//! The exponential function that softmax and GELU share.

use crate::arch::Simd;

/// The smallest argument whose exponential is a normal number.
const LOWEST: f32 = -87.336_54;
/// `ln 2` in two parts: the first has so few digits that products with integers below 2^8 are exact.
const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];
/// `(e^r - 1 - r) / r²` on `|r| <= ln(2) / 2`, relative error of the exponential 1.0e-8: parity/kernels/fit_polynomials.py.
const EXP: [f32; 5] = [
    0.5,
    0.166_665_78,
    0.041_666_556,
    0.008_363_173,
    0.001_392_617_6,
];

/// `e^x` for `x` of at most 88: zero below -87.3, NaN where `x` is. (Softmax and GELU need no positive arguments.)
///
/// Largest relative error against double precision, through a softmax of two columns: 2e-7 (`tests/kernels/functions.rs`).
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    let lowest = simd.splat(LOWEST);
    let clamped = simd.max(lowest, x);
    let n = simd.round(simd.mul(clamped, simd.splat(std::f32::consts::LOG2_E)));
    let r = simd.fma(n, simd.splat(-LN_2[0]), clamped);
    let r = simd.fma(n, simd.splat(-LN_2[1]), r);
    let mut q = simd.splat(EXP[4]);
    q = simd.fma(q, r, simd.splat(EXP[3]));
    q = simd.fma(q, r, simd.splat(EXP[2]));
    q = simd.fma(q, r, simd.splat(EXP[1]));
    q = simd.fma(q, r, simd.splat(EXP[0]));
    let one = simd.splat(1.0);
    let p = simd.fma(simd.fma(q, r, one), r, one);
    simd.zero_below(simd.scale(p, n), x, lowest)
}
