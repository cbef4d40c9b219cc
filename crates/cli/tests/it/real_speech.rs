//! Real speech through a real encoder: a part of EmoDB as a corpus of one's own, whisper-tiny.en.

use crate::program::{Program, shared};

#[test]
fn whisper_tells_real_emotions_apart_and_the_saved_probe_predicts() {
    let (Some(raw), Some(weights)) = (
        shared("corpora/emodb/wav"),
        shared("weights/whisper-tiny.en"),
    ) else {
        return;
    };
    let program = Program::new();
    // Anger and sadness of all ten speakers, four recordings each at most.
    let mut count = std::collections::BTreeMap::new();
    let mut names: Vec<_> = std::fs::read_dir(raw)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for path in &names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (speaker, emotion) = (&name[..2], &name[5..6]);
        let folder = match emotion {
            "W" => "angry",
            "T" => "sad",
            _ => continue,
        };
        let seen = count
            .entry((speaker.to_owned(), emotion.to_owned()))
            .or_insert(0);
        if *seen < 2 {
            *seen += 1;
            program.write(
                &format!("corpus/{folder}/{name}"),
                &std::fs::read(path).unwrap(),
            );
        }
    }
    let corpus = format!("berlin={}", program.path("corpus").display());
    let encoder = format!("whisper-tiny.en={}", weights.display());
    let call = [
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        &encoder,
        "--out",
        "out",
    ];
    program.succeed(&call);
    let text = std::fs::read_to_string(program.path("out/scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
    // Anger against sadness is easy; chance is 0.5.
    assert!(scores["runs"][0]["ua"].as_f64().unwrap() > 0.8, "{text}");
    assert!(
        program
            .path("out/predictions/berlin/whisper-tiny.en.jsonl")
            .exists()
    );

    let evaluated = program.succeed(&["evaluate", "out/predictions/berlin/whisper-tiny.en.jsonl"]);
    assert!(evaluated.stdout.contains("berlin") || evaluated.stdout.contains("whisper"));

    let runs = program.path("home/runs/berlin/whisper-tiny.en");
    let job = std::fs::read_dir(runs)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let probe = job.join("fold1/probe");
    let file = names
        .iter()
        .find(|p| p.to_str().unwrap().contains("16a07W"))
        .unwrap();
    let call = [
        "predict",
        probe.to_str().unwrap(),
        file.to_str().unwrap(),
        "--json",
    ];
    let answer: serde_json::Value = serde_json::from_str(&program.succeed(&call).stdout).unwrap();
    assert_eq!(answer[0]["probabilities"].as_array().unwrap().len(), 2);
    let sum: f64 = answer[0]["probabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[1].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");
}
