use super::config::{ConformerConfig, Front, Positions};
use crate::ops::{
    Activation, Attend, Bias, ConvShape, ConvWeights, LinearWeights, OpResult, Ops, Prepare, Role,
};
use crate::parts::batch_norm_affine;
use crate::weights::Loader;

/// Epsilon of a wav2vec 2.0 conformer's norms inside its blocks: PyTorch's default.
const EPSILON: f64 = 1e-5;

/// A conformer block (Gulati et al. 2020): half a feed-forward, attention, a convolution over frames, half a feed-forward.
pub(super) struct Block<P: Prepare> {
    before: FeedForward<P>,
    attention_norm: P::Norm,
    query: P::Linear,
    key_value: KeyValue<P>,
    out: P::Linear,
    distances: Option<Distances<P>>,
    convolution: Convolution<P>,
    after: FeedForward<P>,
    final_norm: P::Norm,
    heads: usize,
}

/// Half of a feed-forward network: the output of its last map is halved.
struct FeedForward<P: Prepare> {
    norm: P::Norm,
    inner: P::Linear,
    outer: P::Linear,
    activation: Activation,
}

enum KeyValue<P: Prepare> {
    /// One map, for the same input.
    Together(P::Linear),
    /// Keys from rotated frames, values from the frames themselves.
    Apart(P::Linear, P::Linear),
}

/// Source of the embeddings of distances.
enum Distances<P: Prepare> {
    /// A table of `[distance, head × head dim]` that starts at `−before`.
    Table { table: P::Tensor, before: usize },
    /// Sinusoids through the first map; the second computes what the difference of each head's two offsets adds to the scores.
    Sinusoids(P::Linear, P::Linear),
}

struct Convolution<P: Prepare> {
    norm: P::Norm,
    gated: P::Linear,
    /// With the batch norm folded in, if the convolution has one.
    depthwise: P::Conv,
    layer_norm: Option<P::Norm>,
    out: P::Linear,
    activation: Activation,
}

/// Positions as shared by all blocks.
pub(super) enum Known<T> {
    Nothing,
    /// `[2 · frames − 1, dim]` for distances from `−(frames − 1)` up.
    Sinusoids {
        table: T,
        before: usize,
    },
    /// `[frame, head dim]`.
    Angles(T),
}

impl<P: Prepare> Block<P> {
    pub(super) fn build(
        config: &ConformerConfig,
        prefix: &str,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let &ConformerConfig { dim, heads, .. } = config;
        let eps = eps(config);
        let at = |part: &str| format!("{prefix}.{part}");
        device.attention_shape(dim, heads)?;
        let square = |part: &str, loader: &mut Loader<'_>, role| {
            loader.linear(device, &at(part), (dim, dim), true, role)
        };
        let relative = matches!(config.positions, Positions::Relative);
        let (mut shift, mut difference) = (Vec::new(), Vec::new());
        if relative {
            shift = loader.tensor(&at("self_attn.pos_bias_u"), &[heads, dim / heads])?;
            let other = loader.tensor(&at("self_attn.pos_bias_v"), &[heads, dim / heads])?;
            difference = other.iter().zip(&shift).map(|(v, u)| v - u).collect();
        }
        let query = {
            let name = at("self_attn.linear_q");
            let weight = loader.tensor(&format!("{name}.weight"), &[dim, dim])?;
            let mut bias = loader.tensor(&format!("{name}.bias"), &[dim])?;
            // The first offset is added to queries wherever they meet keys.
            for (bias, shift) in bias.iter_mut().zip(&shift) {
                *bias += shift;
            }
            device.linear_weights(LinearWeights {
                role: Role::Operand,
                out: dim,
                inp: dim,
                weight,
                bias: Some(bias),
            })?
        };
        let key_value = match config.positions {
            Positions::Rotary { .. } => KeyValue::Apart(
                square("self_attn.linear_k", loader, Role::Operand)?,
                square("self_attn.linear_v", loader, Role::Operand)?,
            ),
            _ => {
                let mut read = |part: &str, shape: &[usize]| loader.tensor(&at(part), shape);
                let mut weight = read("self_attn.linear_k.weight", &[dim, dim])?;
                weight.extend(read("self_attn.linear_v.weight", &[dim, dim])?);
                let mut bias = read("self_attn.linear_k.bias", &[dim])?;
                bias.extend(read("self_attn.linear_v.bias", &[dim])?);
                KeyValue::Together(device.linear_weights(LinearWeights {
                    role: Role::Operand,
                    out: 2 * dim,
                    inp: dim,
                    weight,
                    bias: Some(bias),
                })?)
            }
        };
        let distances = match config.positions {
            Positions::None | Positions::Rotary { .. } => None,
            Positions::RelativeKey { left, right } => {
                let shape = [left + right + 1, dim / heads];
                let name = at("self_attn.distance_embedding.weight");
                let embedding = loader.tensor(&name, &shape)?;
                // The same for every head.
                let rows = embedding.chunks_exact(shape[1]);
                let table = rows.flat_map(|row| row.repeat(heads)).collect();
                Some(Distances::Table {
                    table: device.upload(table, dim)?,
                    before: left,
                })
            }
            Positions::Relative => {
                let name = at("self_attn.linear_pos");
                let map = loader.linear(device, &name, (dim, dim), false, Role::Stream)?;
                let offsets = offsets(&difference, dim, heads);
                let offsets = device.linear_weights(LinearWeights {
                    role: Role::Stream,
                    out: heads,
                    inp: dim,
                    weight: offsets,
                    bias: None,
                })?;
                Some(Distances::Sinusoids(map, offsets))
            }
        };
        let norm = (eps, Role::Operand);
        Ok(Self {
            before: FeedForward::build(config, &at("ffn1"), loader, device)?,
            attention_norm: loader.norm(device, &at("self_attn_layer_norm"), dim, norm)?,
            query,
            key_value,
            out: square("self_attn.linear_out", loader, Role::Stream)?,
            distances,
            convolution: Convolution::build(config, &at("conv_module"), loader, device)?,
            after: FeedForward::build(config, &at("ffn2"), loader, device)?,
            final_norm: loader.norm(device, &at("final_layer_norm"), dim, (eps, Role::Both))?,
            heads,
        })
    }
}

