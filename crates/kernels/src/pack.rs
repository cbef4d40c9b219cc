//! The right operand of a product as the kernels read it: panels of sixteen columns, `[k, 16]` each.

use half::bf16;

use crate::arch::LANES;
use crate::gemm::Line;
use crate::matrix::{Element, MatRef, Rows};

/// Fills panels of `[cols, 16]` from the rows of `x` (a transposition), in squares that stay in the first cache.
pub(crate) fn transposed(x: Rows<'_>, lines: &mut [Line]) {
    for (panel, lines) in lines.chunks_exact_mut(x.cols.max(1)).enumerate() {
        for (square, lines) in lines.chunks_mut(LANES).enumerate() {
            for lane in 0..LANES.min(x.rows - panel * LANES) {
                let row = &x.data[(panel * LANES + lane) * x.stride..][..x.cols];
                for (line, w) in lines.iter_mut().zip(&row[square * LANES..]) {
                    line.0[lane] = w.to_bits();
                }
            }
        }
    }
}

/// As [`transposed`], with pairs of neighbouring columns rounded to bf16 in a lane, the first in the lower half.
pub(crate) fn transposed_pairs(x: Rows<'_>, lines: &mut [Line]) {
    for (panel, lines) in lines
        .chunks_exact_mut(x.cols.div_ceil(2).max(1))
        .enumerate()
    {
        for (square, lines) in lines.chunks_mut(LANES).enumerate() {
            for lane in 0..LANES.min(x.rows - panel * LANES) {
                let row = &x.data[(panel * LANES + lane) * x.stride..][..x.cols];
                for (line, two) in lines.iter_mut().zip(row[square * 2 * LANES..].chunks(2)) {
                    line.0[lane] = pair(two[0], two.get(1).copied().unwrap_or(0.0));
                }
            }
        }
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
    for k in 0..depth {
        let first = &x.data[2 * k * x.stride..][..x.cols];
        let second = if 2 * k + 1 < x.rows {
            &x.data[(2 * k + 1) * x.stride..][..x.cols]
        } else {
            &[]
        };
        for c in 0..x.cols {
            let line = &mut lines[c / LANES * depth + k];
            line.0[c % LANES] = pair(first[c], second.get(c).copied().unwrap_or(0.0));
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

fn pair(low: f32, high: f32) -> u32 {
    u32::from(bf16::from_f32(low).to_bits()) | u32::from(bf16::from_f32(high).to_bits()) << 16
}
