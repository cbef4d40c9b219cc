use crate::ops::{Activation, ConvShape, ConvWeights, NormWeights, OpResult, Ops, Prepare, Role};
use crate::weights::Loader;

/// Epsilon of the parameterless norms of the stack, and of batch normalisation: PyTorch's default.
const EPSILON: f32 = 1e-5;

/// How positions are encoded: by a convolution over the frames, added to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PositionalConfig {
    /// One wide grouped convolution with weight normalisation over the kernel's taps
    /// (wav2vec 2.0), or plain after a batch normalisation (mHuBERT).
    Single {
        kernel: usize,
        groups: usize,
        batch_norm: bool,
        /// This many frames become one, by their mean and a convolution with this stride (SEW-D).
        squeeze: usize,
    },
    /// Several narrow grouped convolutions, each followed by a norm without parameters (data2vec).
    Stack {
        depth: usize,
        kernel: usize,
        groups: usize,
        leading_norm: bool,
    },
}

/// The positional convolution on a device.
pub(crate) struct Positional<P: Prepare> {
    /// The mean of several frames, if they are squeezed.
    pool: Option<P::Conv>,
    batch_norm: Option<P::Norm>,
    leading_norm: Option<P::Norm>,
    convs: Vec<P::Conv>,
    /// Between convolution and activation, if there is one.
    norm: Option<P::Norm>,
    activation: Activation,
}

impl<P: Prepare> Positional<P> {
    /// From `encoder.pos_conv_embed.*`.
    pub(crate) fn build(
        config: PositionalConfig,
        dim: usize,
        activation: Activation,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let (kernel, groups, stride) = match config {
            PositionalConfig::Single {
                kernel,
                groups,
                squeeze,
                ..
            } => (kernel, groups, squeeze),
            PositionalConfig::Stack { kernel, groups, .. } => (kernel, groups, 1),
        };
        let shape = ConvShape {
            inputs: dim,
            outputs: dim,
            kernel,
            stride,
            groups,
            // As many frames out as in, or one per `stride` frames: an even kernel is padded by half on both sides and loses
            // the last frame ("SamePad"), which equals one frame less of padding at the end.
            padding: (kernel / 2, kernel - stride - kernel / 2),
        };
        let mut built = Self {
            pool: None,
            batch_norm: None,
            leading_norm: None,
            convs: Vec::new(),
            norm: None,
            activation,
        };
        match config {
            PositionalConfig::Single { batch_norm, .. } => {
                if batch_norm {
                    let affine =
                        batch_norm_affine("encoder.pos_conv_embed.batch_norm", dim, loader)?;
                    built.batch_norm = Some(device.norm_weights(NormWeights {
                        role: Role::Stream,
                        affine: Some(affine),
                        eps: EPSILON,
                    })?);
                }
                if stride > 1 {
                    built.pool = Some(device.conv_weights(ConvWeights {
                        role: Role::Stream,
                        shape: ConvShape {
                            kernel: stride,
                            groups: dim,
                            padding: (0, 0),
                            ..shape
                        },
                        weight: vec![1.0 / stride as f32; dim * stride],
                        bias: None,
                    })?);
                }
                let weight = single_weight(shape, loader)?;
                let bias = Some(loader.tensor("encoder.pos_conv_embed.conv.bias", &[dim])?);
                built.convs.push(device.conv_weights(ConvWeights {
                    role: Role::Stream,
                    shape,
                    weight,
                    bias,
                })?);
            }
            PositionalConfig::Stack {
                depth,
                leading_norm,
                ..
            } => {
                if leading_norm {
                    let name = "encoder.pos_conv_embed.layer_norm";
                    built.leading_norm =
                        Some(loader.norm(device, name, dim, (EPSILON.into(), Role::Stream))?);
                }
                for index in 0..depth {
                    let name = format!("encoder.pos_conv_embed.layers.{index}.conv");
                    let weight =
                        loader.tensor(&format!("{name}.weight"), &[dim, dim / groups, kernel])?;
                    let bias = Some(loader.tensor(&format!("{name}.bias"), &[dim])?);
                    built.convs.push(device.conv_weights(ConvWeights {
                        role: Role::Stream,
                        shape,
                        weight,
                        bias,
                    })?);
                }
                let norm = NormWeights {
                    role: Role::Stream,
                    affine: None,
                    eps: EPSILON,
                };
                built.norm = Some(device.norm_weights(norm)?);
            }
        }
        Ok(built)
    }
}

