//! The encoder of SenseVoice-small (An et al. 2024) as FunASR 1.4 computes it: stacked spectra, and attention with a parallel
//! convolution of the values over frames ("SAN-M").
//!
//! Four learned rows precede the frames and are not frames: the language (`auto`), event and emotion, and text normalisation
//! (`woitn`), as in FunASR's `inference` with default options. The first block maps frames to the model's width, so its output
//! is the first hidden state. There is no dithering.

use super::Network;
use super::whisper::sinusoids;
use crate::config::Config;
use crate::ops::{
    Activation, Attend, Bias, ConvShape, ConvWeights, LinearWeights, OpResult, Ops, Prepare, Role,
};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use emobox_audio::log_mel::{KALDI_HOP, KALDI_WINDOW, KaldiWindow, kaldi_fbank, kaldi_frames};
use emobox_files::{Sha256, sha256_bytes};

/// The embeddings before the frames: language, event, emotion, text normalisation.
const ROWS: [usize; 4] = [0, 1, 2, 15];
/// Number of learned embeddings.
const LEARNED: usize = 16;
/// Epsilon of every layer norm: PyTorch's default.
const EPSILON: f64 = 1e-5;

/// The shape of a model, and the statistics that normalise its spectra.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SenseVoiceConfig {
    bands: usize,
    /// Spectra per frame, and the step from one frame to the next.
    stacked: usize,
    step: usize,
    pub(crate) dim: usize,
    /// Blocks of the first stage and of the second.
    stages: [usize; 2],
    pub(crate) heads: usize,
    inner: usize,
    /// Kernel size of the convolution over frames, and the taps before the current frame.
    kernel: usize,
    before: usize,
    /// Added to the values of a frame, before multiplication by the factors.
    shifts: Vec<f32>,
    factors: Vec<f32>,
    /// Digest of `am.mvn`, where these two come from.
    pub(crate) mvn: Sha256,
}

impl SenseVoiceConfig {
    /// From FunASR's `config.yaml` and the text of `am.mvn`.
    pub(crate) fn read(root: &Config<'_>, mvn: &str) -> Result<Self, EncoderError> {
        root.choice("encoder", &[("SenseVoiceEncoderSmall", ())])?;
        root.choice("frontend", &[("WavFrontend", ()), ("wav_frontend", ())])?;
        let front = root.at("/frontend_conf");
        for (key, value) in [("fs", 16_000), ("frame_length", 25), ("frame_shift", 10)] {
            front.count(key, Some(value), value..=value)?;
        }
        front.choice("window", &[("hamming", ())])?;
        for key in ["snip_edges", "upsacle_samples"] {
            if !front.flag(key, true)? {
                return Err(front.bad(key, "true"));
            }
        }
        let bands = front.count("n_mels", Some(80), 1..=128)?;
        let stacked = front.count("lfr_m", Some(1), 1..=64)?;
        let step = front.count("lfr_n", Some(1), 1..=64)?;
        let columns = bands * stacked;
        if columns < 4 || columns % 2 != 0 {
            return Err(front.bad(
                "n_mels",
                "bands that make frames of an even number of values",
            ));
        }
        let config = root.at("/encoder_conf");
        config.choice("selfattention_layer_type", &[("sanm", ())])?;
        let dim = config.count("output_size", Some(256), 1..=16_384)?;
        let heads = config.count("attention_heads", Some(4), 1..=1024)?;
        if !dim.is_multiple_of(heads) {
            let expected = format!("a divisor of output_size, which is {dim}");
            return Err(config.bad("attention_heads", expected));
        }
        let kernel = config.count("kernel_size", Some(11), 1..=1024)?;
        let most = kernel - 1 - (kernel - 1) / 2;
        let shift = config.count("sanm_shfit", Some(0), 0..=most)?;
        if columns == dim {
            return Err(config.bad("output_size", "another width than the frames have"));
        }
        let values = |name| {
            mvn_values(mvn, name, columns).ok_or_else(|| {
                let expected = format!("<{name}> with {columns} finite numbers in brackets");
                EncoderError::BadConfigValue {
                    key: "am.mvn".to_owned(),
                    expected,
                    found: "something else".to_owned(),
                }
            })
        };
        Ok(Self {
            bands,
            stacked,
            step,
            dim,
            stages: [
                config.count("num_blocks", Some(6), 1..=512)?,
                config.count("tp_blocks", Some(0), 0..=512)?,
            ],
            heads,
            inner: config.count("linear_units", Some(2048), 1..=65_536)?,
            kernel,
            before: (kernel - 1) / 2 + shift,
            shifts: values("AddShift")?,
            factors: values("Rescale")?,
            mvn: sha256_bytes(mvn.as_bytes()),
        })
    }

