use super::mel::MelFilters;
use super::spectrum::Spectrum;

/// Frames of every output: 30 s at 100 frames per second.
pub const WHISPER_FRAMES: usize = 3000;
/// Number of samples used: 30 s at 16 kHz; the rest is cut off.
pub const WHISPER_SAMPLES: usize = 480_000;

const FFT: usize = 400;
const HOP: usize = 160;
/// `clamp(min=1e-10)` before the logarithm.
const FLOOR: f32 = 1e-10;
/// Values more than 8 decades below the maximum are raised to this.
const RANGE: f32 = 8.0;

/// Log-mel spectrum `[mel, 3000]` of a 16-kHz waveform, cut or padded with silence to 30 s, as
/// `WhisperFeatureExtractor` of transformers 5.23 computes it: Hann window of 400, hop 160,
/// reflected edges, last frame dropped, `bins` Slaney bands (80, or 128 for large-v3).
///
/// Within 1e-5 of transformers on the reference utterances (`tests/log_mel.rs`).
pub fn whisper(samples_16k: &[f32], bins: usize) -> Vec<f32> {
    let samples = &samples_16k[..samples_16k.len().min(WHISPER_SAMPLES)];
    let rows = whisper_frames(samples, bins, WHISPER_SAMPLES, WHISPER_FRAMES);
    let mut out = vec![0.0; rows.len()];
    for (frame, row) in rows.chunks_exact(bins).enumerate() {
        for (band, &value) in row.iter().enumerate() {
            out[band * WHISPER_FRAMES + frame] = value;
        }
    }
    out
}

/// The first `frames` frames `[frame, mel]` of a waveform padded with silence to `padded` samples and reflected at the
/// ends. The maximum, which sets the floor of the other values, is over the whole.
///
/// # Panics
/// If the waveform is longer than `padded`, or that has fewer frames.
pub fn whisper_frames(samples: &[f32], bins: usize, padded: usize, frames: usize) -> Vec<f32> {
    assert!(
        samples.len() <= padded && frames <= padded / HOP,
        "{} samples of {padded}, {frames} frames",
        samples.len()
    );
    let filters = MelFilters::new(bins, FFT, 16_000.0);
    let mut spectrum = Spectrum::new(FFT, FFT);

    // Frames from here on contain only padding; all their bands are at the floor.
    let reach = samples.len() + FFT / 2;
    let sounding = if reach > padded {
        padded / HOP
    } else {
        reach.div_ceil(HOP).min(padded / HOP)
    };
    let mut out = vec![FLOOR.log10(); bins * frames.max(sounding)];
    for (frame, row) in out.chunks_exact_mut(bins).take(sounding).enumerate() {
        let start = (frame * HOP) as isize - (FFT / 2) as isize;
        let power = spectrum.power(|i| {
            let index = reflect(start + i as isize, padded);
            samples.get(index).copied().unwrap_or(0.0)
        });
        for (value, energy) in row.iter_mut().zip(filters.apply(power)) {
            *value = energy.max(FLOOR).log10();
        }
    }
    let lowest = out.iter().copied().fold(f32::MIN, f32::max) - RANGE;
    out.truncate(bins * frames);
    for value in &mut out {
        *value = (value.max(lowest) + 4.0) / 4.0;
    }
    out
}

/// The index that `numpy.pad(mode="reflect")` uses outside this many samples.
pub(super) fn reflect(index: isize, padded: usize) -> usize {
    let last = padded as isize - 1;
    let index = index.unsigned_abs() as isize;
    (if index > last {
        2 * last - index
    } else {
        index
    }) as usize
}
