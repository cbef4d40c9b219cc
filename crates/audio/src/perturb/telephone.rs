//! A telephone of the fixed network: band-pass, 8 kHz, G.711 µ-law.

use super::RATE;
use super::room::convolve;
use crate::container::pcm::mu_law;
use std::f64::consts::PI;

/// Where the response is down by 6 dB, in Hz.
const BAND: [f64; 2] = [300.0, 3400.0];

/// The images of 8 kHz are above it, and are removed at the other end.
const LINE: f64 = 4000.0;

/// Taps of the filters: with a Blackman window the response falls within ±86 Hz of the edges.
const TAPS: usize = 511;

/// Speech as received at the other end.
pub(super) fn over(speech: &[f32]) -> Vec<f32> {
    // Nothing is left above 3.5 kHz, so every second sample is enough.
    let mut line = filtered(speech, |at| low_pass(BAND[1], at) - low_pass(BAND[0], at));
    for pair in line.chunks_mut(2) {
        pair[0] = f32::from(mu_law(code(pair[0]))) / 32_768.0;
        pair.iter_mut().skip(1).for_each(|sample| *sample = 0.0);
    }
    // Doubled to replace the removed samples.
    filtered(&line, |at| 2.0 * low_pass(LINE, at))
}

/// Convolution with symmetric taps, with their delay removed.
fn filtered(samples: &[f32], tap: impl Fn(f64) -> f64) -> Vec<f32> {
    let taps: Vec<f64> = (0..TAPS)
        .map(|at| {
            let phase = 2.0 * PI * at as f64 / (TAPS - 1) as f64;
            let window = 0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos();
            window * tap(at as f64 - (TAPS / 2) as f64)
        })
        .collect();
    let all = convolve(samples, &taps);
    let kept = all.iter().skip(TAPS / 2).take(samples.len());
    kept.map(|x| *x as f32).collect()
}

/// The ideal low pass, this many samples from its middle.
fn low_pass(edge: f64, at: f64) -> f64 {
    let width = 2.0 * edge / RATE;
    let angle = PI * width * at;
    width * if at == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// The µ-law code of a sample (ITU-T G.711, table 2a): 14 bits, coded by the nearest level in 8.
fn code(sample: f32) -> u8 {
    // The bias makes the segments powers of two; anything louder than the last level is clipped.
    const BIAS: i32 = 0x84;
    const MOST: i32 = 32_635;
    let value = (sample * 32_768.0).round() as i32;
    let magnitude = value.abs().min(MOST) + BIAS;
    let exponent = (magnitude >> 7).ilog2();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    let sign = if value < 0 { 0x80 } else { 0 };
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturb::power;

    /// The output level of a tone, in dB relative to its input; the ends are left out.
    fn level(frequency: f64) -> f64 {
        let tone = |n: usize| (2.0 * PI * frequency * n as f64 / RATE).sin() as f32 * 0.3;
        let tone: Vec<f32> = (0..16_000).map(tone).collect();
        let heard = over(&tone);
        assert_eq!(heard.len(), tone.len());
        10.0 * (power(&heard[2_000..14_000]) / power(&tone[2_000..14_000])).log10()
    }

    #[test]
    fn the_band_is_passed_and_nothing_else() {
        for inside in [400.0, 1000.0, 2500.0, 3300.0] {
            assert!(
                level(inside).abs() < 0.2,
                "{inside} Hz: {} dB",
                level(inside)
            );
        }
        for edge in BAND {
            assert!(
                (level(edge) + 6.0).abs() < 0.3,
                "{edge} Hz: {} dB",
                level(edge)
            );
        }
        // What is left outside is the quantisation noise of 8 bits.
        for outside in [50.0, 150.0, 3800.0, 5000.0, 7000.0] {
            assert!(
                level(outside) < -45.0,
                "{outside} Hz: {} dB",
                level(outside)
            );
        }
    }

    #[test]
    fn codes_are_those_of_the_table() {
        for byte in 0..=255u8 {
            let level = mu_law(byte);
            // Two codes stand for zero; the positive one is used.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(code(f32::from(level) / 32_768.0), expected);
        }
        // G.711, table 2a: decision values 0, 1, 3, … of 8159, and their codes.
        let sent = |value: i32| code(value as f32 * 4.0 / 32_768.0);
        let table = [
            (0, 0xFF),
            (2, 0xFE),
            (30, 0xF0),
            (32, 0xEF),
            (94, 0xE0),
            (96, 0xDF),
            (4062, 0x90),
            (4064, 0x8F),
            (8158, 0x80),
        ];
        for (value, expected) in table {
            assert_eq!(sent(value), expected, "{value}");
        }
        assert_eq!((sent(-2), sent(-8159)), (0x7E, 0x00));
        assert_eq!((code(2.0), code(-2.0)), (0x80, 0x00));
    }
}
