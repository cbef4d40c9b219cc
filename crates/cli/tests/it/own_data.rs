//! Corpora of one's own and audio as they lie on people's disks: each is read rightly or refused with the cause, never read
//! wrongly without a word.

use crate::program::{Program, Transcript, float_wav, tone, wav};
use serde_json::Value;

const SPEAKERS: [&str; 4] = ["03", "08", "09", "10"];
const LABELS: [&str; 3] = ["anger", "neutral", "sad"];

/// Name, speaker and label of the 36 clips.
fn clips() -> Vec<(String, &'static str, &'static str)> {
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

fn sound(number: usize) -> Vec<u8> {
    wav(&tone(number % 3, number, 1.0))
}

/// The clips in `own/wav` beside a table of this header and a line a clip.
fn table(header: &str, line: impl Fn(usize, &str, &str, &str) -> String) -> Program {
    table_of(header, "\n", line)
}

fn table_of(header: &str, end: &str, line: impl Fn(usize, &str, &str, &str) -> String) -> Program {
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
fn tree(place: impl Fn(usize, &str, &str) -> String) -> Program {
    let program = Program::new();
    for (number, (name, speaker, label)) in clips().iter().enumerate() {
        let folder = place(number, speaker, label);
        program.write(&format!("own/{folder}/{name}"), &sound(number));
    }
    program
}

fn prepare(program: &Program, more: &[&str]) -> Transcript {
    let mut call = vec!["prepare", "mine", "--raw", "own"];
    call.extend(more);
    program.run(&call)
}

fn manifest(program: &Program, corpus: &str) -> Vec<Value> {
    let path = program.path(&format!("home/corpora/{corpus}/manifest.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Prepares and gives the number of utterances, classes and speakers.
fn sizes(program: &Program, more: &[&str]) -> (usize, usize, usize) {
    let told = prepare(program, more);
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    let rows = manifest(program, "mine");
    let distinct = |field: &str| {
        let values = rows.iter().filter_map(|row| row[field].as_str());
        values.collect::<std::collections::BTreeSet<_>>().len()
    };
    (rows.len(), distinct("label"), distinct("speaker"))
}

const ALL: (usize, usize, usize) = (36, 3, 4);

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
    // Names that do not tell, on the command line and in an experiment file.
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
    // Two columns that may both be the label are asked about.
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
    // With a byte-order mark, as some editors write it.
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
    // Only the name, as Common Voice lists what lies in clips/.
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
fn folders_are_read_by_what_they_name_and_what_repeats() {
    let speaker_first = tree(|_, s, l| format!("spk{s}/{l}"));
    assert_eq!(sizes(&speaker_first, &[]), ALL);
    let emotion_first = tree(|_, s, l| format!("{l}/spk{s}"));
    assert_eq!(sizes(&emotion_first, &[]), ALL);
    let told = prepare(&emotion_first, &[]);
    assert!(
        told.stdout.contains("folders are read as emotion/speaker"),
        "{}",
        told.stdout
    );
    let esd = tree(|i, s, l| format!("00{s}/{l}/{}", ["train", "test", "validation"][i % 3]));
    assert_eq!(sizes(&esd, &[]), ALL);
    let mixed = tree(|_, s, l| {
        if s == "10" {
            format!("new_batch/{l}")
        } else {
            l.to_owned()
        }
    });
    assert_eq!(sizes(&mixed, &[]), (36, 3, 0));
    let told = prepare(&mixed, &[]);
    assert!(
        told.stdout
            .contains("the folders new_batch are passed over"),
        "{}",
        told.stdout
    );
    // No word tells which of two crossed levels is the emotion.
    let open = tree(|_, s, l| format!("x{s}/y{}", l.len()));
    prepare(&open, &[]).fails_with(
        1,
        &["4 classes (x03, x08, x09, x10)", "3 classes (y3, y5, y7)"],
    );
    open.write(
        "own/label_map.json",
        br#"{"y3": "Sad", "y5": "Angry", "y7": "Neutral"}"#,
    );
    assert_eq!(sizes(&open, &[]), ALL);
    let open = tree(|_, s, l| {
        if s == "10" {
            format!("n/y{}", l.len())
        } else {
            format!("y{}", l.len())
        }
    });
    prepare(&open, &[]).fails_with(1, &["may be of the class n or of the class y"]);
    let people = tree(|_, s, _| format!("Actor_{s}"));
    prepare(&people, &[]).fails_with(
        1,
        &["Actor_03, Actor_08", "named as people", "label_map.json"],
    );
}

#[test]
fn a_copy_inside_itself_is_read_once() {
    let program = tree(|_, _, l| l.to_owned());
    for (number, (name, _, label)) in clips().iter().enumerate() {
        program.write(&format!("own/own/{label}/{name}"), &sound(number));
    }
    let told = prepare(&program, &[]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    assert_eq!(manifest(&program, "mine").len(), 36);
    assert!(
        told.stdout.contains("key claimed by several files: 36"),
        "{}",
        told.stdout
    );
}

#[test]
fn keys_of_different_files_differ() {
    let program = tree(|_, _, l| l.to_owned());
    program.write("own/sad/s03/0.wav", &sound(1));
    program.write("own/sad/s03-0.wav", &sound(2));
    assert_eq!(sizes(&program, &[]).0, 38);
    let keys: Vec<String> = manifest(&program, "mine")
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    for key in [
        "mine-sad/s03-0.wav",
        "mine-sad/s03/0.wav",
        "mine-sad-03_sad_0",
    ] {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
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
    // Common Voice's form: a table a part, and clips/.
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

/// Keys, labels, speakers and places of all utterances.
fn said(program: &Program, corpus: &str) -> Vec<String> {
    let fields = [
        "label",
        "speaker",
        "gender",
        "text",
        "start_time",
        "num_frame",
        "channel",
        "split",
    ];
    manifest(program, corpus)
        .iter()
        .map(|row| fields.map(|field| row[field].to_string()).join(" "))
        .collect()
}

#[test]
fn every_form_of_interchange_is_read_back_as_it_was() {
    let header = "path,label,speaker,gender,text,start,end";
    let whole = table("path,label,speaker,gender,text", |i, p, s, l| {
        format!("{p},{l},{s},female,\"no. {i}, said\"")
    });
    let cut = table(header, |i, p, s, l| {
        format!("{p},{l},{s},male,no. {i},0.25,0.75")
    });
    for program in [whole, cut] {
        assert_eq!(sizes(&program, &[]), ALL);
        program.succeed(&["split", "mine", "--scheme", "speaker"]);
        let before = said(&program, "mine");
        for form in ["csv", "hf", "lhotse", "kaldi", "audformat"] {
            // All but AudioFolder's paths are absolute, and the audio must lie below the folder that is read.
            let table = program.path("own/labels.csv");
            let original = std::fs::read(&table).unwrap();
            std::fs::remove_file(&table).unwrap();
            program.succeed(&["export", "mine", "--as", form, "--out", "own"]);
            let _ = std::fs::remove_file(program.path("own/db.yaml"));
            let told = program.run(&["prepare", "back", "--raw", "own"]);
            assert_eq!(told.code, Some(0), "{form}: {}", told.stderr);
            let mut after = said(&program, "back");
            let mut expected = before.clone();
            // Kaldi has the gender by speaker, which is not written.
            if form == "kaldi" {
                for row in &mut expected {
                    *row = row
                        .replace("\"female\"", "null")
                        .replace("\"male\"", "null");
                }
            }
            expected.sort();
            after.sort();
            assert_eq!(after, expected, "{form}");
            for entry in std::fs::read_dir(program.path("own")).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    std::fs::remove_file(path).unwrap();
                }
            }
            std::fs::write(&table, original).unwrap();
        }
        program
            .run(&["export", "mine", "--as", "hf", "--out", "elsewhere"])
            .fails_with(2, &["name the folder of the audio as --out"]);
        // The parts of a fold go with it.
        program.succeed(&[
            "export", "mine", "--as", "csv", "--out", "fold", "--scheme", "speaker", "--fold", "2",
        ]);
        let text = std::fs::read_to_string(program.path("fold/labels.csv")).unwrap();
        let tested = |line: &&str| line.split(',').any(|cell| cell == "test");
        assert_eq!(text.lines().filter(tested).count(), 9);
        program
            .run(&[
                "export", "mine", "--as", "csv", "--out", "fold", "--fold", "1",
            ])
            .fails_with(2, &["emobox split mine"]);
        program
            .run(&["export", "mine", "--as", "xml", "--out", "fold"])
            .fails_with(2, &["known are csv, hf"]);
    }
}

#[test]
fn a_kaldi_folder_with_pipes_or_without_labels_is_refused() {
    let program = Program::new();
    program.write("own/a.wav", &sound(1));
    program.write("own/wav.scp", b"a sph2pipe -f wav a.sph |\n");
    prepare(&program, &[]).fails_with(1, &["utt2emo not found"]);
    program.write("own/utt2emo", b"a sad\n");
    prepare(&program, &[]).fails_with(1, &["wav.scp: line 1: a is a pipe"]);
}

/// A stereo WAV of two channels.
fn stereo(left: &[i16], right: &[i16]) -> Vec<u8> {
    let both: Vec<i16> = left.iter().zip(right).flat_map(|(a, b)| [*a, *b]).collect();
    let mut bytes = wav(&both);
    bytes[22] = 2;
    bytes[28..32].copy_from_slice(&64_000_u32.to_le_bytes());
    bytes[32] = 4;
    bytes
}

#[test]
fn a_silent_channel_is_told_and_another_can_be_taken() {
    let program = Program::new();
    for (number, (name, _, label)) in clips().iter().enumerate() {
        let speech = tone(number % 3, number, 0.4);
        let bytes = stereo(&vec![0; speech.len()], &speech);
        program.write(&format!("own/{label}/{name}"), &bytes);
    }
    let told = prepare(&program, &[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for part in [
        "files with several channels: 36; taken of them: channel 1, utterances: 36",
        "silent: ",
        "channel 2 is not: --channel 2",
    ] {
        assert!(
            told.stdout.contains(part),
            "{part:?} is not in\n{}",
            told.stdout
        );
    }
    let extracted = program.run(&["extract", "--corpus", "mine", "--encoder", "fbank"]);
    let text = extracted.stdout + &extracted.stderr;
    assert!(text.contains("silent"), "{text}");
    let second = prepare(&program, &["--channel", "2"]);
    assert!(!second.stdout.contains("silent"), "{}", second.stdout);
    assert_eq!(manifest(&program, "mine")[0]["channel"], 2);
    prepare(&program, &["--channel", "mix"]);
    assert_eq!(manifest(&program, "mine")[0]["channel"], 0);
    prepare(&program, &["--channel", "left"]).fails_with(2, &["known are mix and the numbers"]);
    prepare(&program, &["--channel", "3"]).fails_with(1, &["channel 3 wanted, the file has 2"]);
    program.succeed(&[
        "bench",
        "--corpus",
        "mine=own",
        "--channel",
        "mix",
        "--encoder",
        "fbank",
        "--out",
        "out",
    ]);
}

#[test]
fn another_full_scale_than_one_is_told() {
    let program = Program::new();
    for (number, (name, _, label)) in clips().iter().enumerate() {
        let samples: Vec<f32> = tone(number % 3, number, 0.3)
            .iter()
            .map(|x| f32::from(*x))
            .collect();
        program.write(&format!("own/{label}/{name}"), &float_wav(&samples));
    }
    let told = prepare(&program, &[]);
    for part in ["not scaled to 1: ", "full scale is 1"] {
        assert!(
            told.stdout.contains(part),
            "{part:?} is not in\n{}",
            told.stdout
        );
    }
}

#[test]
fn slips_in_headers_do_not_change_the_samples() {
    let program = Program::new();
    let whole = sound(1);
    let mut align = whole.clone();
    align[32] = 1;
    let size = u32::from_le_bytes(whole[40..44].try_into().unwrap());
    let mut excess = whole.clone();
    excess[40..44].copy_from_slice(&(size + 44).to_le_bytes());
    for (name, bytes) in [("a", &whole), ("b", &align), ("c", &excess)] {
        program.write(&format!("own/wav/{name}.wav"), bytes);
    }
    program.write(
        "own/labels.csv",
        b"path,label\nwav/a.wav,sad\nwav/b.wav,sad\nwav/c.wav,joy\n",
    );
    assert_eq!(sizes(&program, &[]).0, 3);
    let frames: Vec<u64> = manifest(&program, "mine")
        .iter()
        .map(|row| row["num_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, [16_000; 3]);
}

/// Speech of RAVDESS, complete: 24 actors, 60 clips each.
fn ravdess(program: &Program, folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let bytes = wav(&tone(0, 1, 0.05));
    for actor in 1..=24 {
        for emotion in 1..=8 {
            for intensity in 1..=if emotion == 1 { 1 } else { 2 } {
                for (statement, repetition) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                    let name = format!(
                        "03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}.wav"
                    );
                    let path = format!("{folder}/Actor_{actor:02}/{name}");
                    program.write(&path, &bytes);
                    paths.push(path);
                }
            }
        }
    }
    paths
}

#[test]
fn registered_corpora_are_known_by_every_spelling_and_by_their_files() {
    let program = Program::new();
    let paths = ravdess(&program, "raw");
    assert_eq!(paths.len(), 1440);
    for name in ["RAVDESS", "Ravdess"] {
        let told = program.run(&["prepare", name, "--raw", "raw"]);
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        assert!(
            told.stdout.contains("ravdess: 1440 utterances"),
            "{}",
            told.stdout
        );
        // As short as these clips are, they are not the release.
        assert!(
            told.stdout.contains("the audio is not as released"),
            "{}",
            told.stdout
        );
        assert!(
            told.stdout.contains("the release is at 48000 Hz"),
            "{}",
            told.stdout
        );
    }
    assert!(program.path("home/corpora/ravdess/manifest.jsonl").exists());
    let slip = program.run(&["prepare", "ravdes", "--raw", "raw"]);
    slip.fails_with(
        1,
        &[
            "ravdess nearly has",
            "write ravdess, or insist with --custom",
        ],
    );
    let mine = program.run(&["prepare", "mine", "--raw", "raw"]);
    mine.fails_with(1, &["Actor_01", "label_map.json"]);
    let complete = program.succeed(&["split", "Ravdess"]);
    assert!(
        complete.stdout.contains("speaker folds"),
        "{}",
        complete.stdout
    );
    let partition = "home/corpora/ravdess/partitions/paper-seed0/partition.tsv";
    let whole = std::fs::read_to_string(program.path(partition)).unwrap();

    // One file cut short: the rest stays where the complete corpus has it.
    let cut = &paths[700];
    let bytes = std::fs::read(program.path(cut)).unwrap();
    program.write(cut, &bytes[..bytes.len() / 2]);
    let told = program.run(&["prepare", "ravdess", "--raw", "raw"]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    let split = program.succeed(&["split", "ravdess"]);
    assert!(
        split.stdout.contains("rule 4 as for the complete corpus"),
        "{}",
        split.stdout
    );
    assert!(
        split
            .stdout
            .contains("1439 utterances of 24 speakers are here"),
        "{}",
        split.stdout
    );
    let rest = std::fs::read_to_string(program.path(partition)).unwrap();
    let name = cut.rsplit('/').next().unwrap().trim_end_matches(".wav");
    let expected: Vec<&str> = whole.lines().filter(|line| !line.contains(name)).collect();
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    assert_eq!(whole.lines().count() - expected.len(), 4);

    // Three actors are left of it: their folds are not the complete corpus's, and this is said.
    for path in &paths {
        if !["Actor_01", "Actor_02", "Actor_03"]
            .iter()
            .any(|actor| path.contains(actor))
        {
            std::fs::remove_file(program.path(path)).unwrap();
        }
    }
    program.run(&["prepare", "ravdess", "--raw", "raw", "--allow-missing"]);
    let split = program.succeed(&["split", "ravdess"]);
    assert!(
        split
            .stdout
            .contains("NOT the folds of the complete corpus"),
        "{}",
        split.stdout
    );
}

/// EMOVO, complete, each clip at the place that `path` gives to speaker and name.
fn emovo(program: &Program, path: impl Fn(&str, &str) -> String) {
    let bytes = wav(&tone(0, 1, 0.05));
    let sentences = [
        "b1", "b2", "b3", "b4", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1",
    ];
    for speaker in ["f1", "f2", "f3", "m1", "m2", "m3"] {
        for emotion in ["neu", "dis", "gio", "pau", "rab", "sor", "tri"] {
            for sentence in sentences {
                program.write(
                    &path(speaker, &format!("{emotion}-{speaker}-{sentence}")),
                    &bytes,
                );
            }
        }
    }
}

#[test]
fn a_complete_release_may_lie_flat_or_in_another_container() {
    let flat = Program::new();
    emovo(&flat, |_, name| format!("raw/{name}.wav"));
    let told = flat.run(&["prepare", "EMOVO", "--raw", "raw"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stdout.contains("emovo: 588 utterances"),
        "{}",
        told.stdout
    );
    // The bytes tell the container, so WAV under another extension stands for any lossless copy.
    let other = Program::new();
    emovo(&other, |speaker, name| {
        format!("raw/EMOVO/{speaker}/{name}.flac")
    });
    let told = other.run(&["prepare", "emovo", "--raw", "raw"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stdout.contains("emovo: 588 utterances"),
        "{}",
        told.stdout
    );
    // What is not read is told with what is missing.
    let half = Program::new();
    emovo(&half, |speaker, name| {
        let place = if speaker == "m3" { "m3/bad-" } else { "f1/" };
        let folder = if speaker == "m3" {
            place.to_owned()
        } else {
            format!("{speaker}/")
        };
        format!("raw/{folder}{name}.wav")
    });
    let told = half.run(&["prepare", "emovo", "--raw", "raw"]);
    told.fails_with(
        1,
        &[
            "m3/: 0 of 98",
            "98 audio files fit no rule of the corpus, the first is m3/bad-",
        ],
    );
}

#[test]
fn corpora_side_by_side_do_not_take_each_others_files() {
    let program = Program::new();
    for letter in ["W", "L", "E", "A", "F", "T", "N"] {
        program.write(&format!("raw/emodb/wav/10a02{letter}a.wav"), &sound(1));
    }
    for letter in ["C", "D", "J", "N", "P", "S", "T"] {
        let folder = letter.to_lowercase();
        program.write(
            &format!("raw/OréauFR_02/m/sess{folder}/11a02{letter}a.wav"),
            &sound(2),
        );
    }
    for corpus in ["emodb", "oreau"] {
        let told = program.run(&["prepare", corpus, "--raw", "raw", "--allow-missing"]);
        assert!(
            told.stdout.contains(&format!("{corpus}: 7 utterances")),
            "{}",
            told.stdout
        );
        assert!(
            told.stdout.contains("files are those of another corpus"),
            "{}",
            told.stdout
        );
    }
}

#[test]
fn one_key_for_two_sounds_is_told() {
    let program = Program::new();
    program.write("raw/a/wav/03a01Wa.wav", &sound(1));
    program.write("raw/b/wav/03a01Wa.wav", &sound(2));
    program.write("raw/b/wav/03a01Na.wav", &sound(3));
    let told = program.run(&["prepare", "emodb", "--raw", "raw", "--allow-missing"]);
    assert!(
        told.stdout.contains("another sound or file format"),
        "{}",
        told.stdout
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let program = Program::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = program.command(&["corpora"]).stdout(full).output().unwrap();
    let told = program.transcript(&output);
    told.fails_with(1, &["could not be written to stdout"]);
}
