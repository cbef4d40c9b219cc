//! The right operand of a product in the kernels' format: panels of sixteen columns, `[k, 16]` each.

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto};
use crate::gemm::Line;
use crate::matrix::{Element, MatRef, Rows};

/// Fills panels of `[cols, 16]` from the rows of `x` (a transposition), in squares that stay in the L1 cache.
pub(crate) fn transposed(x: Rows<'_>, lines: &mut [Line]) {
    dispatch::<false, _>(Transposed { x, lines });
}

struct Transposed<'a> {
    x: Rows<'a>,
    lines: &'a mut [Line],
}

impl Kernel for Transposed<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, lines } = self;
        for (panel, lines) in lines.chunks_exact_mut(x.cols.max(1)).enumerate() {
            let rows = LANES.min(x.rows - panel * LANES);
            for (square, lines) in lines.chunks_mut(LANES).enumerate() {
                let start = panel * LANES * x.stride + square * LANES;
                if rows == LANES && lines.len() == LANES {
                    let mut vectors = [simd.splat(0.0); LANES];
                    for (lane, v) in vectors.iter_mut().enumerate() {
                        *v = load_upto(simd, &x.data[start + lane * x.stride..][..LANES]);
                    }
                    for (line, v) in lines.iter_mut().zip(simd.transpose(vectors)) {
                        simd.store(v, bytemuck::cast_mut(&mut line.0));
                    }
                } else {
                    for lane in 0..rows {
                        let row = &x.data[start + lane * x.stride..][..lines.len()];
                        for (line, w) in lines.iter_mut().zip(row) {
                            line.0[lane] = w.to_bits();
                        }
                    }
                }
            }
        }
    }
}

/// Like [`transposed`], with pairs of neighbouring columns rounded to bf16 in a lane, the first in the lower half.
pub(crate) fn transposed_pairs(x: Rows<'_>, lines: &mut [Line]) {
    dispatch::<true, _>(TransposedPairs { x, lines });
}

struct TransposedPairs<'a> {
    x: Rows<'a>,
    lines: &'a mut [Line],
}

impl Kernel for TransposedPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, lines } = self;
        for (panel, lines) in lines
            .chunks_exact_mut(x.cols.div_ceil(2).max(1))
            .enumerate()
        {
            let rows = LANES.min(x.rows - panel * LANES);
            for (square, lines) in lines.chunks_mut(LANES).enumerate() {
                let col = square * 2 * LANES;
                let width = (x.cols - col).min(2 * LANES);
                let mut vectors = [simd.splat(0.0); LANES];
                for (lane, v) in vectors.iter_mut().take(rows).enumerate() {
                    let row = &x.data[(panel * LANES + lane) * x.stride + col..][..width];
                    let mut words = [0.0; LANES];
                    let (halves, _) = bytemuck::cast_slice_mut(&mut words).as_chunks_mut();
                    for (part, halves) in row.chunks(LANES).zip(halves) {
                        simd.store_bf16_normal(load_upto(simd, part), halves);
                    }
                    *v = simd.load(&words);
                }
                for (line, v) in lines.iter_mut().zip(simd.transpose(vectors)) {
                    simd.store(v, bytemuck::cast_mut(&mut line.0));
                }
            }
        }
    }
}

/// Fills panels of `[rows, 16]` from the rows of `x` in order.
pub(crate) fn plain(x: Rows<'_>, lines: &mut [Line]) {
    for r in 0..x.rows {
        let row = &x.data[r * x.stride..][..x.cols];
        for (panel, part) in row.chunks(LANES).enumerate() {
            copy(part, &mut lines[panel * x.rows + r]);
        }
    }
}

/// Like [`plain`], with pairs of neighbouring rows rounded to bf16 in a lane, the first in the lower half.
pub(crate) fn plain_pairs(x: Rows<'_>, lines: &mut [Line]) {
    dispatch::<true, _>(PlainPairs { x, lines });
}

struct PlainPairs<'a> {
    x: Rows<'a>,
    lines: &'a mut [Line],
}

impl Kernel for PlainPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, lines } = self;
        let depth = x.rows.div_ceil(2);
        for k in 0..depth {
            let first = &x.data[2 * k * x.stride..][..x.cols];
            let second = x
                .data
                .get((2 * k + 1) * x.stride..)
                .filter(|_| 2 * k + 1 < x.rows);
            for (panel, low) in first.chunks(LANES).enumerate() {
                let high = match second {
                    Some(row) => load_upto(simd, &row[panel * LANES..][..low.len()]),
                    None => simd.splat(0.0),
                };
                let words = simd.pair(load_upto(simd, low), high);
                simd.store(words, bytemuck::cast_mut(&mut lines[panel * depth + k].0));
            }
        }
    }
}

/// Fills panels of `[b.rows, 16]` from any matrix. `row` is a buffer for widening.
pub(crate) fn matrix<T: Element>(b: MatRef<'_, T>, row: &mut Vec<f32>, lines: &mut [Line]) {
    if b.col_stride == 1 {
        row.resize(b.cols, 0.0);
        for k in 0..b.rows {
            T::widen(&b.data[k * b.row_stride..][..b.cols], row);
            for (panel, part) in row.chunks(LANES).enumerate() {
                copy(part, &mut lines[panel * b.rows + k]);
            }
        }
    } else if b.row_stride == 1 {
        // Sixteen columns at a time, widened, are the rows of a transposition.
        row.resize(b.rows * LANES, 0.0);
        for (panel, lines) in lines.chunks_exact_mut(b.rows).enumerate() {
            let columns = LANES.min(b.cols - panel * LANES);
            for (lane, column) in row.chunks_exact_mut(b.rows).take(columns).enumerate() {
                T::widen(
                    &b.data[(panel * LANES + lane) * b.col_stride..][..b.rows],
                    column,
                );
            }
            transposed(
                Rows {
                    data: row,
                    rows: columns,
                    cols: b.rows,
                    stride: b.rows,
                },
                lines,
            );
        }
    } else {
        for k in 0..b.rows {
            for c in 0..b.cols {
                let value = b.data[k * b.row_stride + c * b.col_stride].to_f32();
                lines[c / LANES * b.rows + k].0[c % LANES] = value.to_bits();
            }
        }
    }
}

/// Copies up to sixteen numbers into a line; the other lanes are unchanged.
fn copy(part: &[f32], line: &mut Line) {
    if let Ok(all) = <&[f32; LANES]>::try_from(part) {
        line.0 = bytemuck::cast(*all);
    } else {
        line.0[..part.len()].copy_from_slice(bytemuck::cast_slice(part));
    }
}
