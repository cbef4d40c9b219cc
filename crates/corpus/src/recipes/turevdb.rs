//! TurEV-DB: everything is in the file name, `1984_sk_eger.wav`; the emotion is a folder too.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "turevdb",
        title: "TurEV-DB",
        full_name: "Turkish Emotion-Voice Database",
        languages: &["Turkish"],
        source: Source::Act,
        recording: "Six amateur actors speak single words in four emotions.",
        table1: Table1 {
            classes: 4,
            speakers: Some(6),
            utterances: 1735,
            hours: 0.5,
        },
        labels: &[
            ("Calm", "Calm"),
            ("Happy", "Happy"),
            ("Sad", "Sad"),
            ("Angry", "Angry"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://github.com/Xeonen/TurEV-DB",
            archives: &[Archive {
                address: "https://github.com/Xeonen/TurEV-DB/archive/8a998e44fc3dbc7a9e6328e83a2e3aa9a2c22c2f.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://github.com/Xeonen/TurEV-DB",
        citation: "Canpolat, Ormanoğlu, Zeyrek: Turkish Emotion Voice Database (TurEV-DB). SLTU-CCURL 2020",
        layout: "Sound Source/\n  Calm/1984_sk_eger.wav   speaker 1984, sk = calm, the word `eger`\n  Angry/  Happy/  Sad/    kz, mt, hl",
        audio: "wav, 44.1 kHz, 16 bit, mono",
        expected: &[("", 1735)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "speaker 1157 has no calm and no happy utterance, 7895 has 29 happy ones",
            "the repository also has filtered copies of recordings (Model Output for Test Data), which are left out by rule",
            "7895_hl_ogul1.wav is the only name with a digit after the word",
            "all six speakers of the published test list are in its train list",
        ],
    },
    grammar: &[
        r"(?P<output>Model Output for Test Data)/(?:[^/]+/)*[^/]+",
        r"(?:(?P<folder>Angry|Calm|Happy|Sad)/)?(?P<speaker>\d{4})_(?P<code>kz|hl|sk|mt)_(?P<word>[a-z]+)1?\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    if fields.has("output") {
        return PathOutcome::LeaveOut("Model Output for Test Data: filtered copies of recordings");
    }
    // Abbreviations of the Turkish kızgın, sakin, mutlu and hüzünlü.
    let emo = match fields["code"].to_ascii_lowercase().as_str() {
        "kz" => "Angry",
        "sk" => "Calm",
        "mt" => "Happy",
        _ => "Sad",
    };
    let folder = &fields["folder"];
    if fields.has("folder") && !folder.eq_ignore_ascii_case(emo) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {emo}"));
    }
    // The published key is the whole name with the extension of the release, even if this copy has another.
    let id = format!("{}.wav", fields.file.stem().to_ascii_lowercase());
    Row::new(id, emo)
        .speaker(&fields["speaker"])
        .text(fields["word"].to_ascii_lowercase())
        .into()
}
