//! The product of two plain matrices.

use crate::matrix::{Element, MatRef};

/// `out = a · b`, or `out += a · b` when `accumulate` is set, with `out` dense `[a.rows, b.cols]`.
///
/// Either operand may be transposed (by its strides) and stored in half precision; sums are `f32`.
///
/// # Panics
/// If the inner dimensions differ, a view reaches past its data, or `out` has another length.
pub fn matmul<A: Element, B: Element>(
    a: MatRef<'_, A>,
    b: MatRef<'_, B>,
    accumulate: bool,
    out: &mut [f32],
) {
    a.check("matmul: a");
    b.check("matmul: b");
    assert_eq!(a.cols, b.rows, "matmul: columns of a and rows of b");
    assert_eq!(
        out.len(),
        a.rows * b.cols,
        "matmul: out of [{}, {}]",
        a.rows,
        b.cols
    );
    if !accumulate {
        out.fill(0.0);
    }
    if out.is_empty() {
        return;
    }
    for (r, row) in out.chunks_exact_mut(b.cols).enumerate() {
        for k in 0..a.cols {
            let value = a.data[r * a.row_stride + k * a.col_stride].to_f32();
            for (c, o) in row.iter_mut().enumerate() {
                *o += value * b.data[k * b.row_stride + c * b.col_stride].to_f32();
            }
        }
    }
}
