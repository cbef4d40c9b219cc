//! Runs, folds, intervals and their file format.

use emobox_score::{
    BootstrapOptions, FoldName, IntervalUnit, Oracle, Prediction, Run, RunLabels, ScoreRequest,
    ScoresFile, score_folds,
};
use std::collections::BTreeMap;

fn classes() -> Vec<String> {
    ["angry", "happy", "sad"].map(String::from).to_vec()
}

/// `n` items over `speakers` speakers and `folds` folds, three in four of them right.
fn corpus(n: usize, speakers: usize, folds: usize) -> Vec<Prediction> {
    let classes = classes();
    (0..n)
        .map(|i| {
            let speaker = i % speakers;
            let label = (i / speakers) % 3;
            let wrong = (i * 7 + i / 5) % 4 == 0;
            Prediction {
                key: format!("utterance-{i}"),
                fold: (speaker % folds) as u32 + 1,
                label: classes[label].clone(),
                prediction: classes[(label + usize::from(wrong)) % 3].clone(),
                scores: BTreeMap::new(),
                speaker: Some(format!("speaker {speaker}")),
                gender: None,
            }
        })
        .collect()
}

fn score(predictions: &[Prediction], oracle: Option<&[Prediction]>) -> Vec<Run> {
    score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: "demo".into(),
            encoder: "fbank".into(),
            protocol: "strict".into(),
            partition: "paper".into(),
            config: "last layer".into(),
        },
        classes: &classes(),
        predictions,
        oracle,
        bootstrap: BootstrapOptions::default(),
    })
    .unwrap()
}

#[test]
fn the_mean_is_the_mean_of_the_folds_and_the_pooled_holds_every_item() {
    let predictions = corpus(120, 8, 4);
    let runs = score(&predictions, None);
    let names: Vec<String> = runs.iter().map(|r| r.fold.to_string()).collect();
    assert_eq!(names, ["mean", "pooled", "1", "2", "3", "4"]);
    let expected = runs[2..].iter().map(|r| r.ua).sum::<f64>() / 4.0;
    assert!((runs[0].ua - expected).abs() < 1e-12);
    assert_eq!((runs[0].n, runs[1].n, runs[2].n), (120, 120, 30));
    let pooled_right = runs[1]
        .confusion
        .iter()
        .enumerate()
        .map(|(i, r)| r[i])
        .sum::<u64>();
    assert!((runs[1].wa - pooled_right as f64 / 120.0).abs() < 1e-12);
    assert!(runs[0].spread.unwrap().ua >= 0.0 && runs[1].spread.is_none());
}

#[test]
fn intervals_hold_the_score_and_name_what_was_drawn() {
    let mut predictions = corpus(240, 12, 4);
    for run in score(&predictions, None) {
        let [low, high] = run.ua_ci.unwrap();
        assert!(low <= run.ua && run.ua <= high, "{run:?}");
        assert!(low < high && low >= 0.0 && high <= 1.0);
        assert_eq!(run.interval.unwrap().unit, IntervalUnit::Speaker);
    }
    assert_eq!(score(&predictions, None)[0].interval.unwrap().units, 12);
    for prediction in &mut predictions {
        prediction.speaker = None;
    }
    let how = score(&predictions, None)[0].interval.unwrap();
    assert_eq!((how.unit, how.units), (IntervalUnit::Utterance, 240));
}

#[test]
fn neither_the_order_of_items_nor_a_second_call_changes_a_digit() {
    let predictions = corpus(120, 8, 4);
    let mut reversed = predictions.clone();
    reversed.reverse();
    assert_eq!(score(&predictions, None), score(&predictions, None));
    assert_eq!(score(&predictions, None), score(&reversed, None));
}

#[test]
fn one_speaker_who_is_always_right_leaves_no_doubt() {
    let mut predictions = corpus(9, 1, 1);
    for prediction in &mut predictions {
        prediction.prediction = prediction.label.clone();
    }
    let run = &score(&predictions, None)[0];
    assert_eq!(run.ua_ci, Some([1.0, 1.0]));
    assert_eq!(run.interval.unwrap().unit, IntervalUnit::Utterance);
}

#[test]
fn the_oracle_says_what_it_is() {
    let predictions = corpus(60, 4, 2);
    let mut oracle = predictions.clone();
    for prediction in &mut oracle {
        prediction.prediction = prediction.label.clone();
    }
    for run in score(&predictions, Some(&oracle)) {
        let block = run.oracle.unwrap();
        assert_eq!(block.ua, 1.0);
        assert_eq!(block.selection, Oracle::SELECTION);
    }
}

#[test]
fn scores_json_has_the_documented_fields_and_reads_back() {
    let file = ScoresFile {
        runs: score(&corpus(60, 4, 2), None),
        ..ScoresFile::default()
    };
    let text = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<ScoresFile>(&text).unwrap(), file);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let run = &value["runs"][0];
    for field in [
        "corpus",
        "encoder",
        "protocol",
        "partition",
        "config",
        "n",
        "ua",
        "wa",
        "macro_f1",
        "micro_f1",
        "ua_ci",
        "wa_ci",
        "macro_f1_ci",
        "confusion",
        "classes",
    ] {
        assert!(!run[field].is_null(), "{field}");
    }
    assert_eq!(run["fold"], "mean");
    assert_eq!(value["runs"][2]["fold"], "1");
    assert!(serde_json::from_str::<FoldName>("\"0\"").is_err());
}

#[test]
fn nothing_to_score_is_an_error_not_a_panic() {
    let request = ScoreRequest {
        labels: &RunLabels::default(),
        classes: &[],
        predictions: &[],
        oracle: None,
        bootstrap: BootstrapOptions::default(),
    };
    assert!(score_folds(&request).is_err());
}
