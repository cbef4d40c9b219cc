use super::whisper::reflect;
use std::f64::consts::TAU;

/// Samples from one frame to the next.
pub const DECIBELS_HOP: usize = 160;
/// Fewer cannot be reflected at both ends.
pub const DECIBELS_SHORTEST: usize = FFT / 2 + 1;
/// Samples per frame.
const FFT: usize = 512;
/// The smallest energy whose logarithm is taken.
const FLOOR: f64 = 1e-10;
/// Values further below the maximum are raised to this.
const RANGE: f64 = 120.0;

/// The number of frames for this many samples.
pub fn decibels_frames(samples: usize) -> usize {
    samples / DECIBELS_HOP + 1
}

/// Mel energies `[frame, band]` of a 16-kHz waveform in decibels, as `MelSpectrogram` and `AmplitudeToDB(top_db=120)` of torchaudio 2
/// compute them for Dasheng: Hann windows of 32 ms centred on every 10 ms, reflected at both ends; triangles over hertz whose corners are
/// evenly spaced on the mel scale of the HTK Book from 0 to 8 kHz. The maximum over all frames sets the floor of the others.
///
/// In double precision, because encoders normalise the result. The golden files of Dasheng test it (`crates/encoder`).
///
/// # Panics
/// If there are fewer samples than [`DECIBELS_SHORTEST`].
pub fn decibels(samples_16k: &[f32], bands: usize) -> Vec<f64> {
    let samples = samples_16k.len();
    assert!(samples >= DECIBELS_SHORTEST, "{samples} samples");
    let plan = emobox_fft::forward(FFT);
    let (mut buffer, mut bins) = (plan.make_input_vec(), plan.make_output_vec());
    let mut scratch = plan.make_scratch_vec();
    let window: Vec<f64> = (0..FFT)
        .map(|i| 0.5 - 0.5 * (TAU * i as f64 / FFT as f64).cos())
        .collect();
    let filters = filters(bands);
    let mut power = vec![0.0; FFT / 2 + 1];
    let frames = decibels_frames(samples);
    let mut out = Vec::with_capacity(frames * bands);
    for frame in 0..frames {
        let start = (frame * DECIBELS_HOP) as isize - (FFT / 2) as isize;
        for (i, (value, weight)) in buffer.iter_mut().zip(&window).enumerate() {
            *value = f64::from(samples_16k[reflect(start + i as isize, samples)]) * weight;
        }
        // The buffers belong to the plan, so their lengths agree.
        let done = plan.process_with_scratch(&mut buffer, &mut bins, &mut scratch);
        debug_assert!(done.is_ok(), "buffers of another plan");
        for (power, bin) in power.iter_mut().zip(&bins) {
            *power = bin.norm_sqr();
        }
        out.extend(filters.iter().map(|(first, weights)| {
            let parts = weights.iter().zip(&power[*first..]);
            let energy: f64 = parts.map(|(weight, power)| weight * power).sum();
            10.0 * energy.max(FLOOR).log10()
        }));
    }
    let lowest = out.iter().copied().fold(f64::MIN, f64::max) - RANGE;
    out.iter_mut().for_each(|value| *value = value.max(lowest));
    out
}

/// For each band the first bin with a weight, and the weights from there on.
fn filters(bands: usize) -> Vec<(usize, Vec<f64>)> {
    let top = 2595.0 * (1.0f64 + 8_000.0 / 700.0).log10();
    let edge = |i: usize| {
        let mel = top * i as f64 / (bands + 1) as f64;
        700.0 * (10f64.powf(mel / 2595.0) - 1.0)
    };
    let band = |band: usize| {
        let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
        let weights: Vec<f64> = (0..=FFT / 2)
            .map(|bin| {
                let hertz = 16_000.0 / FFT as f64 * bin as f64;
                let rising = (hertz - left) / (centre - left);
                let falling = (right - hertz) / (right - centre);
                rising.min(falling).max(0.0)
            })
            .collect();
        let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
        let last = weights.iter().rposition(|&w| w > 0.0);
        let last = last.map_or(first, |i| i + 1);
        (first, weights[first..last].to_vec())
    };
    (0..bands).map(band).collect()
}
