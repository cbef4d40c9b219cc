//! The left operand of a product in the kernels' format.

use half::bf16;

use crate::convert::narrow_operand;
use crate::gemm::Left;
use crate::matrix::{Element, Rows};

/// Rows in single precision: read in place, or widened into `scratch`.
pub(crate) fn numbers<'a, T: Element>(x: Rows<'a, T>, scratch: &'a mut Vec<f32>) -> Left<'a> {
    match T::singles(x.data) {
        Some(data) => Left {
            data,
            row: x.stride,
            col: 1,
        },
        None => Left {
            row: widen(x, scratch),
            data: scratch,
            col: 1,
        },
    }
}

/// Rows as pairs of bf16 in `scratch`.
pub(crate) fn pairs<'a, T: Element>(x: Rows<'a, T>, scratch: &'a mut Vec<f32>) -> Left<'a> {
    match T::singles(x.data) {
        Some(data) => narrow(Rows { data, ..rows_of(x) }, scratch),
        None => {
            let mut wide = Vec::new();
            let stride = widen(x, &mut wide);
            narrow(
                Rows {
                    data: &wide,
                    stride,
                    ..rows_of(x)
                },
                scratch,
            )
        }
    }
}

/// The shape of `x` without its numbers.
fn rows_of<'a, T>(x: Rows<'_, T>) -> Rows<'a> {
    Rows {
        data: &[],
        rows: x.rows,
        cols: x.cols,
        stride: x.stride,
    }
}

/// Widens the rows into `out` and returns their stride there.
fn widen<T: Element>(x: Rows<'_, T>, out: &mut Vec<f32>) -> usize {
    if x.stride <= x.cols {
        let span = x.span();
        out.resize(span, 0.0);
        T::widen(&x.data[..span], out);
        x.stride
    } else {
        out.resize(x.rows * x.cols, 0.0);
        for (r, out) in out.chunks_exact_mut(x.cols.max(1)).enumerate() {
            T::widen(&x.data[r * x.stride..][..x.cols], out);
        }
        x.cols
    }
}

fn narrow<'a>(x: Rows<'_>, scratch: &'a mut Vec<f32>) -> Left<'a> {
    // Overlapping rows share their words if every row begins and ends with a whole pair.
    if x.stride <= x.cols && x.stride.is_multiple_of(2) && x.cols.is_multiple_of(2) {
        let span = x.span();
        scratch.resize(span.div_ceil(2), 0.0);
        let halves: &mut [bf16] = bytemuck::cast_slice_mut(scratch);
        narrow_operand(&x.data[..span], &mut halves[..span]);
        return Left {
            data: scratch,
            row: x.stride / 2,
            col: 1,
        };
    }
    let depth = x.cols.div_ceil(2);
    scratch.clear();
    scratch.resize(x.rows * depth, 0.0);
    let halves: &mut [bf16] = bytemuck::cast_slice_mut(scratch);
    for (r, halves) in halves.chunks_exact_mut((2 * depth).max(1)).enumerate() {
        narrow_operand(&x.data[r * x.stride..][..x.cols], &mut halves[..x.cols]);
    }
    Left {
        data: scratch,
        row: depth,
        col: 1,
    }
}
