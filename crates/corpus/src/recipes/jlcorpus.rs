//! JL-Corpus: everything is in the file name, `male2_concerned_6b_1.wav`.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "jlcorpus",
        title: "JL-Corpus",
        full_name: "JL-Corpus: strictly guided simulated emotional speech in New Zealand English",
        languages: &["English"],
        source: Source::Act,
        recording: "Two women and two men, actors from New Zealand, speak five primary emotions and five secondary ones \
                    twice each.",
        table1: Table1 {
            classes: 5,
            speakers: Some(4),
            utterances: 2400,
            hours: 1.4,
        },
        labels: &[
            ("concerned", "Concerned"),
            ("apologetic", "Apologetic"),
            ("angry", "Angry"),
            ("sad", "Sad"),
            ("assertive", "Assertive"),
            ("excited", "Excited"),
            ("anxious", "Anxious"),
            ("neutral", "Neutral"),
            ("happy", "Happy"),
            ("encouraging", "Encouraging"),
        ],
        licence: "CC0 1.0 (public domain), as its Kaggle page says",
        access: Access::Open {
            page: "https://www.kaggle.com/datasets/tli725/jl-corpus",
            archives: &[],
        },
        homepage: "https://github.com/tli725/JL-Corpus",
        citation: "James, Tian, Watson: An Open Source Emotional Speech Corpus for Human Robot Interaction Applications. Interspeech 2018",
        layout: "Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/\n  male2_concerned_6b_1.wav   speaker male2, concerned, sentence 6b, first time\n  …                          2400 files",
        audio: "wav, 44.1 kHz, 16 bit, mono",
        expected: &[("", 2400)],
        scale: None,
        folds: PublishedFolds::LeaveOneSpeakerOut(&["male2", "female1", "male1", "female2"]),
        differences: &[Difference {
            field: "speaker",
            published: "the path of the folder and the speaker, `downloads/jlcorpus/…/JL(wav+txt)/male2`",
            ours: "the speaker, `male2`",
        }],
        notes: &[
            "Table 1 says 5 emotions with 2400 utterances; the data, the published label map and the published folds have 10 of 240 utterances each (the five primary ones alone are 1200)",
            "all four speak the same sentences, so train and test share the texts",
            "the text is emotion and sentence code; the transcripts in the .txt files are not read",
        ],
    },
    grammar: &[
        r"(?P<speaker>(?P<gender>(?:fe)?male)[12])_(?P<emotion>angry|anxious|apologetic|assertive|concerned|encouraging|excited|happy|neutral|sad)_(?P<sentence>(?:[1-9]|1[0-5])[ab])_(?P<repetition>[12])\.wav",
    ],
    recipe: Recipe::Paths(read),
};

/// Prefix of the published speakers: the folder on the authors' disk.
const PUBLISHED_FOLDER: &str =
    "downloads/jlcorpus/Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/";

fn read(fields: &Fields<'_>) -> PathOutcome {
    let speaker = fields["speaker"].to_ascii_lowercase();
    let emo = fields["emotion"].to_ascii_lowercase();
    let sentence = fields["sentence"].to_ascii_lowercase();
    let id = fields.file.stem().to_ascii_lowercase().replace('_', "-");
    Row::new(id, emo.as_str())
        .published_speaker(format!("{PUBLISHED_FOLDER}{speaker}"))
        .speaker(speaker)
        .gender(Gender::parse(&fields["gender"]))
        .text(format!("{emo} {sentence}"))
        .into()
}
