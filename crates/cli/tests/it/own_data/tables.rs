//! Tables: columns, rows, vocabularies, encodings.

use super::{ALL, clips, manifest, prepare, sizes, sound, table, table_of, tree};
use crate::program::Program;

#[test]
fn a_plain_table_is_the_yardstick() {
    let program = table("path,label,speaker", |_, p, s, l| format!("{p},{l},{s}"));
    assert_eq!(sizes(&program, &[]), ALL);
}

#[test]
fn rows_with_another_number_of_fields_are_errors_with_their_lines() {
    let comma = table("path,text,label,speaker", |i, p, s, l| {
        let text = if i % 3 == 0 { "he said, no" } else { "fine" };
        format!("{p},{text},{l},{s}")
    });
    prepare(&comma, &[]).fails_with(
        1,
        &[
            "labels.csv: line 2: 5 fields where the header has 4",
            "line 5:",
        ],
    );
    let missing = table_of("path,label,speaker", "\r\n", |i, p, s, l| match i % 4 {
        0 => format!("{p},{s}"),
        _ => format!("{p},{l},{s}"),
    });
    prepare(&missing, &[]).fails_with(1, &["line 2: 2 fields where the header has 3", "line 6:"]);
}

#[test]
fn words_for_parts_are_understood_or_refused() {
    let program = table("path,label,speaker,split", |_, p, s, l| {
        let part = match s {
            "09" => "Dev",
            "10" => "TEST",
            _ => "Training",
        };
        format!("{p},{l},{s},{part}")
    });
    assert_eq!(sizes(&program, &[]), ALL);
    let split = program.succeed(&["split", "mine"]);
    assert!(
        split.stdout.contains("fold 1: train 18, valid 9, test 9"),
        "{}",
        split.stdout
    );
    let partial = table("path,label,speaker,split", |_, p, s, l| {
        let part = if s == "10" { "test" } else { "" };
        format!("{p},{l},{s},{part}")
    });
    prepare(&partial, &[]).fails_with(1, &["27 say nothing, 9 say test"]);
    let unknown = table("path,label,speaker,split", |_, p, s, l| {
        let part = if s == "10" { "eval" } else { "train" };
        format!("{p},{l},{s},{part}")
    });
    prepare(&unknown, &[]).fails_with(1, &["not understood", "9 say eval", "understood are train"]);
    let folders = tree(|_, s, l| format!("{}/{l}", if s == "10" { "Test" } else { "train" }));
    assert_eq!(sizes(&folders, &[]), (36, 3, 0));
    let split = folders.succeed(&["split", "mine"]);
    assert!(
        split.stdout.contains("fold 1: train 27, test 9"),
        "{}",
        split.stdout
    );
}

#[test]
fn usual_column_names_are_found_and_unused_ones_told() {
    let program = table(
        "file;Emotion;speaker_id;start_time;end_time;age",
        |_, p, s, l| format!("{p};{l};{s};0.2;0.7;30"),
    );
    assert_eq!(sizes(&program, &[]), ALL);
    let row = &manifest(&program, "mine")[0];
    assert_eq!(
        (row["start_time"].as_f64(), row["num_frame"].as_u64()),
        (Some(0.2), Some(8000))
    );
    let told = prepare(&program, &[]);
    assert!(
        told.stdout.contains("columns that are not used: age"),
        "{}",
        told.stdout
    );
    // Unrecognised names, given on the command line and in an experiment file.
    let other = table("clip,feeling,who", |_, p, s, l| format!("{p},{l},{s}"));
    prepare(&other, &[]).fails_with(
        1,
        &["columns expected: path, label; found: clip, feeling, who"],
    );
    let columns = ["--columns", "path=clip,label=feeling,speaker=who"];
    assert_eq!(sizes(&other, &columns), ALL);
    prepare(&other, &["--columns", "path=clip,label=mood"])
        .fails_with(1, &["mood", "the table has clip, feeling, who"]);
    prepare(&other, &["--columns", "clip"]).fails_with(2, &["FIELD=COLUMN"]);
    other.write(
        "e.toml",
        b"\xEF\xBB\xBFprotocol = \"paper\"\n[[corpus]]\nname = \"mine\"\nraw = \"own\"\n\
          columns = { path = \"clip\", label = \"feeling\", speaker = \"who\" }\n\
          [[encoder]]\nname = \"fbank\"\n",
    );
    other.succeed(&["bench", "e.toml", "--plan", "--out", "out"]);
    // If two columns may be the label, the user is asked.
    let both = table("path,emotion,label", |_, p, s, l| format!("{p},{l},{s}"));
    prepare(&both, &[]).fails_with(1, &["--columns label="]);
}