impl<O: Ops> Block<O> {
    /// `[frame, dim]` to as many rows.
    pub(super) fn forward(
        &self,
        ops: &O,
        x: &O::Tensor,
        known: &Known<O::Tensor>,
    ) -> OpResult<O::Tensor> {
        let x = self.before.forward(ops, x)?;
        let x = self.attend(ops, &x, known)?;
        let x = self.convolution.forward(ops, &x)?;
        let x = self.after.forward(ops, &x)?;
        ops.norm_rows(x, &self.final_norm, Activation::None)
    }

    fn attend(&self, ops: &O, x: &O::Tensor, known: &Known<O::Tensor>) -> OpResult<O::Tensor> {
        let plain = |x: &O::Tensor, map: &O::Linear| ops.linear(x, map, Activation::None, None);
        let normed = ops.norm_rows(x.clone(), &self.attention_norm, Activation::None)?;
        let turned = match known {
            Known::Angles(angles) => Some(ops.rotate(&normed, angles)?),
            Known::Nothing | Known::Sinusoids { .. } => None,
        };
        let asking = turned.as_ref().unwrap_or(&normed);
        let query = plain(asking, &self.query)?;
        let key_value = match &self.key_value {
            KeyValue::Together(map) => plain(&normed, map)?,
            KeyValue::Apart(key, value) => {
                ops.beside(&plain(asking, key)?, &plain(&normed, value)?)?
            }
        };
        let made;
        let bias = match (&self.distances, known) {
            (Some(Distances::Table { table, before }), _) => Bias::Distances {
                table,
                keys: None,
                offsets: None,
                before: *before,
            },
            (Some(Distances::Sinusoids(map, offsets)), Known::Sinusoids { table, before }) => {
                let table = plain(table, map)?;
                let offsets = plain(&table, offsets)?;
                made = (table, offsets);
                Bias::Distances {
                    table: &made.0,
                    keys: None,
                    offsets: Some(&made.1),
                    before: *before,
                }
            }
            _ => Bias::None,
        };
        let mixed = ops.attention(&Attend {
            query: &query,
            key_value: &key_value,
            heads: self.heads,
            bias,
        })?;
        ops.linear(&mixed, &self.out, Activation::None, Some(x))
    }
}

/// Epsilon of the norms inside blocks.
fn eps(config: &ConformerConfig) -> f64 {
    match config.front {
        Front::Spectra { .. } => config.eps,
        Front::Waveform(_) => EPSILON,
    }
}

