//! Softmax over rows.

use crate::arch::{Kernel, LANES, Simd, dispatch};
use crate::exp::exp;

/// Replaces every row of `cols` numbers by its softmax. A row of only `-inf` becomes zeros.
///
/// Largest error against double precision: 2e-7 relative for two columns and results that are normal numbers;
/// the sum over more columns adds its rounding (`tests/kernels/functions.rs`).
///
/// # Panics
/// If `x` is not whole rows.
pub fn softmax_rows(x: &mut [f32], cols: usize) {
    assert!(
        x.is_empty() || (cols > 0 && x.len().is_multiple_of(cols)),
        "softmax: {} in rows of {cols}",
        x.len()
    );
    dispatch::<false, _>(Softmax { x, cols });
}

struct Softmax<'a> {
    x: &'a mut [f32],
    cols: usize,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.x.chunks_exact_mut(self.cols.max(1)) {
            let max = largest(simd, row);
            let sum = exponentials(simd, row, max);
            let factor = if sum > 0.0 || sum.is_nan() {
                1.0 / sum
            } else {
                0.0
            };
            multiply(simd, row, factor);
        }
    }
}

/// The maximum; `-inf` if there are no numbers.
#[inline(always)]
pub(crate) fn largest<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut max = simd.splat(f32::NEG_INFINITY);
    let (vectors, rest) = row.as_chunks::<LANES>();
    for x in vectors {
        max = simd.max(simd.load(x), max);
    }
    max = simd.max(simd.load(&padded(rest)), max);
    simd.largest(max)
}

/// `x = e^(x - max)`; returns their sum. All zero if `max` is `-inf`.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(simd: S, row: &mut [f32], max: f32) -> f32 {
    let shift = simd.splat(if max == f32::NEG_INFINITY { 0.0 } else { max });
    let mut sum = simd.splat(0.0);
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    for x in vectors {
        let e = exp(simd, simd.sub(simd.load(x), shift));
        sum = simd.add(sum, e);
        simd.store(e, x);
    }
    if !rest.is_empty() {
        let e = exp(simd, simd.sub(simd.load(&padded(rest)), shift));
        sum = simd.add(sum, e);
        simd.store_first(e, rest);
    }
    simd.sum(sum)
}

/// `x = x * factor`
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, row: &mut [f32], factor: f32) {
    let factor = simd.splat(factor);
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    for x in vectors {
        simd.store(simd.mul(simd.load(x), factor), x);
    }
    if !rest.is_empty() {
        simd.store_first(simd.mul(simd.load_first(rest), factor), rest);
    }
}

/// Fewer than sixteen numbers, padded with `-inf`.
#[inline(always)]
fn padded(rest: &[f32]) -> [f32; LANES] {
    let mut all = [f32::NEG_INFINITY; LANES];
    all[..rest.len()].copy_from_slice(rest);
    all
}
