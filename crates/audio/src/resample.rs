//! Band-limited resampling with the arithmetic of `torchaudio.functional.resample` at its defaults
//! (`sinc_interp_hann`, `lowpass_filter_width` 6, `rolloff` 0.99).
//!
//! Ported from `_get_sinc_resample_kernel` and `_apply_sinc_resample_kernel` in
//! `torchaudio/functional/functional.py` (2.11). torchaudio computes the filters in the dtype of
//! the waveform, so the positions of the taps carry f32 rounding that reaches 5e-4 of a sample
//! where the rates share few factors (24,414 Hz); the same rounding is reproduced here on purpose.
//!
//! torchaudio convolves each phase with a filter as long as the whole period (12,227 taps at
//! 24,414 Hz); only the taps inside the window are kept here, at most 40 at the rates of speech.

use crate::SampleRate;
use std::f32::consts::PI;
use std::sync::{Arc, Mutex};

const LOWPASS_FILTER_WIDTH: u32 = 6;
const ROLLOFF: f64 = 0.99;
/// Accumulators of a dot product; filters are padded with zeros to a multiple of it.
const LANES: usize = 8;
/// Filter banks with more values than this (4 MiB) are computed tap by tap: they belong to rates
/// that no recorder has.
const LARGEST_BANK: usize = 1 << 20;

/// Resamples a whole waveform; returns `ceil(to * samples / from)` samples.
///
/// Largest difference to torchaudio 2.11 on noise of amplitude 1: see `tests/resample.rs`.
pub fn resample(samples: &[f32], from: SampleRate, to: SampleRate) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let mut resampler = Resampler::new(from, to);
    let mut out = Vec::with_capacity(resampler.output_length(samples.len() as u64) as usize);
    resampler.push(samples, &mut out);
    resampler.finish(&mut out);
    out
}

/// A resampler that takes its input in pieces; the output is bit for bit that of [`resample`],
/// however the input is divided.
#[derive(Debug)]
pub struct Resampler {
    filters: Arc<Filters>,
    /// The part of the zero-padded input that later outputs still need.
    pending: Vec<f32>,
    /// Index of `pending[0]` in the padded input, where sample 0 stands at `filters.width`.
    pending_from: u64,
    received: u64,
    produced: u64,
}

impl Resampler {
    /// # Panics
    /// If a rate is 0.
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        assert!(from.0 > 0 && to.0 > 0, "a sample rate of 0 Hz");
        let filters = filters(from.0, to.0);
        Self {
            pending: vec![0.0; filters.width],
            filters,
            pending_from: 0,
            received: 0,
            produced: 0,
        }
    }

    /// The number of output samples for `input` samples in all.
    pub fn output_length(&self, input: u64) -> u64 {
        let Filters { orig, new, .. } = *self.filters;
        (u128::from(input) * u128::from(new)).div_ceil(u128::from(orig)) as u64
    }

    /// Takes the next samples and appends what can be computed to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.received += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        self.produce(u64::MAX, out);
    }

    /// Ends the input and appends the rest to `out`.
    pub fn finish(mut self, out: &mut Vec<f32>) {
        let length = self.output_length(self.received);
        // The last output begins before the end of the input, so one filter of zeros is enough.
        let tail = self.pending.len() + self.filters.taps + self.filters.width;
        self.pending.resize(tail, 0.0);
        self.produce(length, out);
    }

    fn produce(&mut self, until: u64, out: &mut Vec<f32>) {
        let filters = &*self.filters;
        let orig = u128::from(filters.orig);
        let new = u128::from(filters.new);
        let mut scratch = Vec::new();
        while self.produced < until {
            let position = u128::from(self.produced) * orig;
            let first = ((position / new) as u64 - self.pending_from) as usize;
            let Some(input) = self.pending.get(first..first + filters.taps) else {
                break;
            };
            let phase = (u128::from(self.produced) % new) as u32;
            out.push(dot(input, filters.phase(phase, &mut scratch)));
            self.produced += 1;
        }
        let next = (u128::from(self.produced) * orig / new) as u64 - self.pending_from;
        let done = (next as usize).min(self.pending.len());
        self.pending.drain(..done);
        self.pending_from += done as u64;
    }
}

