//! Standard errors, intervals and sign flips against an implementation of their definitions on NumPy, SciPy and
//! scikit-learn; the golden comes from `parity/score/inference.py`.

use emobox_score::{
    CompareRequest, Estimate, GroupScores, Grouping, InferenceOptions, Prediction, RunLabels,
    ScoreRequest, StandardError, StandardErrors, compare, gap, score_folds, separate, sign_flip,
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
    other: Vec<String>,
    compared: BTreeMap<String, Compared>,
}

impl Case {
    fn items(&self, predictions: &[String]) -> Vec<Prediction> {
        (0..self.labels.len())
            .map(|i| Prediction {
                key: format!("k{i:04}"),
                fold: self.folds[i],
                label: self.labels[i].clone(),
                prediction: predictions[i].clone(),
                scores: BTreeMap::new(),
                speaker: Some(self.speakers[i].clone()),
                votes: BTreeMap::new(),
                gender: None,
            })
            .collect()
    }

    #[track_caller]
    fn close(&self, what: &str, ours: f64, theirs: f64) {
        let apart = (ours - theirs).abs();
        assert!(
            apart <= EXACT * theirs.abs().max(1.0),
            "{}, {what}: {ours} against {theirs}",
            self.name
        );
    }

    #[track_caller]
    fn close_intervals(&self, what: &str, ours: Option<[f64; 2]>, theirs: Option<[f64; 2]>) {
        let name = &self.name;
        assert_eq!(ours.is_some(), theirs.is_some(), "{name} {what}");
        for (ours, theirs) in ours.iter().flatten().zip(theirs.iter().flatten()) {
            self.close(what, *ours, *theirs);
        }
    }
}

#[derive(Deserialize)]
struct Compared {
    difference: f64,
    ci: Option<[f64; 2]>,
    p_t: Option<f64>,
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
    assert_eq!(golden.cases.len(), 11);
    for case in &golden.cases {
        let runs = score_folds(&ScoreRequest {
            labels: &RunLabels::default(),
            classes: &case.classes,
            predictions: &case.items(&case.predictions),
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
            case.close(what, score, expected.score);
            case.close(what, error.error, expected.error);
            case.close(what, error.degrees, expected.degrees);
            case.close_intervals(what, interval, expected.interval);
        }
    }
}

#[test]
fn differences_are_those_of_the_definitions() {
    let mut refused = 0;
    for case in &golden().cases {
        let [a, b] = [&case.predictions, &case.other].map(|list| case.items(list));
        let found = compare(&CompareRequest {
            corpus: "c",
            a: ("a", &a),
            b: ("b", &b),
            classes: &case.classes,
            inference: InferenceOptions::default(),
        })
        .unwrap();
        for (metric, expected) in &case.compared {
            let ours = match metric.as_str() {
                "ua" => &found.ua,
                "wa" => &found.wa,
                _ => &found.macro_f1,
            };
            case.close(metric, ours.difference, expected.difference);
            case.close_intervals(metric, ours.ci, expected.ci);
            case.close_intervals(
                metric,
                ours.p_t.map(|p| [p, p]),
                expected.p_t.map(|p| [p, p]),
            );
            let flips = ours.flips.unwrap().p;
            assert_eq!(ours.p, ours.p_t.map_or(flips, |p| flips.max(p)));
            refused += u32::from(ours.ci.is_none());
        }
    }
    assert!((1..10).contains(&refused), "{refused}");
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
    // The difference of 0.22 has a standard error of 0.03 · √2 / √4.
    assert!(found.pairwise_p[0][2] < 1e-6 && found.pairwise_p[0][1] > 0.3);
    // Two systems are one hypothesis, of which nothing is corrected: a difference of one standard error.
    let two = [row(0.02)[..2].to_vec(), row(0.02)[..2].to_vec()];
    let p = separate(&systems[..2], &two, 0.05).unwrap().pairwise_p[0][1];
    assert!((0.3..0.4).contains(&p), "{p}");
    let sharp = separate(&systems, &vec![row(0.001); 4], 0.05).unwrap();
    assert_eq!(sharp.ranks, [[1, 1], [2, 2], [3, 3]]);
    let mut unknown = vec![row(0.03); 2];
    unknown[1][0].as_mut().unwrap().error = None;
    let found = separate(&systems, &unknown, 0.05).unwrap();
    assert_eq!((found.corpora, found.without_error), (1, 1));
    assert!(separate(&systems, &unknown[1..], 0.05).is_err());
    assert!(separate(&systems[..1], &[], 0.05).is_err());
}

#[test]
fn an_error_of_zero_adds_nothing() {
    let some = StandardError {
        error: 0.1,
        degrees: 7.0,
    };
    let none = StandardError {
        error: 0.0,
        degrees: 0.0,
    };
    assert_eq!((some.plus(&none), none.plus(&some)), (some, some));
}

#[test]
fn a_gap_has_an_interval_about_it_within_what_is_possible() {
    let group = |ua: f64, error: f64| GroupScores {
        by: Grouping::Gender,
        group: String::new(),
        n: 1,
        ua,
        wa: ua,
        macro_f1: ua,
        ua_ci: None,
        ua_error: Some(StandardError {
            error,
            degrees: 10.0,
        }),
    };
    let found = gap(&group(0.7, 0.03), &group(0.6, 0.04), 0.95).unwrap();
    // Welch's degrees of freedom, and Student's t for them.
    let both = StandardError {
        error: 0.03,
        degrees: 10.0,
    }
    .plus(&StandardError {
        error: 0.04,
        degrees: 10.0,
    });
    assert!((both.error - 0.05).abs() < 1e-12 && (both.degrees - 18.545_994).abs() < 1e-6);
    let half = 2.096_405 * 0.05;
    assert!((found.ua - 0.1).abs() < 1e-12);
    assert!((found.ci[0] - (0.1 - half)).abs() < 1e-4, "{found:?}");
    assert!((found.ci[1] - (0.1 + half)).abs() < 1e-4, "{found:?}");
    let (low, high) = (group(0.02, 0.2), group(0.98, 0.2));
    assert_eq!(gap(&low, &high, 0.95).unwrap().ci[0], -1.0);
    assert_eq!(gap(&high, &low, 0.95).unwrap().ci[1], 1.0);
}
