//! Standard errors, intervals and sign flips against an implementation of their definitions on NumPy, SciPy and
//! scikit-learn; the golden comes from `parity/score/inference.py`.

use emobox_score::{
    Estimate, InferenceOptions, Prediction, RunLabels, ScoreRequest, StandardError, StandardErrors,
    score_folds, separate, sign_flip,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Both sides are sums of a few thousand products.
const EXACT: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    flips: Vec<Flips>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: Vec<String>,
    labels: Vec<String>,
    predictions: Vec<String>,
    folds: Vec<u32>,
    speakers: Vec<String>,
    results: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    score: f64,
    error: f64,
    degrees: f64,
    interval: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct Flips {
    parts: Vec<f64>,
    p: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/inference.json")).unwrap()
}

#[test]
fn errors_and_intervals_are_those_of_the_definitions() {
    let golden = golden();
    assert_eq!(golden.cases.len(), 9);
    for case in &golden.cases {
        let predictions: Vec<Prediction> = (0..case.labels.len())
            .map(|i| Prediction {
                key: format!("k{i:04}"),
                fold: case.folds[i],
                label: case.labels[i].clone(),
                prediction: case.predictions[i].clone(),
                scores: BTreeMap::new(),
                speaker: Some(case.speakers[i].clone()),
                gender: None,
            })
            .collect();
        let runs = score_folds(&ScoreRequest {
            labels: &RunLabels::default(),
            classes: &case.classes,
            predictions: &predictions,
            oracle: None,
            inference: InferenceOptions::default(),
        })
        .unwrap();
        for (what, expected) in &case.results {
            let (over, metric) = what.split_once(' ').unwrap();
            let run = &runs[usize::from(over == "pooled")];
            let errors: StandardErrors = run.errors.unwrap();
            let (score, error, interval) = match metric {
                "ua" => (run.ua, errors.ua, run.ua_ci),
                "wa" => (run.wa, errors.wa, run.wa_ci),
                _ => (run.macro_f1, errors.macro_f1, run.macro_f1_ci),
            };
            let close = |name: &str, ours: f64, theirs: f64| {
                let apart = (ours - theirs).abs();
                assert!(
                    apart <= EXACT * theirs.abs().max(1.0),
                    "{}, {what}, {name}: {ours} against {theirs}",
                    case.name
                );
            };
            close("score", score, expected.score);
            close("error", error.error, expected.error);
            close("degrees", error.degrees, expected.degrees);
            assert_eq!(
                interval.is_some(),
                expected.interval.is_some(),
                "{} {what}",
                case.name
            );
            for (ours, theirs) in interval
                .iter()
                .flatten()
                .zip(expected.interval.iter().flatten())
            {
                close("interval", *ours, *theirs);
            }
        }
    }
}

#[test]
fn sign_flips_equal_scipys_permutations() {
    let golden = golden();
    assert_eq!(golden.flips.len(), 8);
    for case in golden.flips {
        let ours = sign_flip(&case.parts, 10, 0);
        assert!((ours.p - case.p).abs() < 1e-12, "{} {}", ours.p, case.p);
        assert!(ours.exact);
    }
}

#[test]
fn many_speakers_are_sampled_and_agree_with_the_normal_approximation() {
    let parts: Vec<f64> = (0..60).map(|i| f64::from(i % 7) - 2.6).collect();
    let test = sign_flip(&parts, 20_000, 3);
    assert_eq!((test.exact, test.flips), (false, 20_000));
    assert_eq!(test, sign_flip(&parts, 20_000, 3));
    let sum: f64 = parts.iter().sum();
    let z = sum / parts.iter().map(|x| x * x).sum::<f64>().sqrt();
    // P(|Z| > 1.155) = 0.248.
    assert!((z - 1.155).abs() < 0.001, "{z}");
    assert!((test.p - 0.248).abs() < 0.02, "{}", test.p);
}

#[test]
fn averages_are_told_apart_only_beyond_their_own_noise() {
    let systems: Vec<String> = ["best", "good", "low"].map(String::from).to_vec();
    let row = |error: f64| -> Vec<Option<Estimate>> {
        [0.72, 0.70, 0.50]
            .map(|score| {
                let error = StandardError {
                    error,
                    degrees: 9.0,
                };
                Some(Estimate {
                    score,
                    error: Some(error),
                })
            })
            .to_vec()
    };
    let found = separate(&systems, &vec![row(0.03); 4], 0.05).unwrap();
    assert_eq!(found.ranks, [[1, 2], [1, 2], [3, 3]]);
    assert_eq!(found.unseparated(), [[0, 1]]);
    // The difference of 0.22 has an error of 0.03 · √2 / √4.
    assert!(found.pairwise_p[0][2] < 1e-6 && found.pairwise_p[0][1] > 0.3);
    let sharp = separate(&systems, &vec![row(0.001); 4], 0.05).unwrap();
    assert_eq!(sharp.ranks, [[1, 1], [2, 2], [3, 3]]);
    let mut unknown = vec![row(0.03); 2];
    unknown[1][0].as_mut().unwrap().error = None;
    let found = separate(&systems, &unknown, 0.05).unwrap();
    assert_eq!((found.corpora, found.without_error), (1, 1));
    assert!(separate(&systems, &unknown[1..], 0.05).is_err());
    assert!(separate(&systems[..1], &[], 0.05).is_err());
}
