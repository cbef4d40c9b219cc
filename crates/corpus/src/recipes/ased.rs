//! ASED: everything is in the folder and the file name, `n1-02-01-01-33.wav`.

use crate::card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "ased",
        title: "ASED",
        full_name: "Amharic Speech Emotion Dataset",
        languages: &["Amharic"],
        source: Source::Act,
        recording: "65 volunteers speak sentences in four dialects of Amharic (Gojjam, Wollo, Shewa, Gonder) and five \
                    emotions; eight judges label each recording.",
        table1: Table1 {
            classes: 5,
            speakers: Some(65),
            utterances: 2474,
            hours: 2.1,
        },
        labels: &[
            ("n", "Neutral"),
            ("f", "Fear"),
            ("h", "Happy"),
            ("s", "Sad"),
            ("S", "Sad"),
            ("a", "Angry"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://github.com/Ethio2021/ASED_V1",
            archives: &[Archive {
                address: "https://github.com/Ethio2021/ASED_V1/archive/refs/heads/main.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://github.com/Ethio2021/ASED_V1",
        citation: "Retta, Almekhlafi, Sutcliffe, Mhamed, Ali, Feng: A New Amharic Speech Emotion Dataset and Classification Benchmark. ACM Transactions on Asian and Low-Resource Language Information Processing 22 (1), 2023",
        layout: "01Neutral/\n  n1-02-01-01-33.wav   n and 1 = neutral, sentence 02, repetition 01, woman, speaker 33\n02Fearful/\n03Happy/\n04Sad/\n05Angry/",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[
            ("01Neutral", 522),
            ("02Fearful", 510),
            ("03Happy", 486),
            ("04Sad", 470),
            ("05Angry", 486),
        ],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[Difference {
            field: "label",
            published: "S for S4-04-02-01-29, a class of its own in the stratified draw",
            ours: "s, as every other sad recording",
        }],
        notes: &[
            "the gender code of one recording each of the speakers 09, 15, 21, 23 and 25 says man, all their others say woman; gender is woman here",
            "all 63 speakers of the published test list are in its train list",
        ],
    },
    grammar: &[
        r"(?P<folder>0[1-5](?:Neutral|Fearful|Happy|Sad|Angry))/(?P<emotion>[nfhsa])(?P<code>[1-5])-(?P<sentence>\d{2})-(?P<repetition>\d{2})-(?P<gender>0[12])-(?P<speaker>\d{2})\.wav",
    ],
    recipe: Recipe::Paths(read),
};

/// The one name whose published key has a capital letter.
const CAPITAL: &str = "s4-04-02-01-29";

fn read(fields: &Fields<'_>) -> PathOutcome {
    let emo = fields["emotion"].to_ascii_lowercase();
    let (folder, code) = (&fields["folder"], &fields["code"]);
    let expected = match emo.as_str() {
        "n" => "1",
        "f" => "2",
        "h" => "3",
        "s" => "4",
        _ => "5",
    };
    if code != expected || &folder[1..2] != code || !folder[2..3].eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!(
            "the folder says {folder}, the name {emo}{code}"
        ));
    }
    let (sentence, speaker) = (&fields["sentence"], &fields["speaker"]);
    let gender = match (speaker, &fields["gender"]) {
        ("09" | "15" | "21" | "23" | "25", _) | (_, "01") => Gender::Female,
        _ => Gender::Male,
    };
    let name = fields.file.stem().to_ascii_lowercase();
    let row = if name == CAPITAL {
        Row::new("S4-04-02-01-29", emo).published_emo("S")
    } else {
        Row::new(name, emo)
    };
    // Sentences are numbered within an emotion.
    row.speaker(speaker)
        .gender(gender)
        .text(format!("{code}-{sentence}"))
        .into()
}
