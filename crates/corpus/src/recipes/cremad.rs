//! CREMA-D: speaker, sentence and intended emotion are in the file name, `1001_DFA_ANG_XX.wav`; a table gives the gender.

use crate::CorpusError;
use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use std::collections::HashMap;

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
        layout: "AudioWAV/\n  1001_DFA_ANG_XX.wav   actor 1001, sentence DFA, anger, level (LO, MD, HI, XX = none)\n  …                     7442 files\nVideoDemographics.csv   gender of the actors (may be absent)",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[("AudioWAV", 7442)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "the label is the emotion that the actor intended; the listeners' votes are not used",
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
    for fields in harvest.fitting() {
        if fields.has("copy") {
            harvest.leave_out(fields.file, "AudioMP3: a copy of a clip of AudioWAV");
            continue;
        }
        let speaker = &fields["speaker"];
        let id = fields.file.stem().to_ascii_uppercase().replace('_', "-");
        let row = Row::new(id, fields["emotion"].to_ascii_uppercase())
            .speaker(speaker)
            .gender(genders.get(speaker).copied())
            .text(fields["sentence"].to_ascii_uppercase());
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