/// The map `[head, dim]` from embeddings of distances to what the difference of the two offsets adds to scaled scores.
fn offsets(difference: &[f32], dim: usize, heads: usize) -> Vec<f32> {
    let head_dim = dim / heads;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let mut map = vec![0.0; heads * dim];
    for (head, values) in difference.chunks_exact(head_dim).enumerate() {
        let row = &mut map[head * dim + head * head_dim..][..head_dim];
        for (to, &value) in row.iter_mut().zip(values) {
            *to = (f64::from(value) * scale) as f32;
        }
    }
    map
}

impl<P: Prepare> FeedForward<P> {
    fn build(
        config: &ConformerConfig,
        name: &str,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let &ConformerConfig { dim, inner, .. } = config;
        let norm = format!("{name}_layer_norm");
        let norm = loader.norm(device, &norm, dim, (eps(config), Role::Operand))?;
        let first = format!("{name}.intermediate_dense");
        let first = loader.linear(device, &first, (inner, dim), true, Role::Operand)?;
        let last = format!("{name}.output_dense");
        // Halving floating-point numbers is exact.
        let halved = (Role::Stream, 0.5);
        Ok(Self {
            norm,
            inner: first,
            outer: loader.scaled_linear(device, &last, (dim, inner), true, halved)?,
            activation: config.activation,
        })
    }
}

impl<O: Ops> FeedForward<O> {
    fn forward(&self, ops: &O, x: &O::Tensor) -> OpResult<O::Tensor> {
        let y = ops.norm_rows(x.clone(), &self.norm, Activation::None)?;
        let y = ops.linear(&y, &self.inner, self.activation, None)?;
        ops.linear(&y, &self.outer, Activation::None, Some(x))
    }
}

impl<P: Prepare> Convolution<P> {
    fn build(
        config: &ConformerConfig,
        name: &str,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let &ConformerConfig { dim, kernel, .. } = config;
        let norm = format!("{name}.layer_norm");
        let norm = loader.norm(device, &norm, dim, (eps(config), Role::Operand))?;
        let mut pointwise = |part: &str, out: usize, role| {
            let weight = loader.tensor(&format!("{name}.{part}.weight"), &[out, dim, 1])?;
            device.linear_weights(LinearWeights {
                role,
                out,
                inp: dim,
                weight,
                bias: None,
            })
        };
        let gated = pointwise("pointwise_conv1", 2 * dim, Role::Operand)?;
        let out = pointwise("pointwise_conv2", dim, Role::Stream)?;
        let tensor = format!("{name}.depthwise_conv.weight");
        let mut weight = loader.tensor(&tensor, &[dim, 1, kernel])?;
        let (padding, bias, layer_norm) = match config.front {
            Front::Spectra { .. } => {
                let norm = format!("{name}.depthwise_layer_norm");
                let norm = loader.norm(device, &norm, dim, (eps(config), Role::Operand))?;
                ((kernel - 1, 0), None, Some(norm))
            }
            Front::Waveform(_) => {
                let (scale, shift) = batch_norm_affine(&format!("{name}.batch_norm"), dim, loader)?;
                for (taps, scale) in weight.chunks_exact_mut(kernel).zip(&scale) {
                    taps.iter_mut().for_each(|tap| *tap *= scale);
                }
                ((kernel / 2, kernel / 2), Some(shift), None)
            }
        };
        let shape = ConvShape {
            inputs: dim,
            outputs: dim,
            kernel,
            stride: 1,
            groups: dim,
            padding,
        };
        Ok(Self {
            norm,
            gated,
            depthwise: device.conv_weights(ConvWeights {
                role: Role::Operand,
                shape,
                weight,
                bias,
            })?,
            layer_norm,
            out,
            activation: config.activation,
        })
    }
}

impl<O: Ops> Convolution<O> {
    fn forward(&self, ops: &O, x: &O::Tensor) -> OpResult<O::Tensor> {
        let y = ops.norm_rows(x.clone(), &self.norm, Activation::None)?;
        let y = ops.linear(&y, &self.gated, Activation::None, None)?;
        let y = ops.glu(&y)?;
        let y = match &self.layer_norm {
            None => ops.conv(&y, &self.depthwise, self.activation)?,
            Some(norm) => {
                let y = ops.conv(&y, &self.depthwise, Activation::None)?;
                ops.norm_rows(y, norm, self.activation)?
            }
        };
        ops.linear(&y, &self.out, Activation::None, Some(x))
    }
}
