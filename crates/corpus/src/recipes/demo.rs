//! The built-in synthetic corpus of the crate `demo`: `<speaker>/<speaker>_<emotion>_<nn>.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "demo",
        title: "Demo",
        full_name: "built-in synthetic demonstration corpus",
        languages: &[],
        source: Source::Synthetic,
        recording: "Vowel-like sounds from a source-filter synthesiser: voices differ by speaker, prosody and voice \
                    quality by emotion. No speech; scores on it are no benchmark result.",
        table1: Table1 {
            classes: 4,
            speakers: None,
            utterances: 0,
            hours: 0.0,
        },
        labels: &[
            ("angry", "Angry"),
            ("happy", "Happy"),
            ("neutral", "Neutral"),
            ("sad", "Sad"),
        ],
        licence: "made by this program; no rights reserved",
        access: Access::BuiltIn,
        homepage: "",
        citation: "",
        layout: "<speaker>/\n  <speaker>_<emotion>_<nn>.wav",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[],
        scale: None,
        folds: PublishedFolds::NotPublished,
        differences: &[],
        notes: &["made by `emobox demo`; no part of the published benchmark"],
    },
    grammar: &[
        r"(?P<folder>[a-z0-9]+)/(?P<speaker>[a-z0-9]+)_(?P<emotion>angry|happy|neutral|sad)_(?P<number>\d{2,4})\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let speaker = fields["speaker"].to_ascii_lowercase();
    if !fields["folder"].eq_ignore_ascii_case(&speaker) {
        return PathOutcome::Contradiction(format!(
            "the folder says {}, the name {speaker}",
            &fields["folder"]
        ));
    }
    let gender = Gender::parse(&speaker[..1]);
    let id = fields.file.stem().to_ascii_lowercase();
    Row::new(id, fields["emotion"].to_ascii_lowercase())
        .speaker(speaker)
        .gender(gender)
        .text(&fields["number"])
        .into()
}
