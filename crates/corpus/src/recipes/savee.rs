//! SAVEE: everything is in the file name, `JE_n23.wav`, or in the folder and the file name, `JE/n23.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "savee",
        title: "SAVEE",
        full_name: "Surrey Audio-Visual Expressed Emotion database",
        languages: &["English"],
        source: Source::Act,
        recording: "Four men of the University of Surrey speak sentences of TIMIT in six emotions and a neutral voice.",
        table1: Table1 {
            classes: 7,
            speakers: Some(4),
            utterances: 480,
            hours: 0.5,
        },
        labels: &[
            ("a", "Angry"),
            ("d", "Disgust"),
            ("f", "Fear"),
            ("h", "Happy"),
            ("n", "Neutral"),
            ("sa", "Sad"),
            ("su", "Surprise"),
        ],
        licence: "unknown",
        access: Access::Request {
            page: "http://kahlan.eps.surrey.ac.uk/savee/",
            how: "register on that page",
        },
        homepage: "http://kahlan.eps.surrey.ac.uk/savee/",
        citation: "Haq, Jackson: Speaker-dependent audio-visual emotion recognition. AVSP 2009",
        layout: "JE_n23.wav      speaker JE, neutral, sentence 23; 480 files\nor AudioData/\n  JE/n23.wav    120 files\n  DC/  JK/  KL/",
        audio: "wav, 44.1 kHz, 16 bit, mono",
        expected: &[("", 480)],
        scale: None,
        folds: PublishedFolds::LeaveOneSpeakerOut(&["JE", "KL", "DC", "JK"]),
        differences: &[],
        notes: &[
            "30 neutral sentences and 15 of each other class for each speaker",
            "the sentences of an emotion are the same for all four, so train and test share texts; the text is emotion and number, so a sentence that several emotions share has several codes",
        ],
    },
    grammar: &[
        r"(?P<speaker>DC|JE|JK|KL)[_/](?P<emotion>a|d|f|h|n|sa|su)(?P<number>0[1-9]|[12]\d|30)\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let emo = fields["emotion"].to_ascii_lowercase();
    let number = &fields["number"];
    if emo != "n" && number > "15" {
        return PathOutcome::Contradiction(format!(
            "sentence {number} of {emo}, which has 15 sentences"
        ));
    }
    let speaker = fields["speaker"].to_ascii_uppercase();
    let text = format!("{emo}{number}");
    Row::new(format!("{speaker}-{text}"), emo)
        .speaker(speaker)
        .gender(Gender::Male)
        .text(text)
        .into()
}
