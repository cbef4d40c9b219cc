//! Raw folders as users have them: custom corpora, wrong folders, partial downloads, names in old code pages.

use emobox_corpus::{
    AudioHeader, CorpusError, HeaderProblem, PrepareOptions, Prepared, prepare_any_with,
    prepare_with,
};
use std::path::Path;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn header(_: &Path) -> Result<AudioHeader, HeaderProblem> {
    Ok(AudioHeader {
        sample_rate: 16_000,
        channels: 2,
        frames: 32_000,
    })
}

fn custom(folder: &Path, allow_missing: bool) -> Result<Prepared, CorpusError> {
    let options = PrepareOptions {
        allow_missing,
        ..PrepareOptions::default()
    };
    prepare_any_with("mine", folder, &options, &header)
}

fn message(files: &[(&str, &str)]) -> String {
    let folder = tree(files);
    let text = custom(folder.path(), false).unwrap_err().to_string();
    text.replace(&folder.path().display().to_string(), "ROOT")
}

fn labels(prepared: &Prepared) -> Vec<(&str, &str, Option<&str>)> {
    let all = prepared.manifest.utterances.iter();
    all.map(|u| (u.key.as_str(), u.label.as_str(), u.speaker.as_deref()))
        .collect()
}

#[test]
fn a_table_gives_rows_segments_and_channels() {
    let table = "path,label,speaker,gender,start,end,channel,text\n\
                 a/x.wav,sad,s1,F,0.5,1.5,2,\"well, yes\"\n./a\\x.wav,joy,s1,F,1.5,2,,\nb.wav,joy,,,,,,\n";
    let map = r#"{"sad": "Sad", "joy": "Happy"}"#;
    let folder = tree(&[
        ("labels.csv", table),
        ("a/x.wav", ""),
        ("b.wav", ""),
        ("c.wav", ""),
        ("label_map.json", map),
    ]);
    let prepared = custom(folder.path(), false).unwrap();
    assert_eq!(
        labels(&prepared),
        [
            ("mine-a-x-0.5-1.5", "Sad", Some("s1")),
            ("mine-a-x-1.5-2", "Happy", Some("s1")),
            ("mine-b", "Happy", None)
        ]
    );
    let first = &prepared.manifest.utterances[0];
    assert_eq!(
        (first.channel, first.num_frame, first.text.as_deref()),
        (2, 16_000, Some("well, yes"))
    );
    assert_eq!(
        (first.gender.as_deref(), first.emo.as_str()),
        (Some("female"), "sad")
    );
    assert_eq!(prepared.report.left_out[0].items, ["c.wav"]);
    // The path of the table may be given instead of the folder.
    let named = custom(&folder.path().join("labels.csv"), false).unwrap();
    assert_eq!(named.manifest, prepared.manifest);
}

