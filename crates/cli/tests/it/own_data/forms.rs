//! Formats in which programs exchange corpora.

use super::{ALL, LABELS, manifest, prepare, sizes, sound, table, tree};
use crate::program::Program;

/// Keys, labels, speakers and paths of all utterances.
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
            // All paths except AudioFolder's are absolute, and the audio must be below the folder that is read.
            let table = program.path("own/labels.csv");
            let original = std::fs::read(&table).unwrap();
            // Into the folder itself no form is exported that would be read in place of the table.
            let out = if form == "hf" { "own" } else { form };
            program.succeed(&["export", "mine", "--as", form, "--out", out]);
            std::fs::remove_file(&table).unwrap();
            if out != "own" {
                let refused = program.run(&["export", "mine", "--as", form, "--out", "own"]);
                refused.fails_with(2, &["name another folder as --out"]);
                for entry in std::fs::read_dir(program.path(out)).unwrap() {
                    let entry = entry.unwrap();
                    let place = program.path("own").join(entry.file_name());
                    std::fs::rename(entry.path(), place).unwrap();
                }
            }
            let told = program.run(&["prepare", "back", "--raw", "own"]);
            assert_eq!(told.code, Some(0), "{form}: {}", told.stderr);
            let mut after = said(&program, "back");
            let mut expected = before.clone();
            // Kaldi lists gender by speaker, in a file that is not written.
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
        // The parts of a fold are exported with it.
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
            .fails_with(2, &["expected one of csv, hf"]);
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

/// Copies a corpus written by its format's own package (parity/corpus/forms.py) to `own`.
fn form(program: &Program, name: &str) {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/tests/forms");
    let mut folders = vec![(source.join(name), "own".to_owned())];
    while let Some((folder, to)) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let to = format!("{to}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                folders.push((entry.path(), to));
            } else {
                program.write(&to, &std::fs::read(entry.path()).unwrap());
            }
        }
    }
}

/// The contents from parity/corpus/forms.py, in the form of [`said`]: `label speaker gender text start frames channel split`.
fn small(label: bool, parts: bool, segments: bool) -> Vec<String> {
    let mut rows = Vec::new();
    for (speaker, gender, part) in [("03", "male", "train"), ("08", "female", "test")] {
        for (number, emotion) in LABELS.iter().enumerate() {
            for take in 0..2 {
                let (start, frames) = match segments && take == 1 {
                    true => ("0.01", 480),
                    false => ("null", 800),
                };
                let part = match parts {
                    true => format!("\"{part}\""),
                    false => "null".to_owned(),
                };
                rows.push(match label {
                    true => format!(
                        "\"{emotion}\" \"{speaker}\" \"{gender}\" null {start} {frames} 1 {part}"
                    ),
                    false => format!("\"{number}\" null null null {start} {frames} 1 {part}"),
                });
            }
        }
    }
    rows.sort();
    rows
}

#[test]
fn what_the_packages_write_is_read_as_it_was_put_in() {
    let cases = [
        ("parquet-inside", small(true, true, false)),
        ("parquet-paths", small(true, false, false)),
        ("audformat-csv", small(true, true, true)),
        ("audformat-parquet", small(true, true, true)),
        ("webdataset", small(true, true, false)),
        ("webdataset-cls", small(false, false, false)),
    ];
    for (name, expected) in cases {
        let program = Program::new();
        form(&program, name);
        let told = prepare(&program, &[]);
        assert_eq!(told.code, Some(0), "{name}: {}", told.stderr);
        let mut found = said(&program, "mine");
        found.sort();
        assert_eq!(found, expected, "{name}");
        let inside = !name.contains("audformat") && !name.contains("paths");
        assert_eq!(
            told.stdout.contains("was unpacked to"),
            inside,
            "{}",
            told.stdout
        );
        // The same files give the same keys, and the audio is found at its new path.
        let before = manifest(&program, "mine");
        prepare(&program, &[]);
        assert_eq!(manifest(&program, "mine"), before);
        if inside {
            let first = before[0]["wav"].as_str().unwrap();
            let path = program.path(&format!("home/corpora/mine/audio/{first}"));
            assert_eq!(std::fs::read(path).unwrap().len(), 44 + 1600);
        }
    }
    // Keys come from the files, not from the shards.
    let program = Program::new();
    form(&program, "webdataset");
    prepare(&program, &[]);
    assert_eq!(manifest(&program, "mine")[0]["key"], "mine-test-08_anger_0");
}

