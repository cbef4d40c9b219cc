//! MSP-Podcast: clips `MSP-PODCAST_<podcast>_<turn>.wav`; labels, speakers and parts in one consensus file (JSON or CSV),
//! which older releases split over `Partitions.txt` and `Speaker_ids.txt`.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, LineProblem, RawFile, RawTree};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "msppodcast",
        title: "MSP-Podcast",
        full_name: "MSP-Podcast corpus",
        languages: &["English"],
        source: Source::Podcast,
        recording: "Turns of podcasts under Creative Commons licences, picked by models that look for emotion; at least five crowd \
                    workers label each turn.",
        table1: Table1 {
            classes: 8,
            speakers: Some(1273),
            utterances: 73_042,
            hours: 113.6,
        },
        labels: &[
            ("A", "Angry"),
            ("C", "Contempt"),
            ("D", "Disgust"),
            ("F", "Fear"),
            ("H", "Happy"),
            ("N", "Neutral"),
            ("O", "Other"),
            ("S", "Sad"),
            ("U", "Surprise"),
            ("X", "No-agreement"),
        ],
        licence: "academic or commercial licence agreement of the University of Texas at Dallas",
        access: Access::Request {
            page: "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
            how: "have the licence agreement of that page signed by your institution and send it to the laboratory",
        },
        homepage: "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
        citation: "Lotfian, Busso: Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional Speech from Existing Podcast Recordings. IEEE Transactions on Affective Computing 10, 2019",
        layout: "Audio/ (or Audios/)\n  MSP-PODCAST_0002_0033.wav\nlabel/ (or Labels/)\n  labels_consensus.json or labels_consensus.csv (also spelled concensus)\nlabels_detailed.csv or .json, labels.txt   votes of single workers (may be absent)\nTranscripts/                      words of each turn (may be absent)\nPartitions.txt, Speaker_ids.txt   where the labels lack Split_Set and SpkrID",
        audio: "wav, 16 kHz, mono",
        expected: &[("", 73_042)],
        scale: Some((1.0, 7.0)),
        folds: PublishedFolds::OfficialSplit,
        differences: &[Difference {
            field: "speaker",
            published: "Unknown as one speaker, for turns whose speaker nobody has marked",
            ours: "none for those turns",
        }],
        notes: &[
            "the published metadata have 73,042 turns; newer releases have more, so their manifest holds more than the published one",
            "the published metadata that we know lack the train list and all speakers; the valid (7800) and test (15,326) rows are checked",
            "X (no agreement) and O (other) are classes of the published label map and stay in; Table 1 of the paper prints the 8 emotions without them",
            "Test2 is a test set of its own and in no published fold; Test3 of newer releases has no public labels and is left out by rule",
            "20 podcasts have turns both in valid and in test, so disjoint speakers do not mean disjoint podcasts",
        ],
    },
    grammar: &[
        r"files_removed_from_prev_versions/(?:.*/)?(?P<removed>MSP-PODCAST_\w+)\.wav",
        r"(?P<id>MSP-PODCAST_(?:\d{4}_\d{4}(?:_\d{4})?|(?P<hidden>test3_\d+)))\.wav",
    ],
    recipe: Recipe::Tree(read),
};

/// The entry of one turn in the consensus file.
#[derive(Debug, Default)]
struct Turn {
    emo: String,
    speaker: Option<String>,
    gender: Option<Gender>,
    split: Option<String>,
    /// EmoVal, EmoAct and EmoDom as written.
    ratings: [String; 3],
    votes: BTreeMap<String, u32>,
}

/// The columns of valence, arousal and dominance.
const RATINGS: [&str; 3] = ["EmoVal", "EmoAct", "EmoDom"];

