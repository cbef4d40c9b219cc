//! CREMA-D: speaker, sentence and intended emotion are in the file name, `1001_DFA_ANG_XX.wav`; tables give the gender and the
//! listeners' votes.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, LineProblem, RawTree};
use std::collections::{BTreeMap, HashMap};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "cremad",
        title: "CREMA-D",
        full_name: "Crowd-sourced Emotional Multimodal Actors Dataset",
        languages: &["English"],
        source: Source::Act,
        recording: "43 women and 48 men, actors of 20 to 74 years, speak twelve sentences in six emotions, some of them at \
                    three levels; 2443 listeners rated the clips.",
        table1: Table1 {
            classes: 6,
            speakers: Some(91),
            utterances: 7442,
            hours: 5.3,
        },
        labels: &[
            ("ANG", "Angry"),
            ("DIS", "Disgust"),
            ("FEA", "Fear"),
            ("HAP", "Happy"),
            ("NEU", "Neutral"),
            ("SAD", "Sad"),
        ],
        licence: "ODbL 1.0 (Open Database License)",
        access: Access::Open {
            page: "https://github.com/CheyneyComputerScience/CREMA-D",
            archives: &[],
        },
        homepage: "https://github.com/CheyneyComputerScience/CREMA-D",
        citation: "Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5 (4), 2014",
        layout: "AudioWAV/\n  1001_DFA_ANG_XX.wav   actor 1001, sentence DFA, anger, level (LO, MD, HI, XX = none)\n  …                     7442 files\nVideoDemographics.csv   gender of the actors (may be absent)\nprocessedResults/\n  tabulatedVotes.csv    votes of the listeners (may be absent)",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[("AudioWAV", 7442)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "the label is the emotion that the actor intended; the votes are those of listeners who heard the voice alone, not of those who saw the face",
            "the repository needs git lfs: a plain clone or zip holds small text files in place of the audio, which count as broken",
            "AudioMP3 holds the same clips and is left out by rule",
            "1076_MTI_SAD_XX is reported to be silent; it is kept, as in the published metadata",
            "all 91 speakers of the published test list are in its train list; 86 of them have exactly the same counts",
        ],
    },
    grammar: &[
        r"(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX?)\.(?:wav|(?P<copy>mp3))",
    ],
    recipe: Recipe::Tree(read),
};

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let genders = genders(harvest)?;
    let votes = votes(harvest.tree())?;
    for fields in harvest.fitting() {
        if fields.has("copy") {
            harvest.leave_out(fields.file, "AudioMP3: a copy of a clip of AudioWAV");
            continue;
        }
        let speaker = &fields["speaker"];
        let clip = fields.file.stem().to_ascii_uppercase();
        let id = clip.replace('_', "-");
        let row = Row::new(id, fields["emotion"].to_ascii_uppercase())
            .speaker(speaker)
            .gender(genders.get(speaker).copied())
            .text(fields["sentence"].to_ascii_uppercase())
            .votes(votes.get(&clip).cloned().unwrap_or_default());
        harvest.row(fields.file, row);
    }
    Ok(())
}

/// Gender by actor; empty without the table, which no label needs.
fn genders(harvest: &Harvest<'_>) -> Result<HashMap<String, Gender>, CorpusError> {
    let tree = harvest.tree();
    let Some(file) = tree.find("VideoDemographics.csv") else {
        return Ok(HashMap::new());
    };
    let table = tree.read_table(file, b',', &["ActorID", "Sex"])?;
    let gender = |sex| Gender::parse(sex);
    Ok(table
        .rows()
        .filter_map(|row| Some((row.get("ActorID").to_owned(), gender(row.get("Sex"))?)))
        .collect())
}

/// The columns of the votes for each class.
const VOTES: [(&str, &str); 6] = [
    ("A", "Angry"),
    ("D", "Disgust"),
    ("F", "Fear"),
    ("H", "Happy"),
    ("N", "Neutral"),
    ("S", "Sad"),
];

/// A row is numbered by what was presented, a hundred thousand times, and the clip: 1 is the voice alone, 2 the face, 3 both.
const PRESENTED: u32 = 100_000;
const VOICE: u32 = 1;

/// Votes on the voice by clip, in capitals; nothing without the table.
fn votes(tree: &RawTree) -> Result<HashMap<String, BTreeMap<String, u32>>, CorpusError> {
    let Some(file) = tree.find("tabulatedVotes.csv") else {
        return Ok(HashMap::new());
    };
    let columns = VOTES.map(|(column, _)| column);
    let table = tree.read_table(file, b',', &[&["", "fileName"], &columns[..]].concat())?;
    let mut votes = HashMap::new();
    let mut problems = Vec::new();
    for row in table.rows() {
        let count = |column: &str| {
            let text = row.get(column);
            text.parse::<u32>().map_err(|_| LineProblem {
                line: row.line(),
                message: format!("column {column:?}: expected a whole number, found {text:?}"),
            })
        };
        let mut read = || -> Result<(), LineProblem> {
            if count("")? / PRESENTED != VOICE {
                return Ok(());
            }
            let mut of_clip = BTreeMap::new();
            for (column, class) in VOTES {
                match count(column)? {
                    0 => {}
                    n => drop(of_clip.insert(class.to_owned(), n)),
                }
            }
            votes.insert(row.get("fileName").to_ascii_uppercase(), of_clip);
            Ok(())
        };
        problems.extend(read().err());
    }
    match problems.is_empty() {
        true => Ok(votes),
        false => Err(CorpusError::Lines {
            path: table.path().to_owned(),
            problems,
        }),
    }
}