/// The filters of one pair of rates, one per phase.
#[derive(Debug)]
struct Filters {
    /// The rates without their common factors.
    orig: u32,
    new: u32,
    /// Taps on either side of the centre.
    width: usize,
    /// Taps per filter, including padding.
    taps: usize,
    /// `[phase, tap]`, or empty if the bank would be too large.
    bank: Vec<f32>,
}

impl Filters {
    fn new(orig: u32, new: u32) -> Self {
        let base = f64::from(orig.min(new)) * ROLLOFF;
        let width = (f64::from(LOWPASS_FILTER_WIDTH * orig) / base).ceil() as usize;
        let taps = (2 * width + 1).next_multiple_of(LANES);
        let mut filters = Self {
            orig,
            new,
            width,
            taps,
            bank: Vec::new(),
        };
        if new as usize * taps <= LARGEST_BANK {
            let mut bank = vec![0.0; new as usize * taps];
            for (phase, row) in (0..new).zip(bank.chunks_exact_mut(taps)) {
                filters.fill(phase, row);
            }
            filters.bank = bank;
        }
        filters
    }

    fn phase<'a>(&'a self, phase: u32, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        if self.bank.is_empty() {
            scratch.resize(self.taps, 0.0);
            self.fill(phase, scratch);
            scratch
        } else {
            &self.bank[phase as usize * self.taps..][..self.taps]
        }
    }

    /// Writes the filter of a phase. Tap 0 stands `width` samples before the input sample at or
    /// before the output's position.
    fn fill(&self, phase: u32, row: &mut [f32]) {
        let base = f64::from(self.orig.min(self.new)) * ROLLOFF;
        let scale = (base / f64::from(self.orig)) as f32;
        let base = base as f32;
        let zeros = LOWPASS_FILTER_WIDTH as f32;
        let first = (u64::from(phase) * u64::from(self.orig) / u64::from(self.new)) as i64
            - self.width as i64;
        let shift = -(phase as f32) / self.new as f32;
        for (k, tap) in (first..).zip(row) {
            // Each line rounds to f32 where torch does.
            let index = k as f32 / self.orig as f32;
            let t = ((shift + index) * base).clamp(-zeros, zeros);
            let window = cos(t * PI / zeros / 2.0).powi(2);
            let angle = t * PI;
            let sinc = if angle == 0.0 {
                1.0
            } else {
                sin(angle) / angle
            };
            *tap = if t.abs() < zeros {
                sinc * (window * scale)
            } else {
                0.0
            };
        }
    }
}

/// Through f64, so that every platform gives the correctly rounded value.
fn sin(x: f32) -> f32 {
    f64::from(x).sin() as f32
}

fn cos(x: f32) -> f32 {
    f64::from(x).cos() as f32
}

/// Sums in a fixed order whatever the length of the input, so that results do not depend on how it is divided.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

fn without_common_factors(a: u32, b: u32) -> (u32, u32) {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor, b / divisor)
}

/// Filter banks of the most recent pairs of rates: a corpus has one or two rates, and computing the bank of
/// 24,414 Hz takes longer than a short utterance.
fn filters(from: u32, to: u32) -> Arc<Filters> {
    const KEPT: usize = 8;
    static SEEN: Mutex<Vec<Arc<Filters>>> = Mutex::new(Vec::new());
    let (from, to) = without_common_factors(from, to);
    let mut seen = SEEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = seen
        .iter()
        .position(|kept| (kept.orig, kept.new) == (from, to));
    let filters = match found {
        Some(i) => seen.remove(i),
        None => Arc::new(Filters::new(from, to)),
    };
    if seen.len() == KEPT {
        seen.remove(0);
    }
    seen.push(Arc::clone(&filters));
    filters
}
