//! ASVP-ESD: everything is in the file name, eight to twelve numbers joined by dashes.

use crate::card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "asvpesd",
        title: "ASVP-ESD",
        full_name: "Audio, Speech and Vision Processing Lab Emotional Sound database",
        languages: &["Mandarin", "English", "others"],
        source: Source::Media,
        recording: "Speech and non-speech sounds (laughs, cries, sighs) from films, shows and the web, labelled by vote of \
                    several annotators at the South China University of Technology.",
        table1: Table1 {
            classes: 12,
            speakers: Some(131),
            utterances: 13_964,
            hours: 18.0,
        },
        labels: &[
            ("01", "Boredom"),
            ("02", "Neutral"),
            ("03", "Happy"),
            ("04", "Sad"),
            ("05", "Angry"),
            ("06", "Fear"),
            ("07", "Disgust"),
            ("08", "Surprise"),
            ("09", "Excited"),
            ("10", "pleasure"),
            ("11", "pain, groan"),
            ("12", "disappointment, disapproval"),
            ("13", "breath"),
            ("17", "UnKnown"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://zenodo.org/record/7132783",
            archives: &[Archive {
                address: "https://zenodo.org/record/7132783/files/ASVP-ESD-Update.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://zenodo.org/record/7132783",
        citation: "Tientcheu Touko Landry, He, Yan, Li: ASVP-ESD: A dataset and its benchmark for emotion recognition using both speech and non-speech utterances. Global Scientific Journals 8, 2020",
        layout: "Audio/\n  actor_36/\n    03-01-09-01-06-36-02-02-02.wav   01 speech (02 not speech), emotion 09, actor 36\n  actor_/                            without a number: the name says which actor\nBonus/\n  actor_150/\n  actor_200/",
        audio: "wav, 16 kHz, 16 bit, mono; 0.14 s to 86 s",
        expected: &[("Audio", 12_625), ("Bonus", 1339)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[Difference {
            field: "rows",
            published: "one utterance of label 17 (UnKnown), alone in its class and therefore never tested",
            ours: "left out",
        }],
        notes: &[
            "8824 of the 13,964 files are no speech: cries, laughs, breath (second number of the name 02)",
            "label 04 of Bonus is 1180 cries, most of them of babies; actor 150 alone has 1073 files",
            "Table 1 of the paper prints 12 classes; the published folds have 14, with 13 (breath) and 17",
            "the folder names another actor than the file in 187 files (171 lie in `actor_` without a number); the file name is taken, as in the published metadata",
            "gender is the parity of the actor's number, as the release defines it; the crowds 150 and 200 have none",
            "the language number of the name is used inconsistently, so no language is given",
            "all 130 speakers of the published test list are in its train list",
            "7 files are longer than 30 s",
        ],
    },
    grammar: &[
        r"actor_\d*/03-0[12]-(?P<emotion>\d{2})-\d+-\d+-(?P<speaker>\d{2,3})-\d+-\d+(?: ?-\d+)*\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let (emo, speaker) = (&fields["emotion"], &fields["speaker"]);
    let gender = match speaker.parse() {
        Ok(150 | 200) | Err(_) => None,
        Ok(number) if number % 2 == 0 => Some(Gender::Male),
        Ok(_) => Some(Gender::Female),
    };
    let row = Row::new(fields.file.stem(), emo)
        .speaker(speaker)
        .gender(gender);
    if emo == "17" {
        row.only_as_published("label 17 (UnKnown) has one utterance in the whole corpus")
            .into()
    } else {
        row.into()
    }
}