impl<O: Ops> Positional<O> {
    /// `x + positions(x)`, `[frame, dim]`, where `x` may be replaced by means of frames.
    pub(crate) fn forward(&self, ops: &O, x: O::Tensor) -> OpResult<O::Tensor> {
        let mut y = x.clone();
        if let Some(norm) = &self.leading_norm {
            y = ops.norm_rows(y, norm, Activation::None)?;
        }
        if let Some(norm) = &self.batch_norm {
            y = ops.scale_shift(y, norm)?;
        }
        for conv in &self.convs {
            y = match &self.norm {
                None => ops.conv(&y, conv, self.activation)?,
                Some(norm) => {
                    let y = ops.conv(&y, conv, Activation::None)?;
                    ops.norm_rows(y, norm, self.activation)?
                }
            };
        }
        match &self.pool {
            None => ops.add(x, &y),
            Some(pool) => ops.add(ops.conv(&x, pool, Activation::None)?, &y),
        }
    }
}

/// The weight `[dim, dim / groups, kernel]` in any of its forms: plain, or a direction and a length for each tap under the old
/// (`weight_v`, `weight_g`) or new (`parametrizations`) names.
fn single_weight(shape: ConvShape, loader: &mut Loader<'_>) -> OpResult<Vec<f32>> {
    let ConvShape {
        outputs,
        inputs,
        groups,
        kernel,
        ..
    } = shape;
    let full = [outputs, inputs / groups, kernel];
    let conv = "encoder.pos_conv_embed.conv";
    if loader.has(&format!("{conv}.weight")) {
        return loader.tensor(&format!("{conv}.weight"), &full);
    }
    let new = format!("{conv}.parametrizations.weight");
    let (length, direction) = if loader.has(&format!("{new}.original1")) {
        (format!("{new}.original0"), format!("{new}.original1"))
    } else {
        (format!("{conv}.weight_g"), format!("{conv}.weight_v"))
    };
    let length = loader.tensor(&length, &[1, 1, kernel])?;
    let direction = loader.tensor(&direction, &full)?;
    Ok(weight_norm(direction, &length))
}

/// `w = g · v / ‖v‖` with the norm over all but the last dimension (Salimans & Kingma 2016,
/// equation 2; PyTorch's `weight_norm(dim=2)`), summed in double precision.
fn weight_norm(mut direction: Vec<f32>, length: &[f32]) -> Vec<f32> {
    let taps = length.len().max(1);
    let mut squares = vec![0.0f64; taps];
    for row in direction.chunks_exact(taps) {
        for (sum, &v) in squares.iter_mut().zip(row) {
            *sum += f64::from(v) * f64::from(v);
        }
    }
    let factors: Vec<f64> = squares
        .iter()
        .zip(length)
        .map(|(sum, &g)| f64::from(g) / sum.sqrt())
        .collect();
    for row in direction.chunks_exact_mut(taps) {
        for (v, factor) in row.iter_mut().zip(&factors) {
            *v = (f64::from(*v) * factor) as f32;
        }
    }
    direction
}

/// Batch normalisation of a trained model as a scale and a shift per channel.
pub(crate) fn batch_norm_affine(
    name: &str,
    dim: usize,
    loader: &mut Loader<'_>,
) -> OpResult<(Vec<f32>, Vec<f32>)> {
    let mut read = |part: &str| loader.tensor(&format!("{name}.{part}"), &[dim]);
    let (weight, bias) = (read("weight")?, read("bias")?);
    let (mean, variance) = (read("running_mean")?, read("running_var")?);
    let scale: Vec<f32> = weight
        .iter()
        .zip(&variance)
        .map(|(&w, &v)| (f64::from(w) / (f64::from(v) + f64::from(EPSILON)).sqrt()) as f32)
        .collect();
    let shift = bias
        .iter()
        .zip(&mean)
        .zip(&scale)
        .map(|((&b, &m), &s)| b - m * s)
        .collect();
    Ok((scale, shift))
}
