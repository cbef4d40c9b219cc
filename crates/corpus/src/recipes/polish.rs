//! Emotions in Polish speech recordings: everything is in the file name, `m3.s_trzymaj_5.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "polish",
        title: "Polish",
        full_name: "Emotions in Polish speech recordings",
        languages: &["Polish"],
        source: Source::Act,
        recording: "Five men of 21 to 23 years speak six words with anger, with fear and in a neutral voice, five times each.",
        table1: Table1 {
            classes: 3,
            speakers: Some(5),
            utterances: 450,
            hours: 0.1,
        },
        labels: &[("a", "Angry"), ("n", "Neutral"), ("s", "Fear")],
        licence: "unknown",
        access: Access::Open {
            page: "https://mostwiedzy.pl/en/open-research-data/emotions-in-polish-speech-recordings,11190523461146169-0",
            archives: &[],
        },
        homepage: "https://doi.org/10.34808/h46c-hb44",
        citation: "Mięsikowska, Świsulski: Emotions in Polish speech recordings. Gdańsk University of Technology, 2020",
        layout: "m3.s_trzymaj_5.wav   speaker m3, s = strach (fear), the word `trzymaj`, fifth time\n…                    450 files",
        audio: "wav, 44.1 kHz, 16 bit, mono",
        expected: &[("", 450)],
        scale: None,
        folds: PublishedFolds::LeaveOneSpeakerOut(&["m3", "m2", "m4", "m5", "m1"]),
        differences: &[],
        notes: &[
            "`s` is the Polish strach, fear, not sadness",
            "all five speak the same six words, so train and test share the texts",
            "clips are short: 0.5 s to 1.6 s",
        ],
    },
    grammar: &[
        r"(?P<speaker>m[1-5])\.(?P<emotion>[ans])_(?P<word>nie|oddaj|podaj|stop|tak|trzymaj)_(?P<repetition>[1-5])\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let lower = |group: &str| fields[group].to_ascii_lowercase();
    Row::new(fields.file.stem().to_ascii_lowercase(), lower("emotion"))
        .speaker(lower("speaker"))
        .gender(Gender::Male)
        .text(lower("word"))
        .into()
}
