use crate::header::in_pool;
use crate::{CorpusError, Manifest, Utterance};
use emobox_audio::{Level, LoadOptions, SampleRate, Seconds};
use emobox_files::sha256_bytes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

/// The level of silence in dB.
const SILENCE_DB: f64 = -120.0;
/// Samples of a window whose level is measured: 25 ms at 16 kHz.
const STRETCH: usize = 400;
/// Numbers in the sketch of a recording. Two unrelated recordings have a cosine of about 0 ± 1/√64.
const SKETCH: usize = 64;
/// Two sketches with at least this cosine are the same recording up to gain: 16-bit rounding of a speech signal stays above it
/// even after a gain of -40 dB, and unrelated recordings of one length are far below it.
const SAME: f32 = 0.995;
/// Sketches are compared when one group of this many signs agrees.
const SIGNS: usize = 16;
/// Mean of the samples above which a recording has an offset: 1 % of full scale, audible as a click at both ends.
const OFFSET: f64 = 0.01;
/// In seconds; anything shorter is shorter than a syllable.
const SHORT: f64 = 0.25;
/// In seconds; anything longer is cut by encoders that see 30 s and skipped by the published recipe.
const LONG: f64 = 30.0;

/// The result of one pass over the samples of an utterance: a few hundred bytes, whatever its length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// Samples at the file's own rate.
    pub samples: usize,
    /// Digest of the samples.
    digest: String,
    /// The samples projected onto a fixed pseudo-random pattern, at unit length; empty for silence.
    sketch: Vec<f32>,
    /// Peak and share of clipped samples.
    #[serde(with = "written_level")]
    pub level: Level,
    /// Root mean square in dB of full scale, -120 at least.
    pub level_db: f64,
    /// The tenth percentile of the level of windows of 400 samples, in the same unit.
    pub floor_db: f64,
    /// Mean: the DC offset.
    pub mean: f64,
    /// Why the samples could not be read, if so; the other fields are then empty.
    pub error: Option<String>,
}

/// Findings in the audio of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioAudit {
    /// Recordings that occur more than once.
    pub twins: Vec<Twins>,
    /// More than 0.1 % of the samples at full scale.
    pub clipped: Vec<Flagged>,
    /// Peak below -60 dB.
    pub silent: Vec<Flagged>,
    /// A mean of more than 1 % of full scale.
    pub offset: Vec<Flagged>,
    /// Shorter than 0.25 s.
    pub short: Vec<Flagged>,
    /// Longer than 30 s.
    pub long: Vec<Flagged>,
    /// Not readable.
    pub unreadable: Vec<Flagged>,
}

impl AudioAudit {
    /// Every list, with its title.
    pub fn lists(&self) -> [(&'static str, &[Flagged]); 6] {
        [
            ("clipped", &self.clipped),
            ("silent", &self.silent),
            ("offset from zero", &self.offset),
            ("shorter than 0.25 s", &self.short),
            ("longer than 30 s", &self.long),
            ("not readable", &self.unreadable),
        ]
    }
}

/// An utterance and the measured value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flagged {
    /// The utterance.
    pub key: String,
    /// The measurement.
    pub message: String,
}

/// Utterances that are the same recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twins {
    /// How similar they are.
    pub kind: Likeness,
    /// The utterances.
    pub keys: Vec<String>,
    /// Their raw labels, in the same order.
    pub labels: Vec<String>,
}

/// How similar two recordings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    /// The same samples; headers may differ.
    SameSamples,
    /// The same samples up to gain, polarity and rounding.
    SameUpToGain,
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameSamples => "same samples",
            Self::SameUpToGain => "same up to gain",
        })
    }
}

/// Reads every recording once, in parallel; one recording per thread is in memory. `on_done` is called after each.
pub fn scan_audio(
    manifest: &Manifest,
    root: &Path,
    threads: Option<usize>,
    on_done: &(dyn Fn() + Sync),
) -> Vec<Sound> {
    let listen = |utterance: &Utterance| {
        let sound = samples_of(utterance, root)
            .map_or_else(Sound::unreadable, |samples| Sound::of(&samples));
        on_done();
        sound
    };
    in_pool(threads, || {
        manifest.utterances.par_iter().map(listen).collect()
    })
}

fn samples_of(utterance: &Utterance, root: &Path) -> Result<Vec<f32>, CorpusError> {
    let path = utterance.audio_path(root)?;
    let options = LoadOptions {
        channel: utterance.channel,
        start: utterance.start_time.map(Seconds),
        end: utterance.end_time.map(Seconds),
        sample_rate: SampleRate(utterance.sample_rate),
        tolerate_truncation: true,
    };
    Ok(emobox_audio::load(path, &options)?)
}

