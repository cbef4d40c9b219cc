//! Speech outside the laboratory: in noise, in a room, through a codec, over a telephone, at another level.
//!
//! Noise and rooms are generated from random numbers seeded by the utterance's key, so that every encoder and every
//! run gets the same ones. The output is as long as the input.
//!
//! | name | what is done |
//! |---|---|
//! | `noise:10dB` | pink noise (power ∝ 1/f, 50 Hz to 8 kHz) is added at this ratio |
//! | `white:10dB` | white noise is added at this ratio |
//! | `reverb:small`, `medium`, `large` | a room of 0.3, 0.6 or 1.2 s reverberation time, direct sound +3, 0 or −3 dB over the tail |
//! | `reverb:0.5s` | a room of this reverberation time, direct sound as strong as the tail |
//! | `telephone` | 300 to 3400 Hz, 8 kHz, G.711 µ-law |
//! | `codec:mp3@32k` | through `mp3`, `aac`, `opus` or `vorbis` at this many bits per second, by an installed `ffmpeg` |
//! | `gain` | louder or softer by −20 to +20 dB, each utterance by its own draw; clipped at full scale |
//! | `gain:-20dB` | louder or softer by this amount, clipped at full scale |
//!
//! * **Ratio of signal to noise**: mean power of the speech while it is active over mean power of the noise in the whole
//!   clip. Active frames are those of 25 ms whose power is at most 30 dB below that of the loudest frame; silence around the
//!   speech does not lower the noise.
//! * **Room**: the impulse response is a one followed, after 2.5 ms, by Gaussian noise that decays exponentially by 60 dB
//!   in the reverberation time (Moorer 1979). Reverberant speech is scaled back to its original level.
//! * A silent clip has no level as a reference: noise and rooms leave it unchanged.

mod codec;
mod draws;
mod noise;
mod room;
mod telephone;

use crate::SampleRate;
use codec::Codec;
use draws::Draws;
use emobox_files::FileError;
use noise::Colour;
use room::Room;
use std::fmt;
use std::str::FromStr;

/// Raised whenever the same perturbation of the same audio gives different numbers.
const REVISION: u32 = 1;

/// The range of a random gain, in dB to either side.
const WIDEST_GAIN: f64 = 20.0;

/// A larger gain or attenuation is a typing error.
const MOST_DECIBELS: f64 = 100.0;

const RATE: f64 = SampleRate::SPEECH.0 as f64;

/// One modification of speech before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturbation(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Noise { colour: Colour, decibels: f64 },
    Reverb(Room),
    Telephone,
    Codec { codec: Codec, kilobits: u32 },
    Gain(Option<f64>),
}

/// Why a perturbation is invalid, or cannot be done here.
#[derive(Debug, thiserror::Error)]
pub enum PerturbError {
    /// No perturbation has this name.
    #[error(
        "no perturbation {found:?}: expected noise:10dB, white:10dB, reverb:small (medium, large, 0.5s), telephone, \
         codec:mp3@32k (aac, opus, vorbis), gain or gain:-20dB"
    )]
    Unknown {
        /// The text as given.
        found: String,
    },
    /// A codec without a program that supports it.
    #[error(
        "{name} needs the program `{program}`, which is not there; install it (e.g. `apt install ffmpeg`, `brew install ffmpeg`)"
    )]
    ProgramMissing {
        /// The perturbation.
        name: String,
        /// The program that was searched for.
        program: String,
    },
    /// The program ran and failed.
    #[error("{name}: {program} failed: {message}")]
    ProgramFailed {
        /// The perturbation.
        name: String,
        /// The program.
        program: String,
        /// The last line that it wrote.
        message: String,
    },
    /// A temporary file could not be made or read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Perturbation {
    /// What determines every output number besides the samples and the key: its name, the version of the arithmetic,
    /// and for a codec the version of the program.
    ///
    /// # Errors
    /// If that program does not exist.
    pub fn identity(&self) -> Result<String, PerturbError> {
        let program = match self.0 {
            Kind::Codec { .. } => format!(", ffmpeg {}", codec::version(&self.to_string())?),
            _ => String::new(),
        };
        Ok(format!("{self}, revision {REVISION}{program}"))
    }

    /// A description for people.
    pub fn about(&self) -> String {
        match self.0 {
            Kind::Noise { colour, decibels } => format!(
                "{} noise {decibels} dB below the level of active speech",
                colour.about()
            ),
            Kind::Reverb(room) => room.about(),
            Kind::Telephone => "300 to 3400 Hz, 8 kHz, G.711 µ-law".to_owned(),
            Kind::Codec { codec, kilobits } => {
                format!("{} at {kilobits} kbit/s by ffmpeg and back", codec.about())
            }
            Kind::Gain(None) => format!(
                "each utterance at a level of its own, drawn from −{WIDEST_GAIN} to +{WIDEST_GAIN} dB, cut off at full scale"
            ),
            Kind::Gain(Some(decibels)) => format!("{decibels:+} dB, cut off at full scale"),
        }
    }

    /// The perturbed samples of an utterance, at 16 kHz; as many as the input. `key` names the utterance and seeds
    /// the draws.
    ///
    /// # Errors
    /// The reason why a codec's program fails.
    pub fn apply(&self, samples: &[f32], key: &str) -> Result<Vec<f32>, PerturbError> {
        Ok(match self.0 {
            // The same noise at every level: two levels differ only in level.
            Kind::Noise { colour, decibels } => {
                let noise = colour.noise(samples.len(), &mut Draws::of(colour.name(), key));
                noise::add(samples, &noise, decibels)
            }
            Kind::Reverb(room) => room.around(samples, &mut Draws::of("reverb", key)),
            Kind::Telephone => telephone::over(samples),
            Kind::Codec { codec, kilobits } => {
                codec.through(samples, kilobits, &self.to_string())?
            }
            Kind::Gain(fixed) => {
                let drawn = || WIDEST_GAIN * (2.0 * Draws::of("gain", key).uniform() - 1.0);
                let factor = 10.0_f64.powf(fixed.unwrap_or_else(drawn) / 20.0);
                let scaled = samples.iter().map(|x| f64::from(*x) * factor);
                scaled.map(|x| x.clamp(-1.0, 1.0) as f32).collect()
            }
        })
    }
}

impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Noise { colour, decibels } => write!(f, "{}:{decibels}dB", colour.name()),
            Kind::Reverb(room) => write!(f, "reverb:{room}"),
            Kind::Telephone => f.write_str("telephone"),
            Kind::Codec { codec, kilobits } => write!(f, "codec:{}@{kilobits}k", codec.name()),
            Kind::Gain(None) => f.write_str("gain"),
            Kind::Gain(Some(decibels)) => write!(f, "gain:{decibels}dB"),
        }
    }
}

impl FromStr for Perturbation {
    type Err = PerturbError;

    fn from_str(text: &str) -> Result<Self, PerturbError> {
        let text = text.trim();
        let unknown = || PerturbError::Unknown {
            found: text.to_owned(),
        };
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let kind = match (name, value) {
            ("telephone", None) => Kind::Telephone,
            ("gain", None) => Kind::Gain(None),
            ("gain", Some(value)) => Kind::Gain(Some(decibels(value).ok_or_else(unknown)?)),
            ("reverb", Some(value)) => Kind::Reverb(Room::named(value).ok_or_else(unknown)?),
            ("codec", Some(value)) => {
                let (codec, rate) = value.split_once('@').ok_or_else(unknown)?;
                let rate = rate.strip_suffix('k').and_then(|rate| rate.parse().ok());
                Kind::Codec {
                    codec: Codec::named(codec).ok_or_else(unknown)?,
                    kilobits: rate.filter(|k| (8..=160).contains(k)).ok_or_else(unknown)?,
                }
            }
            (name, Some(value)) => Kind::Noise {
                colour: Colour::named(name).ok_or_else(unknown)?,
                decibels: decibels(value).ok_or_else(unknown)?,
            },
            (_, None) => return Err(unknown()),
        };
        Ok(Self(kind))
    }
}

/// `10dB`, `-5dB`, `7.5dB`.
fn decibels(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix("dB")?.parse().ok()?;
    // −0 is written as 0.
    (number.abs() <= MOST_DECIBELS).then_some(number + 0.0)
}

/// Mean square.
fn power(samples: &[f32]) -> f64 {
    let squares = samples.iter().map(|x| f64::from(*x).powi(2));
    squares.sum::<f64>() / samples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in [
            "noise:10dB",
            "noise:-2.5dB",
            "white:0dB",
            "reverb:small",
            "reverb:large",
            "reverb:0.45s",
            "telephone",
            "codec:mp3@32k",
            "codec:opus@12k",
            "gain",
            "gain:-20dB",
        ] {
            assert_eq!(name.parse::<Perturbation>().unwrap().to_string(), name);
        }
        for wrong in [
            "",
            "noise",
            "noise:10",
            "noise:nandB",
            "noise:900dB",
            "nose:10dB",
            "reverb",
            "reverb:tiny",
            "reverb:0s",
            "reverb:99s",
            "codec:mp3",
            "codec:flac@32k",
            "codec:mp3@0k",
            "telephone:2",
            "gain:loud",
        ] {
            let error = wrong.parse::<Perturbation>().unwrap_err().to_string();
            assert!(error.contains("expected noise:10dB"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_gain_is_exact_and_cut_off_at_full_scale() {
        let gain: Perturbation = "gain:6dB".parse().unwrap();
        let heard = gain.apply(&[0.1, -0.3, 0.9], "a").unwrap();
        let factor = 10.0_f64.powf(0.3) as f32;
        assert_eq!(heard, [0.1 * factor, -0.3 * factor, 1.0]);
        let drawn: Perturbation = "gain".parse().unwrap();
        let factor = |key: &str| drawn.apply(&[0.01], key).unwrap()[0] / 0.01;
        let factors: Vec<f32> = (0..200).map(|n| factor(&n.to_string())).collect();
        assert!(factors.iter().all(|f| (0.0999..10.001).contains(f)));
        assert!(factors.iter().any(|f| *f < 0.2) && factors.iter().any(|f| *f > 5.0));
    }

    #[test]
    fn the_same_key_gives_the_same_bits_and_another_key_others() {
        let speech: Vec<f32> = (0..9001).map(|n| (n as f32 * 0.11).sin() * 0.2).collect();
        for name in ["noise:10dB", "white:10dB", "reverb:medium", "gain"] {
            let one: Perturbation = name.parse().unwrap();
            let heard = one.apply(&speech, "03a01Fa").unwrap();
            assert_eq!(heard.len(), speech.len());
            assert_eq!(heard, one.apply(&speech, "03a01Fa").unwrap(), "{name}");
            assert_ne!(heard, one.apply(&speech, "03a01Nc").unwrap(), "{name}");
        }
    }
}
