//! MESD: everything but the person is in the file name, `Anger_F_A_tarde.wav`.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "mesd",
        title: "MESD",
        full_name: "Mexican Emotional Speech Database",
        languages: &["Spanish"],
        source: Source::Act,
        recording: "Women, men and children from Mexico speak single words (and a few of two words) in five emotions and a \
                    neutral voice.",
        table1: Table1 {
            classes: 6,
            speakers: Some(11),
            utterances: 862,
            hours: 0.2,
        },
        labels: &[
            ("Anger", "Angry"),
            ("Sadness", "Sad"),
            ("Disgust", "Disgust"),
            ("Fear", "Fear"),
            ("Neutral", "Neutral"),
            ("Happiness", "Happy"),
        ],
        licence: "CC BY 4.0",
        access: Access::Open {
            page: "https://data.mendeley.com/datasets/cy34mh68j9/5",
            archives: &[],
        },
        homepage: "https://doi.org/10.17632/cy34mh68j9.5",
        citation: "Duville, Alonso-Valerdi, Ibarra: Mexican Emotional Speech Database (MESD). Mendeley Data, V5, 2022",
        layout: "Mexican Emotional Speech Database (MESD)/\n  Anger_F_A_tarde.wav   anger, voice (F woman, M man, C child), word list A, `tarde`\n  …                     862 files",
        audio: "wav, 48 kHz, 24 bit, mono",
        expected: &[("", 862)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[Difference {
            field: "speaker",
            published: "the kind of voice: Female, Male or Child",
            ours: "none: the file names do not say which of the 11 persons of a kind of voice speaks",
        }],
        notes: &[
            "no partition can be known to be speaker-disjoint",
            "of the child's voices the word list A has one word less in anger and in neutral: 862 files, not 864",
            "children have no gender in the manifest",
            "clips are short: 0.2 s to 2.5 s",
        ],
    },
    grammar: &[
        r"(?P<emotion>Anger|Disgust|Fear|Happiness|Neutral|Sadness)_(?P<voice>[FMC])_(?P<list>[AB])_(?P<word>[^/]+)\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let emo = match fields["emotion"].to_ascii_lowercase().as_str() {
        "anger" => "Anger",
        "disgust" => "Disgust",
        "fear" => "Fear",
        "happiness" => "Happiness",
        "neutral" => "Neutral",
        _ => "Sadness",
    };
    let voice = fields["voice"].to_ascii_uppercase();
    let list = fields["list"].to_ascii_uppercase();
    let word = fields["word"].to_lowercase();
    let kind = match voice.as_str() {
        "F" => "Female",
        "M" => "Male",
        _ => "Child",
    };
    Row::new(format!("{emo}_{voice}_{list}_{word}"), emo)
        .published_speaker(kind)
        .gender(Gender::parse(kind))
        .text(word.replace('_', " "))
        .into()
}