impl Sound {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "takes what map_or_else gives"
    )]
    fn unreadable(error: CorpusError) -> Self {
        let error = Some(error.to_string());
        Self {
            samples: 0,
            digest: String::new(),
            sketch: Vec::new(),
            level: Level::default(),
            level_db: SILENCE_DB,
            floor_db: SILENCE_DB,
            mean: 0.0,
            error,
        }
    }

    /// Measures samples (mono, at the file's own rate).
    pub fn of(samples: &[f32]) -> Self {
        let n = samples.len().max(1) as f64;
        let mean = samples.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let digest = sha256_bytes(bytemuck::cast_slice(samples)).to_string();
        Self {
            samples: samples.len(),
            digest,
            sketch: sketch(samples),
            level: Level::of(samples),
            level_db: decibel(power(samples)),
            floor_db: floor(samples),
            mean,
            error: None,
        }
    }

    fn cosine(&self, other: &Self) -> f32 {
        self.sketch
            .iter()
            .zip(&other.sketch)
            .map(|(a, b)| a * b)
            .sum()
    }

    /// Signs of the sketch in groups, with the polarity chosen so that the largest number is positive.
    fn signs(&self) -> impl Iterator<Item = u32> + '_ {
        let largest = self
            .sketch
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or(0.0);
        self.sketch.chunks(SIGNS).map(move |group| {
            group.iter().fold(0, |bits, number| {
                bits << 1 | u32::from(number * largest > 0.0)
            })
        })
    }
}

fn power(samples: &[f32]) -> f64 {
    let squares = samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    squares / samples.len().max(1) as f64
}

fn decibel(power: f64) -> f64 {
    let level = 10.0 * power.max(1e-12).log10();
    // A broken file may contain infinities.
    if level.is_finite() { level } else { 0.0 }
}

/// The tenth percentile of the windows' levels.
fn floor(samples: &[f32]) -> f64 {
    let mut levels: Vec<f64> = samples.chunks(STRETCH).map(power).collect();
    levels.sort_by(f64::total_cmp);
    levels
        .get(levels.len() / 10)
        .map_or(SILENCE_DB, |power| decibel(*power))
}

/// A level as two numbers, because the audio crate does not implement serialisation.
mod written_level {
    use emobox_audio::Level;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
        (level.peak, level.clipped).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
        let (peak, clipped) = Deserialize::deserialize(from)?;
        Ok(Level { peak, clipped })
    }
}

/// Sample i is added to number i mod 64 with a pseudo-random sign, so that the sketch is linear in the samples.
fn sketch(samples: &[f32]) -> Vec<f32> {
    let mut sums = [0.0_f64; SKETCH];
    for (index, sample) in samples.iter().enumerate() {
        // The finaliser of MurmurHash3 as a source of signs that depend on the index alone.
        let mut bits = index as u64;
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        let sign = if (bits >> 63) == 0 { 1.0 } else { -1.0 };
        sums[index % SKETCH] += sign * f64::from(*sample);
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
    if length == 0.0 || !length.is_finite() {
        return Vec::new();
    }
    sums.iter().map(|sum| (sum / length) as f32).collect()
}

/// A number for each utterance; equal numbers mean the same recording up to gain.
pub(crate) fn recordings(manifest: &Manifest, sounds: &[Sound]) -> Vec<usize> {
    // Overlapping segments of one file are one recording whatever their samples.
    let mut groups = same_place(manifest);
    let mut buckets: HashMap<(usize, usize, u32), Vec<usize>> = HashMap::new();
    for (index, sound) in sounds.iter().enumerate().take(groups.len()) {
        if sound.sketch.is_empty() {
            continue;
        }
        for (group, signs) in sound.signs().enumerate() {
            let bucket = buckets.entry((sound.samples, group, signs)).or_default();
            // One match is enough: the other members of its group were joined to it before.
            if let Some(&twin) = bucket
                .iter()
                .find(|&&other| sounds[other].cosine(sound).abs() >= SAME)
            {
                join(&mut groups, twin, index);
            }
            bucket.push(index);
        }
    }
    for index in 0..groups.len() {
        groups[index] = root(&groups, index);
    }
    groups
}

/// Each entry refers to an earlier or equal index of the same group.
fn root(groups: &[usize], mut index: usize) -> usize {
    while groups[index] != index {
        index = groups[index];
    }
    index
}

fn join(groups: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(groups, a), root(groups, b));
    groups[a.max(b)] = a.min(b);
}

