//! SEW-D (Wu et al. 2022) as transformers 5.23 computes it: the convolutions of wav2vec 2.0, then blocks on means of several
//! frames with attention that treats content and distance separately (DeBERTa, He et al. 2021), then upsampling to frames.
//!
//! The hidden states of blocks are of those means; each is repeated for the frames of its mean.

use super::Network;
use super::speech::{ACTIVATIONS, front_end};
use crate::config::Config;
use crate::normalise::WaveformNormalisation;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::{
    Block, BlockBias, BlockConfig, BlockNames, FrontEnd, FrontEndConfig, NormOrder, Positional,
    PositionalConfig,
};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};

const NAMES: BlockNames = BlockNames {
    query: "attention.self.query_proj",
    key: "attention.self.key_proj",
    value: "attention.self.value_proj",
    out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    mlp_norm: "output.LayerNorm",
};

/// The front end of all releases.
const DIMS: [usize; 13] = [
    64, 128, 128, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512,
];
const KERNELS: [usize; 13] = [10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1];
const STRIDES: [usize; 13] = [5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1];

/// How attention takes distances into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Distances {
    /// Number of embeddings in each direction.
    span: usize,
    /// For a logarithmic scale of distances: the number of buckets, and the largest distance.
    buckets: Option<(usize, usize)>,
    /// Queries with embeddings, keys with embeddings, and whether these have maps of their own instead of those of the content.
    content_to_position: bool,
    position_to_content: bool,
    own: bool,
    normed: bool,
}

impl Distances {
    /// `make_log_bucket_position` of transformers, in f32 as there, for query minus key.
    fn bucket(self, distance: isize) -> isize {
        let Some((buckets, farthest)) = self.buckets else {
            return distance;
        };
        let middle = (buckets / 2) as isize;
        if distance.abs() <= middle {
            return distance;
        }
        let part = (distance.unsigned_abs() as f32 / middle as f32).ln();
        let whole = ((farthest - 1) as f32 / middle as f32).ln();
        let step = (part / whole * (middle - 1) as f32).ceil() as isize;
        (step + middle) * distance.signum()
    }

    /// The row of the embeddings for key minus query.
    fn row(self, distance: isize) -> usize {
        let span = self.span as isize;
        (self.bucket(-distance) + span).clamp(0, 2 * span - 1) as usize
    }

    /// The distance from which on the rows are constant in both directions.
    fn farthest(self) -> usize {
        let ends = |far: &usize| {
            let far = *far as isize;
            (self.row(-far), self.row(far)) == (2 * self.span - 1, 0)
        };
        // Rows change monotonically with distance, up to the ends of the table.
        (1..).find(ends).unwrap_or(1)
    }
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SewDConfig {
    pub(crate) front_end: FrontEndConfig,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    inner: usize,
    eps: f64,
    front_eps: f64,
    activation: Activation,
    kernel: usize,
    groups: usize,
    /// Frames per mean.
    squeeze: usize,
    distances: Option<Distances>,
}

impl SewDConfig {
    /// From transformers' configuration; an absent key has the default of its class.
    pub(crate) fn read(config: &Config<'_>) -> Result<Self, EncoderError> {
        let dim = config.count("hidden_size", Some(768), 1..=16_384)?;
        let heads = config.count("num_attention_heads", Some(12), 1..=1024)?;
        let groups = config.count("num_conv_pos_embedding_groups", Some(16), 1..=16_384)?;
        for (key, part) in [
            ("num_attention_heads", heads),
            ("num_conv_pos_embedding_groups", groups),
        ] {
            if !dim.is_multiple_of(part) {
                let expected = format!("a divisor of hidden_size, which is {dim}");
                return Err(config.bad(key, expected));
            }
        }
        let squeeze = config.count("squeeze_factor", Some(2), 1..=64)?;
        let kernel = config.count("num_conv_pos_embeddings", Some(128), 1..=4096)?;
        if kernel < squeeze + kernel / 2 {
            let expected = format!("about twice squeeze_factor, which is {squeeze}, or more");
            return Err(config.bad("num_conv_pos_embeddings", expected));
        }
        if config.count("conv_kernel_size", Some(0), 0..=4096)? > 0 {
            return Err(config.bad(
                "conv_kernel_size",
                "0 (a convolution after the first block is not read)",
            ));
        }
        let own = dim / heads;
        config.count("attention_head_size", Some(own), own..=own)?;
        // The first is the default of the class.
        let activations = [ACTIVATIONS[2], ACTIVATIONS[0], ACTIVATIONS[1]];
        Ok(Self {
            front_end: front_end(config, false, [&DIMS, &KERNELS, &STRIDES])?,
            dim,
            layers: config.count("num_hidden_layers", Some(12), 1..=512)?,
            heads,
            inner: config.count("intermediate_size", Some(3072), 1..=65_536)?,
            eps: config.number("layer_norm_eps", 1e-7)?,
            front_eps: config.number("feature_layer_norm_eps", 1e-5)?,
            activation: config.choice("hidden_act", &activations)?,
            kernel,
            groups,
            squeeze,
            distances: distances(config)?,
        })
    }

