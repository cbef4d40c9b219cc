//! AESDD: everything is in the folder and the file name, `a06 (5)b.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "aesdd",
        title: "AESDD",
        full_name: "Acted Emotional Speech Dynamic Database",
        languages: &["Greek"],
        source: Source::Act,
        recording: "Professional actors speak 19 lines of theatrical plays and one improvised line in each of five \
                    emotions; the Aristotle University of Thessaloniki adds speakers over time.",
        table1: Table1 {
            classes: 5,
            speakers: Some(5),
            utterances: 604,
            hours: 0.7,
        },
        labels: &[
            ("a", "Angry"),
            ("h", "Happy"),
            ("f", "Fear"),
            ("s", "Sad"),
            ("d", "Disgust"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
            archives: &[],
        },
        homepage: "http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
        citation: "Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris: Speech Emotion Recognition for Performance Interaction. Journal of the Audio Engineering Society 66 (6), 2018",
        layout: "anger/\n  a06 (5)b.wav     a = anger, sentence 06, speaker 5, take b\ndisgust/\nfear/\nhappiness/\nsadness/\n  …                about 121 files each",
        audio: "wav, 44.1 kHz, mono",
        expected: &[
            ("anger", 121),
            ("disgust", 122),
            ("fear", 120),
            ("happiness", 119),
            ("sadness", 122),
        ],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "Table 1 of the paper prints 5 speakers; the data have 6",
            "five names write the speaker as (01) where the others write (1); the key keeps the spelling, the speaker does not",
            "speaker 5 has two takes, a and b, of some sentences: the same words by the same voice",
            "sentence 20 is improvised, each speaker's own, so it has no text",
            "all 6 speakers of the published test list are in its train list",
        ],
    },
    grammar: &[
        r"(?P<folder>anger|disgust|fear|happiness|sadness)/(?P<emotion>[adfhs])(?P<sentence>\d{2}) ?\((?P<number>0?(?P<speaker>[1-9]\d?))\)(?P<take>[a-z]?)\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let emo = fields["emotion"].to_ascii_lowercase();
    let folder = &fields["folder"];
    if !folder[..1].eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {emo}"));
    }
    let (sentence, number) = (&fields["sentence"], &fields["number"]);
    let take = fields["take"].to_ascii_lowercase();
    let row = Row::new(format!("{emo}{sentence}-{number}{take}"), emo).speaker(&fields["speaker"]);
    if sentence == "20" {
        row.into()
    } else {
        row.text(sentence).into()
    }
}
