//! `emobox prepare` on releases in the states that occur in practice: partly downloaded, unpacked twice, with names in an old
//! code page, with side files of another edition.

use crate::program::{Program, Transcript, tone, wav};

fn recording(program: &Program, path: &str) {
    program.write(path, &wav(&tone(0, path.len(), 0.2)));
}

fn prepare(program: &Program, corpus: &str, more: &[&str]) -> Transcript {
    let mut call = vec!["prepare", corpus, "--raw", "raw"];
    call.extend(more);
    program.run(&call)
}

/// The keys of a corpus's manifest.
fn keys(program: &Program, corpus: &str) -> Vec<String> {
    let path = program.path(&format!("home/corpora/{corpus}/manifest.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    let key = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["key"].as_str().unwrap().to_owned()
    };
    text.lines().map(key).collect()
}

#[test]
fn a_half_fetched_release_says_what_is_missing_by_folder() {
    let program = Program::new();
    for path in ["liuchanhg/angry/201.wav", "liuchanhg/sad/202.wav"] {
        recording(&program, &format!("raw/CASIA/{path}"));
    }
    recording(&program, "raw/CASIA/wangzhe/fear/203.wav");
    let refused = prepare(&program, "casia", &[]);
    refused.fails_with(
        1,
        &[
            "corpus casia is incomplete",
            "liuchanhg/: 2 of 300 audio files, 298 missing",
            "wangzhe/: 1 of 300 audio files, 299 missing",
            "zhaozuoxiang/: 0 of 300 audio files, 300 missing",
            "fetch what is missing, or use --allow-missing",
        ],
    );
    assert!(!program.path("home/corpora/casia/manifest.jsonl").exists());
    let partial = prepare(&program, "casia", &["--allow-missing"]);
    assert_eq!(partial.code, Some(3), "{}", partial.stderr);
    assert!(partial.stdout.contains("casia: 3 utterances"));
    assert!(partial.stdout.contains("298 missing"));
    assert_eq!(keys(&program, "casia").len(), 3);
}

#[test]
fn the_folder_of_another_corpus_is_named() {
    let program = Program::new();
    for name in ["03a01Fa", "03a01Nc", "08a02Wc"] {
        recording(&program, &format!("raw/emodb/wav/{name}.wav"));
    }
    prepare(&program, "ravdess", &[]).fails_with(
        1,
        &[
            "none of the 3 audio files below",
            "fits its layout (the first is \"emodb/wav/03a01Fa.wav\")",
            "it looks like emodb (3 files fit)",
            "Actor_01/",
        ],
    );
}

#[test]
fn a_key_that_two_files_claim_is_used_once_and_told() {
    let program = Program::new();
    for path in ["URDU/Sad/SM1_F1_S01.wav", "URDU (2)/Sad/SM1_F1_S01.wav"] {
        recording(&program, &format!("raw/{path}"));
    }
    recording(&program, "raw/URDU/Happy/SM1_F2_H02.wav");
    let told = prepare(&program, "urdu", &["--allow-missing"]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    let line = "urdu-SM1_F1_S01: kept URDU (2)/Sad/SM1_F1_S01.wav, dropped URDU/Sad/SM1_F1_S01.wav";
    for part in ["key claimed by several files: 1", line] {
        assert!(told.stdout.contains(part), "{part:?}: {}", told.stdout);
    }
    assert_eq!(
        keys(&program, "urdu"),
        ["urdu-SM1_F1_S01", "urdu-SM1_F2_H02"]
    );
    // In a user's own table, a key occurs on two lines.
    recording(&program, "own/a.wav");
    program.write(
        "own/labels.csv",
        b"path,label,key\na.wav,sad,one\na.wav,joy,one\n",
    );
    program
        .run(&["prepare", "mine", "--raw", "own"])
        .fails_with(1, &["labels.csv", "line 3", "is already on line 2"]);
}

#[test]
fn a_side_file_with_other_columns_names_those_found_and_expected() {
    let program = Program::new();
    recording(&program, "raw/MELD.Raw/train_splits/dia0_utt0.mp4");
    program.write(
        "raw/MELD.Raw/train_sent_emo.csv",
        b"Utterance,Person,Label,Dialogue_ID,Utterance_ID\nHi.,Joey,joy,0,0\n",
    );
    prepare(&program, "meld", &["--allow-missing"]).fails_with(
        1,
        &[
            "train_sent_emo.csv",
            "columns expected: Dialogue_ID, Utterance_ID, Speaker, Emotion, Utterance",
            "found: Utterance, Person, Label, Dialogue_ID, Utterance_ID",
            "missing: Speaker, Emotion",
        ],
    );
    program.write("own/labels.csv", b"clip,feeling\na.wav,sad\n");
    recording(&program, "own/a.wav");
    program
        .run(&["prepare", "mine", "--raw", "own"])
        .fails_with(1, &["columns expected: path, label; found: clip, feeling"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_an_old_code_page_are_read_and_their_audio_is_opened() {
    use std::os::unix::ffi::OsStrExt;
    let program = Program::new();
    // `Colère` and `Dégoût` in code page 437, as in zip archives from old systems.
    let folders: [(&[u8], &str); 2] = [(b"Col\x8Are", "01-C-1-1"), (b"D\x82go\x96t", "01-D-1-2")];
    for (folder, name) in folders {
        let folder = program
            .path("raw/CaFE_48k")
            .join(std::ffi::OsStr::from_bytes(folder))
            .join("Faible");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.wav")), wav(&tone(1, 2, 0.3))).unwrap();
    }
    let told = prepare(&program, "cafe", &["--allow-missing"]);
    assert_eq!(told.code, Some(3), "{}", told.stderr);
    for part in ["cafe: 2 utterances", "Angry 1", "Disgust 1"] {
        assert!(told.stdout.contains(part), "{part:?}: {}", told.stdout);
    }
    assert!(!told.stdout.contains("broken"), "{}", told.stdout);
    let extracted = program.succeed(&["extract", "--corpus", "cafe", "--encoder", "fbank"]);
    assert!(extracted.stdout.contains('2'), "{}", extracted.stdout);
}
