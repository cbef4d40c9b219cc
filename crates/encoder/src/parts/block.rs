use crate::ops::{
    Activation, Attend, Bias, GateWeights, LinearWeights, OpResult, Ops, Prepare, Role,
};
use crate::weights::Loader;

/// Where a block applies its norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormOrder {
    /// After each residual sum (wav2vec 2.0 base).
    Post,
    /// Before attention and before the MLP ("stable layer norm"; Whisper).
    Pre,
    /// As `Pre`, but the MLP's output is also used as its own residual and so counts twice: what fairseq's data2vec 2.0
    /// computes under `layer_norm_first` (`examples/data2vec/models/modalities/modules.py`, commit 3d262bb,
    /// `AltBlock.forward`).
    PreDoubled,
}

/// The names of a block's parts.
pub(crate) struct BlockNames {
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) out: &'static str,
    pub(crate) attention_norm: &'static str,
    pub(crate) inner: &'static str,
    pub(crate) outer: &'static str,
    pub(crate) mlp_norm: &'static str,
}

impl BlockNames {
    /// As in the vision transformers of the library timm, and models based on them.
    pub(crate) const TIMM: Self = Self {
        query: "attn.qkv",
        key: "attn.qkv",
        value: "attn.qkv",
        out: "attn.proj",
        attention_norm: "norm1",
        inner: "mlp.fc1",
        outer: "mlp.fc2",
        mlp_norm: "norm2",
    };

    /// As in Whisper's encoder in transformers, and audio towers based on it.
    pub(crate) const WHISPER: Self = Self {
        query: "self_attn.q_proj",
        key: "self_attn.k_proj",
        value: "self_attn.v_proj",
        out: "self_attn.out_proj",
        attention_norm: "self_attn_layer_norm",
        inner: "fc1",
        outer: "fc2",
        mlp_norm: "final_layer_norm",
    };
}

/// The shape of a transformer block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockConfig {
    pub(crate) dim: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) eps: f64,
    pub(crate) order: NormOrder,
    pub(crate) activation: Activation,
    pub(crate) key_bias: bool,
    /// Query, key and value are one tensor (`qkv`).
    pub(crate) fused: bool,
    /// WavLM's gated relative position bias.
    pub(crate) gated: Option<GateOf>,
    /// Width of the adapter of a fine-tuned MMS model.
    pub(crate) adapter: Option<usize>,
    /// Weight of residuals where norms follow the sums (Wang et al. 2022, "DeepNet"). Norms are invariant to a common factor,
    /// so the values added to the residuals are divided by it instead.
    pub(crate) residual: f64,
    /// Factor of queries.
    pub(crate) query: f64,
}

impl BlockConfig {
    /// A plain transformer block of this shape, whose keys have a bias.
    pub(crate) fn new(
        (dim, heads, inner): (usize, usize, usize),
        eps: f64,
        order: NormOrder,
        activation: Activation,
    ) -> Self {
        Self {
            dim,
            heads,
            inner,
            eps,
            order,
            activation,
            key_bias: true,
            fused: false,
            gated: None,
            adapter: None,
            residual: 1.0,
            query: 1.0,
        }
    }
}

/// The input of the gate of a relative position bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateOf {
    /// The input of attention (WavLM).
    Input,
    /// The queries (BEATs).
    Query,
}

/// A transformer block on a device.
pub(crate) struct Block<P: Prepare> {
    query: P::Linear,
    key_value: P::Linear,
    out: P::Linear,
    attention_norm: P::Norm,
    inner: P::Linear,
    outer: P::Linear,
    mlp_norm: P::Norm,
    gate: Option<(GateOf, P::Gate)>,
    adapter: Option<(P::Norm, P::Linear, P::Linear)>,
    heads: usize,
    order: NormOrder,
    activation: Activation,
}

/// The bias of a block's attention scores.
pub(crate) enum BlockBias<'a, T> {
    None,
    /// The table of distances, `[head, 2 · frames − 1]`; the block computes the gate.
    Relative(&'a T),
    /// Embeddings of distances from `−before` up: one table for queries, one for keys.
    Distances {
        table: &'a T,
        keys: Option<&'a T>,
        before: usize,
    },
    /// Slopes per head, and the number of leading rows without a bias.
    Alibi {
        scales: Vec<f32>,
        tokens: usize,
    },
}

