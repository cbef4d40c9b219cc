//! Weights in device memory.

use super::{OnGpu, Plane};
use crate::ops::first::EPSILON;
use crate::ops::{
    ConvShape, ConvWeights, FirstWeights, GateWeights, LinearWeights, NormWeights, OpResult,
    Prepare, Role,
};
use emobox_gpu::{
    Array, Convolution, First, GroupNorm, LARGEST_HEAD, Linear, MOST_TAPS, Norm, Spans,
};
use std::sync::Arc;

pub(crate) struct GpuLinear {
    pub(super) linear: Linear,
    pub(super) role: Role,
}

pub(crate) struct GpuConv {
    pub(super) convolution: Convolution,
    pub(super) role: Role,
}

pub(crate) enum GpuFirst {
    Plain(First, FirstShape),
    Normed(GroupNorm, FirstShape),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstShape {
    pub(super) outputs: usize,
    pub(super) taps: usize,
    pub(super) stride: usize,
}

pub(crate) struct GpuNorm {
    pub(super) norm: Norm,
    pub(super) role: Role,
}

pub(crate) struct GpuGate {
    pub(super) weight: Array,
    pub(super) bias: Array,
    pub(super) constant: Array,
}

impl Prepare for OnGpu {
    type Linear = GpuLinear;
    type Conv = GpuConv;
    type First = GpuFirst;
    type Norm = GpuNorm;
    type Gate = GpuGate;
    type Tensor = Plane;

    fn attention_shape(&self, dim: usize, heads: usize) -> OpResult<()> {
        let head = dim / heads;
        self.needs(head <= LARGEST_HEAD && head.is_multiple_of(2), || {
            format!("attention heads of {head} columns, but even ones up to {LARGEST_HEAD}")
        })
    }

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<GpuLinear> {
        let LinearWeights {
            role,
            out,
            inp: _,
            weight,
            bias,
        } = weights;
        let linear = self.gpu.linear_weights(&weight, bias.as_deref(), out)?;
        Ok(GpuLinear { linear, role })
    }

    fn conv_weights(&self, weights: ConvWeights) -> OpResult<GpuConv> {
        let ConvWeights {
            role,
            shape,
            weight,
            bias,
        } = weights;
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            groups,
            padding,
        } = shape;
        let shape = emobox_gpu::Shape {
            inputs,
            outputs,
            kernel,
            stride,
            groups,
            padding,
        };
        let convolution = self.gpu.convolution(shape, &weight, bias.as_deref())?;
        Ok(GpuConv { convolution, role })
    }

    fn first_weights(&self, weights: FirstWeights) -> OpResult<GpuFirst> {
        let FirstWeights {
            shape,
            weight,
            bias,
            norm,
        } = weights;
        let ConvShape {
            outputs,
            kernel: taps,
            stride,
            ..
        } = shape;
        self.needs(taps.max(stride) <= MOST_TAPS, || {
            format!(
                "a first convolution of {taps} taps and stride {stride}, but of up to {MOST_TAPS}"
            )
        })?;
        let shape = FirstShape {
            outputs,
            taps,
            stride,
        };
        Ok(match norm {
            None => GpuFirst::Plain(
                self.gpu.first(&weight, bias.as_deref(), outputs, stride)?,
                shape,
            ),
            Some((gain, offset)) => {
                let epsilon = EPSILON as f32;
                GpuFirst::Normed(
                    self.gpu
                        .group_norm(&weight, &gain, &offset, stride, epsilon)?,
                    shape,
                )
            }
        })
    }

    fn norm_weights(&self, weights: NormWeights) -> OpResult<GpuNorm> {
        let NormWeights { role, affine, eps } = weights;
        let affine = affine
            .as_ref()
            .map(|(scale, shift)| (scale.as_slice(), shift.as_slice()));
        let norm = self.gpu.norm_weights(affine, eps)?;
        Ok(GpuNorm { norm, role })
    }

    fn gate_weights(&self, weights: GateWeights) -> OpResult<GpuGate> {
        Ok(GpuGate {
            weight: self.gpu.upload(&weights.weight)?,
            bias: self.gpu.upload(&weights.bias)?,
            constant: self.gpu.upload(&weights.constant)?,
        })
    }

    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Plane> {
        let spans = Arc::new(Spans::packed([values.len() / columns]));
        Ok(self.plane(self.gpu.upload(&values)?, spans, columns))
    }
}
