//! EMNS: clips named at random, everything else in `metadata.csv`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, RawFile};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "emns",
        title: "EMNS",
        full_name: "Emotive Narrative Storytelling corpus (EMNS /Imz/)",
        languages: &["English"],
        source: Source::Act,
        recording: "One woman speaks sentences in eight emotions for games and audio books, recorded through a web tool.",
        table1: Table1 {
            classes: 8,
            speakers: Some(1),
            utterances: 1181,
            hours: 1.9,
        },
        labels: &[
            ("Angry", "Angry"),
            ("Disgust", "Disgust"),
            ("Excited", "Excited"),
            ("Happy", "Happy"),
            ("Neutral", "Neutral"),
            ("Sad", "Sad"),
            ("Sarcastic", "Sarcastic"),
            ("Surprise", "Surprise"),
        ],
        licence: "unknown (its recording tool is under Apache-2.0)",
        access: Access::Open {
            page: "https://www.openslr.org/136/",
            archives: &[
                Archive {
                    address: "https://www.openslr.org/resources/136/cleaned_webm.tar.xz",
                    bytes: None,
                    checksum: None,
                },
                Archive {
                    address: "https://www.openslr.org/resources/136/metadata.csv",
                    bytes: None,
                    checksum: None,
                },
            ],
        },
        homepage: "https://www.openslr.org/136/",
        citation: "Noriy, Yang, Zhang: EMNS /Imz/ Corpus: An emotive single-speaker dataset for narrative storytelling in games, television and graphic novels. arXiv:2305.13137, 2023",
        layout: "metadata.csv                       columns between |: utterance, emotion, gender, audio_recording, …\ncleaned_webm/\n  recorded_audio_RF6OuQ4.webm      1181 files",
        audio: "webm, Opus, 48 kHz, mono",
        expected: &[("cleaned_webm", EXPECTED as u32)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "metadata.csv says Surprised, the published label is Surprise",
            "the recordings before cleaning (raw_webm) have the same names and are left out by rule",
            "rows of metadata.csv without a cleaned recording are left out by rule",
            "one speaker: no partition can be speaker-disjoint",
        ],
    },
    grammar: &[
        r"cleaned_webm/(?P<id>recorded_audio(?:_[A-Za-z0-9]{7})?)\.webm",
        r"raw_webm/(?P<raw>recorded_audio\w*)\.webm",
    ],
    recipe: Recipe::Tree(read),
};

/// Recordings of a complete release.
const EXPECTED: usize = 1181;

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let side_file = tree.side_file(harvest.card().name, &["metadata.csv"])?;
    let table = tree.read_table(side_file, b'|', &["emotion", "audio_recording"])?;
    // The seven letters of a name are random, so case is significant.
    let mut clips: BTreeMap<&str, &RawFile> = BTreeMap::new();
    for fields in harvest.fitting() {
        if fields.has("raw") {
            harvest.leave_out(fields.file, "raw_webm: the recording before cleaning");
        } else if let Some(first) = clips.get(fields.file.stem()) {
            harvest.contradiction(fields.file, format!("the same clip as {}", first.path()));
        } else {
            clips.insert(fields.file.stem(), fields.file);
        }
    }
    let complete = clips.len() >= EXPECTED;
    for line in table.rows() {
        // `wavs/recorded_audio_RF6OuQ4.webm`; the folder on disk may have another name.
        let recording = line.get("audio_recording");
        let name = recording.rsplit('/').next().unwrap_or_default();
        let id = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let source = format!("{} line {}", side_file.path(), line.line());
        let Some(file) = clips.remove(id) else {
            if complete {
                harvest.leave_out_item(
                    source,
                    "described, but the release has no cleaned recording",
                );
            } else {
                harvest.missing(format!("cleaned_webm/{name}"), source);
            }
            continue;
        };
        let emo = match line.get("emotion") {
            "Surprised" => "Surprise",
            emo => emo,
        };
        let row = Row::new(id, emo)
            .speaker("3")
            .gender(Gender::parse(line.get("gender")));
        let row = match line.some("utterance") {
            Some(text) => row.text(text),
            None => row,
        };
        harvest.row(file, row);
    }
    for file in clips.into_values() {
        harvest.contradiction(file, format!("{} has no row for it", side_file.path()));
    }
    Ok(())
}
