//! Products with weights that are packed once and used for every utterance.

use std::cell::RefCell;

use crate::activation::{Activation, apply};
use crate::matrix::{Element, Rows, extent};

/// In what numbers a product is computed; sums are always `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Weights and activations in single precision.
    #[default]
    F32,
    /// Weights and activations rounded to bf16.
    Bf16,
}

/// The weight of a linear layer, laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedLinear {
    outputs: usize,
    inputs: usize,
    precision: Precision,
    /// `[input, output]`
    columns: Vec<f32>,
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
            columns: vec![0.0; outputs * inputs],
        };
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
        for (o, row) in weight.chunks_exact(inputs.max(1)).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                self.columns[i * outputs + o] = round(w, self.precision);
            }
        }
    }

    /// Numbers an output row has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers an input row has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// In what numbers the product is computed.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Memory held by the weight.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.columns.len() * size_of::<f32>()
    }
}

/// What happens to the sums of a product before they are written.
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
        "out of [{}, {}]",
        x.rows,
        weight.outputs
    );
    linear_strided(x, weight, epilogue, out, weight.outputs);
}

/// [`linear`] into rows of `out` (and of the residual) that lie `out_stride` apart.
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
            "linear: residual {}",
            residual.len()
        );
    }
    thread_local! {
        static SUMS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    SUMS.with_borrow_mut(|sums| {
        sums.resize(outputs, 0.0);
        for r in 0..x.rows {
            sums.fill(0.0);
            let row = &x.data[r * x.stride..][..x.cols];
            for (i, &value) in row.iter().enumerate() {
                let value = round(value.to_f32(), weight.precision);
                let column = &weight.columns[i * outputs..][..outputs];
                for (s, &w) in sums.iter_mut().zip(column) {
                    *s += value * w;
                }
            }
            if let Some(bias) = epilogue.bias {
                for (s, &b) in sums.iter_mut().zip(bias) {
                    *s += b;
                }
            }
            apply(epilogue.activation, sums);
            if let Some(residual) = epilogue.residual {
                for (s, &b) in sums.iter_mut().zip(&residual[r * out_stride..]) {
                    *s += b;
                }
            }
            out[r * out_stride..][..outputs].copy_from_slice(sums);
        }
    });
}

fn round(x: f32, precision: Precision) -> f32 {
    match precision {
        Precision::F32 => x,
        Precision::Bf16 => half::bf16::from_f32(x).to_f32(),
    }
}
