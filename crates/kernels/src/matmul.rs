//! The product of two plain matrices.

use std::cell::RefCell;

use crate::arch::LANES;
use crate::gemm::{self, Block, Left, Line};
use crate::left;
use crate::linear::{TILE_ROWS, even_step};
use crate::matrix::{Element, MatRef, Rows};
use crate::pack;

/// Steps of k that are packed and processed together.
const DEPTH_BLOCK: usize = 512;
/// Columns of b that are packed together.
const COLUMN_BLOCK: usize = 2048;
/// Rows of a that stay in the L2 cache.
const ROW_BLOCK: usize = 96;

/// `out = a · b`, or `out += a · b` when `accumulate` is set, with `out` dense `[a.rows, b.cols]`.
///
/// Either operand may be transposed (by its strides) and stored in half precision, which is widened while it is packed;
/// sums are `f32`. For many products with one `b`, [`PackedLinear`](crate::PackedLinear) packs it once.
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
    if a.cols == 0 && !accumulate {
        out.fill(0.0);
    }
    if out.is_empty() || a.cols == 0 {
        return;
    }
    SCRATCH.with_borrow_mut(|Scratch { lines, left, row }| {
        let step = even_step(a.cols, DEPTH_BLOCK, LANES);
        let row_step = even_step(a.rows, ROW_BLOCK, TILE_ROWS);
        for k in (0..a.cols).step_by(step) {
            let depth = step.min(a.cols - k);
            for column in (0..b.cols).step_by(COLUMN_BLOCK) {
                let cols = COLUMN_BLOCK.min(b.cols - column);
                let part = MatRef {
                    data: &b.data[k * b.row_stride + column * b.col_stride..],
                    rows: depth,
                    cols,
                    ..b
                };
                lines.resize(depth * cols.div_ceil(LANES), Line::ZERO);
                pack::matrix(part, row, lines);
                for r in (0..a.rows).step_by(row_step) {
                    let rows = row_step.min(a.rows - r);
                    let part = MatRef {
                        data: &a.data[r * a.row_stride + k * a.col_stride..],
                        rows,
                        cols: depth,
                        ..a
                    };
                    gemm::run(
                        false,
                        Block {
                            left: left_of(part, left),
                            rows,
                            depth,
                            panels: lines,
                            panel_stride: depth,
                            cols,
                            out: &mut out[r * b.cols + column..],
                            out_stride: b.cols,
                            accumulate: accumulate || k > 0,
                            finish: None,
                        },
                    );
                }
            }
        }
    });
}

/// Buffers for packed operands, kept by each thread.
#[derive(Default)]
struct Scratch {
    lines: Vec<Line>,
    left: Vec<f32>,
    row: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn left_of<'a, T: Element>(a: MatRef<'a, T>, scratch: &'a mut Vec<f32>) -> Left<'a> {
    if a.col_stride == 1 {
        return left::numbers(
            Rows {
                data: a.data,
                rows: a.rows,
                cols: a.cols,
                stride: a.row_stride,
            },
            scratch,
        );
    }
    // By columns: in a transposed matrix these are contiguous.
    scratch.resize(a.rows * a.cols, 0.0);
    for (k, column) in scratch.chunks_exact_mut(a.rows).enumerate() {
        if a.row_stride == 1 {
            T::widen(&a.data[k * a.col_stride..][..a.rows], column);
        } else {
            for (r, value) in column.iter_mut().enumerate() {
                *value = a.data[r * a.row_stride + k * a.col_stride].to_f32();
            }
        }
    }
    Left {
        data: scratch,
        row: 1,
        col: a.rows,
    }
}