    /// Number of blocks after the first.
    pub(crate) fn layers(&self) -> usize {
        self.stages.iter().sum::<usize>() - 1
    }

    /// Samples from one frame to the next.
    pub(crate) fn hop(&self) -> usize {
        self.step * KALDI_HOP
    }

    pub(crate) fn frames(&self, samples: usize) -> usize {
        kaldi_frames(samples).div_ceil(self.step)
    }

    /// The smallest number of samples that gives a frame.
    pub(crate) const SHORTEST: usize = KALDI_WINDOW;

    /// Width of a frame before the first block.
    fn columns(&self) -> usize {
        self.bands * self.stacked
    }
}

/// The numbers in brackets after `<name>` in Kaldi's text format of a network, if there are `count` and all are finite.
fn mvn_values(text: &str, name: &str, count: usize) -> Option<Vec<f32>> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (_, rest) = rest.split_once('[')?;
    let (inside, _) = rest.split_once(']')?;
    let values = inside.split_whitespace().map(str::parse);
    let values: Vec<f32> = values.collect::<Result<_, _>>().ok()?;
    (values.len() == count && values.iter().all(|value| value.is_finite())).then_some(values)
}

/// A block on a device.
struct Block<P: Prepare> {
    /// Whether the input is added to the output of attention: not where the widths differ.
    residual: bool,
    attention_norm: P::Norm,
    query: P::Linear,
    key: P::Linear,
    value: P::Linear,
    memory: P::Conv,
    out: P::Linear,
    norm: P::Norm,
    inner: P::Linear,
    outer: P::Linear,
    heads: usize,
}

impl<P: Prepare> Block<P> {
    fn build(
        config: &SenseVoiceConfig,
        prefix: &str,
        columns: usize,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let &SenseVoiceConfig {
            dim,
            inner,
            kernel,
            before,
            ..
        } = config;
        let at = |part: &str| format!("{prefix}.{part}");
        device.attention_shape(dim, config.heads)?;
        let operand = (EPSILON, Role::Operand);
        let attention_norm = loader.norm(device, &at("norm1"), columns, operand)?;
        let name = at("self_attn.linear_q_k_v");
        let weight = loader.tensor(&format!("{name}.weight"), &[3 * dim, columns])?;
        let bias = loader.tensor(&format!("{name}.bias"), &[3 * dim])?;
        let third = |index: usize, role| {
            let part = |values: &[f32]| {
                let size = values.len() / 3;
                values[index * size..(index + 1) * size].to_vec()
            };
            device.linear_weights(LinearWeights {
                role,
                out: dim,
                inp: columns,
                weight: part(&weight),
                bias: Some(part(&bias)),
            })
        };
        let (query, key) = (third(0, Role::Operand)?, third(1, Role::Operand)?);
        let value = third(2, Role::Operand)?;
        let mut weight = loader.tensor(&at("self_attn.fsmn_block.weight"), &[dim, 1, kernel])?;
        // Folds the addition of the values themselves into the convolution.
        for taps in weight.chunks_exact_mut(kernel) {
            taps[before] += 1.0;
        }
        let memory = device.conv_weights(ConvWeights {
            role: Role::Stream,
            shape: ConvShape {
                inputs: dim,
                outputs: dim,
                kernel,
                stride: 1,
                groups: dim,
                padding: (before, kernel - 1 - before),
            },
            weight,
            bias: None,
        })?;
        let linear = |part: &str, shape, role, loader: &mut Loader<'_>| {
            loader.linear(device, &at(part), shape, true, role)
        };
        Ok(Self {
            residual: columns == dim,
            attention_norm,
            query,
            key,
            value,
            memory,
            out: linear("self_attn.linear_out", (dim, dim), Role::Stream, loader)?,
            norm: loader.norm(device, &at("norm2"), dim, operand)?,
            inner: linear("feed_forward.w_1", (inner, dim), Role::Operand, loader)?,
            outer: linear("feed_forward.w_2", (dim, inner), Role::Stream, loader)?,
            heads: config.heads,
        })
    }
}

impl<O: Ops> Block<O> {
    fn forward(&self, ops: &O, x: &O::Tensor) -> OpResult<O::Tensor> {
        let y = self.attend(ops, x)?;
        let normed = ops.norm_rows(y.clone(), &self.norm, Activation::None)?;
        let inner = ops.linear(&normed, &self.inner, Activation::Relu, None)?;
        ops.linear(&inner, &self.outer, Activation::None, Some(&y))
    }

