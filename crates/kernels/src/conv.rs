//! One-dimensional convolutions over channels-last frames, as products over overlapping rows.

use std::cell::RefCell;

use crate::activation::apply;
use crate::conv_shape::ConvShape;
use crate::depthwise::depthwise;
use crate::linear::{Epilogue, PackedLinear, Precision, linear, linear_strided};
use crate::matrix::Rows;

/// A convolution with packed weights, one product per group.
#[derive(Clone, Debug)]
pub struct Conv1d {
    shape: ConvShape,
    /// `[group]` of `[outputs / groups, kernel * inputs / groups]`.
    groups: Vec<PackedLinear>,
    /// Used instead if every channel is its own group: `[kernel, channel]`.
    taps: Option<Vec<f32>>,
}

impl Conv1d {
    /// Packs a weight in PyTorch's layout `[output, input / groups, kernel]`.
    ///
    /// # Panics
    /// If a size is zero, `groups` does not divide both channel counts, or `weight` has another length.
    #[must_use]
    pub fn new(weight: &[f32], shape: ConvShape, precision: Precision) -> Self {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            groups,
            ..
        } = shape;
        assert!(
            kernel > 0 && stride > 0 && groups > 0,
            "convolution of {shape:?}"
        );
        assert!(
            inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
            "convolution of {shape:?}"
        );
        let (group_in, group_out) = (inputs / groups, outputs / groups);
        assert_eq!(
            weight.len(),
            outputs * group_in * kernel,
            "weight of {shape:?}"
        );
        if groups > 1 && (group_in, group_out) == (1, 1) {
            // A product of one column would leave most of a vector empty. Nothing is rounded here in any precision: there is
            // little to gain where every number is used once per tap.
            let taps = (0..kernel).flat_map(|k| weight.iter().skip(k).step_by(kernel));
            return Self {
                shape,
                groups: Vec::new(),
                taps: Some(taps.copied().collect()),
            };
        }
        let mut rows = vec![0.0; group_out * kernel * group_in];
        let packed = (0..groups).map(|g| {
            for o in 0..group_out {
                let source =
                    &weight[(g * group_out + o) * group_in * kernel..][..group_in * kernel];
                let target = &mut rows[o * kernel * group_in..][..kernel * group_in];
                for i in 0..group_in {
                    for k in 0..kernel {
                        target[k * group_in + i] = source[i * kernel + k];
                    }
                }
            }
            PackedLinear::new(&rows, group_out, kernel * group_in, precision)
        });
        let groups = packed.collect();
        let taps = None;
        Self {
            shape,
            groups,
            taps,
        }
    }

    /// The same packed weights under another shape with windows of the same length.
    pub(crate) fn with_shape(self, shape: ConvShape) -> Self {
        assert_eq!(
            self.shape.inputs * self.shape.kernel,
            shape.inputs * shape.kernel
        );
        Self { shape, ..self }
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> ConvShape {
        self.shape
    }
}

/// Convolves `x` `[frame, inputs]` into `out` `[shape.frames(frame), outputs]`, then applies `epilogue` as
/// [`linear`] does.
///
/// # Panics
/// If `x` is not whole frames or `out`, bias or residual has another length.
pub fn conv1d(x: &[f32], conv: &Conv1d, epilogue: &Epilogue<'_>, out: &mut [f32]) {
    let shape = conv.shape;
    let channels = shape.inputs;
    assert!(
        channels > 0 && x.len().is_multiple_of(channels),
        "conv1d: {} numbers in frames of {channels}",
        x.len()
    );
    let frames = x.len() / channels;
    let rows = shape.frames(frames);
    assert_eq!(
        out.len(),
        rows * shape.outputs,
        "conv1d: out of [{rows}, {}]",
        shape.outputs
    );
    if rows == 0 {
        return;
    }
    if shape.groups == 1 && shape.padding == (0, 0) {
        let x = Rows {
            data: x,
            rows,
            cols: shape.kernel * channels,
            stride: shape.stride * channels,
        };
        return linear(x, &conv.groups[0], epilogue, out);
    }
    if let Some(residual) = epilogue.residual {
        assert_eq!(residual.len(), out.len(), "conv1d: residual");
    }
    if let Some(bias) = epilogue.bias {
        assert_eq!(bias.len(), shape.outputs, "conv1d: bias");
    }
    if let Some(taps) = &conv.taps {
        depthwise(x, taps, shape, out);
        for (index, row) in out.chunks_exact_mut(channels).enumerate() {
            if let Some(bias) = epilogue.bias {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
            apply(epilogue.activation, row);
            if let Some(residual) = epilogue.residual {
                let residual = &residual[index * channels..][..channels];
                row.iter_mut().zip(residual).for_each(|(y, r)| *y += r);
            }
        }
        return;
    }
    thread_local! {
        static PADDED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let (group_in, group_out) = (channels / shape.groups, shape.outputs / shape.groups);
    PADDED.with_borrow_mut(|padded| {
        let (before, after) = shape.padding;
        padded.clear();
        padded.resize((before + frames + after) * group_in, 0.0);
        for (g, weight) in conv.groups.iter().enumerate() {
            let inside = &mut padded[before * group_in..][..frames * group_in];
            for (target, frame) in inside
                .chunks_exact_mut(group_in)
                .zip(x.chunks_exact(channels))
            {
                target.copy_from_slice(&frame[g * group_in..][..group_in]);
            }
            let x = Rows {
                data: padded,
                rows,
                cols: shape.kernel * group_in,
                stride: shape.stride * group_in,
            };
            let epilogue = Epilogue {
                bias: epilogue
                    .bias
                    .map(|bias| &bias[g * group_out..][..group_out]),
                activation: epilogue.activation,
                residual: epilogue.residual.map(|residual| &residual[g * group_out..]),
            };
            linear_strided(
                x,
                weight,
                &epilogue,
                &mut out[g * group_out..],
                shape.outputs,
            );
        }
    });
}