/// Twins and flags of a manifest whose audio was read.
pub(crate) fn findings(manifest: &Manifest, sounds: &[Sound]) -> AudioAudit {
    let mut audit = AudioAudit::default();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, recording) in recordings(manifest, sounds).into_iter().enumerate() {
        groups.entry(recording).or_default().push(index);
    }
    for members in groups.values().filter(|members| members.len() > 1) {
        let same = members.iter().all(|&index| {
            sounds.get(index).map(|s| &s.digest) == sounds.get(members[0]).map(|s| &s.digest)
        });
        audit.twins.push(Twins {
            kind: if same {
                Likeness::SameSamples
            } else {
                Likeness::SameUpToGain
            },
            keys: members
                .iter()
                .map(|&index| manifest.utterances[index].key.clone())
                .collect(),
            labels: members
                .iter()
                .map(|&index| manifest.utterances[index].emo.clone())
                .collect(),
        });
    }
    for (utterance, sound) in manifest.utterances.iter().zip(sounds) {
        let flag = |list: &mut Vec<Flagged>, message: String| {
            let key = utterance.key.clone();
            list.push(Flagged { key, message });
        };
        if let Some(error) = &sound.error {
            flag(&mut audit.unreadable, error.clone());
            continue;
        }
        if sound.level.is_clipped() {
            flag(
                &mut audit.clipped,
                format!("{:.2} % of the samples", 100.0 * sound.level.clipped),
            );
        }
        if sound.level.is_out_of_scale() {
            let message = format!("peak {}, while full scale is 1", sound.level.peak);
            flag(&mut audit.clipped, message);
        }
        if sound.level.is_silent() {
            flag(&mut audit.silent, format!("peak {:.6}", sound.level.peak));
        }
        if sound.mean.abs() > OFFSET {
            flag(&mut audit.offset, format!("mean {:.4}", sound.mean));
        }
        let seconds = sound.samples as f64 / f64::from(utterance.sample_rate.max(1));
        if seconds < SHORT {
            flag(&mut audit.short, format!("{seconds:.3} s"));
        }
        if seconds > LONG {
            flag(&mut audit.long, format!("{seconds:.1} s"));
        }
    }
    audit
}

/// Groups recordings by the manifest alone: overlapping segments of one channel of one file are the same recording.
pub(crate) fn same_place(manifest: &Manifest) -> Vec<usize> {
    let mut recordings: Vec<usize> = (0..manifest.utterances.len()).collect();
    let place = |index: usize| {
        let u = &manifest.utterances[index];
        (&u.wav, u.channel, u.start_time.unwrap_or(0.0))
    };
    let mut order = recordings.clone();
    order.sort_by(|&a, &b| {
        let ((wav_a, channel_a, start_a), (wav_b, channel_b, start_b)) = (place(a), place(b));
        (wav_a, channel_a)
            .cmp(&(wav_b, channel_b))
            .then(start_a.total_cmp(&start_b))
            .then(a.cmp(&b))
    });
    let mut end = f64::NEG_INFINITY;
    for pair in order.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let (u, v) = (&manifest.utterances[before], &manifest.utterances[after]);
        let same_file = (&u.wav, u.channel) == (&v.wav, v.channel);
        end = if same_file {
            end.max(end_of(u))
        } else {
            f64::NEG_INFINITY
        };
        // Adjacent segments may share a rounded border.
        if same_file && v.start_time.unwrap_or(0.0) + BORDER < end {
            recordings[after] = recordings[before];
        }
    }
    recordings
}

/// Segments that overlap by less than this many seconds are adjacent, not twins.
const BORDER: f64 = 0.05;

fn end_of(utterance: &Utterance) -> f64 {
    utterance.end_time.unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, n: usize) -> Vec<f32> {
        let mut state = seed;
        let step = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / 16_777_216.0 - 0.5) * 0.6
        };
        (0..n).map(step).collect()
    }

    fn rounded(samples: &[f32], gain: f32) -> Vec<f32> {
        samples
            .iter()
            .map(|x| (x * gain * 32_767.0).round() / 32_768.0)
            .collect()
    }

    #[test]
    fn a_change_of_gain_keeps_the_sketch_and_another_recording_has_another() {
        let first = noise(1, 20_000);
        let sound = Sound::of(&rounded(&first, 1.0));
        for gain in [0.01, 0.3, -0.7, 1.5] {
            let cosine = sound.cosine(&Sound::of(&rounded(&first, gain))).abs();
            assert!(cosine > SAME, "gain {gain}: {cosine}");
        }
        let worst = (2..200)
            .map(|seed| sound.cosine(&Sound::of(&noise(seed, 20_000))).abs())
            .fold(0.0, f32::max);
        assert!(worst < 0.6, "{worst}");
    }

    #[test]
    fn clipping_silence_and_offset_are_measured() {
        let loud: Vec<f32> = noise(3, 10_000)
            .iter()
            .map(|x| (x * 10.0).clamp(-1.0, 1.0))
            .collect();
        assert!(Sound::of(&loud).level.clipped > 0.3);
        assert_eq!(Sound::of(&noise(3, 10_000)).level.clipped, 0.0);
        let shifted: Vec<f32> = noise(4, 10_000).iter().map(|x| x + 0.05).collect();
        assert!((Sound::of(&shifted).mean - 0.05).abs() < 0.01);
        let silent = Sound::of(&[0.0; 100]);
        assert!(silent.sketch.is_empty() && silent.level.peak == 0.0);
        assert_eq!(Sound::of(&[]).samples, 0);
    }
}
