//! PAVOQUE: six long recordings, each with a list of segments in YAML.

use crate::card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, LineProblem, RawFile};
use std::collections::{HashMap, HashSet};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "pavoque",
        title: "PAVOQUE",
        full_name: "PAVOQUE corpus of expressive speech",
        languages: &["German"],
        source: Source::Act,
        recording: "The actor and baritone Stefan Röttig reads German sentences in a neutral voice and in four styles, named \
                    after characters: cheerful, depressed, aggressive, and a cool poker player.",
        table1: Table1 {
            classes: 5,
            speakers: Some(1),
            utterances: 7334,
            hours: 12.2,
        },
        labels: &[
            ("angry", "Angry"),
            ("happy", "Happy"),
            ("neutral", "Neutral"),
            ("poker", "Poker"),
            ("sad", "Sad"),
        ],
        licence: "CC BY-NC-SA 4.0",
        access: Access::Open {
            page: "https://github.com/marytts/pavoque-data/releases",
            archives: &[
                archive("https://github.com/marytts/pavoque-data/archive/refs/tags/v0.2.zip"),
                archive(
                    "https://github.com/marytts/pavoque-data/releases/download/v0.2/pavoque-angry.flac",
                ),
                archive(
                    "https://github.com/marytts/pavoque-data/releases/download/v0.2/pavoque-happy.flac",
                ),
                archive(
                    "https://github.com/marytts/pavoque-data/releases/download/v0.2/pavoque-neutral.flac",
                ),
                archive(
                    "https://github.com/marytts/pavoque-data/releases/download/v0.2/pavoque-poker.flac",
                ),
                archive(
                    "https://github.com/marytts/pavoque-data/releases/download/v0.2/pavoque-sad.flac",
                ),
            ],
        },
        homepage: "https://github.com/marytts/pavoque-data",
        citation: "Steiner, Schröder, Klepp: The PAVOQUE corpus as a resource for analysis and synthesis of expressive speech. Phonetik & Phonologie 9, 2013",
        layout: "pavoque-angry.flac      one long recording\npavoque-angry.yaml      its segments: prompt, text, style, start, end\n…                       the same for happy, neutral, outtakes, poker, sad",
        audio: "flac, 44.1 kHz, 16 bit, mono; the longest recording has 5.4 h",
        expected: &[("", 6)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[Difference {
            field: "rows",
            published: "119 segments of the outtakes stand 2 to 4 times in the list, with different styles: 288 rows, and 60 of the segments are in train and in test",
            ours: "left out, for nothing tells which of the labels is right; 7046 rows remain",
        }],
        notes: &[
            "utterances are segments: start and end in seconds, in a file of hours",
            "the yaml files are in the repository, the flac files beside each release",
            "`emobox download` has five of the six recordings: where pavoque-outtakes.flac lies is not known, so look for it among the releases, or prepare the other five with --allow-missing",
            "of segments with the same prompt and style the published metadata keep the last",
            "one speaker: no partition can be speaker-disjoint; 327 prompts are in train and in test",
        ],
    },
    grammar: &[r"pavoque-(?P<part>angry|happy|neutral|outtakes|poker|sad)\.flac"],
    recipe: Recipe::Tree(read),
};

const fn archive(address: &'static str) -> Archive {
    Archive {
        address,
        bytes: None,
        checksum: None,
    }
}

const PARTS: [&str; 6] = ["angry", "happy", "neutral", "outtakes", "poker", "sad"];

const REPEATED: &str =
    "the same prompt and style stand further down; the published corpus keeps the last";

const TWIN: &str = "the same segment is listed with several styles, so its label is unknown";

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    for part in PARTS {
        let list = format!("pavoque-{part}.yaml");
        let mut recordings = harvest.fitting();
        recordings.retain(|fields| fields["part"].eq_ignore_ascii_case(part));
        if recordings.is_empty() {
            if let Some(side_file) = tree.find(&list) {
                harvest.missing(format!("pavoque-{part}.flac"), side_file.path());
            }
            continue;
        }
        let side_file = tree.side_file(harvest.card().name, &[&list])?;
        let segments = segments(&tree.read_text(side_file)?).map_err(|problems| {
            let path = tree.locate(side_file);
            CorpusError::Lines { path, problems }
        })?;
        for fields in recordings {
            add_rows(harvest, fields.file, side_file, &segments);
        }
    }
    Ok(())
}

fn add_rows<'a>(
    harvest: &mut Harvest<'a>,
    recording: &'a RawFile,
    side_file: &RawFile,
    segments: &[Segment],
) {
    let place = |segment: &Segment| (segment.start.to_bits(), segment.end.to_bits());
    let mut styles: HashMap<(u64, u64), HashSet<&str>> = HashMap::new();
    let mut last = HashMap::new();
    for (index, segment) in segments.iter().enumerate() {
        styles
            .entry(place(segment))
            .or_default()
            .insert(&segment.style);
        last.insert((&segment.prompt, &segment.style), index);
    }
    for (index, segment) in segments.iter().enumerate() {
        let id = format!("{}-{}", segment.prompt, segment.style);
        let emo = segment.style.to_lowercase();
        let source = format!("{} line {}: {id}", side_file.path(), segment.line);
        if last.get(&(&segment.prompt, &segment.style)) != Some(&index) {
            harvest.leave_out_item(source, REPEATED);
            continue;
        }
        if harvest.card().class_of(&emo).is_none() {
            let known: Vec<&str> = harvest.card().labels.iter().map(|(raw, _)| *raw).collect();
            let message = format!("{source}: style is none of {}", known.join(", "));
            harvest.contradiction(recording, message);
            continue;
        }
        let row = Row::new(id, emo)
            .speaker("STEFAN-RÖTTIG")
            .gender(Gender::Male)
            .text(segment.text.as_str())
            .segment(segment.start, segment.end);
        let alone = styles
            .get(&place(segment))
            .is_some_and(|styles| styles.len() == 1);
        let row = if alone {
            row
        } else {
            row.only_as_published(TWIN)
        };
        harvest.row(recording, row);
    }
}

