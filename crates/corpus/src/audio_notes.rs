//! Notes on the audio behind a manifest.

use crate::Utterance;
use crate::assemble::AudioFacts;
use emobox_audio::{Level, LoadOptions, MIX, SampleRate, Seconds};
use rayon::prelude::*;
use std::path::Path;

/// Seconds of an utterance that are checked.
const HEARD: f64 = 10.0;

impl AudioFacts {
    /// The channels used, and problems in the audio of a few utterances.
    pub(crate) fn notes(&self, root: &Path) -> Vec<String> {
        let mut notes = Vec::new();
        if self.several_channels > 0 {
            let taken: Vec<String> = self
                .channels_taken
                .iter()
                .map(|(channel, n)| match *channel {
                    MIX => format!("the mean of all, utterances: {n}"),
                    channel => format!("channel {channel}, utterances: {n}"),
                })
                .collect();
            notes.push(format!(
                "files with several channels: {}; taken of them: {} (--channel mix or N takes another)",
                self.several_channels,
                taken.join("; ")
            ));
        }
        if self.long > 0 {
            notes.push(format!(
                "utterances longer than 30 s: {}; of these Whisper encoders hear the first 30 s alone",
                self.long
            ));
        }
        notes.extend(self.levels(root));
        notes
    }

    /// Silence, clipping and wrong scaling in the sample, one note per kind. Unreadable audio is skipped.
    fn levels(&self, root: &Path) -> Vec<String> {
        let mut kinds: Vec<(&str, usize, String)> = Vec::new();
        let mut heard = 0;
        let sample = self.sample.par_iter();
        let levels: Vec<Option<Level>> = sample
            .map(|(utterance, _)| level(utterance, utterance.channel, root))
            .collect();
        for ((utterance, channels), level) in self.sample.iter().zip(levels) {
            let Some(level) = level else {
                continue;
            };
            heard += 1;
            let Some(mut problem) = level.problem() else {
                continue;
            };
            let kind = match () {
                () if level.is_silent() => "silent",
                () if level.is_clipped() => "clipped",
                () => "not scaled to 1",
            };
            if level.is_silent() {
                let mut others = (1..=*channels).filter(|other| *other != utterance.channel);
                let sounds = |other: &u16| {
                    self::level(utterance, *other, root).is_some_and(|level| !level.is_silent())
                };
                if let Some(other) = others.find(sounds) {
                    problem.push_str(&format!("; channel {other} is not: --channel {other}"));
                }
            }
            match kinds.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, n, _)) => *n += 1,
                None => kinds.push((kind, 1, format!("{}: {problem}", utterance.wav))),
            }
        }
        let note = |(kind, n, example)| {
            format!("of {heard} utterances listened to, {kind}: {n}, the first {example}")
        };
        kinds.into_iter().map(note).collect()
    }
}

fn level(utterance: &Utterance, channel: u16, root: &Path) -> Option<Level> {
    let start = utterance.start_time.unwrap_or(0.0);
    let end = utterance.end_time.unwrap_or(f64::INFINITY);
    let long = utterance.length > HEARD;
    let options = LoadOptions {
        channel,
        start: utterance.start_time.map(Seconds),
        end: if long {
            Some(Seconds(end.min(start + HEARD)))
        } else {
            utterance.end_time.map(Seconds)
        },
        sample_rate: SampleRate(utterance.sample_rate),
        tolerate_truncation: true,
    };
    let samples = emobox_audio::load(utterance.audio_path(root).ok()?, &options).ok()?;
    Some(Level::of(&samples))
}
