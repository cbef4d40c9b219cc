//! Emozionalmente: clips named by a time stamp, everything else in `metadata/samples.csv` and `metadata/users.csv`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, RawFile, RawTree};
use std::collections::{BTreeMap, HashMap};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "emozionalmente",
        title: "Emozionalmente",
        full_name: "Emozionalmente: a crowdsourced Italian speech emotional corpus",
        languages: &["Italian"],
        source: Source::Act,
        recording: "431 volunteers act 18 sentences in seven emotions through a website, mostly with their own microphones; \
                    829 listeners judge the clips, five each.",
        table1: Table1 {
            classes: 7,
            speakers: Some(431),
            utterances: 6902,
            hours: 6.3,
        },
        labels: &[
            ("anger", "Angry"),
            ("disgust", "Disgust"),
            ("fear", "Fear"),
            ("joy", "Happy"),
            ("neutrality", "Neutral"),
            ("sadness", "Sad"),
            ("surprise", "Surprise"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://zenodo.org/records/6569824/latest",
            archives: &[Archive {
                address: "https://zenodo.org/record/6569824/files/emozionalmente_dataset.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://zenodo.org/records/6569824/latest",
        citation: "Catania, Wilke, Garzotto: Emozionalmente: A Crowdsourced Corpus of Simulated Emotional Speech in Italian. IEEE Transactions on Audio, Speech and Language Processing 33, 2025",
        layout: "audio/\n  1613655062436.wav   6902 files\nmetadata/\n  samples.csv         file_name, actor, sentence, emotion_expressed\n  users.csv           username, gender, age",
        audio: "wav, 16 bit, mono; 6752 clips have 16 kHz, 150 have 44.1 kHz",
        expected: &[("", 6902)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "the label is the emotion the actor meant, not what listeners heard",
            "315 of the 329 speakers of the published test list are in its train list (99 % of the test utterances)",
            "version 1.1 of the release brings a speaker-independent split of its own, which the published folds do not use",
        ],
    },
    grammar: &[r"(?P<id>\d{13})\.wav"],
    recipe: Recipe::Tree(read),
};

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let side_file = tree.side_file(
        harvest.card().name,
        &["metadata/samples.csv", "samples.csv"],
    )?;
    let columns = ["file_name", "actor", "sentence", "emotion_expressed"];
    let samples = tree.read_table(side_file, b',', &columns)?;
    let genders = genders(tree)?;
    let mut clips: BTreeMap<&str, &RawFile> = BTreeMap::new();
    for fields in harvest.fitting() {
        let id = fields.file.stem();
        if let Some(first) = clips.get(id) {
            harvest.contradiction(fields.file, format!("the same clip as {}", first.path()));
        } else {
            clips.insert(id, fields.file);
        }
    }
    for line in samples.rows() {
        let name = line.get("file_name");
        let id = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let Some(file) = clips.remove(id) else {
            let source = format!("{} line {}", side_file.path(), line.line());
            harvest.missing(format!("audio/{name}"), source);
            continue;
        };
        let actor = line.get("actor");
        let row = Row::new(id, line.get("emotion_expressed").to_ascii_lowercase())
            .speaker(actor)
            .gender(genders.get(actor).copied())
            .text(line.get("sentence"));
        harvest.row(file, row);
    }
    for file in clips.into_values() {
        harvest.contradiction(file, format!("{} has no row for it", side_file.path()));
    }
    Ok(())
}

/// Gender of each actor; empty if the table of users is missing.
fn genders(tree: &RawTree) -> Result<HashMap<String, Gender>, CorpusError> {
    let Some(users) = tree.find("users.csv") else {
        return Ok(HashMap::new());
    };
    let table = tree.read_table(users, b',', &["username", "gender"])?;
    let known = table.rows().filter_map(|line| {
        let gender = Gender::parse(line.get("gender"))?;
        Some((line.get("username").to_owned(), gender))
    });
    Ok(known.collect())
}
