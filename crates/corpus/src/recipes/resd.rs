//! RESD: dialogues of two roles, each with an emotion; `train.csv` and `test.csv` name the clips of the two parts.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Harvest, Recipe, Row};
use crate::{CorpusError, TableRow};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "resd",
        title: "RESD",
        full_name: "Russian Emotional Speech Dialogues",
        languages: &["Russian"],
        source: Source::Act,
        recording: "Actors play 50 dialogues of about three minutes in a studio; each of the two roles has one emotion \
                    throughout. Cut into utterances.",
        table1: Table1 {
            classes: 7,
            speakers: Some(200),
            utterances: 1396,
            hours: 2.3,
        },
        labels: &[
            ("anger", "Angry"),
            ("disgust", "Disgust"),
            ("enthusiasm", "Enthusiastic"),
            ("fear", "Fear"),
            ("happiness", "Happy"),
            ("neutral", "Neutral"),
            ("sadness", "Sad"),
        ],
        licence: "MIT",
        access: Access::Open {
            page: "https://huggingface.co/datasets/Aniemore/resd",
            archives: &[],
        },
        homepage: "https://github.com/aniemore/Aniemore",
        citation: "Amentes, Lubenets, Davidchuk: Aniemore, an open library for recognising emotional shades of human speech. 2022",
        layout: "train.csv                                    path, emotion\ntest.csv\ntrain/\n  happiness_enthusiasm_32/\n    32_happiness_enthusiasm_h_120.wav        dialogue 32, the role of happiness\n  …                                          1116 files\ntest/                                        280 files",
        audio: "wav; 716 clips have 16 kHz, 680 have 44.1 kHz",
        expected: &[("train", 1116), ("test", 280)],
        scale: None,
        folds: PublishedFolds::OfficialSplit,
        differences: &[Difference {
            field: "speaker",
            published: "the name of the file, so 1396 speakers",
            ours: "the role, such as 32-happiness: dialogue and emotion. One actor may play many roles, so it is a lower bound",
        }],
        notes: &[
            "the official split is by utterance: all 50 dialogues, and so all 100 roles, are in train and in test",
            "a role has one emotion, so a classifier that knows the voice knows the label",
            "keys keep the extension .wav, and 301 of them hold a space",
            "Table 1 prints 200 speakers",
        ],
    },
    grammar: &[
        r"(?P<part>train|test)/(?P<folder>\d{2}_[a-z]+_[a-z]+|[a-z]+_[a-z]+_\d{2})/(?P<dialogue>\d{2})_(?P<first>[a-z]+)_(?P<second>[a-z]+)[ _](?P<letter>[adefhns])_(?P<number>\d{3})\.wav",
    ],
    recipe: Recipe::Tree(read),
};

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    for (part, table) in [("train", "train.csv"), ("test", "test.csv")] {
        let mut clips: BTreeMap<String, Fields<'_>> = BTreeMap::new();
        for fields in harvest.fitting() {
            if !fields["part"].eq_ignore_ascii_case(part) {
                continue;
            }
            let name = place(&format!("{}.wav", fields.file.stem()));
            match clips.get(&name) {
                Some(first) => {
                    let message = format!("the same clip as {}", first.file.path());
                    harvest.contradiction(fields.file, message);
                }
                None => {
                    clips.insert(name, fields);
                }
            }
        }
        if clips.is_empty() {
            continue;
        }
        let tree = harvest.tree();
        let side_file = tree.side_file(harvest.card().name, &[table])?;
        let lines = tree.read_table(side_file, b',', &["path", "emotion"])?;
        for line in lines.rows() {
            let path = line.get("path");
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            let Some(fields) = clips.remove(&place(name)) else {
                let source = format!("{} line {}", side_file.path(), line.line());
                harvest.missing(format!("{part}/{path}"), source);
                continue;
            };
            match row(&fields, &line, name, part) {
                Ok(row) => harvest.row(fields.file, row),
                Err(message) => harvest.contradiction(fields.file, message),
            }
        }
        for fields in clips.into_values() {
            harvest.contradiction(
                fields.file,
                format!("{} has no row for it", side_file.path()),
            );
        }
    }
    Ok(())
}

/// 301 names have a space before the letter, which some tools replace by `_`.
fn place(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "_")
}

fn row(fields: &Fields<'_>, line: &TableRow<'_>, name: &str, part: &str) -> Result<Row, String> {
    let [dialogue, first, second, letter] =
        ["dialogue", "first", "second", "letter"].map(|group| fields[group].to_ascii_lowercase());
    let folder = fields["folder"].to_ascii_lowercase();
    let mut of_folder: Vec<&str> = folder.split('_').collect();
    let mut of_name = [dialogue.as_str(), &first, &second];
    of_folder.sort_unstable();
    of_name.sort_unstable();
    if of_folder != of_name {
        return Err(format!(
            "the folder says {folder}, the name {dialogue}_{first}_{second}"
        ));
    }
    let Some(role) = [&first, &second]
        .into_iter()
        .find(|emotion| emotion.starts_with(&letter))
    else {
        return Err(format!(
            "letter {letter} is the initial of neither {first} nor {second}"
        ));
    };
    let emo = line.get("emotion").to_ascii_lowercase();
    if emo != *role {
        return Err(format!(
            "the name says {role}, {part}.csv line {} says {emo}",
            line.line()
        ));
    }
    let row = Row::new(name, emo)
        .speaker(format!("{dialogue}-{role}"))
        .published_speaker(name)
        .split(part);
    Ok(match line.some("text") {
        Some(text) => row.text(text),
        None => row,
    })
}
