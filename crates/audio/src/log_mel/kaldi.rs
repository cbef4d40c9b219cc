use std::f64::consts::TAU;

/// Samples from one frame to the next.
pub const KALDI_HOP: usize = 160;
/// Samples per frame.
pub const KALDI_WINDOW: usize = 400;
const FFT: usize = 512;
/// Below the first band.
const LOWEST_HERTZ: f64 = 20.0;
const PREEMPHASIS: f64 = 0.97;
/// Kaldi's waveforms are 16-bit integers.
const SCALE: f64 = 32_768.0;
/// The smallest energy whose logarithm is taken.
const FLOOR: f64 = f32::EPSILON as f64;

/// The number of whole frames in this many samples.
pub fn kaldi_frames(samples: usize) -> usize {
    match samples.checked_sub(KALDI_WINDOW) {
        None => 0,
        Some(rest) => rest / KALDI_HOP + 1,
    }
}

/// The window of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KaldiWindow {
    /// Hann to the power of 0.85: Kaldi's default.
    Povey,
    /// 0.54 − 0.46 cos.
    Hamming,
}

impl KaldiWindow {
    /// The weight of a sample at an angle from 0 to 2π.
    fn weight(self, angle: f64) -> f64 {
        match self {
            Self::Povey => (0.5 - 0.5 * angle.cos()).powf(0.85),
            Self::Hamming => 0.54 - 0.46 * angle.cos(),
        }
    }
}

/// Log-mel energies `[frame, band]` of a 16-kHz waveform as Kaldi computes them without dither, as torchaudio's
/// `compliance.kaldi.fbank` does after it, and (with Povey's window) `SeamlessM4TFeatureExtractor` of transformers 5.23: whole frames of
/// 25 ms every 10 ms, each without its mean and with preemphasis of 0.97 under a window; triangles on Kaldi's mel scale from 20 Hz to 8 kHz.
///
/// In double precision: encoders divide a band by its deviation over the recording, which is almost zero for a steady sound.
/// The golden files of w2v-BERT, BEATs and SenseVoice test the result (`crates/encoder`).
pub fn kaldi_fbank(samples_16k: &[f32], bands: usize, window: KaldiWindow) -> Vec<f64> {
    let plan = emobox_fft::forward(FFT);
    let (mut buffer, mut bins) = (plan.make_input_vec(), plan.make_output_vec());
    let mut scratch = plan.make_scratch_vec();
    let angle = |i: usize| TAU * i as f64 / (KALDI_WINDOW - 1) as f64;
    let window: Vec<f64> = (0..KALDI_WINDOW).map(|i| window.weight(angle(i))).collect();
    let filters = filters(bands);
    let mut power = vec![0.0f64; FFT / 2 + 1];
    let frames = kaldi_frames(samples_16k.len());
    let mut out = Vec::with_capacity(frames * bands);
    for frame in 0..frames {
        let samples = &samples_16k[frame * KALDI_HOP..][..KALDI_WINDOW];
        let mean = samples.iter().map(|&v| f64::from(v)).sum::<f64>() / KALDI_WINDOW as f64;
        let mut before = None;
        for ((value, &sample), weight) in buffer.iter_mut().zip(samples).zip(&window) {
            let centred = (f64::from(sample) - mean) * SCALE;
            *value = (centred - PREEMPHASIS * before.unwrap_or(centred)) * weight;
            before = Some(centred);
        }
        buffer[KALDI_WINDOW..].fill(0.0);
        // The buffers belong to the plan, so their lengths agree.
        let done = plan.process_with_scratch(&mut buffer, &mut bins, &mut scratch);
        debug_assert!(done.is_ok(), "buffers of another plan");
        for (power, bin) in power.iter_mut().zip(&bins) {
            *power = bin.norm_sqr();
        }
        out.extend(filters.iter().map(|(first, weights)| {
            let energy: f64 = weights
                .iter()
                .zip(&power[*first..])
                .map(|(w, p)| w * p)
                .sum();
            energy.max(FLOOR).ln()
        }));
    }
    out
}

/// For each band the first bin with a weight, and the weights from there on.
fn filters(bands: usize) -> Vec<(usize, Vec<f64>)> {
    let mel = |hertz: f64| 1127.0 * (1.0 + hertz / 700.0).ln();
    let (low, high) = (mel(LOWEST_HERTZ), mel(8_000.0));
    let edge = |i: usize| low + (high - low) * i as f64 / (bands + 1) as f64;
    let band = |band: usize| {
        let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
        let weights: Vec<f64> = (0..=FFT / 2)
            .map(|bin| {
                let mel = mel(16_000.0 / FFT as f64 * bin as f64);
                let rising = (mel - left) / (centre - left);
                let falling = (right - mel) / (right - centre);
                rising.min(falling).max(0.0)
            })
            .collect();
        let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
        let last = weights
            .iter()
            .rposition(|&w| w > 0.0)
            .map_or(first, |i| i + 1);
        (first, weights[first..last].to_vec())
    };
    (0..bands).map(band).collect()
}
