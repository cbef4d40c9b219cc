use crate::ops::{Activation, ConvShape, ConvWeights, OpResult, Ops, Prepare};
use crate::weights::Loader;

/// Epsilon of the norms between convolutions: PyTorch's default, whatever the transformer's is.
const EPSILON: f64 = 1e-5;

/// One convolution of the front end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvLayer {
    pub(crate) dim: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

/// Where the front end normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrontNorm {
    /// The first convolution's output, every channel over the utterance.
    Group,
    /// Every convolution's output, every frame over its channels.
    Layer,
}

/// The stack of strided convolutions that turns samples into frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrontEndConfig {
    pub(crate) layers: Vec<ConvLayer>,
    pub(crate) bias: bool,
    pub(crate) norm: FrontNorm,
    pub(crate) activation: Activation,
}

impl FrontEndConfig {
    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        self.layers.iter().map(|layer| layer.stride).product()
    }

    pub(crate) fn dim(&self) -> usize {
        self.layers.last().map_or(1, |layer| layer.dim)
    }

    /// The frames that `samples` yield.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        self.layers.iter().fold(samples, |rows, layer| {
            rows.checked_sub(layer.kernel)
                .map_or(0, |rest| rest / layer.stride + 1)
        })
    }

    /// The fewest samples that yield a frame.
    pub(crate) fn shortest(&self) -> usize {
        let back = |rows: usize, layer: &ConvLayer| (rows - 1) * layer.stride + layer.kernel;
        self.layers.iter().rev().fold(1, back)
    }
}

enum Norm<P: Prepare> {
    None,
    Columns(P::Norm),
    Rows(P::Norm),
}

/// The front end on a device.
pub(crate) struct FrontEnd<P: Prepare> {
    layers: Vec<(P::Conv, Norm<P>)>,
    activation: Activation,
}

impl<P: Prepare> FrontEnd<P> {
    /// From `feature_extractor.conv_layers.*`.
    pub(crate) fn build(
        config: &FrontEndConfig,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let mut inputs = 1;
        let mut layers = Vec::new();
        for (
            index,
            &ConvLayer {
                dim,
                kernel,
                stride,
            },
        ) in config.layers.iter().enumerate()
        {
            let name = format!("feature_extractor.conv_layers.{index}");
            let weight = loader.tensor(&format!("{name}.conv.weight"), &[dim, inputs, kernel])?;
            let bias = match config.bias {
                true => Some(loader.tensor(&format!("{name}.conv.bias"), &[dim])?),
                false => None,
            };
            let shape = ConvShape {
                inputs,
                outputs: dim,
                kernel,
                stride,
                groups: 1,
                padding: (0, 0),
            };
            let conv = device.conv_weights(ConvWeights {
                shape,
                weight,
                bias,
            })?;
            let norm_name = format!("{name}.layer_norm");
            let norm = match (config.norm, index) {
                (FrontNorm::Group, 0) => {
                    Norm::Columns(loader.norm(device, &norm_name, dim, EPSILON)?)
                }
                (FrontNorm::Group, _) => Norm::None,
                (FrontNorm::Layer, _) => Norm::Rows(loader.norm(device, &norm_name, dim, EPSILON)?),
            };
            layers.push((conv, norm));
            inputs = dim;
        }
        Ok(Self {
            layers,
            activation: config.activation,
        })
    }
}

impl<O: Ops> FrontEnd<O> {
    /// `[sample, 1]` to `[frame, dim]`.
    pub(crate) fn forward(&self, ops: &O, mut x: O::Tensor) -> OpResult<O::Tensor> {
        let after = self.activation;
        for (conv, norm) in &self.layers {
            x = match norm {
                Norm::None => ops.conv(&x, conv, after)?,
                Norm::Columns(norm) => {
                    ops.norm_columns(ops.conv(&x, conv, Activation::None)?, norm, after)?
                }
                Norm::Rows(norm) => {
                    ops.norm_rows(ops.conv(&x, conv, Activation::None)?, norm, after)?
                }
            };
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_the_strides() {
        let layer = |kernel, stride| ConvLayer {
            dim: 512,
            kernel,
            stride,
        };
        let mut layers = vec![layer(10, 5)];
        layers.extend([layer(3, 2); 4]);
        layers.extend([layer(2, 2); 2]);
        let config = FrontEndConfig {
            layers,
            bias: false,
            norm: FrontNorm::Group,
            activation: Activation::Gelu,
        };
        assert_eq!(config.hop(), 320);
        assert_eq!(config.shortest(), 400);
        assert_eq!(
            [0, 399, 400, 719, 720, 16_000].map(|n| config.frames(n)),
            [0, 0, 1, 1, 2, 49]
        );
    }
}
