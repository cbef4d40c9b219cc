//! The audio tower of Qwen3-Omni (Xu et al. 2025) as transformers 5.23's `Qwen3OmniMoeAudioEncoder` computes it: chunks of a second of the
//! log-mel spectrum through three convolutions over bands and time, then transformer blocks over windows of 8 s.
//!
//! The convolutions run on the CPU when waveforms are prepared; the device gets the resulting rows.

use super::Network;
use super::whisper::{MEL_HOP, check_log_mel, sinusoids};
use crate::config::Config;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::{Block, BlockBias, BlockConfig, BlockNames, Kept, NormOrder, Stack};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::whisper_frames;
use emobox_kernels::{Epilogue, PackedLinear, Precision, Rows, linear};

/// Epsilon of every layer norm: PyTorch's default.
const EPSILON: f64 = 1e-5;
/// Log-mel frames per chunk. The reference computes lengths correctly for this number only.
const CHUNK: usize = 100;
/// Samples that reflection padding of the spectrum needs.
pub(crate) const SHORTEST: usize = 201;
/// Samples from one row of a chunk to the next.
pub(crate) const HOP: usize = 8 * MEL_HOP;
/// Number of convolutions, each of which halves bands and time.
const CONVS: usize = 3;

/// Number of rows left of `count` frames or bands.
fn halved(mut count: usize) -> usize {
    for _ in 0..CONVS {
        count = count.div_ceil(2);
    }
    count
}

/// The shape of a tower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OmniConfig {
    bins: usize,
    pub(crate) dim: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    inner: usize,
    channels: usize,
    activation: Activation,
    /// Rows that attend to each other.
    window: usize,
}

impl OmniConfig {
    /// Path of the configuration, by `model_type`: of the model, of its thinker, of the tower alone.
    pub(crate) const PLACES: [(&'static str, &'static str); 3] = [
        ("qwen3_omni_moe", "/thinker_config/audio_config"),
        ("qwen3_omni_moe_thinker", "/audio_config"),
        ("qwen3_omni_moe_audio_encoder", ""),
    ];

    pub(crate) fn read(
        at: &str,
        root: &Config<'_>,
        extractor: Option<&Config<'_>>,
    ) -> Result<Self, EncoderError> {
        let config = &if at.is_empty() { *root } else { root.at(at) };
        let count =
            |key: &str, default: usize, most: usize| config.count(key, Some(default), 1..=most);
        let dim = count("d_model", 1280, 16_384)?;
        let heads = count("encoder_attention_heads", 20, 1024)?;
        if !dim.is_multiple_of(heads) || dim < 4 || !dim.is_multiple_of(2) {
            let expected = format!("a divisor of d_model, which is {dim} and must be even");
            return Err(config.bad("encoder_attention_heads", expected));
        }
        config.count("n_window", Some(CHUNK / 2), CHUNK / 2..=CHUNK / 2)?;
        let positions = halved(CHUNK);
        config.count("max_source_positions", Some(1500), positions..=1_000_000)?;
        let chunks = config.count("n_window_infer", Some(800), CHUNK..=100_000)? / CHUNK;
        let bins = count("num_mel_bins", 128, 128)?;
        check_log_mel(config, extractor, bins)?;
        Ok(Self {
            bins,
            dim,
            layers: count("encoder_layers", 32, 512)?,
            heads,
            inner: count("encoder_ffn_dim", 5120, 65_536)?,
            channels: count("downsample_hidden_size", 480, 8192)?,
            activation: config.choice(
                "activation_function",
                &[("gelu", Activation::Gelu), ("relu", Activation::Relu)],
            )?,
            window: chunks * positions,
        })
    }

    /// The number of rows for `samples` samples.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        let mel = samples / MEL_HOP;
        mel / CHUNK * halved(CHUNK) + halved(mel % CHUNK)
    }
}

/// A 3 × 3 convolution over bands and time that halves both, with GELU.
struct Conv2d {
    /// `[output, band tap × time tap × input]`.
    weight: PackedLinear,
    bias: Vec<f32>,
    inputs: usize,
}

/// `[band, time, channel]`.
struct Image {
    values: Vec<f32>,
    bands: usize,
    times: usize,
}

impl Conv2d {
    /// `None` if weights are not read.
    fn build(
        name: &str,
        (inputs, outputs): (usize, usize),
        loader: &mut Loader<'_>,
    ) -> OpResult<Option<Self>> {
        let weight = loader.tensor(&format!("{name}.weight"), &[outputs, inputs, 3, 3])?;
        let bias = loader.tensor(&format!("{name}.bias"), &[outputs])?;
        if weight.is_empty() {
            return Ok(None);
        }
        let mut rows = vec![0.0; weight.len()];
        for (from, to) in weight
            .chunks_exact(9 * inputs)
            .zip(rows.chunks_exact_mut(9 * inputs))
        {
            for (input, taps) in from.chunks_exact(9).enumerate() {
                for (tap, &value) in taps.iter().enumerate() {
                    to[tap * inputs + input] = value;
                }
            }
        }
        Ok(Some(Self {
            weight: PackedLinear::new(&rows, outputs, 9 * inputs, Precision::F32),
            bias,
            inputs,
        }))
    }

