//! EmoV-DB: speaker and emotion are the folder, the sentence ends the file name, `bea_Amused/amused_1-28_0001.wav`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, RawFile};
use std::collections::HashMap;

/// One archive of the release.
const fn archive(address: &'static str) -> Archive {
    Archive {
        address,
        bytes: None,
        checksum: None,
    }
}

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "emovdb",
        title: "EmoV-DB",
        full_name: "Emotional Voices Database",
        languages: &["English"],
        source: Source::Act,
        recording: "Two women and two men read sentences of CMU Arctic in a neutral voice and amused, angry, disgusted and \
                    sleepy; recorded for speech synthesis.",
        table1: Table1 {
            classes: 5,
            speakers: Some(4),
            utterances: 6887,
            hours: 9.5,
        },
        labels: &[
            ("Amused", "Amused"),
            ("Sleepy", "Sleepy"),
            ("Angry", "Angry"),
            ("Disgust", "Disgust"),
            ("Neutral", "Neutral"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://www.openslr.org/115/",
            archives: &[
                archive("https://www.openslr.org/resources/115/bea_Amused.tar.gz"),
                archive("https://www.openslr.org/resources/115/bea_Angry.tar.gz"),
                archive("https://www.openslr.org/resources/115/bea_Disgusted.tar.gz"),
                archive("https://www.openslr.org/resources/115/bea_Neutral.tar.gz"),
                archive("https://www.openslr.org/resources/115/bea_Sleepy.tar.gz"),
                archive("https://www.openslr.org/resources/115/jenie_Amused.tar.gz"),
                archive("https://www.openslr.org/resources/115/jenie_Angry.tar.gz"),
                archive("https://www.openslr.org/resources/115/jenie_Disgusted.tar.gz"),
                archive("https://www.openslr.org/resources/115/jenie_Neutral.tar.gz"),
                archive("https://www.openslr.org/resources/115/jenie_Sleepy.tar.gz"),
                archive("https://www.openslr.org/resources/115/josh_Amused.tar.gz"),
                archive("https://www.openslr.org/resources/115/josh_Neutral.tar.gz"),
                archive("https://www.openslr.org/resources/115/josh_Sleepy.tar.gz"),
                archive("https://www.openslr.org/resources/115/sam_Amused.tar.gz"),
                archive("https://www.openslr.org/resources/115/sam_Angry.tar.gz"),
                archive("https://www.openslr.org/resources/115/sam_Disgusted.tar.gz"),
                archive("https://www.openslr.org/resources/115/sam_Neutral.tar.gz"),
                archive("https://www.openslr.org/resources/115/sam_Sleepy.tar.gz"),
            ],
        },
        homepage: "https://github.com/numediart/EmoV-DB",
        citation: "Adigwe, Tits, El Haddad, Ostadabbas, Dutoit: The Emotional Voices Database: Towards Controlling the Emotion Dimension in Voice Generation Systems. arXiv 1806.09514, 2018",
        layout: "bea_Amused/\n  amused_1-28_0001.wav   of the recording of the sentences 1 to 28, sentence 0001\nbea_Angry/  bea_Disgusted/  bea_Neutral/  bea_Sleepy/\njenie_Amused/ … jenie_Sleepy/\njosh_Amused/  josh_Neutral/  josh_Sleepy/\nsam_Amused/ … sam_Sleepy/",
        audio: "wav, mono; bea 44.1 kHz, the others 16 kHz",
        expected: &[
            ("bea_Amused", 296),
            ("bea_Angry", 303),
            ("bea_Disgusted", 333),
            ("bea_Neutral", 355),
            ("bea_Sleepy", 497),
            ("jenie_Amused", 222),
            ("jenie_Angry", 496),
            ("jenie_Disgusted", 189),
            ("jenie_Neutral", 417),
            ("jenie_Sleepy", 466),
            ("josh_Amused", 296),
            ("josh_Neutral", 302),
            ("josh_Sleepy", 263),
            ("sam_Amused", 501),
            ("sam_Angry", 468),
            ("sam_Disgusted", 497),
            ("sam_Neutral", 492),
            ("sam_Sleepy", 494),
        ],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "the published key is speaker, emotion and sentence: of two recordings of one sentence (two ranges in one folder) the first by name is kept, the other left out by rule; which one the published metadata kept cannot be known",
            "josh has no angry and no disgusted recordings",
            "all 4 speakers of the published test list are in its train list, and 487 of its 559 sentences",
        ],
    },
    grammar: &[
        r"(?P<speaker>bea|jenie|josh|sam)_(?P<emotion>Amused|Angry|Disgusted|Neutral|Sleepy)/(?P<name>amused|anger|disgust|neutral|sleepiness)_\d+[-_]\d+_(?P<sentence>\d{4})\.wav",
    ],
    recipe: Recipe::Tree(read),
};

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let mut kept: HashMap<String, &RawFile> = HashMap::new();
    for fields in harvest.fitting() {
        let row = match row(&fields) {
            Ok(row) => row,
            Err(message) => {
                harvest.contradiction(fields.file, message);
                continue;
            }
        };
        // A second file of the same name is from a copy of the release, and is reported as a duplicate key.
        let name = |file: &RawFile| file.name().to_ascii_lowercase();
        match kept.get(&row.id) {
            Some(first) if name(first) != name(fields.file) => {
                harvest.leave_out(
                    fields.file,
                    "another recording of the sentence: the published key has room for one",
                );
            }
            _ => {
                kept.entry(row.id.clone()).or_insert(fields.file);
                harvest.row(fields.file, row);
            }
        }
    }
    Ok(())
}

fn row(fields: &Fields<'_>) -> Result<Row, String> {
    let (folder, name) = (&fields["emotion"], &fields["name"]);
    let (emo, expected) = match folder.to_ascii_lowercase().as_str() {
        "amused" => ("Amused", "amused"),
        "angry" => ("Angry", "anger"),
        "disgusted" => ("Disgust", "disgust"),
        "neutral" => ("Neutral", "neutral"),
        _ => ("Sleepy", "sleepiness"),
    };
    if !name.eq_ignore_ascii_case(expected) {
        return Err(format!("the folder says {folder}, the name {name}"));
    }
    let speaker = fields["speaker"].to_ascii_lowercase();
    let gender = match speaker.as_str() {
        "bea" | "jenie" => Gender::Female,
        _ => Gender::Male,
    };
    let sentence = &fields["sentence"];
    Ok(Row::new(format!("{speaker}-{emo}-{sentence}"), emo)
        .speaker(speaker)
        .gender(gender)
        .text(sentence))
}
