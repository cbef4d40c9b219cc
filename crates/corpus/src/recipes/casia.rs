//! CASIA: speaker and emotion are folders, the sentence is the file name, `wangzhe/angry/201.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "casia",
        title: "CASIA",
        full_name: "CASIA Chinese emotional speech corpus",
        languages: &["Mandarin"],
        source: Source::Act,
        recording: "Four speakers read the same 50 sentences in six emotions: the part in circulation of a larger corpus of \
                    the Institute of Automation, Chinese Academy of Sciences.",
        table1: Table1 {
            classes: 6,
            speakers: Some(4),
            utterances: 1200,
            hours: 0.6,
        },
        labels: &[
            ("neutral", "Neutral"),
            ("angry", "Angry"),
            ("surprise", "Surprise"),
            ("sad", "Sad"),
            ("happy", "Happy"),
            ("fear", "Fear"),
        ],
        licence: "unknown",
        access: Access::Request {
            page: "http://www.chineseldc.org/",
            how: "the full corpus is licensed by the Chinese Linguistic Data Consortium; the part used here has no official page",
        },
        homepage: "http://www.chineseldc.org/",
        citation: "Institute of Automation, Chinese Academy of Sciences: CASIA Chinese emotional speech corpus",
        layout: "liuchanhg/\n  angry/201.wav    sentence 201 to 250\n  fear/  happy/  neutral/  sad/  surprise/\nwangzhe/\nzhaoquanyin/\nzhaozuoxiang/",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[
            ("liuchanhg", 300),
            ("wangzhe", 300),
            ("zhaoquanyin", 300),
            ("zhaozuoxiang", 300),
        ],
        scale: None,
        folds: PublishedFolds::LeaveOneSpeakerOut(&[
            "wangzhe",
            "zhaozuoxiang",
            "liuchanhg",
            "zhaoquanyin",
        ]),
        differences: &[],
        notes: &[
            "`liuchanhg` is spelled so in the release",
            "all four speak the same 50 sentences, so train and test share the texts",
        ],
    },
    grammar: &[
        r"(?P<speaker>liuchanhg|wangzhe|zhaoquanyin|zhaozuoxiang)/(?P<emotion>angry|fear|happy|neutral|sad|surprise)/(?P<sentence>2(?:0[1-9]|[1-4]\d|50))\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let [speaker, emo] = ["speaker", "emotion"].map(|group| fields[group].to_ascii_lowercase());
    let sentence = &fields["sentence"];
    Row::new(format!("{sentence}-{speaker}-{emo}"), emo)
        .speaker(speaker)
        .text(sentence)
        .into()
}
