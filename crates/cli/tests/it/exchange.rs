//! Scores in the formats of other programs. `python/tests/exchange_read_back.py` reads them with those programs.

use crate::program::{Program, tones};
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn every_form_has_the_scores() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    program.succeed(&[
        "bench",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ]);
    let call = [
        "report", "results", "--mteb", "x/mteb", "--hf", "x/hf", "--mlflow", "x/mlflow", "--wandb",
        "x/wandb",
    ];
    program.succeed(&call);
    let scores = program.json("results/scores.json");
    let runs = scores["runs"].as_array().unwrap();
    let ua = &runs.iter().find(|run| run["headline"] == true).unwrap()["ua"];

    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let mteb = files(&program.path("x/mteb"));
    let task = mteb
        .iter()
        .find(|path| path.ends_with("EmoBox-tones.json"))
        .unwrap();
    assert_eq!(read(task)["scores"]["test"][0]["main_score"], *ua);
    let hf = files(&program.path("x/hf"));
    assert_eq!((hf.len(), &read(&hf[0])["recall"]), (1, ua));

    let mlflow = files(&program.path("x/mlflow"));
    let metric = mlflow
        .iter()
        .find(|path| path.ends_with("metrics/ua"))
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(metric).unwrap(),
        format!("0 {} 0\n", ua.as_f64().unwrap())
    );
    let loss = mlflow
        .iter()
        .find(|path| path.ends_with("metrics/fold1_train_loss"))
        .unwrap();
    assert_eq!(std::fs::read_to_string(loss).unwrap().lines().count(), 100);
    let meta = mlflow
        .iter()
        .find(|path| path.ends_with("meta.yaml"))
        .unwrap();
    assert!(std::fs::read_to_string(meta).unwrap().contains("x/mlflow/"));

    let wandb = files(&program.path("x/wandb"));
    let log = std::fs::read(&wandb[0]).unwrap();
    assert!(wandb.len() == 1 && log.starts_with(b":W&B"));
    let before: Vec<Vec<u8>> = [mteb, hf, mlflow, wandb]
        .concat()
        .iter()
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    program.succeed(&call);
    let after: Vec<Vec<u8>> = ["mteb", "hf", "mlflow", "wandb"]
        .iter()
        .flat_map(|form| files(&program.path(&format!("x/{form}"))))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert_eq!(before, after, "the same scores give the same bytes");
}
