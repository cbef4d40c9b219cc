//! A synthetic corpus made by a small source-filter synthesiser, to show the whole pipeline
//! without a download.
//!
//! It is not speech, and scores on it are not benchmark results. Files are
//! `<speaker>/<speaker>_<emotion>_<nn>.wav` (16 kHz, 16 bit, mono): the speaker is `f` or `m` and two
//! digits, the emotion one of [`DEMO_EMOTIONS`], `nn` the sentence from 01, the same for all speakers.

mod random;
mod sentence;
mod synthesis;
mod voice;

use emobox_audio::{AudioError, SampleRate, write_wav_16};
use emobox_files::write_atomic;
use random::Random;
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;
use voice::{Manner, Voice};

pub use voice::DEMO_EMOTIONS;

/// Size and seed of the synthetic corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// Number of speakers, 1 to 99, women and men in turn.
    pub speakers: u32,
    /// Number of sentences that each speaker says in each emotion, 1 to 99.
    pub sentences: u32,
    /// The seed of everything random.
    pub seed: u64,
}

impl Default for DemoOptions {
    /// 8 speakers × 4 emotions × 6 sentences: 192 utterances, about 4 minutes.
    fn default() -> Self {
        Self {
            speakers: 8,
            sentences: 6,
            seed: 1,
        }
    }
}

/// One synthetic utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoUtterance {
    /// `f01`, `m02`, …
    pub speaker: String,
    /// One of [`DEMO_EMOTIONS`].
    pub emotion: &'static str,
    /// The sentence, from 1.
    pub sentence: u32,
    /// Mono at 16 kHz, −1 to 1.
    pub samples: Vec<f32>,
}

/// Streams of random numbers, so that a speaker stays the same whatever the size of the corpus.
const SENTENCE_STREAM: u64 = 1 << 32;
const UTTERANCE_STREAM: u64 = 2 << 32;

/// The whole corpus in memory, in the order speaker, emotion, sentence.
pub fn demo_utterances(options: &DemoOptions) -> Vec<DemoUtterance> {
    let speakers: Vec<Voice> = (0..options.speakers.min(99))
        .map(|number| Voice::new(number, &mut Random::new(options.seed, number.into())))
        .collect();
    let sentences: Vec<_> = (0..u64::from(options.sentences.min(99)))
        .map(|number| sentence::sentence(&mut Random::new(options.seed, SENTENCE_STREAM + number)))
        .collect();
    let mut plan = Vec::new();
    for speaker in 0..speakers.len() {
        for emotion in 0..DEMO_EMOTIONS.len() {
            plan.extend((0..sentences.len()).map(|sentence| (speaker, emotion, sentence)));
        }
    }
    plan.into_par_iter()
        .map(|(speaker, emotion, sentence)| {
            let stream = ((speaker * 4 + emotion) * 100 + sentence) as u64;
            let mut random = Random::new(options.seed, UTTERANCE_STREAM + stream);
            let voice = &speakers[speaker];
            let manner = Manner::new(emotion, voice, &mut random);
            DemoUtterance {
                speaker: speaker_name(speaker, voice),
                emotion: DEMO_EMOTIONS[emotion],
                sentence: sentence as u32 + 1,
                samples: synthesis::synthesise(voice, &manner, &sentences[sentence], &mut random),
            }
        })
        .collect()
}

fn speaker_name(number: usize, voice: &Voice) -> String {
    format!("{}{:02}", if voice.female { 'f' } else { 'm' }, number + 1)
}

/// Writes the corpus at its default size to `folder`, with a README that describes it.
pub fn write_demo(folder: &Path, seed: u64) -> Result<(), AudioError> {
    write_demo_with(
        folder,
        &DemoOptions {
            seed,
            ..DemoOptions::default()
        },
    )
}

/// Like [`write_demo`], with any size.
pub fn write_demo_with(folder: &Path, options: &DemoOptions) -> Result<(), AudioError> {
    let utterances = demo_utterances(options);
    utterances.par_iter().try_for_each(|utterance| {
        let DemoUtterance {
            speaker,
            emotion,
            sentence,
            samples,
        } = utterance;
        let path = folder
            .join(speaker)
            .join(format!("{speaker}_{emotion}_{sentence:02}.wav"));
        write_wav_16(path, samples, SampleRate::SPEECH)
    })?;
    write_atomic(folder.join("utterances.tsv"), table(&utterances).as_bytes())?;
    write_atomic(folder.join("README.md"), README.as_bytes())?;
    Ok(())
}

fn table(utterances: &[DemoUtterance]) -> String {
    let mut text = String::from("file\tspeaker\tgender\temotion\tsentence\tseconds\n");
    for DemoUtterance {
        speaker,
        emotion,
        sentence,
        samples,
    } in utterances
    {
        let gender = if speaker.starts_with('f') {
            "female"
        } else {
            "male"
        };
        let seconds = samples.len() as f64 / 16_000.0;
        let _ = writeln!(
            text,
            "{speaker}/{speaker}_{emotion}_{sentence:02}.wav\t{speaker}\t{gender}\t{emotion}\t{sentence}\t{seconds:.3}"
        );
    }
    text
}

const README: &str = "\
# Synthetic demonstration corpus

Made by `emobox demo`. No person speaks here: a small source-filter synthesiser says made-up syllables in
voices that differ by speaker and in a manner that differs by emotion (angry, happy, neutral, sad).

It exists to show the program at work without a download. Scores on it are no benchmark result and say
nothing about recognising emotions in speech.

Files are `<speaker>/<speaker>_<emotion>_<sentence>.wav`; speakers that begin with `f` have a higher pitch
and a shorter vocal tract than those that begin with `m`. `utterances.tsv` lists them.
";
