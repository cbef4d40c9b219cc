//! Oréau: everything but the gender is in the file name, `10a02Ja.wav`. The accent of the folder may be composed,
//! decomposed or garbled, so nothing depends on it.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "oreau",
        title: "Oreau",
        full_name: "French emotional speech database Oréau",
        languages: &["French"],
        source: Source::Act,
        recording: "32 speakers, 7 women and 25 men, act sentences in six emotions and a neutral voice.",
        table1: Table1 {
            classes: 7,
            speakers: Some(32),
            utterances: 434,
            hours: 0.3,
        },
        labels: &[
            ("C", "Angry"),
            ("T", "Sad"),
            ("J", "Happy"),
            ("P", "Fear"),
            ("D", "Disgust"),
            ("S", "Surprise"),
            ("N", "Neutral"),
        ],
        licence: "CC BY 4.0",
        access: Access::Open {
            page: "https://zenodo.org/records/4405783",
            archives: &[],
        },
        homepage: "https://zenodo.org/records/4405783",
        citation: "Kerkeni, Cleder, Serrestou, Raoof: French emotional speech database - Oréau. Zenodo 4405783, 2020",
        layout: "OréauFR_02/\n  f/                    women\n    sessj/10a02Ja.wav   speaker 10, sentence a02, J = joie, version a\n    sessc/  sessd/  sessn/  sessp/  sesss/  sesst/\n  m/                    men, the same folders",
        audio: "wav, 44.1 kHz, 16 bit; channel 1 is used",
        expected: &[("", 434)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "only OréauFR_02 is used, as in the published metadata; OréauFR_01 is left out by rule",
            "the published paths have the é decomposed (e and U+0301); keys do not contain it",
            "all 29 speakers of the published test list are in its train list; a speaker has 7 to 37 utterances",
            "sentence codes are read as per emotion; z03 and z04 occur once each",
        ],
    },
    grammar: &[
        r"(?P<first>Or[^/]{1,8}auFR_01)/(?:[^/]+/)*[^/]+\.wav",
        r"(?:(?:(?P<gender>[fm])/)?sess(?P<folder>[cdjnpst])/)?(?P<speaker>\d{2})(?P<text>[az]\d{2})(?P<emotion>[CDJNPST])a\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    if fields.has("first") {
        return PathOutcome::LeaveOut("OréauFR_01: the published corpus uses OréauFR_02");
    }
    // The French initials of colère, dégoût, joie, neutre, peur, surprise and tristesse.
    let emo = fields["emotion"].to_ascii_uppercase();
    let folder = &fields["folder"];
    if fields.has("folder") && !folder.eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!("the folder says sess{folder}, the name {emo}"));
    }
    let speaker = &fields["speaker"];
    let text = fields["text"].to_ascii_lowercase();
    Row::new(format!("{speaker}{text}{emo}a"), emo.as_str())
        .speaker(speaker)
        .gender(Gender::parse(&fields["gender"]))
        .text(format!("{emo} {text}"))
        .into()
}
