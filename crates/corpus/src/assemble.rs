//! Rows and audio headers to utterances.

use crate::ratings::Ratings;
use crate::recipe::PackedRow;
use crate::report::note;
use crate::{
    AudioHeader, Channel, ChannelChoice, CorpusError, Duplicate, HeaderReader, PrepareReport,
    RawFile, RawTree, Row, Utterance,
};
use emobox_audio::MIX;
use emobox_files::sha256_file;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How rows become utterances: key prefix, label map and channel, in our style or as published.
pub(crate) struct Style<'a> {
    pub(crate) corpus: &'a str,
    /// Prefix of every row's id.
    pub(crate) prefix: &'a str,
    /// The language of rows without one.
    pub(crate) language: Option<&'a str>,
    /// The harmonised class of a raw label.
    pub(crate) class_of: &'a (dyn Fn(&str) -> Result<String, String> + Sync),
    /// The class that a word of votes stands for; the word itself where that is no class.
    pub(crate) vote_class: &'a (dyn Fn(&str) -> String + Sync),
    pub(crate) as_published: bool,
    /// The channel to use in every file, instead of the row's own.
    pub(crate) channel: Option<ChannelChoice>,
    /// The lowest and the highest value of a dimension, where stated.
    pub(crate) scale: Option<(f64, f64)>,
}

/// Statistics of the audio files behind a manifest.
#[derive(Debug, Default)]
pub(crate) struct AudioFacts {
    /// Files by sample rate.
    pub(crate) rates: BTreeMap<u32, usize>,
    /// Number of files with several channels.
    pub(crate) several_channels: usize,
    /// The channels used in those files, with the number of utterances; 0 is the mean.
    pub(crate) channels_taken: BTreeMap<u16, usize>,
    /// Utterances longer than 30 s.
    pub(crate) long: usize,
    /// Statistics of dimensions and votes.
    pub(crate) ratings: Ratings,
    /// A few utterances from across the corpus, with the channels of their files, for a check of the audio.
    pub(crate) sample: Vec<(Utterance, u16)>,
}

/// The longest input of Whisper encoders, in seconds.
const LONG: f64 = 30.0;
/// Number of utterances whose audio is checked.
const SAMPLE: usize = 16;

/// Receives the utterances of a manifest, a few thousand at a time, in order of their keys.
pub(crate) type Sink<'a> = dyn FnMut(Vec<Utterance>) -> Result<(), CorpusError> + Send + 'a;

/// Rows that are processed together: enough to keep all threads busy, few enough to bound memory.
const PART: usize = 1 << 12;

/// Joins rows and audio headers, in order of keys, and records what cannot be used.
pub(crate) fn utterances(
    style: &Style<'_>,
    tree: &RawTree,
    mut rows: Vec<(&RawFile, PackedRow)>,
    read_header: &HeaderReader<'_>,
    report: &mut PrepareReport,
    sink: &mut Sink<'_>,
) -> Result<AudioFacts, CorpusError> {
    let mut facts = AudioFacts::default();
    let every = rows.len().div_ceil(SAMPLE).max(1);
    let mut number = 0;
    let mut read = vec![false; tree.files().len()];
    rows.par_sort_by(|a, b| {
        let ids = a.1.id().cmp(b.1.id());
        ids.then_with(|| a.0.path().cmp(b.0.path()))
    });
    let mut broken = vec![false; tree.files().len()];
    let mut speakers = BTreeSet::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut part: Vec<_> = rows.by_ref().take(PART).collect();
        // Rows with the same key stay together.
        while let Some(next) =
            rows.next_if(|next| part.last().is_some_and(|last| last.1.id() == next.1.id()))
        {
            part.push(next);
        }
        let headers = headers(tree, &part, read_header, &mut broken, report);
        for (place, header) in &headers {
            if !std::mem::replace(&mut read[*place], true) {
                *facts.rates.entry(header.sample_rate).or_default() += 1;
                facts.several_channels += usize::from(header.channels > 1);
            }
        }
        let make = |(file, row): (&RawFile, PackedRow)| {
            let header = *headers.get(&file.index())?;
            let made = utterance(style, file, row.unpack(), header);
            let made = made.map(|utterance| (utterance, header.channels));
            Some(made.map_err(|unusable| (file.path().to_owned(), unusable)))
        };
        let made: Vec<_> = part.into_par_iter().with_min_len(64).map(make).collect();
        let usable = |item: Result<(Utterance, u16), (String, Unusable)>| match item {
            Ok((utterance, channels)) => {
                if channels > 1 {
                    *facts.channels_taken.entry(utterance.channel).or_default() += 1;
                }
                facts.long += usize::from(utterance.length > LONG);
                facts.ratings.count(&utterance);
                if number % every == 0 {
                    facts.sample.push((utterance.clone(), channels));
                }
                number += 1;
                Some(utterance)
            }
            Err((path, Unusable::Audio(message))) => {
                report.broken.push(note(&path, &message));
                None
            }
            Err((path, Unusable::Label(message))) => {
                report.contradictions.push(note(&path, &message));
                None
            }
        };
        let mut list: Vec<Utterance> = made.into_iter().flatten().filter_map(usable).collect();
        list.dedup_by(|other, kept| {
            let same = kept.key == other.key;
            if same {
                duplicate(tree, report, kept, other);
            }
            same
        });
        for utterance in &list {
            report.count(utterance);
            if let Some(speaker) = &utterance.speaker
                && !speakers.contains(speaker)
            {
                speakers.insert(speaker.clone());
            }
        }
        sink(list)?;
    }
    report.speakers = speakers.len();
    facts.ratings.scale = style.scale;
    report.notes.extend(facts.ratings.notes(report.utterances));
    report
        .not_now
        .sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    report
        .broken
        .sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    report
        .contradictions
        .sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    Ok(facts)
}