    /// The number of frames for `samples`; those at the end that do not fill a mean are left out.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        self.front_end.frames(samples) / self.squeeze * self.squeeze
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) fn shortest(&self) -> usize {
        self.front_end.shortest() + (self.squeeze - 1) * self.front_end.hop()
    }
}

fn distances(config: &Config<'_>) -> Result<Option<Distances>, EncoderError> {
    let kinds = config.texts("pos_att_type", &["p2c", "c2p"])?;
    if let Some(other) = kinds.iter().find(|kind| !["p2c", "c2p"].contains(kind)) {
        let expected = format!("a list of `p2c` and `c2p`, without {other}");
        return Err(config.bad("pos_att_type", expected));
    }
    let has = |kind| kinds.contains(&kind);
    if !config.flag("relative_attention", true)? {
        if !kinds.is_empty() {
            return Err(config.bad(
                "pos_att_type",
                "an empty list where relative_attention is false",
            ));
        }
        return Ok(None);
    }
    let most = config.count("max_position_embeddings", Some(512), 2..=1 << 16)?;
    // Both keys may be −1 for none.
    let positive = |key: &str, default: usize| -> Result<Option<usize>, EncoderError> {
        match config.is_negative(key) {
            true => Ok(None),
            false => Ok(Some(config.count(key, Some(default), 0..=1 << 16)?).filter(|&n| n > 0)),
        }
    };
    let most = match config.has("max_relative_positions") {
        true => positive("max_relative_positions", most)?.unwrap_or(most),
        false => most,
    };
    let buckets = positive("position_buckets", 256)?;
    if let Some(buckets) = buckets
        && (buckets < 4 || most - 1 <= buckets / 2)
    {
        let expected = format!("4 or more, and less than twice {most}, the largest distance");
        return Err(config.bad("position_buckets", expected));
    }
    let norm = config.text("norm_rel_ebd").unwrap_or("layer_norm");
    Ok(Some(Distances {
        span: buckets.unwrap_or(most),
        buckets: buckets.map(|buckets| (buckets, most)),
        content_to_position: has("c2p"),
        position_to_content: has("p2c"),
        own: !config.flag("share_att_key", true)?,
        normed: norm
            .to_lowercase()
            .split('|')
            .any(|part| part.trim() == "layer_norm"),
    }))
}

/// The embeddings of distances and the maps applied to them.
struct Embeddings<P: Prepare> {
    distances: Distances,
    /// `[row, dim]`.
    table: P::Tensor,
    norm: Option<P::Norm>,
    /// Per block: for embeddings that meet queries and for those that meet keys; `None` to use the block's own maps.
    maps: Vec<[Option<P::Linear>; 2]>,
}

/// The tables for a block's scores, by distance.
struct Tables<T> {
    queries: T,
    keys: Option<T>,
    before: usize,
}

/// A model on a device.
pub(crate) struct SewD<P: Prepare> {
    config: SewDConfig,
    device: P,
    normalisation: WaveformNormalisation,
    front_end: FrontEnd<P>,
    norm: P::Norm,
    projection: Option<P::Linear>,
    positional: Positional<P>,
    embeddings: Option<Embeddings<P>>,
    blocks: Vec<Block<P>>,
    /// For every block; filled by [`SewD::ready`].
    tables: Vec<Tables<P::Tensor>>,
    /// Upsamples means to frames.
    upsample: P::Linear,
}

