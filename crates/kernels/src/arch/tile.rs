//! The part of a product that stays in registers.

use super::{LANES, Simd};

/// The part of a block that fits in the registers. Counts are in words, including `b_panel` and `c_row`.
pub(crate) struct Tile {
    pub(crate) depth: usize,
    pub(crate) a: *const f32,
    pub(crate) a_row: usize,
    pub(crate) a_col: usize,
    pub(crate) b: *const f32,
    pub(crate) b_panel: usize,
    pub(crate) c: *mut f32,
    pub(crate) c_row: usize,
    /// What to prefetch into the L2 cache meanwhile: a line in [`PREFETCH_STEPS`] steps.
    pub(crate) next: *const f32,
    /// Columns of the last panel.
    pub(crate) last: usize,
    pub(crate) accumulate: bool,
}

/// Steps of k per prefetched line of the next panels.
pub(crate) const PREFETCH_STEPS: usize = 4;

/// `R` rows by `P` panels in registers, over all of k.
///
/// # Safety
/// With `k < depth`, `r < R`, `p < P`: `a[r * a_row + k * a_col]` and sixteen words at `b[p * b_panel + 16 k]` can be read, and
/// sixteen (in the last panel: `last`) numbers at `c[r * c_row + 16 p]` can be read and written.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "the loops are unrolled, and the indices say which register"
)]
pub(crate) unsafe fn tile<S: Simd, const PAIRS: bool, const R: usize, const P: usize>(
    simd: S,
    tile: &Tile,
) {
    let mut sums = [[simd.splat(0.0); P]; R];
    if tile.accumulate {
        for r in 0..R {
            for p in 0..P {
                // SAFETY: the caller's promise for C.
                sums[r][p] = unsafe {
                    let c = tile.c.add(r * tile.c_row + p * LANES);
                    if p + 1 == P && tile.last < LANES {
                        simd.load_first(std::slice::from_raw_parts(c, tile.last))
                    } else {
                        simd.read(c)
                    }
                };
            }
        }
    }
    if !tile.accumulate {
        // The sums go to lines that are not in any cache; prefetched here, they arrive in time.
        for r in 0..R {
            for p in 0..P {
                simd.prefetch_write(tile.c.wrapping_add(r * tile.c_row + p * LANES));
            }
        }
    }
    // SAFETY: the caller's promise for A and B, passed on.
    unsafe {
        if tile.a_col == 1 {
            // Steps at fixed distances need no address arithmetic, for which two threads of a core would compete.
            steps::<S, PAIRS, R, P, true>(simd, tile, &mut sums);
        } else {
            steps::<S, PAIRS, R, P, false>(simd, tile, &mut sums);
        }
    }
    for r in 0..R {
        for p in 0..P {
            // SAFETY: the caller's promise for C.
            unsafe {
                let c = tile.c.add(r * tile.c_row + p * LANES);
                if p + 1 == P && tile.last < LANES {
                    simd.store_first(sums[r][p], std::slice::from_raw_parts_mut(c, tile.last));
                } else {
                    simd.write(sums[r][p], c);
                }
            }
        }
    }
}

/// Adds all of k to the sums, [`PREFETCH_STEPS`] steps at a time.
///
/// # Safety
/// As [`tile`]; `DENSE` only if `a_col` is 1.
#[inline(always)]
unsafe fn steps<S: Simd, const PAIRS: bool, const R: usize, const P: usize, const DENSE: bool>(
    simd: S,
    tile: &Tile,
    sums: &mut [[S::V; P]; R],
) {
    let a_col = if DENSE { 1 } else { tile.a_col };
    let (mut a, mut b, mut next) = (tile.a, tile.b, tile.next);
    for _ in 0..tile.depth / PREFETCH_STEPS {
        for k in 0..PREFETCH_STEPS {
            // SAFETY: the caller's promise, for step `k` from here.
            unsafe { step::<S, PAIRS, R, P>(simd, tile, a.add(k * a_col), b.add(k * LANES), sums) };
        }
        simd.prefetch(next);
        // After the last step these may leave the operands, but nothing is read there.
        a = a.wrapping_add(PREFETCH_STEPS * a_col);
        b = b.wrapping_add(PREFETCH_STEPS * LANES);
        next = next.wrapping_add(LANES);
    }
    for _ in 0..tile.depth % PREFETCH_STEPS {
        // SAFETY: the caller's promise.
        unsafe { step::<S, PAIRS, R, P>(simd, tile, a, b, sums) };
        a = a.wrapping_add(a_col);
        b = b.wrapping_add(LANES);
    }
}

/// Adds one word of k, which lies at `a` and `b`, to the sums.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "the loops are unrolled, and the indices say which register"
)]
unsafe fn step<S: Simd, const PAIRS: bool, const R: usize, const P: usize>(
    simd: S,
    tile: &Tile,
    a: *const f32,
    b: *const f32,
    sums: &mut [[S::V; P]; R],
) {
    let mut columns = [simd.splat(0.0); P];
    for p in 0..P {
        // SAFETY: the caller's promise for B.
        columns[p] = unsafe { simd.read(b.add(p * tile.b_panel)) };
    }
    for r in 0..R {
        // SAFETY: the caller's promise for A.
        let x = simd.splat(unsafe { *a.add(r * tile.a_row) });
        for p in 0..P {
            sums[r][p] = if PAIRS {
                simd.dot_pairs(x, columns[p], sums[r][p])
            } else {
                simd.fma(x, columns[p], sums[r][p])
            };
        }
    }
}
