//! ShEMO: speaker, emotion and number are in the file name, `male/M36S02.wav`; `shemo.json` has the transcripts.

use crate::CorpusError;
use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use serde::Deserialize;
use std::collections::HashMap;

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "shemo",
        title: "ShEMO",
        full_name: "Sharif Emotional Speech Database",
        languages: &["Persian"],
        source: Source::Act,
        recording: "Utterances of 31 women and 56 men, cut from Persian radio plays; twelve annotators gave the label by \
                    majority.",
        table1: Table1 {
            classes: 6,
            speakers: Some(87),
            utterances: 2838,
            hours: 3.3,
        },
        labels: &[
            ("sad", "Sad"),
            ("neutral", "Neutral"),
            ("fearful", "Fear"),
            ("angry", "Angry"),
            ("happy", "Happy"),
            ("surprised", "Surprise"),
        ],
        licence: "unknown; free for academic purposes, as the paper says",
        access: Access::Open {
            page: "https://github.com/pariajm/sharif-emotional-speech-dataset",
            archives: &[],
        },
        homepage: "https://github.com/mansourehk/ShEMO",
        citation: "Mohamad Nezami, Jamshid Lou, Karami: ShEMO: a large-scale validated database for Persian speech emotion detection. Language Resources and Evaluation 53 (1), 2019",
        layout: "female/  F21N23.wav   woman 21, N = neutral, utterance 23\nmale/    M36S02.wav\nshemo.json            transcripts (may be absent)",
        audio: "wav; 2717 files 44.1 kHz, 121 files 22.05 kHz",
        expected: &[("", 2838)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[Difference {
            field: "rows",
            published: "162 of the 3000 utterances of shemo.json are absent, always the last numbers of a speaker and emotion",
            ours: "those 162 are used where their audio is there; they are not missed where it is not",
        }],
        notes: &[
            "fear has only 29 utterances, 7 of them in the published test list",
            "all 83 speakers of the published test list are in its train list; a speaker has 2 to 171 utterances",
        ],
    },
    grammar: &[
        r"(?:(?P<folder>female|male)/)?(?P<speaker>(?P<gender>[MF])\d{2})(?P<emotion>[AFHNSW])(?P<number>\d{2})\.wav",
    ],
    recipe: Recipe::Tree(read),
};

/// For these speakers and emotions the published metadata lack this number and all later ones.
#[rustfmt::skip]
const UNPUBLISHED_FROM: &[&str] = &[
    "F01N12", "F02N06", "F03N08", "F05N59", "F07H14", "F07N12", "F09A14", "F09N10", "F10N02", "F11N10",
    "F12N14", "F13N02", "F14N09", "F15N03", "F19S05", "F20N17", "F21A58", "F21N26", "F23N13", "F24F03",
    "F24H27", "F24N17", "F25N04", "F26N06", "F28N05", "F30H06", "F30N07", "M03A49", "M03N08", "M05A14",
    "M05N20", "M05S21", "M05W04", "M07F05", "M09N02", "M12N88", "M14N06", "M16N05", "M17N09", "M18N16",
    "M19N07", "M20A07", "M21H03", "M22N32", "M24N06", "M25N22", "M26N11", "M27N61", "M28N26", "M29N06",
    "M30N09", "M32N04", "M33N02", "M34A10", "M37N18", "M38N14", "M40N55", "M41W07", "M43N07", "M44N26",
    "M45N06", "M46N11", "M47N27", "M48N11", "M50N03", "M51N24", "M53N27", "M54N04",
];

/// One utterance of `shemo.json`, which exists in two forms: a list with ids, and a map by id.
#[derive(Debug, Deserialize)]
struct Sample {
    id: Option<String>,
    emotion: String,
    transcript: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a list of objects with the members id, emotion and transcript, or a map by id of objects with emotion and transcript"
)]
enum Samples {
    ById(HashMap<String, Sample>),
    List(Vec<Sample>),
}

impl Samples {
    fn by_id(self) -> HashMap<String, Sample> {
        match self {
            Self::ById(samples) => samples,
            Self::List(samples) => samples
                .into_iter()
                .filter_map(|sample| Some((sample.id.clone()?, sample)))
                .collect(),
        }
    }
}

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let samples = match tree.find("shemo.json") {
        Some(file) => Some(tree.read_json::<Samples>(file)?.by_id()),
        None => None,
    };
    for fields in harvest.fitting() {
        let file = fields.file;
        let (folder, gender) = (&fields["folder"], Gender::parse(&fields["gender"]));
        if fields.has("folder") && Gender::parse(folder) != gender {
            let letter = &fields["gender"];
            harvest.contradiction(file, format!("the folder says {folder}, the name {letter}"));
            continue;
        }
        let id = file.stem().to_ascii_uppercase();
        let emo = match fields["emotion"].to_ascii_uppercase().as_str() {
            "A" => "angry",
            "F" => "fearful",
            "H" => "happy",
            "N" => "neutral",
            "S" => "sad",
            _ => "surprised",
        };
        let mut row = Row::new(&id, emo)
            .speaker(fields["speaker"].to_ascii_uppercase())
            .gender(gender);
        if let Some(samples) = &samples {
            let Some(sample) = samples.get(&id) else {
                harvest.leave_out(file, "shemo.json does not list it");
                continue;
            };
            if !sample.emotion.eq_ignore_ascii_case(emo) {
                let listed = &sample.emotion;
                harvest.contradiction(file, format!("shemo.json says {listed}, the name {emo}"));
                continue;
            }
            // Some transcripts start with a byte-order mark.
            let text = sample.transcript.as_deref().unwrap_or_default();
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                row = row.text(text);
            }
        }
        if unpublished(&id) {
            row = row.not_as_published("the published metadata lack it");
        }
        harvest.row(file, row);
    }
    Ok(())
}

/// Whether an id like `F01N12` is one of [`UNPUBLISHED_FROM`] or a later one of the same speaker and emotion.
fn unpublished(id: &str) -> bool {
    const GROUP: usize = 4;
    UNPUBLISHED_FROM
        .iter()
        .any(|from| id.get(..GROUP) == from.get(..GROUP) && id >= *from)
}