impl<P: Prepare> SewD<P> {
    pub(crate) fn build(
        config: &SewDConfig,
        normalisation: WaveformNormalisation,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &SewDConfig {
            dim, eps, squeeze, ..
        } = config;
        let front_end = FrontEnd::build(&config.front_end, loader, &device)?;
        let features = config.front_end.dim();
        let entry = (config.front_eps, Role::Both);
        let norm = loader.norm(&device, "layer_norm", features, entry)?;
        let projection = match features == dim {
            true => None,
            false => {
                let shape = (dim, features);
                Some(loader.linear(&device, "feature_projection", shape, true, Role::Stream)?)
            }
        };
        let positional = PositionalConfig::Single {
            kernel: config.kernel,
            groups: config.groups,
            batch_norm: false,
            squeeze,
        };
        let after = config.front_end.activation;
        let positional = Positional::build(positional, dim, after, loader, &device)?;
        let block = BlockConfig {
            query: config.distances.map_or(1.0, scale),
            ..BlockConfig::new(
                (dim, config.heads, config.inner),
                eps,
                NormOrder::Post,
                config.activation,
            )
        };
        let prefix = |i: usize| format!("encoder.encoder.layer.{i}");
        let blocks = (0..config.layers)
            .map(|i| Block::build(&block, &NAMES, &prefix(i), loader, &device))
            .collect::<OpResult<_>>()?;
        let embeddings = match config.distances {
            None => None,
            Some(distances) => {
                let name = "encoder.encoder.rel_embeddings.weight";
                let table = loader.tensor(name, &[2 * distances.span, dim])?;
                let norm = match distances.normed {
                    true => {
                        let name = "encoder.encoder.LayerNorm";
                        Some(loader.norm(&device, name, dim, (eps, Role::Both))?)
                    }
                    false => None,
                };
                let maps = (0..config.layers)
                    .map(|i| maps(distances, &prefix(i), dim, loader, &device))
                    .collect::<OpResult<_>>()?;
                Some(Embeddings {
                    distances,
                    table: device.upload(table, dim)?,
                    norm,
                    maps,
                })
            }
        };
        let name = "encoder.upsample.projection";
        let upsample = loader.linear(&device, name, (squeeze * dim, dim), true, Role::Stream)?;
        Ok(Self {
            config: config.clone(),
            normalisation,
            front_end,
            norm,
            projection,
            positional,
            embeddings,
            blocks,
            tables: Vec::new(),
            upsample,
            device,
        })
    }
}

/// Scores are sums of up to three products, divided by the square root of their number.
fn scale(distances: Distances) -> f64 {
    let kinds = [distances.content_to_position, distances.position_to_content];
    let products = 1 + kinds.into_iter().filter(|&on| on).count();
    1.0 / (products as f64).sqrt()
}

/// A block's own maps of embeddings, if it has any.
fn maps<P: Prepare>(
    distances: Distances,
    prefix: &str,
    dim: usize,
    loader: &mut Loader<'_>,
    device: &P,
) -> OpResult<[Option<P::Linear>; 2]> {
    let mut map = |on: bool, part: &str, factor: f64| -> OpResult<Option<P::Linear>> {
        if !on || !distances.own {
            return Ok(None);
        }
        let name = format!("{prefix}.attention.self.{part}");
        let scaled = (Role::Stream, factor);
        Ok(Some(loader.scaled_linear(
            device,
            &name,
            (dim, dim),
            true,
            scaled,
        )?))
    };
    Ok([
        map(distances.content_to_position, "pos_key_proj", 1.0)?,
        // Queries are scaled, so embeddings in their place are too.
        map(
            distances.position_to_content,
            "pos_query_proj",
            scale(distances),
        )?,
    ])
}

