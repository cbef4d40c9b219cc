//! Rooms as exponentially decaying noise.

use super::draws::Draws;
use super::{RATE, power};
use std::fmt;

/// Samples from the direct sound to the first reflection: 2.5 ms, a path longer by 0.86 m.
const FIRST_REFLECTION: usize = 40;

/// The parameters of a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    /// Seconds in which the tail decays by 60 dB.
    seconds: f64,
    /// Energy of the direct sound over that of the tail, in dB.
    direct: f64,
}

/// Rooms by their size: an office, a classroom, a hall.
const NAMED: [(&str, Room); 3] = [
    ("small", Room::new(0.3, 3.0)),
    ("medium", Room::new(0.6, 0.0)),
    ("large", Room::new(1.2, -3.0)),
];

impl Room {
    const fn new(seconds: f64, direct: f64) -> Self {
        Self { seconds, direct }
    }

    /// `small`, `medium`, `large`, or a reverberation time as `0.5s`.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some((_, room)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Some(*room);
        }
        let seconds: f64 = name.strip_suffix('s')?.parse().ok()?;
        (0.05..=10.0)
            .contains(&seconds)
            .then_some(Self::new(seconds, 0.0))
    }

    pub(super) fn about(&self) -> String {
        format!(
            "a room of {} s reverberation time, direct sound {:+} dB over the tail",
            self.seconds, self.direct
        )
    }

    /// The impulse response: the direct sound, then the tail until it has decayed by 60 dB.
    fn response(&self, draws: &mut Draws) -> Vec<f64> {
        let length = (self.seconds * RATE).round() as usize;
        let mut response = vec![0.0; length.max(FIRST_REFLECTION + 1)];
        for (at, tap) in response.iter_mut().enumerate().skip(FIRST_REFLECTION) {
            let decay = 10.0_f64.powf(-3.0 * at as f64 / (self.seconds * RATE));
            *tap = draws.normal() * decay;
        }
        let energy: f64 = response.iter().map(|tap| tap * tap).sum();
        let scale = (10.0_f64.powf(-self.direct / 10.0) / energy).sqrt();
        response.iter_mut().for_each(|tap| *tap *= scale);
        response[0] = 1.0;
        response
    }

    /// Speech in the room, at its original level; the tail after the end of the clip is cut off.
    pub(super) fn around(&self, speech: &[f32], draws: &mut Draws) -> Vec<f32> {
        let before = power(speech);
        if before == 0.0 {
            return speech.to_vec();
        }
        let heard = convolve(speech, &self.response(draws));
        let after = heard[..speech.len()].iter().map(|x| x * x).sum::<f64>() / speech.len() as f64;
        let scale = (before / after).sqrt();
        heard[..speech.len()]
            .iter()
            .map(|x| (x * scale) as f32)
            .collect()
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, room)| room == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}s", self.seconds),
        }
    }
}

/// The full convolution, of which `samples.len() + response.len() − 1` are not padding.
pub(super) fn convolve(samples: &[f32], response: &[f64]) -> Vec<f64> {
    let length = (samples.len() + response.len()).next_power_of_two();
    let (forward, backward) = (emobox_fft::forward(length), emobox_fft::backward(length));
    let spectrum = |values: &mut dyn Iterator<Item = f64>| {
        let mut padded = forward.make_input_vec();
        padded
            .iter_mut()
            .zip(values)
            .for_each(|(to, from)| *to = from);
        let mut bins = forward.make_output_vec();
        let done = forward.process(&mut padded, &mut bins);
        debug_assert!(done.is_ok(), "buffers of another plan");
        bins
    };
    let mut bins = spectrum(&mut samples.iter().map(|x| f64::from(*x)));
    for (bin, other) in bins.iter_mut().zip(spectrum(&mut response.iter().copied())) {
        *bin *= other / length as f64;
    }
    let mut out = backward.make_output_vec();
    // The product of the spectra of real signals is the spectrum of a real signal: no imaginary part at either end.
    let done = backward.process(&mut bins, &mut out);
    debug_assert!(done.is_ok(), "buffers of another plan");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reverberation time by Schroeder's backward integration: twice the time from −5 to −35 dB (ISO 3382, T30).
    fn schroeder(tail: &[f64]) -> f64 {
        let mut left: f64 = tail.iter().map(|x| x * x).sum();
        let all = left;
        let mut crossed = [None; 2];
        for (at, tap) in tail.iter().enumerate() {
            let level = 10.0 * (left / all).log10();
            for (time, limit) in crossed.iter_mut().zip([-5.0, -35.0]) {
                if level <= limit {
                    time.get_or_insert(at as f64 / RATE);
                }
            }
            left -= tap * tap;
        }
        2.0 * (crossed[1].unwrap() - crossed[0].unwrap())
    }

    #[test]
    fn rooms_reverberate_as_long_as_they_say() {
        for (name, room) in NAMED {
            let times = (0..20).map(|n: u32| {
                let response = room.response(&mut Draws::of("reverb", &n.to_string()));
                schroeder(&response[FIRST_REFLECTION..])
            });
            let times: Vec<f64> = times.collect();
            let mean = times.iter().sum::<f64>() / 20.0;
            // The integration ends where the response does, which shortens the estimate by about 1 %.
            assert!((mean / room.seconds - 1.0).abs() < 0.03, "{name}: {mean}");
            assert!(
                times.iter().all(|t| (t / room.seconds - 1.0).abs() < 0.15),
                "{name}: {times:?}"
            );
        }
    }

    #[test]
    fn the_direct_sound_is_as_strong_as_it_says() {
        for (name, room) in NAMED {
            let response = room.response(&mut Draws::of("reverb", "a"));
            let tail: f64 = response[1..].iter().map(|x| x * x).sum();
            let direct = -10.0 * tail.log10();
            assert!((direct - room.direct).abs() < 1e-9, "{name}: {direct}");
        }
    }

    #[test]
    fn a_convolution_is_the_sum_of_its_products() {
        let samples = [0.5, -1.0, 0.25, 2.0, 0.0, 1.0, -0.5];
        let response = [1.0, 0.5, -0.25];
        let out = convolve(&samples, &response);
        for (n, found) in out.iter().enumerate().take(9) {
            let product = |k: usize| {
                let sample = n.checked_sub(k).and_then(|at| samples.get(at));
                response[k] * sample.map_or(0.0, |x| f64::from(*x))
            };
            let expected: f64 = (0..3).map(product).sum();
            assert!((found - expected).abs() < 1e-12, "{n}: {found} {expected}");
        }
    }

    #[test]
    fn the_level_stays() {
        let speech: Vec<f32> = (0..8_000).map(|n| (n as f32 * 0.2).sin() * 0.1).collect();
        for (_, room) in NAMED {
            let heard = room.around(&speech, &mut Draws::of("reverb", "a"));
            assert!((power(&heard) / power(&speech) - 1.0).abs() < 1e-6);
        }
        assert_eq!(
            NAMED[0].1.around(&[0.0; 9], &mut Draws::of("a", "b")),
            [0.0; 9]
        );
    }
}
