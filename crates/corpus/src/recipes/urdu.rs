//! URDU: talk-show clips, everything is in the file name, `S<M|F><speaker>_F<file>_<letter><number>.wav`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "urdu",
        title: "URDU",
        full_name: "URDU-Dataset",
        languages: &["Urdu"],
        source: Source::TalkShow,
        recording: "400 clips of Urdu talk shows, cut from video and labelled by listeners; four emotions, 100 clips each.",
        table1: Table1 {
            classes: 4,
            speakers: Some(29),
            utterances: 400,
            hours: 0.3,
        },
        labels: &[
            ("A", "Angry"),
            ("H", "Happy"),
            ("N", "Neutral"),
            ("S", "Sad"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://github.com/siddiquelatif/URDU-Dataset",
            archives: &[Archive {
                address: "https://github.com/siddiquelatif/URDU-Dataset/archive/refs/heads/master.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://github.com/siddiquelatif/URDU-Dataset",
        citation: "Latif, Qayyum, Usman, Qadir: Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages. FIT 2018",
        layout: "Angry/\n  SM1_F1_A01.wav   speaker SM1 (M man, F woman), file 1, A = angry\nHappy/\nNeutral/\nSad/\n  …                100 files each",
        audio: "wav, 44.1 kHz, 16 bit",
        expected: &[
            ("Angry", 100),
            ("Happy", 100),
            ("Neutral", 100),
            ("Sad", 100),
        ],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "18 of the 19 speakers of the published test list are in its train list (98 of 100 test utterances)",
        ],
    },
    grammar: &[
        r"(?P<folder>Angry|Happy|Neutral|Sad)/(?P<speaker>S(?P<gender>[MF])\d{1,2})_F(?P<file>\d{1,2})_(?P<emotion>[AHNS])\d{2,4}\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let emo = fields["emotion"].to_ascii_uppercase();
    let folder = &fields["folder"];
    if !folder[..1].eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {emo}"));
    }
    Row::new(fields.file.stem(), emo)
        .speaker(fields["speaker"].to_ascii_uppercase())
        .gender(Gender::parse(&fields["gender"]))
        .into()
}