impl<O: Ops> SewD<O> {
    /// Adds the tables that all utterances share.
    pub(crate) fn ready(mut self) -> OpResult<Self> {
        let (ops, dim) = (&self.device, self.config.dim);
        let Some(Embeddings {
            distances,
            table,
            norm,
            maps,
        }) = &self.embeddings
        else {
            return Ok(self);
        };
        let mut rows = table.clone();
        if let Some(norm) = norm {
            rows = ops.norm_rows(rows, norm, Activation::None)?;
        }
        let before = distances.farthest();
        // `[distance, dim]`, from the first columns of rows.
        let spread = |rows: &O::Tensor| -> OpResult<O::Tensor> {
            let columns = ops.columns(rows);
            let all = ops.download(rows, 0, &ops.lengths(rows))?.swap_remove(0);
            let far = before as isize;
            let spread = (-far..=far).flat_map(|distance| {
                let first = distances.row(distance) * columns;
                all[first..first + dim].iter().copied()
            });
            ops.upload(spread.collect(), dim)
        };
        let mut tables = Vec::new();
        for (block, [key, query]) in self.blocks.iter().zip(maps) {
            let (shared_query, shared_key) = block.projections(ops, &rows)?;
            let mapped = |own: &Option<O::Linear>, shared: &O::Tensor| match own {
                None => spread(shared),
                Some(map) => spread(&ops.linear(&rows, map, Activation::None, None)?),
            };
            tables.push(Tables {
                queries: match distances.content_to_position {
                    true => mapped(key, &shared_key)?,
                    false => ops.upload(vec![0.0; (2 * before + 1) * dim], dim)?,
                },
                keys: match distances.position_to_content {
                    true => Some(mapped(query, &shared_query)?),
                    false => None,
                },
                before,
            });
        }
        self.tables = tables;
        Ok(self)
    }
}

impl<O: Ops> Network for SewD<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        self.normalisation.apply(samples)
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let x = self.front_end.forward(ops, super::inputs(inputs))?;
        let mut x = ops.norm_rows(x, &self.norm, Activation::None)?;
        if let Some(projection) = &self.projection {
            x = ops.linear(&x, projection, Activation::None, None)?;
        }
        let mut x = self.positional.forward(ops, x)?;
        let means = ops.lengths(&x);
        let mut states = vec![Vec::new(); means.len()];
        for layer in 0..=layers.last().copied().unwrap_or(0) {
            if layer > 0 {
                let tables = self.tables.get(layer - 1);
                let bias = tables.map_or(BlockBias::None, |tables| BlockBias::Distances {
                    table: &tables.queries,
                    keys: tables.keys.as_ref(),
                    before: tables.before,
                });
                x = self.blocks[layer - 1].forward(ops, x, &bias, None)?;
            }
            if !layers.contains(&layer) {
                continue;
            }
            if layer == self.blocks.len() {
                // The frames of a mean are consecutive columns.
                let after = self.config.front_end.activation;
                let frames = ops.linear(&x, &self.upsample, after, None)?;
                for (states, rows) in states.iter_mut().zip(ops.download(&frames, 0, &means)?) {
                    states.extend(rows);
                }
            } else {
                for (states, rows) in states.iter_mut().zip(ops.download(&x, 0, &means)?) {
                    for row in rows.chunks_exact(self.config.dim) {
                        for _ in 0..self.config.squeeze {
                            states.extend_from_slice(row);
                        }
                    }
                }
            }
        }
        Ok(states)
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_rows_of_transformers() {
        let released = Distances {
            span: 256,
            buckets: Some((256, 512)),
            content_to_position: true,
            position_to_content: true,
            own: false,
            normed: true,
        };
        // Computed with transformers 5.23: `make_log_bucket_position(x, 256, 512)`.
        let far = [0, 1, -1, 127, 128, 129, 200, -300, 511, 512, 2000].map(|d| released.bucket(d));
        assert_eq!(far, [0, 1, -1, 127, 128, 129, 169, -207, 255, 256, 381]);
        assert_eq!(
            (released.row(0), released.row(1), released.row(-511)),
            (256, 255, 511)
        );
        assert_eq!(released.farthest(), 512);
        let plain = Distances {
            span: 6,
            buckets: None,
            ..released
        };
        assert_eq!(
            [-9, -5, 0, 5, 6, 7].map(|d| plain.row(d)),
            [11, 11, 6, 1, 0, 0]
        );
        assert_eq!(plain.farthest(), 6);
    }
}
