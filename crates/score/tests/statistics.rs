//! Calibration, tests, corrections and rankings against scikit-learn, statsmodels and scipy; the golden comes
//! from `parity/score/statistics.py`.

use emobox_score::{Prediction, benjamini_hochberg, calibration, holm, mcnemar, rank};
use serde::Deserialize;

/// Sums of at most a few hundred terms.
const EXACT: f64 = 1e-12;
/// SciPy integrates the studentised range numerically, to about this.
const STUDENTISED_RANGE: f64 = 1e-7;
/// Log-gamma of large arguments costs a few digits of a tail probability, relative.
const TAIL: f64 = 1e-10;

#[derive(Deserialize)]
struct Golden {
    calibration: Vec<CalibrationCase>,
    mcnemar: Vec<McNemarCase>,
    corrections: Vec<CorrectionCase>,
    rankings: Vec<RankingCase>,
}

#[derive(Deserialize)]
struct CalibrationCase {
    classes: Vec<String>,
    labels: Vec<String>,
    predictions: Vec<String>,
    log_probabilities: Vec<Vec<f64>>,
    log_loss: f64,
    brier: f64,
    ece: f64,
}

#[derive(Deserialize)]
struct McNemarCase {
    only_a: u64,
    only_b: u64,
    p_exact: f64,
    chi_square: f64,
    p_asymptotic: f64,
}

