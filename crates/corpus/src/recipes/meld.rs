//! MELD: clips of the series Friends, `dia<dialogue>_utt<utterance>.mp4` in three folders, labels in one table per folder.

use crate::card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Channel, Entry, Fields, Harvest, Recipe, Row};
use crate::{CorpusError, LineProblem, RawFile, TableRow};
use std::collections::HashMap;

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "meld",
        title: "MELD",
        full_name: "Multimodal EmotionLines Dataset",
        languages: &["English"],
        source: Source::Tv,
        recording: "Utterances of dialogues in the television series Friends, cut by subtitle times; three annotators label \
                    each from video and text.",
        table1: Table1 {
            classes: 7,
            speakers: Some(304),
            utterances: 13_706,
            hours: 12.1,
        },
        labels: &[
            ("anger", "Angry"),
            ("disgust", "Disgust"),
            ("fear", "Fear"),
            ("joy", "Happy"),
            ("neutral", "Neutral"),
            ("sadness", "Sad"),
            ("surprise", "Surprise"),
        ],
        licence: "GPL-3.0 for the annotations; the clips are cut from a television series and carry no licence of their own",
        access: Access::Open {
            page: "https://github.com/declare-lab/MELD",
            archives: &[Archive {
                address: "http://web.eecs.umich.edu/~mihalcea/downloads/MELD.Raw.tar.gz",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://affective-meld.github.io/",
        citation: "Poria et al.: MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations. ACL 2019",
        layout: "train/\n  train_sent_emo.csv\n  train_splits/dia0_utt0.mp4                 9988 clips that can be read\ndev_sent_emo.csv\ndev_splits_complete/dia0_utt0.mp4            1108 clips\ntest_sent_emo.csv\noutput_repeated_splits_test/dia0_utt0.mp4    2610 clips",
        audio: "mp4, AAC, 48 kHz; 12,109 clips are 5.1 (channel 3, the front centre, is used), 1597 are stereo (channel 1)",
        expected: &[
            ("train_splits", 9988),
            ("dev_splits_complete", 1108),
            ("output_repeated_splits_test", 2610),
        ],
        scale: None,
        folds: PublishedFolds::OfficialSplit,
        differences: &[
            Difference {
                field: "speaker",
                published: "Phoebe-Sr beside Phoebe-Sr., and Dr.-Leedbetter beside Dr.-Ledbetter",
                ours: "one spelling a character: Phoebe-Sr. and Dr.-Ledbetter",
            },
            Difference {
                field: "speaker",
                published: "Richard\\u0092s-Date, a Windows-1252 apostrophe read as a control character",
                ours: "Richard's-Date",
            },
            Difference {
                field: "speaker",
                published: "Ross for dia556_utt6 of the train part, from an early version of the table",
                ours: "what the table of the release says; today's says Joey",
            },
        ],
        notes: &[
            "the official split shares speakers: 69 of the 100 test speakers are in train (95.8 % of the test utterances)",
            "some speakers are groups (All, Both, Ross-and-Rachel) or roles that recur in other episodes (Waiter, Woman); Dr.-Drake-Remoray is played by Joey",
            "the clips of train dia125_utt3 and dev dia110_utt7 hold no readable audio and are left out by rule",
            "final_videos_testdia….mp4 in the test folder are other cuts of test clips and are left out by rule",
            "known cutting errors: test dia38_utt4 is 305 s long, dia220_utt0 235 s, train dia309_utt0 41 s; the shortest clips have 0.06 s",
            "a down-mix of 5.1 to stereo puts music and laughter over the voice, so convert nothing",
        ],
    },
    grammar: &[
        r"(?P<part>train_splits|dev_splits_complete|output_repeated_splits_test)/dia(?P<dialogue>\d{1,6})_utt(?P<utterance>\d{1,6})\.mp4",
        r"(?P<part>output_repeated_splits_test)/(?P<recut>final_videos_test)dia(?P<dialogue>\d{1,6})_utt(?P<utterance>\d{1,6})\.mp4",
    ],
    recipe: Recipe::Tree(read),
};

/// One folder with its table.
struct Part {
    folder: &'static str,
    table: &'static str,
    /// Suffix of the keys.
    name: &'static str,
    split: &'static str,
}

const PARTS: [Part; 3] = [
    Part {
        folder: "train_splits",
        table: "train_sent_emo.csv",
        name: "train",
        split: "train",
    },
    Part {
        folder: "dev_splits_complete",
        table: "dev_sent_emo.csv",
        name: "dev",
        split: "valid",
    },
    Part {
        folder: "output_repeated_splits_test",
        table: "test_sent_emo.csv",
        name: "test",
        split: "test",
    },
];

const COLUMNS: [&str; 5] = [
    "Dialogue_ID",
    "Utterance_ID",
    "Speaker",
    "Emotion",
    "Utterance",
];

const UNREADABLE: &str = "the release's clip holds no readable audio";

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    for part in &PARTS {
        let mut clips: HashMap<(u32, u32), &RawFile> = HashMap::new();
        for fields in harvest.fitting() {
            if !fields["part"].eq_ignore_ascii_case(part.folder) {
                continue;
            }
            if fields.has("recut") {
                harvest.leave_out(
                    fields.file,
                    "final_videos_test…: another cut of a test clip",
                );
            } else if let Some(first) = clips.insert(place(&fields), fields.file) {
                let message = format!("the same dialogue and utterance as {}", first.path());
                harvest.contradiction(fields.file, message);
                clips.insert(place(&fields), first);
            }
        }
        if !clips.is_empty() {
            read_part(harvest, part, clips)?;
        }
    }
    Ok(())
}

