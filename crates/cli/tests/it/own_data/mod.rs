//! Users' own corpora and audio as they occur in practice: each is read correctly or rejected with the cause, never silently
//! misread.

mod audio;
mod folders;
mod forms;
mod releases;
mod tables;

use crate::program::{Program, Transcript, tone, wav};
use serde_json::Value;

pub(super) const SPEAKERS: [&str; 4] = ["03", "08", "09", "10"];

pub(super) const LABELS: [&str; 3] = ["anger", "neutral", "sad"];

/// Name, speaker and label of the 36 clips.
pub(super) fn clips() -> Vec<(String, &'static str, &'static str)> {
    let mut clips = Vec::new();
    for speaker in SPEAKERS {
        for label in LABELS {
            for take in 0..3 {
                clips.push((format!("{speaker}_{label}_{take}.wav"), speaker, label));
            }
        }
    }
    clips
}

pub(super) fn sound(number: usize) -> Vec<u8> {
    wav(&tone(number % 3, number, 1.0))
}

/// The clips in `own/wav` with a table of this header and one line per clip.
pub(super) fn table(header: &str, line: impl Fn(usize, &str, &str, &str) -> String) -> Program {
    table_of(header, "\n", line)
}

pub(super) fn table_of(
    header: &str,
    end: &str,
    line: impl Fn(usize, &str, &str, &str) -> String,
) -> Program {
    let program = Program::new();
    let mut text = header.to_owned() + end;
    for (number, (name, speaker, label)) in clips().iter().enumerate() {
        program.write(&format!("own/wav/{name}"), &sound(number));
        text += &line(number, &format!("wav/{name}"), speaker, label);
        text += end;
    }
    program.write("own/labels.csv", text.as_bytes());
    program
}

/// The clips in a tree without a table.
pub(super) fn tree(place: impl Fn(usize, &str, &str) -> String) -> Program {
    let program = Program::new();
    for (number, (name, speaker, label)) in clips().iter().enumerate() {
        let folder = place(number, speaker, label);
        program.write(&format!("own/{folder}/{name}"), &sound(number));
    }
    program
}

pub(super) fn prepare(program: &Program, more: &[&str]) -> Transcript {
    let mut call = vec!["prepare", "mine", "--raw", "own"];
    call.extend(more);
    program.run(&call)
}

pub(super) fn manifest(program: &Program, corpus: &str) -> Vec<Value> {
    let path = program.path(&format!("home/corpora/{corpus}/manifest.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs `prepare` and returns the number of utterances, classes and speakers.
pub(super) fn sizes(program: &Program, more: &[&str]) -> (usize, usize, usize) {
    let told = prepare(program, more);
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    let rows = manifest(program, "mine");
    let distinct = |field: &str| {
        let values = rows.iter().filter_map(|row| row[field].as_str());
        values.collect::<std::collections::BTreeSet<_>>().len()
    };
    (rows.len(), distinct("label"), distinct("speaker"))
}

pub(super) const ALL: (usize, usize, usize) = (36, 3, 4);
