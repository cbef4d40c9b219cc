//! The right operand of a product as the kernels read it: panels of sixteen columns, `[k, 16]` each.

use half::bf16;

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto};
use crate::convert::narrow_operand;
use crate::gemm::Line;
use crate::matrix::{Element, MatRef, Rows};

/// Fills panels of `[cols, 16]` from the rows of `x` (a transposition), in squares that stay in the first cache.
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

/// As [`transposed`], with pairs of neighbouring columns rounded to bf16 in a lane, the first in the lower half.
pub(crate) fn transposed_pairs(x: Rows<'_>, lines: &mut [Line]) {
    let depth = x.cols.div_ceil(2);
    let mut words = vec![0.0f32; LANES * depth];
    for (panel, lines) in lines.chunks_exact_mut(depth.max(1)).enumerate() {
        let rows = LANES.min(x.rows - panel * LANES);
        let halves: &mut [bf16] = bytemuck::cast_slice_mut(&mut words);
        for (lane, halves) in halves.chunks_exact_mut(2 * depth).take(rows).enumerate() {
            let row = &x.data[(panel * LANES + lane) * x.stride..][..x.cols];
            narrow_operand(row, &mut halves[..x.cols]);
        }
        transposed(
            Rows {
                data: &words,
                rows,
                cols: depth,
                stride: depth,
            },
            lines,
        );
    }
}

/// Fills panels of `[rows, 16]` from the rows of `x` as they lie.
pub(crate) fn plain(x: Rows<'_>, lines: &mut [Line]) {
    for r in 0..x.rows {
        let row = &x.data[r * x.stride..][..x.cols];
        for (panel, part) in row.chunks(LANES).enumerate() {
            copy(part, &mut lines[panel * x.rows + r]);
        }
    }
}

/// As [`plain`], with pairs of neighbouring rows rounded to bf16 in a lane, the first in the lower half.
pub(crate) fn plain_pairs(x: Rows<'_>, lines: &mut [Line]) {
    let depth = x.rows.div_ceil(2);
    let mut halves = vec![bf16::ZERO; 2 * x.cols];
    for k in 0..depth {
        let (first, second) = halves.split_at_mut(x.cols);
        narrow_operand(&x.data[2 * k * x.stride..][..x.cols], first);
        if 2 * k + 1 < x.rows {
            narrow_operand(&x.data[(2 * k + 1) * x.stride..][..x.cols], second);
        } else {
            second.fill(bf16::ZERO);
        }
        for (panel, (low, high)) in first.chunks(LANES).zip(second.chunks(LANES)).enumerate() {
            let line = &mut lines[panel * depth + k];
            for (word, (low, high)) in line.0.iter_mut().zip(low.iter().zip(high)) {
                *word = u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16;
            }
        }
    }
}

/// Fills panels of `[b.rows, 16]` from any matrix. `row` is room for widening.
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

/// Up to sixteen numbers into a line, whose other lanes stay.
fn copy(part: &[f32], line: &mut Line) {
    if let Ok(all) = <&[f32; LANES]>::try_from(part) {
        line.0 = bytemuck::cast(*all);
    } else {
        line.0[..part.len()].copy_from_slice(bytemuck::cast_slice(part));
    }
}