/// Turns by file name in lower case, with the name as written.
type Turns = BTreeMap<String, (String, Turn)>;

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let (labels, mut turns) = turns(tree, harvest.card().name)?;
    let words = transcripts(tree);
    for fields in harvest.fitting() {
        let file = fields.file;
        if fields.has("removed") {
            harvest.leave_out(file, "taken out of the corpus by its authors");
            continue;
        }
        if fields.has("hidden") {
            harvest.leave_out(file, "Test3, whose labels are not public");
            continue;
        }
        let name = format!("{}.wav", file.stem().to_ascii_lowercase());
        let Some((_, turn)) = turns.remove(&name) else {
            harvest.contradiction(file, format!("{} has no label for it", labels.path()));
            continue;
        };
        let id = fields["id"].to_ascii_uppercase();
        match row(&id, &turn) {
            Ok(row) => {
                let subject = format!("{} of {}", labels.path(), file.name());
                let dimensions = turn
                    .ratings
                    .each_ref()
                    .map(|text| harvest.rating(&subject, text));
                let row = row.dimensions(dimensions).votes(turn.votes.clone());
                let transcript = words.get(&id.to_ascii_lowercase());
                let text = transcript.map(|file| tree.read_text(file)).transpose()?;
                let text = text.map(|text| text.trim().to_owned());
                let row = match text.filter(|text| !text.is_empty()) {
                    Some(text) => row.text(text),
                    None => row,
                };
                harvest.row(file, row);
            }
            Err(message) => harvest.contradiction(file, message),
        }
    }
    for (name, turn) in turns.into_values() {
        if !turn
            .split
            .is_some_and(|split| split.eq_ignore_ascii_case("test3"))
        {
            harvest.missing(name, labels.path());
        }
    }
    Ok(())
}

fn row(id: &str, turn: &Turn) -> Result<Row, String> {
    let Some(split) = &turn.split else {
        return Err("neither Split_Set nor Partitions.txt says which part it is in".to_owned());
    };
    let part = match split.to_ascii_lowercase().as_str() {
        "train" => "train",
        "validation" | "development" => "valid",
        "test1" => "test",
        "test2" => "test2",
        _ => {
            return Err(format!(
                "part {split:?} is none of Train, Validation, Development, Test1, Test2"
            ));
        }
    };
    let row = Row::new(id, turn.emo.as_str())
        .gender(turn.gender)
        .split(part);
    Ok(match &turn.speaker {
        None => row,
        Some(name) if name.eq_ignore_ascii_case("unknown") => row.published_speaker(name.as_str()),
        Some(name) => row.speaker(name.as_str()),
    })
}

/// The consensus file, and its turns with speakers and parts filled in.
fn turns<'a>(tree: &'a RawTree, corpus: &str) -> Result<(&'a RawFile, Turns), CorpusError> {
    let names = [
        "labels_consensus.json",
        "labels_concensus.json",
        "labels_consensus.csv",
        "labels_concensus.csv",
    ];
    let labels = tree.side_file(corpus, &names)?;
    let mut turns = match labels.extension().as_str() {
        "json" => from_json(tree, labels)?,
        _ => from_csv(tree, labels)?,
    };
    if turns.values().any(|(_, turn)| turn.split.is_none()) {
        let file = tree.side_file(corpus, &["Partitions.txt", "Partition.txt"])?;
        let text = tree.read_text(file)?;
        let part_of: HashMap<String, String> = pairs(&text)
            .map(|(part, name)| (name.to_ascii_lowercase(), part.to_owned()))
            .collect();
        if part_of.is_empty() {
            let message = "lines such as \"Train; MSP-PODCAST_0001_0008.wav\" expected, found none";
            return Err(CorpusError::Lines {
                path: tree.locate(file),
                problems: vec![LineProblem {
                    line: 1,
                    message: message.to_owned(),
                }],
            });
        }
        for (key, (_, turn)) in &mut turns {
            if turn.split.is_none() {
                turn.split = part_of.get(key).cloned();
            }
        }
    }
    add_votes(tree, &mut turns)?;
    if turns.values().all(|(_, turn)| turn.speaker.is_none())
        && let Some(file) = tree.find("Speaker_ids.txt")
    {
        add_speakers(&tree.read_text(file)?, &mut turns);
    }
    Ok((labels, turns))
}

fn from_csv(tree: &RawTree, file: &RawFile) -> Result<Turns, CorpusError> {
    let table = tree.read_table(file, b',', &["FileName", "EmoClass"])?;
    let turn = |line: crate::TableRow<'_>| {
        let turn = Turn {
            emo: line.get("EmoClass").to_owned(),
            speaker: line.some("SpkrID").map(str::to_owned),
            gender: Gender::parse(line.get("Gender")),
            split: line.some("Split_Set").map(str::to_owned),
            ratings: RATINGS.map(|column| line.get(column).to_owned()),
            votes: BTreeMap::new(),
        };
        let name = line.get("FileName");
        (name.to_ascii_lowercase(), (name.to_owned(), turn))
    };
    Ok(table.rows().map(turn).collect())
}