#[test]
fn values_that_differ_only_in_their_writing_are_asked_about() {
    let labels = table("path,label,speaker", |i, p, s, l| match i % 5 {
        0 => format!("{p},{},{s}", l.to_uppercase()),
        _ => format!("{p},{l},{s}"),
    });
    prepare(&labels, &[]).fails_with(
        1,
        &[
            "labels that differ only in case",
            "\"ANGER\"",
            "label_map.json",
        ],
    );
    assert_eq!(sizes(&labels, &["--custom"]), (36, 6, 4));
    let map = r#"{"anger": "Angry", "ANGER": "Angry", "neutral": "Neutral", "NEUTRAL": "Neutral",
                  "sad": "Sad", "SAD": "Sad", "glad": "Happy"}"#;
    // With a byte-order mark, as written by some editors.
    labels.write("own/label_map.json", format!("\u{feff}{map}").as_bytes());
    assert_eq!(sizes(&labels, &[]), ALL);
    let told = prepare(&labels, &[]);
    assert!(
        told.stdout.contains("classes that no utterance has: Happy"),
        "{}",
        told.stdout
    );
    let speakers = table("path,label,speaker", |i, p, s, l| match i % 2 {
        0 => format!("{p},{l},{}", s.trim_start_matches('0')),
        _ => format!("{p},{l},{s}"),
    });
    prepare(&speakers, &[]).fails_with(1, &["speakers that differ only in", "\"03\"", "\"3\""]);
    let nan = table("path,label,speaker", |i, p, s, l| match i {
        7 => format!("{p},nan,{s}"),
        _ => format!("{p},{l},{s}"),
    });
    prepare(&nan, &[]).fails_with(1, &["line 9: the label is \"nan\""]);
}

#[test]
fn nothing_is_never_a_corpus_and_never_replaces_one() {
    let program = table("path,label,speaker", |_, p, s, l| format!("{p},{l},{s}"));
    assert_eq!(sizes(&program, &[]), ALL);
    let before = manifest(&program, "mine");
    let whole = std::fs::read(program.path("own/labels.csv")).unwrap();
    program.write("own/labels.csv", b"path,label,speaker\n");
    prepare(&program, &[]).fails_with(1, &["no utterance of", "nothing is listed"]);
    program.write("own/labels.csv", &whole);
    for (name, ..) in clips() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        program.write(&format!("own/wav/{name}"), pointer);
    }
    prepare(&program, &[]).fails_with(1, &["Git LFS pointers, not the audio", "git lfs pull"]);
    assert_eq!(manifest(&program, "mine"), before);
}

