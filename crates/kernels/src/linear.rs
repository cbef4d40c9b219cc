//! Products with weights that are packed once and used for every utterance.

use std::cell::RefCell;

use crate::activation::Activation;
use crate::arch::LANES;
use crate::gemm::{self, Block, Finish, Line};
use crate::left;
use crate::matrix::{Element, Rows, extent};
use crate::pack;

/// The precision of a product; sums are always `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Weights and activations in single precision.
    #[default]
    F32,
    /// Weights and activations rounded to bf16. See [`bf16_is_native`](crate::bf16_is_native).
    Bf16,
}

/// The weight of a linear layer, laid out for the kernels.
///
/// The layout is the same on every path: panels of sixteen outputs, each `[input, 16]` (in bf16 `[input / 2, 16, 2]`), padded
/// with zeros.
#[derive(Clone, Debug)]
pub struct PackedLinear {
    outputs: usize,
    inputs: usize,
    precision: Precision,
    lines: Vec<Line>,
}

impl PackedLinear {
    /// Packs a weight in PyTorch's layout `[output, input]`.
    ///
    /// # Panics
    /// If `weight` does not hold `outputs * inputs` numbers.
    #[must_use]
    pub fn new(weight: &[f32], outputs: usize, inputs: usize, precision: Precision) -> Self {
        let mut packed = Self {
            outputs,
            inputs,
            precision,
            lines: Vec::new(),
        };
        packed.lines = vec![Line::ZERO; packed.depth() * outputs.div_ceil(LANES)];
        packed.repack(weight);
        packed
    }

    /// Replaces the weight by another of the same shape, in place: for weights that change at every training step.
    ///
    /// # Panics
    /// If `weight` does not hold `outputs * inputs` numbers.
    pub fn repack(&mut self, weight: &[f32]) {
        let (outputs, inputs) = (self.outputs, self.inputs);
        assert_eq!(
            weight.len(),
            outputs * inputs,
            "weight of [{outputs}, {inputs}]"
        );
        if weight.is_empty() {
            return;
        }
        let rows = Rows::new(weight, outputs, inputs);
        match self.precision {
            Precision::F32 => pack::transposed(rows, &mut self.lines),
            Precision::Bf16 => pack::transposed_pairs(rows, &mut self.lines),
        }
    }

    /// The length of an output row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The length of an input row.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The precision of the product.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Memory held by the weight.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// Lines of a panel.
    fn depth(&self) -> usize {
        match self.precision {
            Precision::F32 => self.inputs,
            Precision::Bf16 => self.inputs.div_ceil(2),
        }
    }
}

/// What is applied to the sums of a product before they are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// `[output]`, added first.
    pub bias: Option<&'a [f32]>,
    /// Applied second.
    pub activation: Activation,
    /// `[row, output]`, added last.
    pub residual: Option<&'a [f32]>,
}

/// `out[r, o] = activation(Σ_i x[r, i] · weight[o, i] + bias[o]) + residual[r, o]`, with `out` dense `[x.rows, outputs]`.
///
/// # Panics
/// If `x.cols` is not the number of inputs, or a slice is shorter than its shape or, for `out`, `bias` and `residual`, of
/// another length.
pub fn linear<T: Element>(
    x: Rows<'_, T>,
    weight: &PackedLinear,
    epilogue: &Epilogue<'_>,
    out: &mut [f32],
) {
    assert_eq!(
        out.len(),
        x.rows * weight.outputs,
        "linear: out of [{}, {}]",
        x.rows,
        weight.outputs
    );
    if let Some(residual) = epilogue.residual {
        assert_eq!(
            residual.len(),
            out.len(),
            "linear: residual of [{}, {}]",
            x.rows,
            weight.outputs
        );
    }
    linear_strided(x, weight, epilogue, out, weight.outputs);
}

/// The number of rows of most paths' largest tile.
pub(crate) const TILE_ROWS: usize = 6;
/// Rows of x that are processed together: their words stay in the L2 cache during the pass over all panels.
const ROW_BLOCK: usize = 96;
/// Words of k that are processed together.
const DEPTH_BLOCK: usize = 1024;

/// [`linear`] into rows of `out` (and of the residual) with stride `out_stride`.
pub(crate) fn linear_strided<T: Element>(
    x: Rows<'_, T>,
    weight: &PackedLinear,
    epilogue: &Epilogue<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let outputs = weight.outputs;
    x.check("linear: x");
    assert_eq!(
        x.cols, weight.inputs,
        "linear: columns of x and inputs of the weight"
    );
    let needed = extent(x.rows, outputs, out_stride);
    assert!(
        needed.is_some_and(|n| n <= out.len()),
        "linear: out needs {needed:?}, got {}",
        out.len()
    );
    if let Some(bias) = epilogue.bias {
        assert_eq!(bias.len(), outputs, "linear: bias");
    }
    if let Some(residual) = epilogue.residual {
        assert!(
            needed.is_some_and(|n| n <= residual.len()),
            "linear: residual needs {needed:?}, got {}",
            residual.len()
        );
    }
    let plain = epilogue.bias.is_none()
        && epilogue.activation == Activation::None
        && epilogue.residual.is_none();
    let depth = weight.depth();
    let step = even_step(depth, DEPTH_BLOCK, LANES);
    LEFT.with_borrow_mut(|scratch| {
        let row_step = even_step(x.rows, ROW_BLOCK, TILE_ROWS);
        for row in (0..x.rows).step_by(row_step) {
            let rows = row_step.min(x.rows - row);
            let x = x.slice(row..row + rows);
            let left = match weight.precision {
                Precision::F32 => left::numbers(x, scratch),
                Precision::Bf16 => left::pairs(x, scratch),
            };
            let start = row * out_stride;
            let finish = Finish {
                bias: epilogue.bias,
                activation: epilogue.activation,
                residual: epilogue.residual.map(|residual| &residual[start..]),
            };
            let mut k = 0;
            loop {
                let words = step.min(depth - k);
                gemm::run(
                    weight.precision == Precision::Bf16,
                    Block {
                        left: left.from(k),
                        rows,
                        depth: words,
                        panels: &weight.lines[k.min(weight.lines.len())..],
                        panel_stride: depth,
                        cols: outputs,
                        out: &mut out[start..],
                        out_stride,
                        accumulate: k > 0,
                        finish: (k + words == depth && !plain).then_some(finish),
                    },
                );
                k += words;
                if k == depth {
                    break;
                }
            }
        }
    });
}

thread_local! {
    static LEFT: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The step that cuts `length` into the fewest blocks of at most `limit`, nearly equal and whole multiples of `unit`
/// (which divides `limit`) except for the last.
pub(crate) fn even_step(length: usize, limit: usize, unit: usize) -> usize {
    let blocks = length.div_ceil(limit).max(1);
    length.div_ceil(blocks).next_multiple_of(unit).max(unit)
}
