//! SUBESCO: everything is in the file name, `F_10_FAHMEE_S_6_FEAR_5.wav`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "subesco",
        title: "SUBESCO",
        full_name: "SUST Bangla Emotional Speech Corpus",
        languages: &["Bangla"],
        source: Source::Act,
        recording: "Ten women and ten men, actors, speak ten sentences in six emotions and a neutral voice, five times each.",
        table1: Table1 {
            classes: 7,
            speakers: Some(20),
            utterances: 7000,
            hours: 7.8,
        },
        labels: &[
            ("fear", "Fear"),
            ("disgust", "Disgust"),
            ("surprise", "Surprise"),
            ("neutral", "Neutral"),
            ("happy", "Happy"),
            ("angry", "Angry"),
            ("sad", "Sad"),
        ],
        licence: "CC BY 4.0",
        access: Access::Open {
            page: "https://zenodo.org/records/4526477",
            archives: &[Archive {
                address: "https://zenodo.org/records/4526477/files/SUBESCO.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://zenodo.org/records/4526477",
        citation: "Sultana, Rahman, Selim, Iqbal: SUST Bangla Emotional Speech Corpus (SUBESCO): An audio-only emotional speech corpus for Bangla. PLOS ONE 16 (4), 2021",
        layout: "F_10_FAHMEE_S_6_FEAR_5.wav   woman 10, her name, sentence 6 of 10, fear, take 5 of 5\n…                            7000 files",
        audio: "wav; 4555 files 44.1 kHz, 2445 files 48 kHz",
        expected: &[("", 7000)],
        scale: None,
        folds: PublishedFolds::SpeakerLists(&[
            &["Female-03", "Male-03", "Male-08", "Male-09"],
            &["Female-01", "Female-04", "Female-10", "Male-07"],
            &["Female-06", "Female-08", "Male-05", "Male-06"],
            &["Female-05", "Female-07", "Female-09", "Male-04"],
            &["Female-02", "Male-01", "Male-02", "Male-10"],
        ]),
        differences: &[],
        notes: &[
            "F_02_MONIKA_S_2_SURPRISE_3].wav is a slip of the release; its key keeps the bracket, as published, also when the file is renamed",
            "all twenty speak the same ten sentences, so train and test share the texts",
            "the published partition has 5 folds where the paper's rule says 4; of 4 test speakers 1, 3, 2, 3, 1 are women",
        ],
    },
    grammar: &[
        r"(?P<gender>[FM])_(?P<number>0[1-9]|10)_(?P<name>[A-Z]+)_S_(?P<sentence>[1-9]|10)_(?P<emotion>ANGRY|DISGUST|FEAR|HAPPY|NEUTRAL|SAD|SURPRISE)_(?P<take>[1-5])\]?\.wav",
    ],
    recipe: Recipe::Paths(read),
};

/// The one file whose name, and therefore its published key, ends in a bracket.
const BRACKETED: &str = "F_02_MONIKA_S_2_SURPRISE_3";

fn read(fields: &Fields<'_>) -> PathOutcome {
    let stem = fields.file.stem().to_ascii_uppercase();
    let mut id = stem.trim_end_matches(']').to_owned();
    if id == BRACKETED {
        id.push(']');
    }
    let gender = Gender::parse(&fields["gender"]);
    let kind = if gender == Some(Gender::Female) {
        "Female"
    } else {
        "Male"
    };
    Row::new(id, fields["emotion"].to_ascii_lowercase())
        .speaker(format!("{kind}-{}", &fields["number"]))
        .gender(gender)
        .text(&fields["sentence"])
        .into()
}