impl<P: Prepare> Block<P> {
    /// From the tensors under `prefix`.
    pub(crate) fn build(
        config: &BlockConfig,
        names: &BlockNames,
        prefix: &str,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let &BlockConfig {
            dim,
            heads,
            inner,
            residual,
            ..
        } = config;
        // The norm's input is divided, so epsilon is too.
        let eps = config.eps / (residual * residual);
        let at = |part: &str| format!("{prefix}.{part}");
        device.attention_shape(dim, config.heads)?;
        // Norms before attention and MLP are read by products alone; norms after the sums by the stream as well.
        let norm = match config.order {
            NormOrder::Post => (eps, Role::Both),
            NormOrder::Pre | NormOrder::PreDoubled => (eps, Role::Operand),
        };
        let (stream, operand) = (Role::Stream, Role::Operand);
        let added = (stream, 1.0 / residual);
        let (query, key_value) = match config.fused {
            true => fused_projections(&at(names.query), dim, loader, device)?,
            false => projections(config, names, &at, loader, device)?,
        };
        Ok(Self {
            query,
            key_value,
            out: loader.scaled_linear(device, &at(names.out), (dim, dim), true, added)?,
            attention_norm: loader.norm(device, &at(names.attention_norm), dim, norm)?,
            inner: loader.linear(device, &at(names.inner), (inner, dim), true, operand)?,
            outer: loader.scaled_linear(device, &at(names.outer), (dim, inner), true, added)?,
            mlp_norm: loader.norm(device, &at(names.mlp_norm), dim, norm)?,
            gate: match config.gated {
                Some(of) => Some((
                    of,
                    gate(&at("attention"), heads, dim / heads, loader, device)?,
                )),
                None => None,
            },
            adapter: match config.adapter {
                None => None,
                Some(width) => Some((
                    // The adapter's norm keeps PyTorch's own epsilon.
                    loader.norm(device, &at("adapter_layer.norm"), dim, (1e-5, operand))?,
                    loader.linear(
                        device,
                        &at("adapter_layer.linear_1"),
                        (width, dim),
                        true,
                        operand,
                    )?,
                    loader.linear(
                        device,
                        &at("adapter_layer.linear_2"),
                        (dim, width),
                        true,
                        stream,
                    )?,
                )),
            },
            heads,
            order: config.order,
            activation: config.activation,
        })
    }
}

impl<O: Ops> Block<O> {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the input is given up, so that a block holds no more than it needs"
    )]
    /// `[frame, dim]` to the same number of rows. If `queries` is given, only the first `queries[i]` rows of every utterance
    /// are computed, from all frames.
    pub(crate) fn forward(
        &self,
        ops: &O,
        x: O::Tensor,
        bias: &BlockBias<'_, O::Tensor>,
        queries: Option<&[usize]>,
    ) -> OpResult<O::Tensor> {
        match self.order {
            NormOrder::Post => {
                let summed = self.attend(ops, &x, &x, bias, queries)?;
                let x = ops.norm_rows(summed, &self.attention_norm, Activation::None)?;
                let summed = self.mlp(ops, &x, Some(&x))?;
                ops.norm_rows(summed, &self.mlp_norm, Activation::None)
            }
            NormOrder::Pre | NormOrder::PreDoubled => {
                let normed = ops.norm_rows(x.clone(), &self.attention_norm, Activation::None)?;
                let x = self.attend(ops, &normed, &x, bias, queries)?;
                let normed = ops.norm_rows(x.clone(), &self.mlp_norm, Activation::None)?;
                if self.order == NormOrder::PreDoubled {
                    let y = self.mlp(ops, &normed, None)?;
                    return ops.add(y.clone(), &y);
                }
                let x = self.mlp(ops, &normed, Some(&x))?;
                match &self.adapter {
                    None => Ok(x),
                    Some((norm, down, up)) => {
                        let y = ops.norm_rows(x.clone(), norm, Activation::None)?;
                        let y = ops.linear(&y, down, Activation::Relu, None)?;
                        ops.linear(&y, up, Activation::None, Some(&x))
                    }
                }
            }
        }
    }

    /// Queries, and keys with values, for rows.
    pub(crate) fn projections(&self, ops: &O, x: &O::Tensor) -> OpResult<(O::Tensor, O::Tensor)> {
        let map = |map: &O::Linear| ops.linear(x, map, Activation::None, None);
        Ok((map(&self.query)?, map(&self.key_value)?))
    }

    /// `residual + attention(x)`, for the first `queries` rows.
    fn attend(
        &self,
        ops: &O,
        x: &O::Tensor,
        residual: &O::Tensor,
        bias: &BlockBias<'_, O::Tensor>,
        queries: Option<&[usize]>,
    ) -> OpResult<O::Tensor> {
        let (first, first_residual);
        let (asking, residual) = match queries {
            None => (x, residual),
            Some(queries) => {
                first = ops.first_rows(x, queries)?;
                first_residual = ops.first_rows(residual, queries)?;
                (&first, &first_residual)
            }
        };
        let query = &ops.linear(asking, &self.query, Activation::None, None)?;
        let gate = match &self.gate {
            None => None,
            Some((GateOf::Input, gate)) => Some(ops.gate(asking, gate)?),
            Some((GateOf::Query, gate)) => Some(ops.gate(query, gate)?),
        };
        let bias = match (bias, &gate) {
            (BlockBias::Relative(table), Some(gate)) => Bias::Relative {
                table: *table,
                gate,
            },
            (
                &BlockBias::Distances {
                    table,
                    keys,
                    before,
                },
                _,
            ) => Bias::Distances {
                table,
                keys,
                offsets: None,
                before,
            },
            (BlockBias::Alibi { scales, tokens }, _) => Bias::Alibi {
                scales,
                tokens: *tokens,
            },
            _ => Bias::None,
        };
        let key_value = &ops.linear(x, &self.key_value, Activation::None, None)?;
        let mixed = ops.attention(&Attend {
            query,
            key_value,
            heads: self.heads,
            bias,
        })?;
        ops.linear(&mixed, &self.out, Activation::None, Some(residual))
    }

    fn mlp(&self, ops: &O, x: &O::Tensor, residual: Option<&O::Tensor>) -> OpResult<O::Tensor> {
        let inner = ops.linear(x, &self.inner, self.activation, None)?;
        ops.linear(&inner, &self.outer, Activation::None, residual)
    }
}