    fn forward(&self, x: &Image) -> Image {
        let (bands, times) = (x.bands.div_ceil(2), x.times.div_ceil(2));
        let (inputs, outputs) = (self.inputs, self.weight.outputs());
        let mut values = vec![0.0; bands * times * outputs];
        let mut seen = vec![0.0; times * 9 * inputs];
        for (band, out) in values.chunks_exact_mut(times * outputs).enumerate() {
            seen.fill(0.0);
            for (time, row) in seen.chunks_exact_mut(9 * inputs).enumerate() {
                for (tap, to) in row.chunks_exact_mut(inputs).enumerate() {
                    let from = (2 * band + tap / 3)
                        .checked_sub(1)
                        .zip((2 * time + tap % 3).checked_sub(1));
                    if let Some((b, t)) = from.filter(|&(b, t)| b < x.bands && t < x.times) {
                        to.copy_from_slice(&x.values[(b * x.times + t) * inputs..][..inputs]);
                    }
                }
            }
            let epilogue = Epilogue {
                bias: Some(&self.bias),
                activation: Activation::Gelu,
                residual: None,
            };
            let seen = Rows {
                data: &seen,
                rows: times,
                cols: 9 * inputs,
                stride: 9 * inputs,
            };
            linear(seen, &self.weight, &epilogue, out);
        }
        Image {
            values,
            bands,
            times,
        }
    }
}

/// Converts spectra to rows.
struct FrontEnd {
    convs: Vec<Conv2d>,
    out: PackedLinear,
    /// Position embeddings of the rows of a chunk.
    positions: Vec<f32>,
}

/// The tower on a device.
pub(crate) struct Omni<P: Prepare> {
    config: OmniConfig,
    device: P,
    /// `None` if weights are not read.
    front_end: Option<FrontEnd>,
    stack: Stack<P>,
}

impl<P: Prepare> Omni<P> {
    pub(crate) fn build(config: &OmniConfig, loader: &mut Loader<'_>, device: P) -> OpResult<Self> {
        let &OmniConfig { dim, channels, .. } = config;
        let mut convs = Vec::new();
        for (index, inputs) in [1, channels, channels].into_iter().enumerate() {
            let name = format!("conv2d{}", index + 1);
            convs.extend(Conv2d::build(&name, (inputs, channels), loader)?);
        }
        let columns = channels * halved(config.bins);
        let out = loader.tensor("conv_out.weight", &[dim, columns])?;
        let front_end = (!out.is_empty()).then(|| FrontEnd {
            convs,
            out: PackedLinear::new(&out, dim, columns, Precision::F32),
            positions: sinusoids(halved(CHUNK), dim),
        });
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig::new(shape, EPSILON, NormOrder::Pre, config.activation);
        let blocks = (0..config.layers)
            .map(|i| {
                Block::build(
                    &block,
                    &BlockNames::WHISPER,
                    &format!("layers.{i}"),
                    loader,
                    &device,
                )
            })
            .collect::<OpResult<_>>()?;
        let final_norm = Some(loader.norm(&device, "ln_post", dim, (EPSILON, Role::Stream))?);
        Ok(Self {
            config: config.clone(),
            device,
            front_end,
            stack: Stack { blocks, final_norm },
        })
    }
}

impl FrontEnd {
    /// The rows of a chunk, `[row, dim]`: its first `frames` frames are from the recording, the others are zeros.
    fn rows(&self, chunk: &[f32], bins: usize, frames: usize) -> Vec<f32> {
        let times = chunk.len() / bins;
        let mut x = Image {
            values: vec![0.0; chunk.len()],
            bands: bins,
            times,
        };
        for (time, row) in chunk.chunks_exact(bins).enumerate() {
            for (band, &value) in row.iter().enumerate() {
                x.values[band * times + time] = value;
            }
        }
        for conv in &self.convs {
            x = conv.forward(&x);
        }
        let channels = x.values.len() / (x.bands * x.times);
        let rows = halved(frames);
        let mut flat = vec![0.0; rows * channels * x.bands];
        for (time, row) in flat.chunks_exact_mut(channels * x.bands).enumerate() {
            for band in 0..x.bands {
                let from = &x.values[(band * x.times + time) * channels..][..channels];
                for (channel, &value) in from.iter().enumerate() {
                    row[channel * x.bands + band] = value;
                }
            }
        }
        let dim = self.out.outputs();
        let mut out = vec![0.0; rows * dim];
        let epilogue = Epilogue {
            residual: Some(&self.positions[..rows * dim]),
            ..Epilogue::default()
        };
        let flat = Rows {
            data: &flat,
            rows,
            cols: channels * x.bands,
            stride: channels * x.bands,
        };
        linear(flat, &self.out, &epilogue, &mut out);
        out
    }
}

impl<O: Ops> Network for Omni<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let bins = self.config.bins;
        let frames = samples.len() / MEL_HOP;
        let mel = whisper_frames(samples, bins, samples.len(), frames);
        let Some(front_end) = &self.front_end else {
            return Vec::new();
        };
        let mut rows = Vec::with_capacity(self.config.frames(samples.len()) * self.config.dim);
        for chunk in mel.chunks(CHUNK * bins) {
            let own = chunk.len() / bins;
            // Unless it is the only one, the last chunk is padded with zeros, which affects its rows through the convolutions.
            let filled = match frames > CHUNK && own < CHUNK {
                true => &[chunk, &vec![0.0; (CHUNK - own) * bins]].concat(),
                false => chunk,
            };
            rows.extend(front_end.rows(filled, bins, own));
        }
        rows
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let (ops, dim) = (&self.device, self.config.dim);
        let shape = (self.config.window, dim);
        super::windows::in_windows(ops, inputs, shape, layers.len(), |x| {
            let frames = &ops.lengths(&x);
            let kept = Kept {
                layers,
                skip: 0,
                frames,
            };
            self.stack.forward(ops, x, kept, |_| BlockBias::None)
        })
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
