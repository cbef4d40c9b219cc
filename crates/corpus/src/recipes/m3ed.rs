//! M3ED: clips `<role>_<series>_<dialogue>_<utterance>.wav`, everything else in `annotation.json`; the split is by series.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, RawFile, RawTree};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "m3ed",
        title: "M3ED",
        full_name: "Multi-modal Multi-scene Multi-label Emotional Dialogue database",
        languages: &["Mandarin"],
        source: Source::Tv,
        recording: "990 dialogues of two people from 56 Chinese television series; three annotators label each utterance from \
                    video, sound and text.",
        table1: Table1 {
            classes: 7,
            speakers: Some(626),
            utterances: 24_437,
            hours: 9.8,
        },
        labels: &[
            ("Anger", "Angry"),
            ("Disgust", "Disgust"),
            ("Fear", "Fear"),
            ("Happy", "Happy"),
            ("Neutral", "Neutral"),
            ("Sad", "Sad"),
            ("Surprise", "Surprise"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://github.com/AIM3-RUC/RUCM3ED",
            archives: &[],
        },
        homepage: "https://github.com/AIM3-RUC/RUCM3ED",
        citation: "Zhao et al.: M3ED: Multi-modal Multi-scene Multi-label Emotional Dialogue Database. ACL 2022",
        layout: "annotation.json\nsplitInfo/\n  movie_list_train.txt\n  movie_list_val.txt\n  movie_list_test.txt\nmodality_speech/\n  A_anjia_1_1.wav   role A, series anjia, dialogue 1, utterance 1\n  …                 24,437 files",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[("", UTTERANCES as u32)],
        scale: None,
        folds: PublishedFolds::OfficialSplit,
        differences: &[Difference {
            field: "speaker",
            published: "three names begin with a space: ` 邱英杰`, ` 骆玉珠`, ` 阿霞`",
            ours: "the names without it",
        }],
        notes: &[
            "the clips are on a file-sharing host that the project page links; the annotation and the series lists are on the page itself",
            "the split shares no series and no speaker between train (38 series), valid (7) and test (11)",
            "rule 3 of the paper names M3ED as an example of the 25 % draw; the published fold is the official split",
            "635 series and names in the data, 626 speakers in Table 1; names such as P1 stand for people without a name and may be several within a series",
            "the annotation has 24,449 utterances; a few have no clip in the release and are left out by rule",
            "28 clips are shorter than 0.1 s, the shortest has 114 samples",
        ],
    },
    grammar: &[r"(?P<role>[AB])_(?P<series>[a-z]+)_(?P<dialogue>\d+)_(?P<utterance>\d+)\.wav"],
    recipe: Recipe::Tree(read),
};

/// Clips of a complete release.
const UTTERANCES: usize = 24_437;

/// Series → dialogue → its people and utterances.
type Annotation = BTreeMap<String, BTreeMap<String, Dialogue>>;

#[derive(Deserialize)]
struct Dialogue {
    #[serde(rename = "SpeakerInfo")]
    people: BTreeMap<String, Value>,
    #[serde(rename = "Dialog")]
    utterances: BTreeMap<String, Line>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Speaker")]
    role: String,
    #[serde(rename = "Text", default)]
    text: Value,
    #[serde(rename = "EmoAnnotation")]
    emotion: Emotion,
}

#[derive(Deserialize)]
struct Emotion {
    #[serde(rename = "final_main_emo")]
    main: String,
}

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let corpus = harvest.card().name;
    let side_file = tree.side_file(corpus, &["annotation.json"])?;
    let annotation: Annotation = tree.read_json(side_file)?;
    let splits = splits(tree, corpus)?;
    // By role and utterance, both in lower case.
    let mut clips: HashMap<(String, String), &RawFile> = HashMap::new();
    for fields in harvest.fitting() {
        let lower = |group| fields[group].to_ascii_lowercase();
        let id = format!(
            "{}_{}_{}",
            lower("series"),
            &fields["dialogue"],
            &fields["utterance"]
        );
        if let Some(first) = clips.insert((lower("role"), id.clone()), fields.file) {
            let message = format!("the same utterance as {}", first.path());
            harvest.contradiction(fields.file, message);
            clips.insert((lower("role"), id), first);
        }
    }
    let complete = clips.len() >= UTTERANCES;
    for (series, dialogues) in &annotation {
        for dialogue in dialogues.values() {
            for (id, line) in &dialogue.utterances {
                let place = (line.role.to_ascii_lowercase(), id.to_ascii_lowercase());
                let Some(file) = clips.remove(&place) else {
                    let name = format!("{}_{id}.wav", line.role);
                    if complete {
                        harvest.leave_out_item(name, "annotated, but the release has no clip");
                    } else {
                        harvest.missing(name, side_file.path());
                    }
                    continue;
                };
                match row(series, dialogue, id, line, &splits) {
                    Ok(row) => harvest.row(file, row),
                    Err(message) => harvest.contradiction(file, message),
                }
            }
        }
    }
    let mut rest: Vec<&RawFile> = clips.into_values().collect();
    rest.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    for file in rest {
        harvest.contradiction(
            file,
            "annotation.json has no utterance of this role and number",
        );
    }
    Ok(())
}

fn row(
    series: &str,
    dialogue: &Dialogue,
    id: &str,
    line: &Line,
    splits: &HashMap<String, &'static str>,
) -> Result<Row, String> {
    let person = dialogue.people.get(&line.role);
    let about = |field: &str| person.and_then(|person| person.get(field)?.as_str());
    let Some(name) = about("Name") else {
        let known: Vec<&str> = dialogue.people.keys().map(String::as_str).collect();
        return Err(format!(
            "annotation.json names speaker {:?}, its SpeakerInfo has {} and no Name for {:?}",
            line.role,
            known.join(", "),
            line.role
        ));
    };
    let Some(split) = splits.get(&series.to_ascii_lowercase()) else {
        return Err(format!("no movie_list names the series {series}"));
    };
    let row = Row::new(id, line.emotion.main.trim())
        .speaker(format!("{series}_{}", name.trim()))
        .published_speaker(format!("{series}_{name}"))
        .gender(about("Gender").and_then(gender))
        .split(*split);
    Ok(match line.text.as_str() {
        Some(text) => row.text(text.trim()),
        None => row,
    })
}

fn gender(word: &str) -> Option<Gender> {
    match word.trim() {
        "女" => Some(Gender::Female),
        "男" => Some(Gender::Male),
        other => Gender::parse(other),
    }
}

/// The part of each series, from the three lists.
fn splits(tree: &RawTree, corpus: &str) -> Result<HashMap<String, &'static str>, CorpusError> {
    let mut splits = HashMap::new();
    for (list, split) in [
        ("movie_list_train.txt", "train"),
        ("movie_list_val.txt", "valid"),
        ("movie_list_test.txt", "test"),
    ] {
        let file = tree.side_file(corpus, &[list])?;
        for series in tree.read_text(file)?.split_whitespace() {
            splits.insert(series.to_ascii_lowercase(), split);
        }
    }
    Ok(splits)
}
