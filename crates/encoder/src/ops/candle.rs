//! The tensor library candle: NVIDIA and Apple GPUs, and its CPU device as a proof of the arithmetic.

use super::{
    Activation, Attend, Bias, ConvWeights, GateWeights, LinearWeights, NormWeights, OpResult, Ops,
    Prepare,
};
use crate::{Device, EncoderError};
use candle_core::{D, DType, Tensor};
use emobox_kernels::{ConvShape, Precision};

impl From<candle_core::Error> for EncoderError {
    fn from(error: candle_core::Error) -> Self {
        Self::Device(error.to_string())
    }
}

/// A device of candle at a given precision of products.
pub(crate) struct Candle {
    device: candle_core::Device,
    precision: Precision,
}

impl Candle {
    /// Opens the device.
    pub(crate) fn open(device: Device, precision: Precision) -> OpResult<Self> {
        let opened = match device {
            Device::Cuda(index) => candle_core::Device::new_cuda(index),
            Device::Metal => candle_core::Device::new_metal(0),
            Device::Cpu | Device::CandleCpu => Ok(candle_core::Device::Cpu),
        };
        let device = opened.map_err(|error| EncoderError::DeviceUnavailable {
            device: device.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { device, precision })
    }

    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> OpResult<Tensor> {
        Ok(Tensor::from_vec(values, shape, &self.device)?)
    }

    /// The type of the operands of products.
    fn operand(&self) -> DType {
        match self.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}

pub(crate) struct CandleLinear {
    /// `[inp, out]`.
    weight: Tensor,
    bias: Option<Tensor>,
}

pub(crate) struct CandleConv {
    shape: ConvShape,
    weight: Tensor,
    bias: Option<Tensor>,
}

pub(crate) struct CandleNorm {
    affine: Option<(Tensor, Tensor)>,
    eps: f64,
}

pub(crate) struct CandleGate {
    /// `[head dim, 2]`.
    weight: Tensor,
    bias: Tensor,
    /// `[head]`.
    constant: Tensor,
    heads: usize,
}

impl Prepare for Candle {
    type Linear = CandleLinear;
    type Conv = CandleConv;
    type Norm = CandleNorm;
    type Gate = CandleGate;
    type Tensor = Tensor;

    fn linear_weights(&self, weights: LinearWeights) -> OpResult<CandleLinear> {
        let LinearWeights {
            out,
            inp,
            weight,
            bias,
        } = weights;
        let weight = self.tensor(weight, &[out, inp])?.t()?.contiguous()?;
        let bias = bias.map(|bias| self.tensor(bias, &[out])).transpose()?;
        Ok(CandleLinear {
            weight: weight.to_dtype(self.operand())?,
            bias,
        })
    }

    fn conv_weights(&self, weights: ConvWeights) -> OpResult<CandleConv> {
        let ConvWeights {
            shape,
            weight,
            bias,
        } = weights;
        let size = [shape.outputs, shape.inputs / shape.groups, shape.kernel];
        let weight = self.tensor(weight, &size)?;
        let bias = bias
            .map(|bias| self.tensor(bias, &[shape.outputs]))
            .transpose()?;
        Ok(CandleConv {
            shape,
            weight,
            bias,
        })
    }

    fn norm_weights(&self, weights: NormWeights) -> OpResult<CandleNorm> {
        let affine = match weights.affine {
            None => None,
            Some((scale, shift)) => {
                let dim = [scale.len()];
                Some((self.tensor(scale, &dim)?, self.tensor(shift, &dim)?))
            }
        };
        Ok(CandleNorm {
            affine,
            eps: weights.eps.into(),
        })
    }

    fn gate_weights(&self, weights: GateWeights) -> OpResult<CandleGate> {
        let heads = weights.constant.len();
        let dim = weights.weight.len() / 2;
        Ok(CandleGate {
            weight: self.tensor(weights.weight, &[2, dim])?.t()?.contiguous()?,
            bias: self.tensor(weights.bias, &[2])?,
            constant: self.tensor(weights.constant, &[heads])?,
            heads,
        })
    }

    fn upload(&self, values: Vec<f32>, columns: usize) -> OpResult<Tensor> {
        let rows = values.len() / columns;
        self.tensor(values, &[rows, columns])
    }
}

impl Ops for Candle {
    /// Half a minute: a GPU wants few large calls.
    fn front_end_frames(&self) -> usize {
        1500
    }

    fn download(&self, x: &Tensor) -> OpResult<Vec<f32>> {
        Ok(x.flatten_all()?.to_vec1()?)
    }

    fn rows(&self, x: &Tensor) -> usize {
        x.dims()[0]
    }

    fn columns(&self, x: &Tensor) -> usize {
        x.dims()[1]
    }

    fn first_rows(&self, x: &Tensor, rows: usize) -> OpResult<Tensor> {
        Ok(x.narrow(0, 0, rows)?.contiguous()?)
    }

    fn concat(&self, parts: &[&Tensor]) -> OpResult<Tensor> {
        Ok(Tensor::cat(parts, 0)?)
    }

    fn add(&self, x: Tensor, y: &Tensor) -> OpResult<Tensor> {
        Ok((x + y)?)
    }

    fn linear(
        &self,
        x: &Tensor,
        weights: &CandleLinear,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> OpResult<Tensor> {
        let product = x.to_dtype(self.operand())?.matmul(&weights.weight)?;
        let mut y = product.to_dtype(DType::F32)?;
        if let Some(bias) = &weights.bias {
            y = y.broadcast_add(bias)?;
        }
        y = activate(y, activation)?;
        match residual {
            None => Ok(y),
            Some(residual) => Ok((y + residual)?),
        }
    }

    fn conv(&self, x: &Tensor, weights: &CandleConv, activation: Activation) -> OpResult<Tensor> {
        let ConvShape {
            stride,
            groups,
            padding,
            ..
        } = weights.shape;
        let x = x
            .t()?
            .unsqueeze(0)?
            .pad_with_zeros(2, padding.0, padding.1)?
            .contiguous()?;
        let y = x.conv1d(&weights.weight, 0, stride, 1, groups)?;
        let mut y = y.squeeze(0)?.t()?.contiguous()?;
        if let Some(bias) = &weights.bias {
            y = y.broadcast_add(bias)?;
        }
        activate(y, activation)
    }

    fn norm_rows(
        &self,
        x: Tensor,
        weights: &CandleNorm,
        activation: Activation,
    ) -> OpResult<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let y = centred.broadcast_div(&(variance + weights.eps)?.sqrt()?)?;
        activate(self.scale_shift(y, weights)?, activation)
    }

    fn scale_shift(&self, x: Tensor, weights: &CandleNorm) -> OpResult<Tensor> {
        match &weights.affine {
            None => Ok(x),
            Some((scale, shift)) => Ok(x.broadcast_mul(scale)?.broadcast_add(shift)?),
        }
    }

    fn attention(&self, attend: &Attend<'_, Tensor>) -> OpResult<Tensor> {
        let &Attend {
            query,
            key_value,
            heads,
            ref bias,
        } = attend;
        let (queries, dim) = query.dims2()?;
        let frames = self.rows(key_value);
        // `[frame, head × head dim]` to `[head, frame, head dim]`.
        let split = |x: &Tensor, rows: usize| -> OpResult<Tensor> {
            let x = x.reshape((rows, heads, dim / heads))?.transpose(0, 1)?;
            Ok(x.contiguous()?.to_dtype(self.operand())?)
        };
        let query = split(
            &(query * (1.0 / (dim as f64 / heads as f64).sqrt()))?,
            queries,
        )?;
        let key = split(&key_value.narrow(1, 0, dim)?, frames)?;
        let value = split(&key_value.narrow(1, dim, dim)?, frames)?;
        let mut scores = query
            .matmul(&key.t()?.contiguous()?)?
            .to_dtype(DType::F32)?;
        if let Some(bias) = self.bias(bias, heads, queries, frames)? {
            scores = (scores + bias)?;
        }
        let weights = scores
            .broadcast_sub(&scores.max_keepdim(D::Minus1)?)?
            .exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
        let mixed = weights
            .to_dtype(self.operand())?
            .matmul(&value)?
            .to_dtype(DType::F32)?;
        Ok(mixed
            .transpose(0, 1)?
            .contiguous()?
            .reshape((queries, dim))?)
    }

    fn gate(&self, x: &Tensor, weights: &CandleGate) -> OpResult<Tensor> {
        let (frames, dim) = x.dims2()?;
        let heads = weights.heads;
        let rows = x.reshape((frames * heads, dim / heads))?;
        let sums = rows.matmul(&weights.weight)?.broadcast_add(&weights.bias)?;
        // The logistic function; candle-core itself has none.
        let gates = ((sums.neg()?.exp()? + 1.0)?.recip())?.reshape((frames, heads, 2))?;
        let part = |index: usize| gates.narrow(2, index, 1)?.squeeze(2);
        let inner = (part(1)?.broadcast_mul(&weights.constant)? - 1.0)?;
        Ok(((part(0)? * inner)? + 2.0)?.t()?.contiguous()?)
    }
}

impl Candle {
    /// `[head, query, frame]`.
    fn bias(
        &self,
        bias: &Bias<'_, Tensor>,
        heads: usize,
        queries: usize,
        frames: usize,
    ) -> OpResult<Option<Tensor>> {
        let pairs = (0..queries).flat_map(|query| (0..frames).map(move |key| (query, key)));
        match bias {
            Bias::None => Ok(None),
            Bias::Relative { table, gate } => {
                let indices = pairs.map(|(query, key)| (key + frames - 1 - query) as u32);
                let indices = Tensor::from_vec(indices.collect(), queries * frames, &self.device)?;
                let plain = table
                    .index_select(&indices, 1)?
                    .reshape((heads, queries, frames))?;
                Ok(Some(plain.broadcast_mul(&gate.unsqueeze(2)?)?))
            }
            Bias::Alibi { scales, tokens } => {
                let distance = |(query, key): (usize, usize)| match query.min(key) < *tokens {
                    true => 0.0,
                    false => -(query.abs_diff(key) as f32),
                };
                let distances =
                    self.tensor(pairs.map(distance).collect(), &[1, queries, frames])?;
                let scales = self.tensor(scales.to_vec(), &[heads, 1, 1])?;
                Ok(Some(distances.broadcast_mul(&scales)?))
            }
        }
    }
}

fn activate(x: Tensor, activation: Activation) -> OpResult<Tensor> {
    Ok(match activation {
        Activation::None => x,
        Activation::Relu => x.relu()?,
        Activation::Gelu => x.gelu_erf()?,
    })
}
