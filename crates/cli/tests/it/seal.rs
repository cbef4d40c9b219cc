//! Test sets without labels: the published part reveals nothing, and the key scores the answers.

use crate::program::{Program, tone, wav};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

const CLASSES: [&str; 3] = ["angry", "happy", "sad"];

/// Three emotions by six speakers; the n-th class, from 0, has 6 × (n + 1) recordings. The file names spell the label, and a
/// comment in each WAV file gives its first three letters.
fn corpus(program: &Program) {
    let mut table = String::from("path,label,speaker\n");
    for (class, emotion) in CLASSES.iter().enumerate() {
        for take in 0..=class {
            for speaker in 0..6 {
                let file = format!("s{speaker}_{emotion}_{take}.wav");
                let samples = tone(class, speaker + 6 * take, 0.4 + 0.02 * speaker as f32);
                let mut bytes = wav(&samples);
                bytes.extend_from_slice(b"LIST\x10\0\0\0INFOICMT\x04\0\0\0");
                bytes.extend_from_slice(&emotion.as_bytes()[..3]);
                bytes.push(0);
                let size = bytes.len() as u32 - 8;
                bytes[4..8].copy_from_slice(&size.to_le_bytes());
                program.write(&format!("corpus/{file}"), &bytes);
                let _ = writeln!(table, "{file},{emotion},s{speaker}");
            }
        }
    }
    program.write("corpus/labels.csv", table.as_bytes());
    program.succeed(&["prepare", "hidden", "--raw", "corpus"]);
}

/// Every file below a folder by its path.
fn files(program: &Program, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in walk(&program.path(folder)) {
        let name = entry.strip_prefix(program.path(folder)).unwrap();
        let bytes = std::fs::read(&entry).unwrap();
        found.insert(name.to_string_lossy().into_owned(), bytes);
    }
    found
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let below = entries.map(|path| {
        if path.is_dir() {
            walk(&path)
        } else {
            vec![path]
        }
    });
    below.flatten().collect()
}

/// Answers to a sealed set from its key.
fn answers(key: &Value, answer: impl Fn(usize, &Value) -> String) -> String {
    let items = key["items"].as_object().unwrap();
    let lines = items.iter().enumerate().map(|(at, (id, item))| {
        format!(
            "{{\"id\":\"{id}\",\"prediction\":\"{}\"}}\n",
            answer(at, item)
        )
    });
    lines.collect()
}