    /// The sum of attention, the convolution of the values and the residual, if there is one.
    fn attend(&self, ops: &O, x: &O::Tensor) -> OpResult<O::Tensor> {
        let plain = |x: &O::Tensor, map: &O::Linear| ops.linear(x, map, Activation::None, None);
        let normed = ops.norm_rows(x.clone(), &self.attention_norm, Activation::None)?;
        let query = plain(&normed, &self.query)?;
        let value = plain(&normed, &self.value)?;
        let key_value = ops.beside(&plain(&normed, &self.key)?, &value)?;
        let mixed = ops.attention(&Attend {
            query: &query,
            key_value: &key_value,
            heads: self.heads,
            bias: Bias::None,
        })?;
        let memory = ops.conv(&value, &self.memory, Activation::None)?;
        let y = ops.linear(&mixed, &self.out, Activation::None, Some(&memory))?;
        match self.residual {
            true => ops.add(y, x),
            false => Ok(y),
        }
    }
}

/// The encoder on a device.
pub(crate) struct SenseVoice<P: Prepare> {
    config: SenseVoiceConfig,
    device: P,
    /// `[row, column]`: the rows before the frames.
    rows: Vec<f32>,
    blocks: Vec<Block<P>>,
    /// The norms after the stages.
    norms: [P::Norm; 2],
}

impl<P: Prepare> SenseVoice<P> {
    pub(crate) fn build(
        config: &SenseVoiceConfig,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let (columns, dim) = (config.columns(), config.dim);
        let learned = loader.tensor("embed.weight", &[LEARNED, columns])?;
        let rows = ROWS
            .iter()
            .filter_map(|&row| learned.chunks_exact(columns).nth(row));
        let rows = rows.flatten().copied().collect();
        let [first, second] = config.stages;
        let places = (0..first).map(|i| match i {
            0 => ("encoder.encoders0.0".to_owned(), columns),
            i => (format!("encoder.encoders.{}", i - 1), dim),
        });
        let places = places.chain((0..second).map(|i| (format!("encoder.tp_encoders.{i}"), dim)));
        let blocks = places
            .map(|(prefix, columns)| Block::build(config, &prefix, columns, loader, &device))
            .collect::<OpResult<_>>()?;
        let mut norm = |name: &str| loader.norm(&device, name, dim, (EPSILON, Role::Both));
        Ok(Self {
            config: config.clone(),
            rows,
            blocks,
            norms: [norm("encoder.after_norm")?, norm("encoder.tp_norm")?],
            device,
        })
    }
}

impl<O: Ops> Network for SenseVoice<O> {
    /// The learned rows and the frames, scaled, with their positions.
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        let config = &self.config;
        let &SenseVoiceConfig {
            bands,
            stacked,
            step,
            ..
        } = config;
        let columns = config.columns();
        let spectra = kaldi_fbank(samples, bands, KaldiWindow::Hamming);
        let last = spectra.len() / bands - 1;
        let frames = config.frames(samples.len());
        let mut out = self.rows.clone();
        for frame in 0..frames {
            // Centred on the frame; beyond the ends, the first and the last spectrum are repeated.
            let near = (0..stacked).map(|at| {
                let spectrum = (frame * step + at).saturating_sub((stacked - 1) / 2);
                &spectra[spectrum.min(last) * bands..][..bands]
            });
            let affine = config.shifts.iter().zip(&config.factors);
            let values = near.flatten().zip(affine);
            out.extend(values.map(|(&v, (shift, factor))| (v as f32 + shift) * factor));
        }
        let scale = (config.dim as f64).sqrt() as f32;
        // Positions start at one.
        let positions = sinusoids(ROWS.len() + frames + 1, columns);
        for (value, position) in out.iter_mut().zip(&positions[columns..]) {
            *value = *value * scale + position;
        }
        out
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let mut x = ops.stack(&super::inputs(inputs), self.config.columns())?;
        let frames = ops.lengths(&x).into_iter().map(|rows| rows - ROWS.len());
        let frames: Vec<usize> = frames.collect();
        let mut states = vec![Vec::new(); frames.len()];
        let needed = layers.last().map_or(0, |last| last + 1);
        for (layer, block) in self.blocks.iter().enumerate().take(needed) {
            x = block.forward(ops, &x)?;
            for (end, norm) in [self.config.stages[0], self.blocks.len()]
                .into_iter()
                .zip(&self.norms)
            {
                if layer + 1 == end {
                    x = ops.norm_rows(x, norm, Activation::None)?;
                }
            }
            if layers.contains(&layer) {
                let values = ops.download(&x, ROWS.len(), &frames)?;
                for (states, values) in states.iter_mut().zip(values) {
                    states.extend(values);
                }
            }
        }
        Ok(states)
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
