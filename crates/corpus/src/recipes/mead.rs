//! MEAD: speaker, emotion and level are folders, `M003/audio/angry/level_1/001.m4a`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "mead",
        title: "MEAD",
        full_name: "MEAD: Multi-view Emotional Audio-visual Dataset",
        languages: &["English"],
        source: Source::Act,
        recording: "Actors, 27 men and 21 women in this part, speak English sentences in seven emotions at three levels and in \
                    a neutral voice, filmed from seven sides for talking faces.",
        table1: Table1 {
            classes: 8,
            speakers: Some(48),
            utterances: 31_729,
            hours: 37.3,
        },
        labels: &[
            ("neutral", "Neutral"),
            ("angry", "Angry"),
            ("contempt", "Contempt"),
            ("disgusted", "Disgust"),
            ("fear", "Fear"),
            ("happy", "Happy"),
            ("sad", "Sad"),
            ("surprised", "Surprise"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://github.com/uniBruce/Mead",
            archives: &[],
        },
        homepage: "https://wywu.github.io/projects/MEAD/MEAD.html",
        citation: "Wang, Wu, Song, Yang, Wu, Qian, He, Qiao, Loy: MEAD: A Large-scale Audio-visual Dataset for Emotional Talking-face Generation. ECCV 2020",
        layout: "M003/                    M men, W women\n  audio/\n    angry/\n      level_1/001.m4a    level 1 of 3, clip 1\n      level_2/  level_3/\n    contempt/  disgusted/  fear/  happy/  sad/  surprised/\n    neutral/level_1/     only this level\n  video/                 not used\nM005/ … W040/            48 speakers",
        audio: "m4a (AAC), 48 kHz, 12 files 44.1 kHz; channel 1 is used",
        expected: &[
            ("M003/audio", 667),
            ("M005/audio", 662),
            ("M007/audio", 648),
            ("M009/audio", 625),
            ("M011/audio", 667),
            ("M012/audio", 665),
            ("M013/audio", 670),
            ("M019/audio", 663),
            ("M022/audio", 667),
            ("M023/audio", 659),
            ("M024/audio", 664),
            ("M025/audio", 667),
            ("M026/audio", 667),
            ("M027/audio", 664),
            ("M028/audio", 663),
            ("M029/audio", 667),
            ("M030/audio", 660),
            ("M031/audio", 663),
            ("M032/audio", 667),
            ("M033/audio", 659),
            ("M034/audio", 667),
            ("M035/audio", 667),
            ("M037/audio", 663),
            ("M039/audio", 667),
            ("M040/audio", 667),
            ("M041/audio", 663),
            ("M042/audio", 667),
            ("W009/audio", 656),
            ("W011/audio", 663),
            ("W014/audio", 663),
            ("W015/audio", 664),
            ("W016/audio", 667),
            ("W017/audio", 667),
            ("W018/audio", 667),
            ("W019/audio", 663),
            ("W021/audio", 660),
            ("W023/audio", 652),
            ("W024/audio", 644),
            ("W025/audio", 661),
            ("W026/audio", 663),
            ("W028/audio", 657),
            ("W029/audio", 665),
            ("W033/audio", 623),
            ("W035/audio", 667),
            ("W036/audio", 641),
            ("W037/audio", 657),
            ("W038/audio", 667),
            ("W040/audio", 667),
        ],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "the videos are left out by rule; only the audio folders are needed",
            "the number of a clip is not known to be the same sentence for every speaker, so there is no text",
            "all 48 speakers of the published test list are in its train list; they have 623 to 670 clips each, so folds by speaker would be possible",
            "the published lengths at 48 kHz are whole AAC frames of 1024 samples: the encoder's delay is not cut off",
        ],
    },
    grammar: &[
        r"(?P<speaker>(?P<gender>[MW])\d{3})/audio/(?P<emotion>angry|contempt|disgusted|fear|happy|neutral|sad|surprised)/level_(?P<level>[123])/(?P<number>\d{3})\.m4a",
        r"(?P<video>[MW]\d{3}/video)/(?:[^/]+/)*[^/]+",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    if fields.has("video") {
        return PathOutcome::LeaveOut("video: the published corpus uses the audio files");
    }
    let emo = fields["emotion"].to_ascii_lowercase();
    let level = &fields["level"];
    if emo == "neutral" && level != "1" {
        return PathOutcome::Contradiction(format!(
            "neutral has level 1 only, the folder says {level}"
        ));
    }
    let speaker = fields["speaker"].to_ascii_uppercase();
    let id = format!("{speaker}-{emo}-level-{level}-{}", &fields["number"]);
    Row::new(id, emo)
        .speaker(speaker)
        .gender(Gender::parse(&fields["gender"]))
        .into()
}