/// Query, and key with value as one map, from three tensors.
fn projections<P: Prepare>(
    config: &BlockConfig,
    names: &BlockNames,
    at: &dyn Fn(&str) -> String,
    loader: &mut Loader<'_>,
    device: &P,
) -> OpResult<(P::Linear, P::Linear)> {
    let dim = config.dim;
    let scaled = (Role::Operand, config.query);
    let query = loader.scaled_linear(device, &at(names.query), (dim, dim), true, scaled)?;
    let mut weight = loader.tensor(&at(&format!("{}.weight", names.key)), &[dim, dim])?;
    let mut bias = match config.key_bias {
        true => loader.tensor(&at(&format!("{}.bias", names.key)), &[dim])?,
        false => vec![0.0; dim],
    };
    weight.extend(loader.tensor(&at(&format!("{}.weight", names.value)), &[dim, dim])?);
    bias.extend(loader.tensor(&at(&format!("{}.bias", names.value)), &[dim])?);
    let key_value = LinearWeights {
        role: Role::Operand,
        out: 2 * dim,
        inp: dim,
        weight,
        bias: Some(bias),
    };
    Ok((query, device.linear_weights(key_value)?))
}

/// The same from one tensor with query, key and value in this order.
fn fused_projections<P: Prepare>(
    name: &str,
    dim: usize,
    loader: &mut Loader<'_>,
    device: &P,
) -> OpResult<(P::Linear, P::Linear)> {
    let mut weight = loader.tensor(&format!("{name}.weight"), &[3 * dim, dim])?;
    let mut bias = loader.tensor(&format!("{name}.bias"), &[3 * dim])?;
    let rest_weight = weight.split_off(weight.len() / 3);
    let rest_bias = bias.split_off(bias.len() / 3);
    let query = LinearWeights {
        role: Role::Operand,
        out: dim,
        inp: dim,
        weight,
        bias: Some(bias),
    };
    let key_value = LinearWeights {
        role: Role::Operand,
        out: 2 * dim,
        inp: dim,
        weight: rest_weight,
        bias: Some(rest_bias),
    };
    Ok((
        device.linear_weights(query)?,
        device.linear_weights(key_value)?,
    ))
}

/// The gate sums the first four and the last four of eight outputs; the weight rows are summed here, once.
fn gate<P: Prepare>(
    name: &str,
    heads: usize,
    head_dim: usize,
    loader: &mut Loader<'_>,
    device: &P,
) -> OpResult<P::Gate> {
    let rows = loader.tensor(&format!("{name}.gru_rel_pos_linear.weight"), &[8, head_dim])?;
    let offsets = loader.tensor(&format!("{name}.gru_rel_pos_linear.bias"), &[8])?;
    let constant = loader.tensor(&format!("{name}.gru_rel_pos_const"), &[1, heads, 1, 1])?;
    let mut weight = vec![0.0f64; 2 * head_dim];
    for (row, values) in rows.chunks_exact(head_dim).enumerate() {
        for (sum, &value) in weight[row / 4 * head_dim..].iter_mut().zip(values) {
            *sum += f64::from(value);
        }
    }
    let bias = offsets
        .chunks_exact(4)
        .map(|four| four.iter().sum())
        .collect();
    let weight = weight.into_iter().map(|sum| sum as f32).collect();
    device.gate_weights(GateWeights {
        weight,
        bias,
        constant,
    })
}