#[derive(Deserialize)]
struct CorrectionCase {
    p: Vec<f64>,
    holm: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[derive(Deserialize)]
struct RankingCase {
    scores: Vec<Vec<Option<f64>>>,
    mean_ranks: Vec<f64>,
    friedman_chi_square: f64,
    friedman_p: f64,
    iman_davenport_f: f64,
    iman_davenport_p: f64,
    critical_difference: f64,
    pairwise_p: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

#[track_caller]
fn close(ours: f64, theirs: f64, relative: f64) {
    let scale = theirs.abs().max(1e-300);
    assert!(
        (ours - theirs).abs() <= relative * scale,
        "{ours} against {theirs}"
    );
}

#[test]
fn calibration_equals_scikit_learns() {
    for case in golden().calibration {
        let predictions: Vec<Prediction> = (0..case.labels.len())
            .map(|i| Prediction {
                key: i.to_string(),
                fold: 1,
                label: case.labels[i].clone(),
                prediction: case.predictions[i].clone(),
                scores: case
                    .classes
                    .iter()
                    .cloned()
                    .zip(case.log_probabilities[i].clone())
                    .collect(),
                speaker: None,
                votes: std::collections::BTreeMap::new(),
                gender: None,
            })
            .collect();
        let ours = calibration(&predictions, &case.classes).unwrap().unwrap();
        close(ours.log_loss, case.log_loss, EXACT);
        close(ours.brier, case.brier, EXACT);
        close(ours.ece, case.ece, 1e-11);
        assert_eq!(ours.bins.iter().map(|b| b.n).sum::<u64>(), ours.n);
    }
}

#[test]
fn mcnemar_equals_statsmodels() {
    for case in golden().mcnemar {
        let ours = mcnemar(case.only_a, case.only_b);
        close(ours.p_exact, case.p_exact, TAIL);
        close(ours.chi_square, case.chi_square, EXACT);
        close(ours.p_asymptotic, case.p_asymptotic, TAIL);
    }
    let nothing = mcnemar(0, 0);
    assert_eq!((nothing.p_exact, nothing.p_asymptotic), (1.0, 1.0));
    let huge = mcnemar(5_000_000, 5_010_000);
    assert!(
        huge.p_exact > 1e-4 && huge.p_exact < 0.01,
        "{}",
        huge.p_exact
    );
}

#[test]
fn corrections_equal_statsmodels() {
    for case in golden().corrections {
        for (ours, theirs) in [
            (holm(&case.p), case.holm),
            (benjamini_hochberg(&case.p), case.benjamini_hochberg),
        ] {
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                close(*ours, *theirs, EXACT);
            }
        }
    }
    assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
}

#[test]
fn rankings_equal_scipys() {
    for case in golden().rankings {
        let systems: Vec<String> = (0..case.mean_ranks.len())
            .map(|i| format!("s{i}"))
            .collect();
        let ours = rank(&systems, &case.scores, 0.05).unwrap();
        for (rank, theirs) in ours.mean_ranks.iter().zip(&case.mean_ranks) {
            close(*rank, *theirs, EXACT);
        }
        close(ours.friedman_chi_square, case.friedman_chi_square, 1e-11);
        close(ours.friedman_p, case.friedman_p, TAIL);
        close(ours.iman_davenport_f, case.iman_davenport_f, TAIL);
        close(ours.iman_davenport_p, case.iman_davenport_p, TAIL);
        close(
            ours.critical_difference,
            case.critical_difference,
            STUDENTISED_RANGE,
        );
        for (row, theirs) in ours
            .pairwise_p
            .iter()
            .flatten()
            .zip(case.pairwise_p.iter().flatten())
        {
            assert!(
                (row - theirs).abs() < STUDENTISED_RANGE,
                "{row} against {theirs}"
            );
        }
    }
}

#[test]
fn demsars_critical_values_come_out() {
    // Demšar 2006, table 5 (a): q at 0.05 for 2 to 10 classifiers, three decimals.
    let table = [
        1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164,
    ];
    for (k, q) in (2..=10).zip(table) {
        let systems: Vec<String> = (0..k).map(|i| i.to_string()).collect();
        let row: Vec<Option<f64>> = (0..k).map(|i| Some(f64::from(i))).collect();
        let ranking = rank(&systems, &[row.clone(), row], 0.05).unwrap();
        let unit = (f64::from(k) * f64::from(k + 1) / 12.0).sqrt();
        assert!((ranking.critical_difference / unit - q).abs() < 1e-3, "{k}");
    }
}

#[test]
fn the_groups_of_a_ranking_are_the_bars_of_its_diagram() {
    let systems: Vec<String> = ["low", "best", "good"].map(String::from).to_vec();
    let row = vec![Some(0.1), Some(0.9), Some(0.8)];
    let mut scores = vec![row; 30];
    scores.push(vec![None, Some(0.1), Some(0.2)]);
    let ranking = rank(&systems, &scores, 0.05).unwrap();
    assert_eq!(ranking.corpora, 30);
    assert_eq!(ranking.mean_ranks, [3.0, 1.0, 2.0]);
    assert!(
        ranking.groups.is_empty(),
        "30 corpora tell neighbours apart: {ranking:?}"
    );
    let few = rank(&systems, &scores[..4], 0.05).unwrap();
    assert_eq!(few.groups, [vec![1, 2], vec![2, 0]]);
    let level = rank(&systems, &vec![vec![Some(0.5); 3]; 4], 0.05).unwrap();
    assert_eq!((level.friedman_p, level.groups.len()), (1.0, 1));
    assert!(rank(&systems, &scores[30..], 0.05).is_err());
}

#[test]
fn scores_that_are_no_log_probabilities_are_refused() {
    let classes = ["a".to_owned(), "b".to_owned()];
    let line = |scores: &str| {
        let text = format!(r#"{{"key":"k","label":"a","prediction":"a","scores":{scores}}}"#);
        [serde_json::from_str::<Prediction>(&text).unwrap()]
    };
    let message = |scores: &str| {
        calibration(&line(scores), &classes)
            .unwrap_err()
            .to_string()
    };
    assert!(message(r#"{"a":0.9,"b":0.1}"#).contains("scores of k: expected natural logarithms"));
    assert!(message(r#"{"a":0.0}"#).contains("one for the class \"b\""));
    assert!(calibration(&line("{}"), &classes).unwrap().is_none());
    let certain = calibration(&line(r#"{"a":0.0,"b":null}"#), &classes)
        .unwrap()
        .unwrap();
    assert_eq!((certain.brier, certain.ece), (0.0, 0.0));
}

#[test]
fn a_bin_holds_the_means_of_its_predictions() {
    let classes = ["a".to_owned(), "b".to_owned()];
    let line = |label: &str, a: f64| {
        let (a, b) = (a.ln(), (1.0 - a).ln());
        let text = format!(
            r#"{{"key":"k","label":"{label}","prediction":"a","scores":{{"a":{a},"b":{b}}}}}"#
        );
        serde_json::from_str::<Prediction>(&text).unwrap()
    };
    let items = [
        line("a", 0.61),
        line("b", 0.65),
        line("a", 0.63),
        line("a", 0.97),
    ];
    let found = calibration(&items, &classes).unwrap().unwrap();
    let bins: Vec<(usize, u64)> = found
        .bins
        .iter()
        .enumerate()
        .filter(|(_, bin)| bin.n > 0)
        .map(|(at, bin)| (at, bin.n))
        .collect();
    assert_eq!(bins, [(9, 3), (14, 1)]);
    close(found.bins[9].confidence, 0.63, 1e-12);
    close(found.bins[9].accuracy, 2.0 / 3.0, 1e-12);
    close(found.bins[14].confidence, 0.97, 1e-12);
    close(found.ece, (3.0 * (2.0 / 3.0 - 0.63) + 0.03) / 4.0, 1e-12);
}