fn from_json(tree: &RawTree, file: &RawFile) -> Result<Turns, CorpusError> {
    let entries: Map<String, Value> = tree.read_json(file)?;
    let mut turns = Turns::new();
    for (name, entry) in &entries {
        let text = |field: &str| match entry.get(field) {
            Some(Value::String(text)) => {
                Some(text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let Some(emo) = text("EmoClass") else {
            let found = entry.as_object().map(|fields| fields.keys().cloned());
            return Err(CorpusError::Columns {
                path: tree.locate(file),
                expected: ["EmoClass", "SpkrID", "Gender", "Split_Set"]
                    .map(str::to_owned)
                    .to_vec(),
                found: found.map(Iterator::collect).unwrap_or_default(),
                missing: vec![format!("EmoClass of {name}")],
            });
        };
        let turn = Turn {
            emo,
            speaker: text("SpkrID"),
            gender: text("Gender").and_then(|word| Gender::parse(&word)),
            split: text("Split_Set"),
            ratings: RATINGS.map(|field| text(field).unwrap_or_default()),
            votes: BTreeMap::new(),
        };
        turns.insert(name.to_ascii_lowercase(), (name.clone(), turn));
    }
    Ok(turns)
}

/// The answers of individual workers, if the release has them: `labels_detailed.csv` or `.json` with the primary emotion of
/// each worker, or `labels.txt` with a line per worker below the line of a turn.
fn add_votes(tree: &RawTree, turns: &mut Turns) -> Result<(), CorpusError> {
    let mut add = |name: &str, word: &str| {
        let word = word.trim();
        if let (Some((_, turn)), false) =
            (turns.get_mut(&name.to_ascii_lowercase()), word.is_empty())
        {
            *turn.votes.entry(class(word)).or_default() += 1;
        }
    };
    if let Some(file) = tree.find("labels_detailed.csv") {
        let table = tree.read_table(file, b',', &["FileName"])?;
        // One release has all of a worker's answers in one cell: `WORKER1; Neutral; Neutral,Happy; A:4.0; V:4.0; D:4.0;`.
        let column = match table.has("EmoClass_Major") {
            true => "EmoClass_Major",
            false => "EmoDetail",
        };
        let table = tree.read_table(file, b',', &["FileName", column])?;
        for line in table.rows() {
            let cell = line.get(column);
            let word = match column {
                "EmoDetail" => cell.split(';').nth(1).unwrap_or_default(),
                _ => cell,
            };
            add(line.get("FileName"), word);
        }
    } else if let Some(file) = tree.find("labels_detailed.json") {
        let entries: Map<String, Value> = tree.read_json(file)?;
        for (name, workers) in &entries {
            for answer in workers.as_object().into_iter().flat_map(Map::values) {
                add(name, answer["EmoClass_Major"].as_str().unwrap_or_default());
            }
        }
    } else if let Some(file) = tree.find("labels.txt") {
        let text = tree.read_text(file)?;
        let mut turn = "";
        for (first, rest) in pairs(&text) {
            match first.to_ascii_uppercase().starts_with("WORKER") {
                true => add(turn, rest.split(';').next().unwrap_or_default()),
                false => turn = first,
            }
        }
    }
    Ok(())
}

/// The class of a worker's word or letter; free-text answers are `Other`.
fn class(word: &str) -> String {
    let of_letter = ENTRY.card.class_of(word);
    let known = || {
        let mut classes = ENTRY.card.labels.iter().map(|(_, class)| *class);
        classes.find(|class| class.eq_ignore_ascii_case(word))
    };
    of_letter.or_else(known).unwrap_or("Other").to_owned()
}

/// `Speaker_ids.txt`: lines `Speaker_127; Male`, then lines `MSP-PODCAST_0001_0008.wav; 127`.
fn add_speakers(text: &str, turns: &mut Turns) {
    let genders: HashMap<&str, Gender> = pairs(text)
        .filter_map(|(name, word)| name.strip_prefix("Speaker_").zip(Gender::parse(word)))
        .collect();
    for (name, speaker) in pairs(text) {
        if let Some((_, turn)) = turns.get_mut(&name.to_ascii_lowercase()) {
            turn.speaker = Some(speaker.to_owned());
            turn.gender = turn.gender.or_else(|| genders.get(speaker).copied());
        }
    }
}

/// Lines of two fields separated by a semicolon.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (first, second) = line.split_once(';')?;
        Some((first.trim(), second.trim()))
    })
}

/// `Transcripts/<turn>.txt`, by turn in lower case.
fn transcripts(tree: &RawTree) -> HashMap<String, &RawFile> {
    let files = tree.files().iter();
    files
        .filter(|file| file.extension() == "txt" && file.is_below("Transcripts"))
        .map(|file| (file.stem().to_ascii_lowercase(), file))
        .collect()
}