fn place(fields: &Fields<'_>) -> (u32, u32) {
    // The grammar allows six digits at most, so both fit.
    let number = |group| fields[group].parse().unwrap_or(u32::MAX);
    (number("dialogue"), number("utterance"))
}

fn read_part<'a>(
    harvest: &mut Harvest<'a>,
    part: &Part,
    mut clips: HashMap<(u32, u32), &'a RawFile>,
) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let side_file = tree.side_file(harvest.card().name, &[part.table])?;
    let table = tree.read_table(side_file, b',', &COLUMNS)?;
    let mut problems = Vec::new();
    for line in table.rows() {
        let number = |column| line.get(column).parse::<u32>().ok();
        let Some(place) = number("Dialogue_ID").zip(number("Utterance_ID")) else {
            problems.push(LineProblem {
                line: line.line(),
                message: format!(
                    "Dialogue_ID and Utterance_ID are no numbers: {:?}, {:?}",
                    line.get("Dialogue_ID"),
                    line.get("Utterance_ID")
                ),
            });
            continue;
        };
        let clip = format!("dia{}_utt{}", place.0, place.1);
        let unreadable = matches!((part.name, place), ("train", (125, 3)) | ("dev", (110, 7)));
        match clips.remove(&place) {
            Some(file) if unreadable => harvest.leave_out(file, UNREADABLE),
            None if unreadable => {
                harvest.leave_out_item(format!("{}/{clip}.mp4", part.folder), UNREADABLE);
            }
            Some(file) => harvest.row(file, row(&line, part, &clip)),
            None => harvest.missing(
                format!("{}/{clip}.mp4", part.folder),
                format!("{} line {}", side_file.path(), line.line()),
            ),
        }
    }
    if !problems.is_empty() {
        let path = table.path().to_owned();
        return Err(CorpusError::Lines { path, problems });
    }
    let mut without_row: Vec<&RawFile> = clips.into_values().collect();
    without_row.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    for file in without_row {
        harvest.contradiction(file, format!("{} has no row for it", part.table));
    }
    Ok(())
}

fn row(line: &TableRow<'_>, part: &Part, clip: &str) -> Row {
    let id = format!("{clip}-{}", part.name);
    let written = line.get("Speaker").replace(' ', "-");
    let spoken = match written.as_str() {
        "Phoebe-Sr" => "Phoebe-Sr.".to_owned(),
        "Dr.-Leedbetter" => "Dr.-Ledbetter".to_owned(),
        _ => written.replace(['’', '\u{92}'], "'"),
    };
    let published = match id.as_str() {
        "dia556_utt6-train" => "Ross".to_owned(),
        _ => written.replace('’', "\u{92}"),
    };
    Row::new(id, line.get("Emotion").to_ascii_lowercase())
        .speaker(spoken)
        .published_speaker(published)
        .text(punctuated(line.get("Utterance")))
        .channel(Channel::FrontCentre)
        .split(part.split)
}

/// Early tables have Windows-1252 punctuation as control characters.
fn punctuated(text: &str) -> String {
    let letter = |letter| match letter {
        '\u{85}' => '…',
        '\u{91}' => '‘',
        '\u{92}' => '’',
        '\u{93}' => '“',
        '\u{94}' => '”',
        '\u{96}' => '–',
        '\u{97}' => '—',
        other => other,
    };
    text.chars().map(letter).collect()
}