#[test]
fn paths_and_segments_as_programs_write_them() {
    let program = table("path,label,speaker", |_, p, s, l| format!("{p},{l},{s}"));
    let root = program.path("own").canonicalize().unwrap();
    let table_at = |line: &dyn Fn(&str, &str, &str) -> String, header: &str| {
        let mut text = header.to_owned() + "\n";
        for (name, speaker, label) in clips() {
            text += &line(&name, speaker, label);
            text.push('\n');
        }
        program.write("own/labels.csv", text.as_bytes());
    };
    let absolute = |name: &str, s: &str, l: &str| format!("{}/wav/{name},{l},{s}", root.display());
    table_at(&absolute, "path,label,speaker");
    assert_eq!(sizes(&program, &[]), ALL);
    assert_eq!(manifest(&program, "mine")[0]["wav"], "wav/03_anger_0.wav");
    table_at(
        &|name, s, l| format!("/elsewhere/{name},{l},{s}"),
        "path,label,speaker",
    );
    prepare(&program, &[]).fails_with(1, &["line 2: /elsewhere/03_anger_0.wav lies outside of"]);
    table_at(
        &|name, s, l| format!("../wav/{name},{l},{s}"),
        "path,label,speaker",
    );
    prepare(&program, &[]).fails_with(1, &["climbs out"]);
    // Only the file name, as Common Voice lists the contents of clips/.
    table_at(
        &|name, s, l| format!("{name},{l},{s}"),
        "path,label,speaker",
    );
    assert_eq!(sizes(&program, &[]), ALL);
    for end in ["", "NaT", "nan"] {
        table_at(
            &|name, s, l| format!("{name},{l},{s},0 days 00:00:00.200000,{end}"),
            "file,emotion,speaker,start,end",
        );
        assert_eq!(sizes(&program, &[]), ALL);
        let row = &manifest(&program, "mine")[0];
        assert_eq!(
            (row["end_time"].as_f64(), row["num_frame"].as_u64()),
            (Some(1.0), Some(12_800))
        );
    }
}

#[test]
fn other_encodings_are_read_and_other_files_named() {
    let program = table("path,label,speaker", |_, p, s, l| format!("{p},{l},{s}"));
    let text = std::fs::read_to_string(program.path("own/labels.csv")).unwrap();
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    let utf16: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    program.write("own/labels.csv", &utf16);
    assert_eq!(sizes(&program, &[]), ALL);
    program.write("own/labels.csv", b"PAR1\x15\x04\x15\xff\0\0PAR1");
    let told = prepare(&program, &[]);
    told.fails_with(1, &["labels.csv: a Parquet file, expected a table"]);
    assert!(!told.stderr.contains('\x15'));
    program.write("packed/corpus.zip", b"PK\x03\x04");
    let packed = program.run(&["prepare", "mine", "--raw", "packed"]);
    packed.fails_with(1, &["among them corpus.zip: unpack it first"]);
}

#[test]
fn tables_of_parts_are_read_together() {
    // Hugging Face's AudioFolder: metadata in each split's folder.
    let program = Program::new();
    let mut texts = std::collections::BTreeMap::new();
    for (number, (name, speaker, label)) in clips().iter().enumerate() {
        let part = if *speaker == "10" { "test" } else { "train" };
        program.write(&format!("own/data/{part}/{name}"), &sound(number));
        let text: &mut String = texts.entry(part).or_default();
        *text += &format!("{name},{label},{speaker}\n");
    }
    for (part, text) in &texts {
        let text = format!("file_name,emotion,speaker_id\n{text}");
        program.write(&format!("own/data/{part}/metadata.csv"), text.as_bytes());
    }
    assert_eq!(sizes(&program, &[]), ALL);
    let split = program.succeed(&["split", "mine"]);
    assert!(
        split.stdout.contains("fold 1: train 27, test 9"),
        "{}",
        split.stdout
    );
    // Common Voice's layout: one table per part, and clips/.
    let program = Program::new();
    for (part, text) in &texts {
        let text = text.replace(',', "\t");
        let text = format!("path\temotion\tclient_id\n{text}");
        program.write(&format!("own/{part}.tsv"), text.as_bytes());
    }
    program.write("own/validated.tsv", b"path\temotion\tclient_id\n");
    for (number, (name, ..)) in clips().iter().enumerate() {
        program.write(&format!("own/clips/{name}"), &sound(number));
    }
    assert_eq!(sizes(&program, &[]), ALL);
    let told = prepare(&program, &[]);
    assert!(told.stdout.contains("not validated.tsv"), "{}", told.stdout);
    let split = program.succeed(&["split", "mine"]);
    assert!(
        split.stdout.contains("fold 1: train 27, test 9"),
        "{}",
        split.stdout
    );
}
