//! Conformers as transformers 5.23 computes them: w2v-BERT 2.0 (Barrault et al. 2023) on stacked spectra, and wav2vec 2.0 with
//! conformer blocks (fairseq S2T, Wang et al. 2020) on the waveform.

mod block;
mod config;

pub(crate) use config::{ConformerConfig, Front};

use super::Network;
use crate::normalise::WaveformNormalisation;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::FrontEnd;
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
use block::{Block, Known};
use config::{Positions, STACKED};
use emobox_audio::log_mel::{KaldiWindow, kaldi_fbank};

/// Added to the variance of a band over a recording (`SeamlessM4TFeatureExtractor`).
const BAND_EPSILON: f64 = 1e-7;

/// A conformer on a device.
pub(crate) struct Conformer<P: Prepare> {
    config: ConformerConfig,
    device: P,
    normalisation: WaveformNormalisation,
    /// `None` for models of spectra.
    front_end: Option<FrontEnd<P>>,
    projection_norm: P::Norm,
    projection: P::Linear,
    /// For rotary positions: half of a head's width.
    frequencies: Vec<f32>,
    blocks: Vec<Block<P>>,
    /// Applied to the last hidden state only.
    final_norm: Option<P::Norm>,
}

impl<P: Prepare> Conformer<P> {
    pub(crate) fn build(
        config: &ConformerConfig,
        normalisation: WaveformNormalisation,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &ConformerConfig { dim, eps, .. } = config;
        let (front_end, final_norm) = match &config.front {
            Front::Spectra { .. } => (None, None),
            Front::Waveform(front) => {
                let norm = loader.norm(&device, "encoder.layer_norm", dim, (eps, Role::Stream))?;
                (Some(FrontEnd::build(front, loader, &device)?), Some(norm))
            }
        };
        let features = config.features();
        let name = "feature_projection.layer_norm";
        let projection_norm = loader.norm(&device, name, features, (eps, Role::Operand))?;
        let name = "feature_projection.projection";
        let projection = loader.linear(&device, name, (dim, features), true, Role::Stream)?;
        let frequencies = match config.positions {
            Positions::Rotary { base } => frequencies(config.dim / config.heads, base, loader)?,
            _ => Vec::new(),
        };
        let blocks = (0..config.layers)
            .map(|i| Block::build(config, &format!("encoder.layers.{i}"), loader, &device))
            .collect::<OpResult<_>>()?;
        Ok(Self {
            config: config.clone(),
            normalisation,
            front_end,
            projection_norm,
            projection,
            frequencies,
            blocks,
            final_norm,
            device,
        })
    }
}

impl<O: Ops> Conformer<O> {
    /// The positions for this many frames, for all blocks.
    fn known(&self, frames: usize) -> OpResult<Known<O::Tensor>> {
        let dim = self.config.dim;
        Ok(match self.config.positions {
            Positions::None | Positions::RelativeKey { .. } => Known::Nothing,
            Positions::Relative => Known::Sinusoids {
                table: self.device.upload(sinusoids(frames, dim), dim)?,
                before: frames - 1,
            },
            Positions::Rotary { .. } => {
                let angles = angles(frames, &self.frequencies);
                let columns = 2 * self.frequencies.len();
                Known::Angles(self.device.upload(angles, columns)?)
            }
        })
    }
}

impl<O: Ops> Network for Conformer<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        match self.config.front {
            Front::Waveform(_) => self.normalisation.apply(samples),
            Front::Spectra { bands } => {
                let spectra = kaldi_fbank(samples, bands, KaldiWindow::Povey);
                let mut spectra = normalised(&spectra, bands);
                spectra.truncate(spectra.len() / (STACKED * bands) * (STACKED * bands));
                spectra
            }
        }
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let inputs = super::inputs(inputs);
        let x = match &self.front_end {
            Some(front_end) => front_end.forward(ops, inputs)?,
            None => ops.stack(&inputs, self.config.features())?,
        };
        let x = ops.norm_rows(x, &self.projection_norm, Activation::None)?;
        let mut x = ops.linear(&x, &self.projection, Activation::None, None)?;
        let frames = ops.lengths(&x);
        let known = self.known(frames.iter().copied().max().unwrap_or(1))?;
        let mut states = vec![Vec::new(); frames.len()];
        for layer in 0..=layers.last().copied().unwrap_or(0) {
            if layer > 0 {
                x = self.blocks[layer - 1].forward(ops, &x, &known)?;
            }
            if layer == self.blocks.len()
                && let Some(norm) = &self.final_norm
            {
                x = ops.norm_rows(x, norm, Activation::None)?;
            }
            if layers.contains(&layer) {
                let values = ops.download(&x, 0, &frames)?;
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

/// Every band scaled to zero mean and unit variance (sample variance, n − 1) over the recording.
fn normalised(spectra: &[f64], bands: usize) -> Vec<f32> {
    let frames = spectra.len() / bands;
    let mut out = vec![0.0; spectra.len()];
    for band in 0..bands {
        let values = || spectra.iter().skip(band).step_by(bands);
        let mean = values().sum::<f64>() / frames as f64;
        let squares = values().map(|v| (v - mean).powi(2)).sum::<f64>();
        let variance = squares / frames.saturating_sub(1).max(1) as f64;
        let factor = 1.0 / (variance + BAND_EPSILON).sqrt();
        for (out, value) in out.iter_mut().skip(band).step_by(bands).zip(values()) {
            *out = ((value - mean) * factor) as f32;
        }
    }
    out
}

/// Embeddings of the distances from `−(frames − 1)` up, `[distance, dim]`, where a distance is how far the key is before the
/// query; the angles in f32 as PyTorch computes them.
fn sinusoids(frames: usize, dim: usize) -> Vec<f32> {
    let step = -(10_000f64.ln() / dim as f64) as f32;
    let frequencies: Vec<f32> = (0..dim)
        .step_by(2)
        .map(|column| f64::from(column as f32 * step).exp() as f32)
        .collect();
    let last = frames as isize - 1;
    let mut out = Vec::with_capacity((2 * frames - 1) * dim);
    for distance in -last..=last {
        for &frequency in &frequencies {
            let angle = f64::from(-distance as f32 * frequency);
            out.extend([angle.sin() as f32, angle.cos() as f32]);
        }
    }
    out
}

/// Frequencies of rotary positions: stored, or computed in f32 as PyTorch does.
fn frequencies(head_dim: usize, base: f64, loader: &mut Loader<'_>) -> OpResult<Vec<f32>> {
    let name = "encoder.embed_positions.inv_freq";
    if loader.has(name) {
        return loader.tensor(name, &[head_dim / 2]);
    }
    let power = |column: usize| f64::from(column as f32 / head_dim as f32);
    let columns = (0..head_dim).step_by(2);
    Ok(columns
        .map(|column| 1.0 / base.powf(power(column)) as f32)
        .collect())
}

/// `[frame, head dim]`: cosines, then sines.
fn angles(frames: usize, frequencies: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(frames * 2 * frequencies.len());
    for frame in 0..frames {
        let angles = frequencies.iter().map(|&f| f64::from(frame as f32 * f));
        out.extend(angles.clone().map(|angle| angle.cos() as f32));
        out.extend(angles.map(|angle| angle.sin() as f32));
    }
    out
}
