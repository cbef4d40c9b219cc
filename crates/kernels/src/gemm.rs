//! The product that everything else is built on: a block of rows times packed panels of sixteen columns.
//!
//! `C[r, n] = Σ_k A[r, k] · B[k, n]`, where B is stored in panels: panel `p` holds columns `16 p..16 p + 16` as `[k, 16]`. In
//! single precision k counts numbers; in bf16 it counts pairs of neighbouring inputs, which one instruction multiplies and
//! adds.
//!
//! Each element of C is one chain of fused multiply-adds over k in ascending order, whatever the tile it falls into and
//! however k is divided into blocks (a block continues from the stored sum). Therefore a row's result is independent
//! of the number of rows in a call, and the same on all paths with fused multiply-add.

use crate::activation::{Activation, activate};
use crate::arch::{Kernel, LANES, PREFETCH_STEPS, Simd, Tile, dispatch, load_upto, store_upto};

/// Sixteen numbers (or pairs of bf16) in one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; LANES]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; LANES]);
}

/// The left operand of a block: word `[r, k]` is `data[r * row + k * col]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// Numbers, or pairs of bf16 as their bits.
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) col: usize,
}

/// What is applied to the sums once k is exhausted.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// One per column.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// With the row stride of C.
    pub(crate) residual: Option<&'a [f32]>,
}

impl Left<'_> {
    /// The same rows from word `k` on.
    pub(crate) fn from(self, k: usize) -> Self {
        Self {
            data: &self.data[(k * self.col).min(self.data.len())..],
            ..self
        }
    }
}

/// One block of a product.
pub(crate) struct Block<'a> {
    pub(crate) left: Left<'a>,
    pub(crate) rows: usize,
    /// Words of k.
    pub(crate) depth: usize,
    /// Panels of B, `panel_stride` lines apart; the block uses the first `depth` lines of each.
    pub(crate) panels: &'a [Line],
    pub(crate) panel_stride: usize,
    /// Columns of C.
    pub(crate) cols: usize,
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
    /// Adds to the contents of `out`.
    pub(crate) accumulate: bool,
    pub(crate) finish: Option<Finish<'a>>,
}

/// Computes the block on the current path.
///
/// `pairs`: words are pairs of bf16, not numbers.
pub(crate) fn run(pairs: bool, block: Block<'_>) {
    if pairs {
        dispatch::<true, _>(Words::<true>(block));
    } else {
        dispatch::<false, _>(Words::<false>(block));
    }
}

struct Words<'a, const PAIRS: bool>(Block<'a>);

impl<const PAIRS: bool> Kernel for Words<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Block {
            left,
            rows,
            depth,
            panels,
            panel_stride,
            cols,
            out,
            out_stride,
            accumulate,
            finish,
        } = self.0;
        if rows == 0 || cols == 0 {
            return;
        }
        let count = cols.div_ceil(LANES);
        // These four checks are what the pointers below rely on.
        if depth > 0 {
            assert!(
                (rows - 1) * left.row + (depth - 1) * left.col < left.data.len(),
                "block: left"
            );
            assert!(
                (count - 1) * panel_stride + depth <= panels.len(),
                "block: panels"
            );
        }
        assert!((rows - 1) * out_stride + cols <= out.len(), "block: out");
        assert!(
            out_stride >= cols || rows == 1,
            "block: rows of out overlap"
        );

        let mut panel = 0;
        while panel < count {
            let wide = (count - panel).min(S::TILE_PANELS);
            let col = panel * LANES;
            let width = (cols - col).min(wide * LANES);
            // While the tiles of these panels are computed, each prefetches its share of the next ones.
            let after = if panel + wide < count {
                panel + wide
            } else {
                0
            };
            let next = panels
                .as_ptr()
                .wrapping_add(after * panel_stride)
                .cast::<f32>();
            let mut asked = 0;
            let mut row = 0;
            while row < rows {
                let high = S::high(rows - row);
                // SAFETY: rows `row..row + high` and panels `panel..panel + wide` lie within what was checked above:
                // every word read of A and B and every number of C has an index at most the largest one checked. The
                // last panel of B is whole lines; of C only `last` columns of the last panel are touched.
                unsafe {
                    let tile = Tile {
                        depth,
                        a: left
                            .data
                            .as_ptr()
                            .add(if depth > 0 { row * left.row } else { 0 }),
                        a_row: left.row,
                        a_col: left.col,
                        b: panels
                            .as_ptr()
                            .add(if depth > 0 { panel * panel_stride } else { 0 })
                            .cast(),
                        b_panel: panel_stride * LANES,
                        c: out.as_mut_ptr().add(row * out_stride + col),
                        c_row: out_stride,
                        next: next.wrapping_add(
                            asked % depth.max(1) * LANES
                                + asked / depth.max(1) * panel_stride * LANES,
                        ),
                        last: width - (wide - 1) * LANES,
                        accumulate,
                    };
                    simd.tile::<PAIRS>(high, wide, &tile);
                }
                if let Some(finish) = &finish {
                    for r in row..row + high {
                        let start = r * out_stride + col;
                        finish_row(simd, finish, col, start, &mut out[start..start + width]);
                    }
                }
                row += high;
                asked += depth.div_ceil(PREFETCH_STEPS);
            }
            panel += wide;
        }
    }
}

/// Bias, activation and residual of one row of a tile, which is still in the L1 cache.
#[inline(always)]
fn finish_row<S: Simd>(simd: S, finish: &Finish<'_>, col: usize, start: usize, row: &mut [f32]) {
    let width = row.len();
    let bias = finish.bias.map(|bias| &bias[col..col + width]);
    let residual = finish
        .residual
        .map(|residual| &residual[start..start + width]);
    let mut i = 0;
    while i < width {
        let n = (width - i).min(LANES);
        let mut v = load_upto(simd, &row[i..i + n]);
        if let Some(bias) = bias {
            v = simd.add(v, load_upto(simd, &bias[i..i + n]));
        }
        v = activate(simd, finish.activation, v);
        if let Some(residual) = residual {
            v = simd.add(v, load_upto(simd, &residual[i..i + n]));
        }
        store_upto(simd, v, &mut row[i..i + n]);
        i += n;
    }
}
