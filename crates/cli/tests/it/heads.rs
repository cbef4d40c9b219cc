//! Heads in checkpoints: predictions for recordings, and scores on a corpus.

use crate::program::{Program, tone, tones, wav};
use serde_json::{Value, json};
use std::path::Path;

/// A checkpoint with weights from `parity/encoder/heads.py`, below the program's folder.
fn checkpoint(program: &Program, name: &str, more: &Value) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
    let folder = program.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    let from = golden.join(format!("head-{name}.pt"));
    std::fs::copy(from, folder.join("pytorch_model.bin")).unwrap();
    let mut config = json!({
        "model_type": "wav2vec2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "conv_dim": [16, 16, 16, 16, 16, 16, 24], "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    program.write(
        &format!("{name}/config.json"),
        config.to_string().as_bytes(),
    );
}

fn classes(program: &Program) {
    let labels = json!({"0": "neu", "1": "hap", "2": "ang", "3": "sad"});
    let more = json!({"use_weighted_layer_sum": true, "id2label": labels});
    checkpoint(program, "wav2vec2", &more);
}

#[test]
fn a_checkpoint_s_own_head_answers_about_recordings() {
    let program = Program::new();
    classes(&program);
    for (name, voice) in [("a.wav", 1), ("b.wav", 2)] {
        program.write(name, &wav(&tone(voice, 2, 1.3)));
    }
    let told = program
        .succeed(&["predict", "--encoder", "wav2vec2", "a.wav"])
        .stdout;
    let fields: Vec<&str> = told.trim_end().split('\t').collect();
    assert_eq!((fields.len(), fields[0]), (6, "a.wav"), "{told}");
    assert!(["neu", "hap", "ang", "sad"].contains(&fields[1]) && fields[2].starts_with(fields[1]));
    let call = [
        "predict",
        "--encoder",
        "mine=wav2vec2",
        "a.wav",
        "b.wav",
        "--csv",
    ];
    let table = program.succeed(&call).stdout;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(
        rows[0],
        ["file", "seconds", "prediction", "neu", "hap", "ang", "sad"]
    );
    assert_eq!((rows.len(), rows[1][2]), (3, fields[1]));
    for row in &rows[1..] {
        let numbers = row[3..].iter().map(|p| p.parse::<f64>().unwrap());
        assert!((numbers.sum::<f64>() - 1.0).abs() < 1e-3, "{row:?}");
    }

    let dimensions = json!({"0": "arousal", "1": "dominance", "2": "valence"});
    let more =
        json!({"do_stable_layer_norm": true, "feat_extract_norm": "layer", "id2label": dimensions});
    checkpoint(&program, "audeering", &more);
    let call = ["predict", "--encoder", "audeering", "a.wav", "--json"];
    let told: Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
    assert_eq!(told[0]["values"][1][0], "dominance");
    assert!(told[0].get("prediction").is_none() && told[0].get("probabilities").is_none());
    let call = ["predict", "--encoder", "audeering", "a.wav", "--csv"];
    let table = program.succeed(&call).stdout;
    assert!(
        table.starts_with("file,seconds,arousal,dominance,valence\na.wav,1.30,"),
        "{table}"
    );

    let without = program.run(&["predict", "--encoder", "fbank", "a.wav"]);
    without.fails_with(2, &["fbank has no head", "emotion2vec+", "emobox fit"]);
    program.run(&["predict", "a.wav"]).fails_with(2, &["FILES"]);
}

#[test]
fn a_checkpoint_s_own_head_is_scored_on_a_corpus() {
    let program = Program::new();
    classes(&program);
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    let call = [
        "evaluate",
        "--encoder",
        "mine=wav2vec2",
        "--corpus",
        &corpus,
    ];
    let with = |more: &[&'static str]| -> Vec<&str> { [&call[..], more].concat() };
    let told = program.succeed(&with(&["--json", "--out", "told.jsonl"]));
    let scores: Value = serde_json::from_str(&told.stdout).unwrap();
    let run = &scores["runs"][0];
    assert_eq!(
        (&run["corpus"], &run["encoder"]),
        (&json!("tones"), &json!("mine"))
    );
    assert_eq!(run["protocol"], "its own head");
    let lines = std::fs::read_to_string(program.path("told.jsonl")).unwrap();
    let items: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!items.is_empty());
    for item in &items {
        let scores = item["scores"].as_object().unwrap();
        let sum: f64 = scores.values().map(|v| v.as_f64().unwrap().exp()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{item}");
        assert!(scores.contains_key(item["label"].as_str().unwrap()));
    }
    // The same file scored separately.
    let again = program.succeed(&["evaluate", "told.jsonl", "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["runs"][0]["pooled"], run["pooled"]);

    let refused = program.run(&with(&["--class", "joy=happy"]));
    refused.fails_with(2, &["no class \"joy\"", "neu, hap, ang, sad"]);
    program
        .run(&["evaluate", "--encoder", "mine=wav2vec2"])
        .fails_with(2, &["--corpus"]);
    program.run(&["evaluate"]).fails_with(2, &["PREDICTIONS"]);
}