/// One entry of a list of segments.
#[derive(Debug, PartialEq)]
struct Segment {
    /// First line of the entry, from 1.
    line: u64,
    prompt: String,
    text: String,
    style: String,
    /// Seconds.
    start: f64,
    /// Seconds.
    end: f64,
}

/// Entries during parsing: each field with its text.
struct Entries {
    line: u64,
    fields: Vec<(String, String)>,
}

/// Reads the subset of YAML in which these lists are written: a list of mappings at the left margin, whose scalars may be
/// quoted and may continue on lines that are indented further. The phones below `segments:` are not needed.
fn segments(text: &str) -> Result<Vec<Segment>, Vec<LineProblem>> {
    let mut entries: Vec<Entries> = Vec::new();
    let mut problems = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() || text.starts_with('#') || text == "---" {
            continue;
        }
        let field = match text.strip_prefix("- ") {
            Some(rest) => {
                let fields = Vec::new();
                entries.push(Entries { line, fields });
                Some(rest)
            }
            None => text
                .strip_prefix("  ")
                .filter(|rest| !rest.starts_with([' ', '-'])),
        };
        let Some(entry) = entries.last_mut() else {
            let message = format!("`- prompt: …` expected, found {text:?}");
            problems.push(LineProblem { line, message });
            continue;
        };
        match field {
            Some(field) => match field.split_once(':') {
                Some((name, value)) => {
                    let value = value.trim().to_owned();
                    entry.fields.push((name.trim().to_owned(), value));
                }
                None => {
                    let message = format!("`name: value` expected, found {text:?}");
                    problems.push(LineProblem { line, message });
                }
            },
            // A phone, or a continued scalar.
            None if text.starts_with("  ") => match entry.fields.last_mut() {
                Some((name, _)) if name == "segments" => {}
                Some((_, value)) => {
                    value.push(' ');
                    value.push_str(text.trim());
                }
                None => {}
            },
            None => {
                let message = format!("an indented line expected, found {text:?}");
                problems.push(LineProblem { line, message });
            }
        }
    }
    let mut segments = Vec::with_capacity(entries.len());
    for entry in &entries {
        match segment(entry) {
            Ok(segment) => segments.push(segment),
            Err(message) => problems.push(LineProblem {
                line: entry.line,
                message,
            }),
        }
    }
    if problems.is_empty() {
        Ok(segments)
    } else {
        problems.sort_by_key(|problem| problem.line);
        Err(problems)
    }
}

fn segment(entry: &Entries) -> Result<Segment, String> {
    let find = |wanted: &str| {
        let field = entry.fields.iter().find(|(name, _)| name == wanted);
        field.map(|(_, value)| unquoted(value)).ok_or_else(|| {
            let found: Vec<&str> = entry.fields.iter().map(|(name, _)| name.as_str()).collect();
            format!(
                "prompt, style, start and end expected, found {}; {wanted} is missing",
                found.join(", ")
            )
        })
    };
    let seconds = |wanted: &str| {
        let value = find(wanted)?;
        let number = value.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("{wanted} is no number of seconds: {value:?}"))
    };
    Ok(Segment {
        line: entry.line,
        prompt: find("prompt")?,
        text: find("text").unwrap_or_default(),
        style: find("style")?,
        start: seconds("start")?,
        end: seconds("end")?,
    })
}

/// The content of a plain, single-quoted or double-quoted scalar on one line.
fn unquoted(value: &str) -> String {
    let inside = |quote: char| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    if let Some(inside) = inside('\'') {
        inside.replace("''", "'")
    } else if let Some(inside) = inside('"') {
        inside.replace("\\\"", "\"").replace("\\\\", "\\")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_long_lines_and_phones_are_read() {
        let text = "---\n- prompt: spike0008\n  text: Ach ja?\n  style: angry\n  start: 27.0\n  end: 28.92\n  segments:\n  \
                    - {lab: H#, end: 0.280902}\n  - {lab: 'a:', end: 0.963273}\n- prompt: a1\n  text: 'Simon: Da geh'' ich\n    \
                    nicht lang;'\n  style: \"sad\"\n  start: 0.1\n  end: 1e1\n";
        let found = segments(text).unwrap();
        assert_eq!((found[0].line, found[0].text.as_str()), (2, "Ach ja?"));
        assert_eq!((found[0].start, found[0].end), (27.0, 28.92));
        assert_eq!(found[1].text, "Simon: Da geh' ich nicht lang;");
        assert_eq!((found[1].style.as_str(), found[1].end), ("sad", 10.0));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let text = "stray\n- prompt: a\n  style: sad\n  start: soon\n  end: 1.0\n- prompt: b\n  start: 0\n  end: nan\nback\n";
        let problems = segments(text).unwrap_err();
        let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "line 1: `- prompt: …` expected, found \"stray\"",
                "line 2: start is no number of seconds: \"soon\"",
                "line 6: prompt, style, start and end expected, found prompt, start, end; style is missing",
                "line 9: an indented line expected, found \"back\"",
            ]
        );
    }
}