fn label(item: &Value) -> String {
    item["label"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_given_out_tells_nothing_of_the_labels() {
    let program = Program::new();
    corpus(&program);
    let call = [
        "seal", "hidden", "--out", "set", "--key", "key.json", "--json",
    ];
    let sealed: Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
    assert_eq!(sealed["recordings"], 36);
    let (set, key) = (program.json("set/set.json"), program.json("key.json"));
    assert_eq!(set["commitment"], sealed["commitment"]);
    let given = files(&program, "set");
    assert_eq!(given.len(), 37);
    let mut originals = Vec::new();
    for (name, bytes) in &given {
        // No class, speaker or original name in names or contents; only the list of classes in set.json has them.
        let text = String::from_utf8_lossy(bytes);
        for telling in [
            "s0_", "s5_", "ang\0", "hap\0", "sad\0", "LIST", "corpus", "speaker",
        ] {
            assert!(
                !name.contains(telling) && !text.contains(telling),
                "{name}: {telling}"
            );
        }
        if let Some(id) = name
            .strip_prefix("audio/")
            .and_then(|n| n.strip_suffix(".wav"))
        {
            let original = key["items"][id]["key"].as_str().unwrap();
            originals.push(original.to_owned());
            // The samples of every recording are those that its key names.
            let file = original
                .rsplit('/')
                .next()
                .unwrap()
                .trim_start_matches("hidden-");
            let raw = std::fs::read(program.path("corpus").join(format!("{file}.wav"))).unwrap();
            assert_eq!(bytes[44..], raw[44..bytes.len()], "{original}");
        }
    }
    assert!(!set.to_string().contains("counts"));
    assert_eq!(set["classes"], serde_json::json!(CLASSES));
    // Sorted by number, the recordings are not in the order of the corpus.
    assert_eq!(originals.len(), 36);
    assert!(!originals.is_sorted());
    let labels: Vec<String> = key["items"]
        .as_object()
        .unwrap()
        .values()
        .map(label)
        .collect();
    let runs = labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(runs > 8, "{labels:?}");
    // Sealed again, no recording can be matched with the first set.
    program.succeed(&["seal", "hidden", "--out", "again", "--key", "again.json"]);
    let again = program.json("again/set.json");
    let known = set["ids"].as_array().unwrap();
    assert!(
        !again["ids"]
            .as_array()
            .unwrap()
            .iter()
            .any(|id| known.contains(id))
    );
}

#[test]
fn the_key_scores_answers_and_no_other_key_does() {
    let program = Program::new();
    corpus(&program);
    program.succeed(&["seal", "hidden", "--out", "set", "--key", "key.json"]);
    let key = program.json("key.json");
    let verify = |answers: &str, key: &str| {
        program.run(&["verify", answers, "--key", key, "--set", "set", "--json"])
    };
    program.write(
        "right.jsonl",
        answers(&key, |_, item| label(item)).as_bytes(),
    );
    let right = verify("right.jsonl", "key.json");
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    let scores: Value = serde_json::from_str(&right.stdout).unwrap();
    assert_eq!(scores["runs"][0]["ua"], 1.0);
    assert_eq!(scores["runs"][0]["ua_ci"], serde_json::json!([1.0, 1.0]));
    assert_eq!(scores["runs"][0]["interval"]["unit"], "speaker");
    program.write(
        "angry.jsonl",
        answers(&key, |_, _| "angry".to_owned()).as_bytes(),
    );
    let angry: Value = serde_json::from_str(&verify("angry.jsonl", "key.json").stdout).unwrap();
    let expected = serde_json::json!([[6, 0, 0], [12, 0, 0], [18, 0, 0]]);
    assert_eq!(angry["runs"][0]["confusion"], expected);

    let sealed_otherwise = "of another set, or one of the two was changed after";
    program.succeed(&["seal", "hidden", "--out", "other", "--key", "foreign.json"]);
    verify("right.jsonl", "foreign.json").fails_with(1, &[sealed_otherwise]);
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 3] = [
        ("label", &|key| {
            let items = key["items"].as_object_mut().unwrap();
            let item = items
                .values_mut()
                .find(|item| item["label"] == "sad")
                .unwrap();
            item["label"] = "happy".into();
        }),
        ("salt", &|key| key["salt"] = "0".repeat(64).into()),
        ("left out", &|key| {
            let first = key["items"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .clone();
            key["items"].as_object_mut().unwrap().remove(&first);
        }),
    ];
    for (what, change) in changes {
        let mut altered = key.clone();
        change(&mut altered);
        program.write("altered.json", altered.to_string().as_bytes());
        let transcript = verify("right.jsonl", "altered.json");
        assert!(
            transcript.stderr.contains(sealed_otherwise),
            "{what}: {}",
            transcript.stderr
        );
        transcript.fails_with(1, &[]);
    }
    verify("right.jsonl", "set/set.json").fails_with(1, &["set.json"]);
    verify("right.jsonl", "nowhere.json").fails_with(2, &["nowhere.json"]);
}

#[test]
fn answers_that_are_no_answers_are_refused_without_a_label() {
    let program = Program::new();
    corpus(&program);
    program.succeed(&["seal", "hidden", "--out", "set", "--key", "key.json"]);
    let key = program.json("key.json");
    let right = answers(&key, |_, item| label(item));
    let refused = |name: &str, text: &str, reason: &str| {
        program.write(name, text.as_bytes());
        let call = ["verify", name, "--key", "key.json", "--set", "set/set.json"];
        let transcript = program.run(&call);
        transcript.fails_with(1, &[reason]);
        // A refusal can be passed on: it names recordings by numbers alone.
        assert!(!transcript.stderr.contains("s0_"), "{}", transcript.stderr);
        assert!(
            !transcript.stderr.contains("speaker"),
            "{}",
            transcript.stderr
        );
    };
    let (first, rest) = right.split_once('\n').unwrap();
    refused("few.jsonl", rest, "1 missing");
    refused("twice.jsonl", &format!("{right}{first}\n"), "doubled");
    let extra = "{\"id\":\"0000000000000000\",\"prediction\":\"sad\"}";
    refused("extra.jsonl", &format!("{right}{extra}\n"), "extra");
    let odd = right.replace("\"prediction\":\"sad\"", "\"prediction\":\"bored\"");
    refused("odd.jsonl", &odd, "none of the classes: angry, happy, sad");
    let contradicted = answers(&key, |_, _| {
        "sad\",\"scores\":{\"angry\":-0.1,\"happy\":-3.0,\"sad\":-4.0},\"id2\":\"".to_owned()
    });
    let contradicted = contradicted.replace(",\"id2\":\"\"", "");
    refused(
        "scores.jsonl",
        &contradicted,
        "not the most probable class of their own scores",
    );
    refused("line.jsonl", &format!("{right}{{\n"), "line.jsonl:37");
    let labelled = right.replace("\"prediction\"", "\"label\":\"sad\",\"prediction\"");
    refused("labelled.jsonl", &labelled, "unknown field `label`");
}

#[test]
fn a_trained_probe_answers_a_sealed_test_part() {
    let program = Program::new();
    corpus(&program);
    let bench = [
        "bench",
        "--corpus",
        "hidden",
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ];
    program.succeed(&[&bench[..], &["--scheme", "speaker", "--out", "out"]].concat());
    let seal = [
        "seal", "hidden", "--scheme", "speaker", "--out", "set", "--key", "key.json",
    ];
    let folds = program.run(&seal);
    folds.fails_with(2, &["folds", "name the one to seal with --fold"]);
    program.succeed(&[&seal[..], &["--fold", "1", "--title", "challenge"]].concat());
    let probe = walk(&program.path("home/runs"))
        .into_iter()
        .find(|path| path.ends_with("fold1/probe/probe.json"))
        .unwrap();
    let folder = probe.parent().unwrap().to_str().unwrap().to_owned();
    let audio = walk(&program.path("set/audio"));
    let mut predict = vec!["predict", "--json", &folder];
    predict.extend(audio.iter().map(|path| path.to_str().unwrap()));
    let answers = program.succeed(&predict).stdout;
    program.write("answers.json", answers.as_bytes());
    let verify = [
        "verify",
        "answers.json",
        "--key",
        "key.json",
        "--set",
        "set",
        "--json",
    ];
    let hidden: Value = serde_json::from_str(&program.succeed(&verify).stdout).unwrap();
    assert_eq!(hidden["runs"][0]["corpus"], "challenge");
    // The samples are those of the corpus, so the predictions are those of the benchmark.
    let open = program.json("out/scores.json");
    let runs = open["runs"].as_array().unwrap();
    let fold = runs
        .iter()
        .find(|run| run["fold"] == 1 || run["fold"] == "1")
        .unwrap();
    for score in ["n", "ua", "confusion"] {
        assert_eq!(hidden["runs"][0][score], fold[score], "{score}");
    }
}

#[test]
fn nothing_is_written_over_or_beside() {
    let program = Program::new();
    corpus(&program);
    let seal = |out: &str, key: &str| program.run(&["seal", "hidden", "--out", out, "--key", key]);
    assert_eq!(seal("set", "key.json").code, Some(0));
    seal("set", "other.json").fails_with(2, &["set is there already"]);
    seal("fresh", "key.json").fails_with(2, &["key.json is there already"]);
    seal("fresh", "fresh/key.json").fails_with(2, &["which is given out"]);
    program
        .run(&["verify", "x", "--key", "key.json"])
        .fails_with(2, &["--set"]);
    program
        .run(&["seal", "absent", "--out", "o", "--key", "k"])
        .fails_with(2, &["not prepared"]);
    // A recording that cannot be read leaves no partial set.
    std::fs::remove_file(program.path("corpus/s3_sad_2.wav")).unwrap();
    seal("fresh", "fresh.json").fails_with(1, &["s3_sad_2.wav"]);
    assert!(!program.path("fresh/audio").exists() && !program.path("fresh.json").exists());
}
