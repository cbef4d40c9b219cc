//! MER 2023 challenge: clips `sample_<number>` in four parts, labels in one table per part.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Harvest, Recipe, Row};
use crate::{CorpusError, RawFile};
use std::collections::{BTreeMap, HashSet};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "mer2023",
        title: "MER2023",
        full_name: "Multimodal Emotion Recognition Challenge 2023",
        languages: &["Mandarin"],
        source: Source::Tv,
        recording: "Clips of one speaker from Chinese films and television series, labelled by several annotators with an \
                    emotion and a valence.",
        table1: Table1 {
            classes: 6,
            speakers: None,
            utterances: 5030,
            hours: 5.9,
        },
        labels: &[
            ("angry", "Angry"),
            ("happy", "Happy"),
            ("neutral", "Neutral"),
            ("sad", "Sad"),
            ("surprise", "Surprise"),
            ("worried", "Worried"),
        ],
        licence: "end user licence agreement of the organisers; academic research only, no redistribution",
        access: Access::Request {
            page: "https://huggingface.co/datasets/MERChallenge/MER2023",
            how: "sign the end user licence agreement linked from that page and send it to merchallenge.contact@gmail.com",
        },
        homepage: "http://merchallenge.cn/mer2023",
        citation: "Lian et al.: MER 2023: Multi-label Learning, Modality Robustness, and Semi-Supervised Learning. ACM Multimedia 2023",
        layout: "mer2023train/\n  train-label.csv\n  train/sample_00000000.avi       3373 files\n  test3/samplenew_00000000.mp4    834 labelled files and many without a label\ntest1/sample_00000000.avi         411 files\ntest2/sample_00000000.mp4         412 files\ntest-labels/\n  test1-label.csv  test2-label.csv  test3-label.csv",
        audio: "avi (MP3, 44.1 or 48 kHz) and mp4 (AAC, 16 to 48 kHz); channel 1",
        expected: &[
            ("train", 3373),
            ("test1", 411),
            ("test2", 412),
            ("test3", 834),
        ],
        scale: None,
        folds: PublishedFolds::OfficialSplit,
        differences: &[Difference {
            field: "speaker",
            published: "the name of the file, so 5030 speakers",
            ours: "none, for the release does not say who speaks",
        }],
        notes: &[
            "the published fold trains on train and tests on test1 alone; test2 (with added noise) and test3 stay test sets of their own",
            "nothing is known of speakers, so no partition can be shown to be speaker-disjoint",
            "keys of .mp4 clips keep the extension, those of .avi clips do not",
            "the clips of test3 without a label (for semi-supervised learning) are left out by rule",
            "one clip is longer than 46 s",
        ],
    },
    grammar: &[r"(?P<part>train|test[123])/(?P<name>sample(?:new)?_\d{8})\.(?P<extension>avi|mp4)"],
    recipe: Recipe::Tree(read),
};

/// Folder, table and our name of each part; for a name that occurs twice, the earlier part is decided first.
const PARTS: [(&str, &str, &str); 4] = [
    ("train", "train-label.csv", "train"),
    ("test1", "test1-label.csv", "test"),
    ("test2", "test2-label.csv", "test2"),
    ("test3", "test3-label.csv", "test3"),
];

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let mut labelled = HashSet::new();
    for (folder, table, split) in PARTS {
        let mut clips: BTreeMap<String, &RawFile> = BTreeMap::new();
        // Sorted by path, so the .avi comes before an .mp4 of the same name; the .avi is the one published.
        for fields in harvest.fitting() {
            if !fields["part"].eq_ignore_ascii_case(folder) {
                continue;
            }
            let name = fields["name"].to_ascii_lowercase();
            match clips.get(&name) {
                Some(first) => {
                    let message = format!("the same clip as {}", first.path());
                    harvest.contradiction(fields.file, message);
                }
                None => {
                    clips.insert(name, fields.file);
                }
            }
        }
        if clips.is_empty() {
            continue;
        }
        let tree = harvest.tree();
        let side_file = tree.side_file(harvest.card().name, &[table])?;
        for line in tree
            .read_table(side_file, b',', &["name", "discrete"])?
            .rows()
        {
            let name = line.get("name").to_ascii_lowercase();
            let source = format!("{} line {}", side_file.path(), line.line());
            if !labelled.insert(name.clone()) {
                let reason = "the name is labelled already, in this part or an earlier one";
                match clips.remove(&name) {
                    Some(file) => harvest.leave_out(file, reason),
                    None => harvest.leave_out_item(source, reason),
                }
                continue;
            }
            match clips.remove(&name) {
                Some(file) => {
                    let valence = harvest.rating(&source, line.get("valence"));
                    let row = row(file, &name, line.get("discrete"), split);
                    harvest.row(file, row.dimensions([valence, None, None]));
                }
                None => harvest.missing(format!("{folder}/{name}"), source),
            }
        }
        for file in clips.into_values() {
            if folder == "test3" {
                harvest.leave_out(file, "a clip without a label, for semi-supervised learning");
            } else {
                harvest.contradiction(file, format!("{table} has no row for it"));
            }
        }
    }
    Ok(())
}

fn row(file: &RawFile, name: &str, emo: &str, split: &str) -> Row {
    // A clip in another container is a copy; most clips are .avi.
    let id = match file.extension().as_str() {
        "mp4" => format!("{name}.mp4"),
        _ => name.to_owned(),
    };
    Row::new(&id, emo.to_ascii_lowercase())
        .published_speaker(id)
        .split(split)
}