/// The usable headers of the rows' files, by the file's index in the tree.
fn headers(
    tree: &RawTree,
    rows: &[(&RawFile, PackedRow)],
    read_header: &HeaderReader<'_>,
    broken: &mut [bool],
    report: &mut PrepareReport,
) -> HashMap<usize, AudioHeader> {
    let mut files: Vec<&RawFile> = rows.iter().map(|(file, _)| *file).collect();
    files.sort_unstable_by_key(|file| file.index());
    files.dedup_by_key(|file| file.index());
    // In chunks, because reading a tiny header costs about as much as handing one item to a thread.
    let chunks = files.par_iter().with_min_len(64);
    let read: Vec<_> = chunks.map(|file| read_header(&tree.locate(file))).collect();
    let mut headers = HashMap::with_capacity(files.len());
    for (file, header) in files.into_iter().zip(read) {
        let problem = match header {
            Ok(header) if header.frames > 0 && header.sample_rate > 0 => {
                headers.insert(file.index(), header);
                continue;
            }
            Ok(_) => "holds no samples".to_owned().into(),
            Err(problem) => problem,
        };
        // A file of many segments may occur again in a later part.
        if !std::mem::replace(&mut broken[file.index()], true) {
            let list = match problem.may_pass {
                true => &mut report.not_now,
                false => &mut report.broken,
            };
            list.push(note(file.path(), &problem.message));
        }
    }
    headers
}

fn duplicate(tree: &RawTree, report: &mut PrepareReport, kept: &Utterance, other: &Utterance) {
    let name = |u: &Utterance| match (u.start_time, u.end_time) {
        (Some(start), Some(end)) => format!("{} {start}..{end} s", u.wav),
        _ => u.wav.clone(),
    };
    let digest = |u: &Utterance| {
        let path = u.audio_path(tree.root()).ok()?;
        sha256_file(path).ok()
    };
    let mut dropped = name(other);
    if kept.wav != other.wav && digest(kept) != digest(other) {
        dropped.push_str(" (another sound or file format)");
    }
    match report.duplicated.last_mut() {
        Some(last) if last.key == other.key => last.dropped.push(dropped),
        _ => report.duplicated.push(Duplicate {
            key: other.key.clone(),
            kept: name(kept),
            dropped: vec![dropped],
        }),
    }
}

/// A segment may end this many seconds after its file, as in `load` of the audio crate.
const END_SLACK: f64 = 0.1;

enum Unusable {
    Audio(String),
    Label(String),
}

fn utterance(
    style: &Style<'_>,
    file: &RawFile,
    row: Row,
    header: AudioHeader,
) -> Result<Utterance, Unusable> {
    let emo = row
        .published_emo
        .filter(|_| style.as_published)
        .unwrap_or(row.emo);
    let label = (style.class_of)(&emo).map_err(Unusable::Label)?;
    let channel = match (style.channel, row.channel) {
        (Some(ChannelChoice::Mix), _) if header.channels > 1 => MIX,
        (Some(ChannelChoice::Mix), _) => 1,
        (Some(ChannelChoice::Number(number)), _) => number,
        (None, Channel::Number(number)) => number,
        (None, Channel::FrontCentre) if header.channels > 2 => 3,
        (None, Channel::FrontCentre) => 1,
    };
    if channel > header.channels {
        return Err(Unusable::Audio(format!(
            "channel {channel} wanted, the file has {}",
            header.channels
        )));
    }
    let rate = f64::from(header.sample_rate);
    // A segment without an end extends to the end of the file.
    let segment = row.segment.map(|(start, end)| {
        let to_the_end = end == f64::INFINITY;
        (
            start,
            if to_the_end {
                header.frames as f64 / rate
            } else {
                end
            },
        )
    });
    let (num_frame, length) = match segment {
        None => (header.frames, header.frames as f64 / rate),
        Some((start, end)) => {
            let (first, last) = ((start * rate) as u64, (end * rate) as u64);
            if !(start >= 0.0 && last > first) {
                return Err(Unusable::Audio(format!(
                    "segment {start}..{end} s is empty"
                )));
            }
            if last > header.frames + (END_SLACK * rate) as u64 {
                let seconds = header.frames as f64 / rate;
                return Err(Unusable::Audio(format!(
                    "segment {start}..{end} s ends after the file ({seconds:.3} s)"
                )));
            }
            (last - first, end - start)
        }
    };
    let speaker = row
        .published_speaker
        .filter(|_| style.as_published)
        .or(row.speaker);
    let [valence, arousal, dominance] = row.dimensions;
    let mut votes = BTreeMap::new();
    for (word, n) in row.votes {
        *votes.entry((style.vote_class)(&word)).or_default() += n;
    }
    Ok(Utterance {
        key: format!("{}{}", style.prefix, row.id),
        dataset: style.corpus.to_owned(),
        wav: file.path().to_owned(),
        r#type: "raw".to_owned(),
        sample_rate: header.sample_rate,
        num_frame,
        task: "category".to_owned(),
        length,
        emo,
        channel,
        start_time: segment.map(|(start, _)| start),
        end_time: segment.map(|(_, end)| end),
        label,
        speaker,
        gender: row.gender,
        language: row.language.or_else(|| style.language.map(str::to_owned)),
        text: row.text,
        split: row.split,
        valence,
        arousal,
        dominance,
        votes,
    })
}