#[test]
fn every_bad_line_of_a_table_is_named_at_once() {
    let table =
        "path,label\nx.wav,sad\ngone.wav,sad\n../up.wav,sad\nx.wav,sad\ny.wav,bored\n,sad\n";
    let text = message(&[
        ("l.csv", table),
        ("x.wav", ""),
        ("y.wav", ""),
        ("label_map.json", r#"{"sad": "Sad"}"#),
    ]);
    for part in [
        "ROOT/l.csv: line 3: gone.wav does not exist below ROOT",
        "line 4: path \"../up.wav\" climbs out of ROOT",
        "line 5: key \"mine-x\" is already on line 2",
        "line 6: label \"bored\" is not in label_map.json, which has sad",
        "line 7: the path is empty",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn missing_files_can_be_allowed() {
    let folder = tree(&[
        ("labels.tsv", "path\tlabel\nx.wav\tsad\ngone.wav\tsad\n"),
        ("x.wav", ""),
    ]);
    assert!(custom(folder.path(), false).is_err());
    let prepared = custom(folder.path(), true).unwrap();
    assert_eq!(prepared.manifest.utterances.len(), 1);
    assert_eq!(
        prepared.report.missing_files[0].message,
        "named in labels.tsv line 3"
    );
    assert!(prepared.report.has_skipped());
}

#[test]
fn wrong_columns_and_several_tables_are_explained() {
    let text = message(&[("l.csv", "clip,feeling\n"), ("x.wav", "")]);
    assert_eq!(
        text,
        "ROOT/l.csv: columns expected: path, label; found: clip, feeling; missing: path, label"
    );
    let text = message(&[("a.csv", ""), ("b.csv", ""), ("x.wav", "")]);
    assert!(
        text.contains("several tables in ROOT: a.csv, b.csv"),
        "{text}"
    );
}

#[test]
fn a_published_manifest_is_read_with_its_own_paths() {
    let line = r#"{"key": "mine-1", "dataset": "mine", "wav": "downloads/mine/a/x.wav", "sample_rate": 1, "num_frame": 1.0, "length": 1.0, "emo": "S", "channel": 1}"#;
    let ours = r#"{"key": "k2", "wav": "a/y.wav", "emo": "A", "label": "Angry", "speaker": "s"}"#;
    let folder = tree(&[
        ("manifest.jsonl", &format!("{line}\n\n{ours}\n")),
        ("a/x.wav", ""),
        ("a/y.wav", ""),
    ]);
    let prepared = custom(folder.path(), false).unwrap();
    assert_eq!(
        labels(&prepared),
        [("k2", "Angry", Some("s")), ("mine-1", "S", None)]
    );
    assert_eq!(prepared.manifest.utterances[1].num_frame, 32_000);
    assert!(message(&[("m.jsonl", "[1]\n"), ("x.wav", "")]).contains("line 1: not a JSON object"));
}

#[test]
fn one_folder_an_emotion_below_parts_and_top_folders() {
    let paths = [
        "top/train/joy/s1/a.wav",
        "top/train/sad/b.wav",
        "top/test/joy/c.wav",
        "top/test/sad/d.wav",
    ];
    let folder = tree(&paths.map(|path| (path, "")));
    let prepared = custom(folder.path(), false).unwrap();
    let rows: Vec<_> = prepared
        .manifest
        .utterances
        .iter()
        .map(|u| (u.label.as_str(), u.split.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            ("joy", Some("test")),
            ("sad", Some("test")),
            ("joy", Some("train")),
            ("sad", Some("train"))
        ]
    );
    let folder = tree(&[("joy/a.wav", ""), ("sad/b.wav", ""), ("stray.wav", "")]);
    let prepared = custom(folder.path(), false).unwrap();
    assert_eq!(
        labels(&prepared),
        [("mine-joy-a", "joy", None), ("mine-sad-b", "sad", None)]
    );
    assert_eq!(prepared.report.unmatched, ["stray.wav"]);
}

#[test]
fn a_folder_that_is_no_custom_corpus_says_what_it_looks_like() {
    let text = message(&[("wav/03a01Fa.wav", ""), ("wav/03a02Fa.wav", "")]);
    assert!(text.contains("it looks like emodb (2 files fit)"), "{text}");
    assert!(text.contains("labels.csv"), "{text}");
    assert!(message(&[("readme.txt", "")]).contains("no audio file below ROOT (1 other files)"));
    let folder = tree(&[]);
    let bad = prepare_any_with("../x", folder.path(), &PrepareOptions::default(), &header);
    assert!(
        bad.unwrap_err()
            .to_string()
            .contains("beginning with a letter")
    );
}

#[test]
fn the_wrong_registered_corpus_is_recognised() {
    let folder = tree(&[("Angry/SM1_F1_A01.wav", ""), ("Angry/SM1_F2_A02.wav", "")]);
    let options = PrepareOptions::default();
    let text = prepare_with("emodb", folder.path(), &options, &header)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("none of the 2 audio files")
            && text.contains("looks like urdu (2 files fit)"),
        "{text}"
    );
    let text = prepare_with("urdu", &folder.path().join("no"), &options, &header)
        .unwrap_err()
        .to_string();
    assert!(
        text.ends_with("is not a folder (it does not exist)"),
        "{text}"
    );
}

#[test]
fn a_half_download_names_folders_and_is_usable_on_request() {
    let folder = tree(&[
        ("Angry/SM1_F1_A01.wav", ""),
        ("Sad/SM1_F1_S01.wav", ""),
        ("Sad/SM1_F1_S02.wav", ""),
    ]);
    let options = PrepareOptions::default();
    let text = prepare_with("urdu", folder.path(), &options, &header)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("Sad/: 2 of 100 audio files, 98 missing") && text.contains("--allow-missing"),
        "{text}"
    );
    let options = PrepareOptions {
        allow_missing: true,
        ..options
    };
    let prepared = prepare_with("urdu", folder.path(), &options, &header).unwrap();
    assert_eq!(
        (
            prepared.manifest.utterances.len(),
            prepared.report.missing_folders.len()
        ),
        (3, 4)
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_no_utf8_are_read_and_opened() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tree(&[("Sad/SM1_F1_S01.wav", "")]);
    // `Ang\x82ry`: a folder above the release in code page 850.
    let odd = folder
        .path()
        .join(std::ffi::OsStr::from_bytes(b"T\x82l\x82"))
        .join("Angry");
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("SM1_F1_A01.wav"), "").unwrap();
    let options = PrepareOptions {
        allow_missing: true,
        ..PrepareOptions::default()
    };
    let exists = |path: &Path| {
        if path.exists() {
            header(path)
        } else {
            Err("gone".to_owned().into())
        }
    };
    let prepared = prepare_with("urdu", folder.path(), &options, &exists).unwrap();
    assert!(prepared.report.broken.is_empty(), "{}", prepared.report);
    let utterance = &prepared.manifest.utterances[0];
    assert_eq!(
        utterance.audio_path(folder.path()).unwrap(),
        odd.join("SM1_F1_A01.wav")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    prepared.manifest.write(file.path()).unwrap();
    assert_eq!(
        emobox_corpus::Manifest::read(file.path()).unwrap(),
        prepared.manifest
    );
}
