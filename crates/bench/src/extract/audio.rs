//! Waveforms of utterances, including those held for the encoders that follow.

use crate::{BenchError, Corpus};
use emobox_audio::{LoadOptions, SampleRate, Seconds};
use emobox_corpus::Utterance;
use emobox_files::Stamp;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The waveform of an utterance: its channel and segment of the recording, at this rate.
pub fn load_utterance(
    corpus: &Corpus,
    utterance: &Utterance,
    rate: SampleRate,
) -> Result<Vec<f32>, BenchError> {
    let path = utterance.audio_path(&corpus.root)?;
    let part = [utterance.start_time, utterance.end_time];
    load_speech(&path, utterance.channel, part, rate)
}

/// One channel of a recording, or of the part between these seconds, at this rate.
pub(crate) fn load_speech(
    path: &Path,
    channel: u16,
    [start, end]: [Option<f64>; 2],
    sample_rate: SampleRate,
) -> Result<Vec<f32>, BenchError> {
    let options = LoadOptions {
        channel,
        start: start.map(Seconds),
        end: end.map(Seconds),
        sample_rate,
        ..LoadOptions::default()
    };
    Ok(emobox_audio::load(path, &options)?)
}

/// Decoded audio for the next encoder of a run: a GPU is faster than the cores that decode for it. The first waveforms are held, up to a
/// limit; every encoder reads the audio in the same order, so that replacing the oldest by the newest would save nothing.
pub(crate) struct AudioCache {
    room: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    /// By rate and the corpus digest, then by the utterance's key.
    corpora: HashMap<(SampleRate, String), HashMap<String, Arc<Clip>>>,
}

struct Clip {
    samples: Samples,
    /// The state of the file that it was read from.
    stamp: Stamp,
}

/// Stored without loss.
enum Samples {
    /// Whole numbers of 1/32768: 16-bit audio that was not resampled.
    Short(Vec<i16>),
    Float(Vec<f32>),
}

/// A sample as a float.
const SCALE: f32 = 32_768.0;

impl Samples {
    fn of(samples: &[f32]) -> Self {
        let short = samples.iter().map(|sample| {
            let scaled = sample * SCALE;
            let whole = scaled as i16;
            (f32::from(whole).to_bits() == scaled.to_bits()).then_some(whole)
        });
        match short.collect::<Option<Vec<i16>>>() {
            Some(short) => Self::Short(short),
            None => Self::Float(samples.to_vec()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Short(samples) => size_of_val(&**samples),
            Self::Float(samples) => size_of_val(&**samples),
        }
    }

    fn floats(&self) -> Vec<f32> {
        match self {
            Self::Short(samples) => samples.iter().map(|s| f32::from(*s) / SCALE).collect(),
            Self::Float(samples) => samples.clone(),
        }
    }
}

impl AudioCache {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            room,
            held: Mutex::default(),
        }
    }

    /// The limit in bytes.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// The waveform of an utterance and the file that it came from, unless that has changed since.
    pub(super) fn find(
        &self,
        corpus: &Corpus,
        rate: SampleRate,
        key: &str,
        path: &Path,
    ) -> Option<(Vec<f32>, Stamp)> {
        let clip = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let digest = corpus.digest.as_str().to_owned();
            let clips = held.corpora.get(&(rate, digest))?;
            Arc::clone(clips.get(key)?)
        };
        clip.stamp
            .looks_the_same(path)
            .then(|| (clip.samples.floats(), clip.stamp.clone()))
    }

    /// Holds a waveform if there is room.
    pub(super) fn hold(
        &self,
        corpus: &Corpus,
        rate: SampleRate,
        (key, samples): (&str, &[f32]),
        stamp: &Stamp,
    ) {
        let clip = Arc::new(Clip {
            samples: Samples::of(samples),
            stamp: stamp.clone(),
        });
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = held.bytes + clip.samples.bytes();
        if bytes <= self.room {
            let digest = corpus.digest.as_str().to_owned();
            let clips = held.corpora.entry((rate, digest)).or_default();
            let before = clips.insert(key.to_owned(), clip);
            held.bytes = bytes - before.map_or(0, |clip| clip.samples.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_sixteen_bits_take_half() {
        let short: Vec<f32> = [-32_768, -1, 0, 1, 32_767]
            .map(|s| f32::from(s as i16) / SCALE)
            .to_vec();
        let held = Samples::of(&short);
        assert_eq!((held.bytes(), held.floats()), (10, short));
        for other in [0.1, 1.0, 1e-9, -1.5, f32::MIN_POSITIVE] {
            let held = Samples::of(&[0.5, other]);
            assert_eq!((held.bytes(), held.floats()), (8, vec![0.5, other]));
        }
        let zeros = Samples::of(&[-0.0]);
        assert_eq!(zeros.floats()[0].to_bits(), (-0.0f32).to_bits());
    }
}
