//! Noise at a given signal-to-noise ratio.

use super::draws::Draws;
use super::{RATE, power};

/// There is no pink noise below this: its power would grow without bound.
const LOWEST: f64 = 50.0;

/// Samples per frame for detecting activity: 25 ms.
const FRAME: usize = 400;

/// How far below the loudest frame an active frame may be, as a ratio of powers: 30 dB.
const ACTIVE: f64 = 1e-3;

/// How the power of a noise depends on the frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Equal power in every octave.
    Pink,
    /// Equal power in every hertz.
    White,
}

impl Colour {
    const ALL: [Self; 2] = [Self::Pink, Self::White];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pink => "noise",
            Self::White => "white",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Pink => "pink",
            Self::White => "white",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|colour| colour.name() == name)
    }

    /// Noise of some level.
    pub(super) fn noise(self, samples: usize, draws: &mut Draws) -> Vec<f64> {
        let white =
            |length: usize, draws: &mut Draws| (0..length).map(|_| draws.normal()).collect();
        match self {
            Self::White => white(samples, draws),
            Self::Pink => {
                let length = samples.next_power_of_two().max(2);
                let mut noise: Vec<f64> = white(length, draws);
                colour(&mut noise, |frequency| match frequency < LOWEST {
                    true => 0.0,
                    false => frequency.sqrt().recip(),
                });
                noise.truncate(samples);
                noise
            }
        }
    }
}

/// Multiplies the spectrum of samples, an even number of them, by a gain that depends on the frequency.
fn colour(samples: &mut [f64], gain: impl Fn(f64) -> f64) {
    let length = samples.len();
    let (forward, backward) = (emobox_fft::forward(length), emobox_fft::backward(length));
    let mut bins = forward.make_output_vec();
    let done = forward.process(samples, &mut bins);
    debug_assert!(done.is_ok(), "buffers of another plan");
    for (at, bin) in bins.iter_mut().enumerate() {
        *bin *= gain(at as f64 * RATE / length as f64);
    }
    // The first and the last bin of a real signal have no imaginary part, and a real gain leaves them none.
    let done = backward.process(&mut bins, samples);
    debug_assert!(done.is_ok(), "buffers of another plan");
}

/// Mean power of the active frames.
pub(super) fn active_power(samples: &[f32]) -> f64 {
    let frames: Vec<f64> = samples.chunks(FRAME).map(power).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let is_active = |frame: &&f64| **frame > 0.0 && **frame >= ACTIVE * loudest;
    let active: Vec<f64> = frames.iter().filter(is_active).copied().collect();
    active.iter().sum::<f64>() / active.len().max(1) as f64
}

/// Speech with noise this many decibels below it; silence is unchanged.
pub(super) fn add(speech: &[f32], noise: &[f64], decibels: f64) -> Vec<f32> {
    let level = active_power(speech);
    let noise_level = noise.iter().map(|x| x * x).sum::<f64>() / noise.len().max(1) as f64;
    if level == 0.0 || noise_level == 0.0 {
        return speech.to_vec();
    }
    let scale = (level / noise_level / 10.0_f64.powf(decibels / 10.0)).sqrt();
    let sum = speech.iter().zip(noise);
    sum.map(|(x, n)| (f64::from(*x) + n * scale) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturb::Perturbation;

    /// Half a second of silence, one of a tone, half of silence.
    fn speech() -> Vec<f32> {
        let mut samples = vec![0.0; 32_000];
        for (n, sample) in samples[8_000..24_000].iter_mut().enumerate() {
            *sample = (n as f32 * 0.3).sin() * 0.1;
        }
        samples
    }

    #[test]
    fn the_ratio_is_exact_and_silence_does_not_count() {
        let speech = speech();
        let of_tone = power(&speech[8_000..24_000]);
        for (name, wanted) in [
            ("noise:10dB", 10.0),
            ("white:-5dB", -5.0),
            ("noise:30dB", 30.0),
        ] {
            let heard = name
                .parse::<Perturbation>()
                .unwrap()
                .apply(&speech, "k")
                .unwrap();
            let noise: Vec<f32> = heard.iter().zip(&speech).map(|(y, x)| y - x).collect();
            let ratio = 10.0 * (of_tone / power(&noise)).log10();
            // The subtraction above loses digits of the noise, so the result is not exact.
            assert!((ratio - wanted).abs() < 1e-3, "{name}: {ratio}");
        }
    }

    #[test]
    fn pink_noise_has_as_much_power_in_every_octave_and_white_twice_as_much_in_the_next() {
        let octaves = |colour: Colour| -> Vec<f64> {
            let mut sums = vec![0.0; 6];
            for clip in 0..20 {
                let mut noise = colour.noise(16_384, &mut Draws::of("x", &clip.to_string()));
                let plan = emobox_fft::forward(noise.len());
                let mut bins = plan.make_output_vec();
                plan.process(&mut noise, &mut bins).unwrap();
                for (at, bin) in bins.iter().enumerate() {
                    let octave = (at as f64 * RATE / 16_384.0 / 125.0).log2().floor();
                    if (0.0..6.0).contains(&octave) {
                        sums[octave as usize] += bin.norm_sqr();
                    }
                }
            }
            sums
        };
        for (colour, step) in [(Colour::Pink, 1.0), (Colour::White, 2.0)] {
            let powers = octaves(colour);
            for pair in powers.windows(2) {
                let decibels = 10.0 * (pair[1] / pair[0] / step).log10();
                assert!(decibels.abs() < 0.3, "{colour:?}: {powers:?}");
            }
        }
    }

    #[test]
    fn a_silent_clip_stays_so() {
        let noise = Colour::Pink.noise(100, &mut Draws::of("x", "y"));
        assert_eq!(add(&[0.0; 100], &noise, 10.0), [0.0; 100]);
        assert!(Colour::Pink.noise(0, &mut Draws::of("x", "y")).is_empty());
        assert!(add(&[], &[], 10.0).is_empty());
    }
}
