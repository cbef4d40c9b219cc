//! Metrics against scikit-learn; the golden comes from `parity/score/metrics.py`.

use emobox_score::{Confusion, Prediction, classes_of};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Both sides are sums of a few quotients of small integers; only the order of additions differs.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: Vec<String>,
    labels: Vec<String>,
    predictions: Vec<String>,
    ua: f64,
    wa: f64,
    macro_f1: f64,
    micro_f1: f64,
    weighted_f1: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    confusion: Vec<Vec<u64>>,
}

fn predictions(case: &Case) -> Vec<Prediction> {
    case.labels
        .iter()
        .zip(&case.predictions)
        .enumerate()
        .map(|(i, (label, prediction))| Prediction {
            key: format!("k{i}"),
            fold: 1,
            label: label.clone(),
            prediction: prediction.clone(),
            scores: BTreeMap::new(),
            speaker: None,
            votes: BTreeMap::new(),
            gender: None,
        })
        .collect()
}

#[test]
fn every_metric_equals_scikit_learns() {
    let golden: Golden = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    assert!(golden.cases.len() >= 30);
    for case in &golden.cases {
        let confusion = Confusion::of(&predictions(case), &case.classes).unwrap();
        assert_eq!(confusion.counts, case.confusion, "{}", case.name);
        let rates = confusion.rates();
        let close = |what: &str, ours: f64, theirs: f64| {
            assert!(
                (ours - theirs).abs() <= TOLERANCE,
                "{}: {what} {ours} against {theirs}",
                case.name
            );
        };
        close("ua", rates.ua, case.ua);
        close("wa", rates.wa, case.wa);
        close("macro F1", rates.macro_f1, case.macro_f1);
        close("micro F1", rates.micro_f1, case.micro_f1);
        close("weighted F1", rates.weighted_f1, case.weighted_f1);
        for (i, class) in confusion.class_scores().iter().enumerate() {
            close("precision", class.precision, case.precision[i]);
            close("recall", class.recall, case.recall[i]);
            close("F1", class.f1, case.f1[i]);
            assert_eq!(class.support, case.support[i], "{}", case.name);
        }
    }
}

#[test]
fn a_class_nobody_knows_is_named_with_the_known_ones() {
    let case = Case {
        name: String::new(),
        classes: vec!["happy".into(), "sad".into()],
        labels: vec!["sad".into()],
        predictions: vec!["calm".into()],
        ua: 0.0,
        wa: 0.0,
        macro_f1: 0.0,
        micro_f1: 0.0,
        weighted_f1: 0.0,
        precision: vec![],
        recall: vec![],
        f1: vec![],
        support: vec![],
        confusion: vec![],
    };
    let message = Confusion::of(&predictions(&case), &case.classes)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "k0: prediction \"calm\" is none of the classes: happy, sad"
    );
}

#[test]
fn the_classes_of_a_file_are_all_that_it_names() {
    let known = ["sad".to_owned(), "07".to_owned()];
    let line = |label: &str, prediction: &str| {
        let text = format!(r#"{{"key":"k","label":"{label}","prediction":"{prediction}"}}"#);
        serde_json::from_str::<Prediction>(&text).unwrap()
    };
    let found = classes_of(&known, &[line("happy", "sad"), line("sad", "calm")]).unwrap();
    assert_eq!(found, ["07", "calm", "happy", "sad"]);
    // What differs from a class in case, space or leading zeros alone is no class of its own.
    for (label, prediction, class) in [
        ("happy", "HAPPY", "happy"),
        ("very sad", "verysad", "very sad"),
        ("sad", "7", "07"),
        ("0", "0 ", "0"),
    ] {
        let message = classes_of(&known, &[line(label, prediction)])
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&format!("{prediction:?}")) && message.contains(&format!("{class:?}")),
            "{message}"
        );
    }
    // Zeros before letters are no number.
    let found = classes_of(&[], &[line("0k", "k")]).unwrap();
    assert_eq!(found, ["0k", "k"]);
}