#[test]
fn damaged_tables_and_shards_are_refused_and_leave_what_was_there() {
    let program = Program::new();
    form(&program, "parquet-inside");
    prepare(&program, &[]);
    let good = manifest(&program, "mine");
    let path = program.path("own/data/train-00000-of-00001.parquet");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    prepare(&program, &[]).fails_with(1, &["train-00000-of-00001.parquet", "cannot be read"]);
    assert_eq!(manifest(&program, "mine"), good);
    assert!(
        program
            .path("home/corpora/mine/audio/test/08_sad_1.wav")
            .is_file()
    );
    // An overwritten page, with an intact footer.
    let mut odd = bytes.clone();
    odd[8..400].fill(0xFF);
    std::fs::write(&path, odd).unwrap();
    let told = prepare(&program, &[]);
    told.fails_with(1, &["train-00000-of-00001.parquet"]);
    assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
    // A row that cannot be used is reported with its table.
    std::fs::write(&path, &bytes).unwrap();
    program.write("own/label_map.json", br#"{"anger": "A", "sad": "S"}"#);
    prepare(&program, &[]).fails_with(
        1,
        &[
            "own/data/",
            "line 3: label \"neutral\" is not in label_map.json",
        ],
    );
    let shards = Program::new();
    form(&shards, "webdataset");
    let path = shards.path("own/train-000000.tar");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2 - 700]).unwrap();
    prepare(&shards, &[]).fails_with(1, &["train-000000.tar", "cannot be read"]);
}

#[test]
fn a_compression_that_is_not_read_is_named() {
    let program = Program::new();
    form(&program, "parquet-zstd");
    let parts = [
        "all.parquet",
        "zstd",
        "snappy, gzip and no compression are read",
    ];
    prepare(&program, &[]).fails_with(1, &parts);
}

#[test]
fn archives_and_tables_of_other_things_are_no_corpus() {
    // A tree beside a table of features is still read as a tree.
    let program = tree(|_, _, label| label.to_owned());
    program.write("own/features.parquet", &other_parquet());
    assert_eq!(sizes(&program, &[]), (36, 3, 0));
    let alone = Program::new();
    alone.write("own/features.parquet", &other_parquet());
    prepare(&alone, &[]).fails_with(1, &["no audio file below"]);
    let archive = Program::new();
    archive.write("own/audio.tar", &[0; 1024]);
    archive.write("own/more.zip", b"PK\x03\x04");
    prepare(&archive, &[]).fails_with(1, &["no audio file below", "audio.tar", "more.zip"]);
}

/// Names and times of a database without a label: a table that is not a list of clips.
fn other_parquet() -> Vec<u8> {
    let path = "../corpus/tests/forms/audformat-parquet/db.files.parquet";
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn audformat_tables_that_contradict_each_other_or_are_pickles_are_refused() {
    let program = Program::new();
    form(&program, "audformat-csv");
    let header = std::fs::read_to_string(program.path("own/db.yaml")).unwrap();
    let again = "  again:\n    type: filewise\n    columns:\n      emotion: {scheme_id: emotion}\n";
    program.write("own/db.yaml", format!("{header}{again}").as_bytes());
    prepare(&program, &[]).fails_with(1, &["db.again.csv", "storage_format"]);
    program.write("own/db.again.csv", b"file,emotion\nwav/03_anger_0.wav,s\n");
    prepare(&program, &[]).fails_with(
        1,
        &["wav/03_anger_0.wav is \"a\" in one table and \"s\" in db.again.csv"],
    );
    program.write("own/db.again.csv", b"file,emotion\nwav/03_anger_0.wav,a\n");
    assert_eq!(sizes(&program, &[]), (12, 3, 2));
    program.write("own/db.yaml", b"tables: [\n");
    prepare(&program, &[]).fails_with(1, &["db.yaml", "line "]);
}
