use super::mel::MelFilters;
use super::spectrum::Spectrum;

/// Frames of every output: 30 s at 100 frames a second.
pub const WHISPER_FRAMES: usize = 3000;
/// Samples that are looked at: 30 s at 16 kHz; what follows is cut off.
pub const WHISPER_SAMPLES: usize = 480_000;

const FFT: usize = 400;
const HOP: usize = 160;
/// `clamp(min=1e-10)` before the logarithm.
const FLOOR: f32 = 1e-10;
/// Values more than 8 decades below the loudest one are raised to that.
const RANGE: f32 = 8.0;

/// Log-mel spectrum `[mel, 3000]` of a 16-kHz waveform, cut or padded with silence to 30 s, as
/// `WhisperFeatureExtractor` of transformers 5.23 computes it: Hann window of 400, hop 160,
/// reflected edges, last frame dropped, `bins` Slaney bands (80, or 128 for large-v3).
///
/// Within 1e-5 of transformers on the reference utterances (`tests/log_mel.rs`).
pub fn whisper(samples_16k: &[f32], bins: usize) -> Vec<f32> {
    let samples = &samples_16k[..samples_16k.len().min(WHISPER_SAMPLES)];
    let filters = MelFilters::new(bins, FFT, 16_000.0);
    let mut spectrum = Spectrum::new(FFT, FFT);

    // Frames from here on see the padding alone; all their bands are at the floor.
    let reach = samples.len() + FFT / 2;
    let sounding = if reach > WHISPER_SAMPLES {
        WHISPER_FRAMES
    } else {
        reach.div_ceil(HOP)
    };
    let mut out = vec![FLOOR.log10(); bins * WHISPER_FRAMES];
    for frame in 0..sounding {
        let start = (frame * HOP) as isize - (FFT / 2) as isize;
        let power = spectrum.power(|i| {
            let index = reflect(start + i as isize);
            samples.get(index).copied().unwrap_or(0.0)
        });
        for (band, energy) in filters.apply(power).enumerate() {
            out[band * WHISPER_FRAMES + frame] = energy.max(FLOOR).log10();
        }
    }
    let lowest = out.iter().copied().fold(f32::MIN, f32::max) - RANGE;
    for value in &mut out {
        *value = (value.max(lowest) + 4.0) / 4.0;
    }
    out
}

/// The index that `numpy.pad(mode="reflect")` shows outside the 30 s.
fn reflect(index: isize) -> usize {
    let last = WHISPER_SAMPLES as isize - 1;
    let index = index.unsigned_abs() as isize;
    (if index > last {
        2 * last - index
    } else {
        index
    }) as usize
}
