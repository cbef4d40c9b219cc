//! Concordances and soft scores; the golden comes from `parity/score/dimensions.py` (audmetric, NumPy, SciPy).

use emobox_score::{
    Concordance, FoldName, InferenceOptions, NoInterval, Prediction, RatedPrediction, RunLabels,
    concordance, score_dimensions, soft_scores,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Sums of at most 1000 products in another order.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    plain: Vec<Plain>,
    scored: Scored,
    soft: Vec<Soft>,
}

#[derive(Deserialize)]
struct Plain {
    reference: Vec<f64>,
    predicted: Vec<f64>,
    ccc: Option<f64>,
}

#[derive(Deserialize)]
struct Scored {
    items: Vec<Rated>,
    mean: Values,
    pooled: Values,
}

#[derive(Deserialize)]
struct Rated {
    key: String,
    speaker: String,
    fold: u32,
    reference: Vec<f64>,
    predicted: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Values {
    ccc: Vec<f64>,
    seeds: Vec<f64>,
    error: Vec<f64>,
    degrees: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

#[derive(Deserialize)]
struct Soft {
    votes: Vec<u32>,
    scores: Vec<f64>,
    divergence: Option<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/dimensions.json")).unwrap()
}

const NAMES: [&str; 3] = ["valence", "arousal", "dominance"];

fn rated(items: &[Rated], seed: usize) -> Vec<RatedPrediction> {
    let by_name = |values: &[f64]| -> BTreeMap<String, f64> {
        let names = NAMES.iter().map(|name| (*name).to_owned());
        names.zip(values.iter().copied()).collect()
    };
    let item = |item: &Rated| RatedPrediction {
        key: item.key.clone(),
        fold: item.fold,
        reference: by_name(&item.reference),
        predicted: by_name(&item.predicted[seed]),
        speaker: Some(item.speaker.clone()),
    };
    items.iter().map(item).collect()
}

fn score(seeds: &[&[RatedPrediction]]) -> Vec<emobox_score::DimensionScores> {
    score_dimensions(&RunLabels::default(), seeds, &InferenceOptions::default()).unwrap()
}

#[test]
fn every_concordance_equals_audmetrics() {
    let golden = golden();
    assert!(golden.plain.len() > 10);
    for case in golden.plain {
        let ours = concordance(&case.predicted, &case.reference);
        match (ours, case.ccc) {
            (Some(ours), Some(theirs)) => {
                assert!(
                    (ours - theirs).abs() <= TOLERANCE,
                    "{ours} against {theirs}"
                );
            }
            (ours, theirs) => assert_eq!(ours, theirs),
        }
    }
}

#[test]
fn degenerate_predictions_have_the_scores_that_the_definition_says() {
    let reference = [1.0, 2.0, 4.0];
    let cases = [
        (vec![3.0; 3], Some(0.0)),
        (reference.to_vec(), Some(1.0)),
        (vec![4.0, 3.0, 1.0], Some(-0.965_517_241_379_310_3)),
    ];
    for (predicted, wanted) in cases {
        let found = concordance(&predicted, &reference);
        assert_eq!(found.is_some(), wanted.is_some());
        let (found, wanted) = (found.unwrap(), wanted.unwrap());
        assert!((found - wanted).abs() <= TOLERANCE, "{found} {wanted}");
    }
    // A constant that is predicted exactly is 0 / 0, as is one utterance.
    assert_eq!(concordance(&[2.0; 5], &[2.0; 5]), None);
    assert_eq!(concordance(&[2.0], &[2.0]), None);
}

#[test]
fn means_over_folds_and_seeds_and_their_intervals_are_those_of_the_definition() {
    let golden = golden().scored;
    let seeds = [rated(&golden.items, 0), rated(&golden.items, 1)];
    let lists: Vec<&[RatedPrediction]> = seeds.iter().map(Vec::as_slice).collect();
    let scores = score(&lists);
    assert_eq!(scores.len(), 5);
    for (found, wanted) in scores.iter().zip([&golden.mean, &golden.pooled]) {
        assert_eq!(found.seeds, 2);
        for (at, found) in found.scores.iter().enumerate() {
            let name = NAMES.get(at).copied().unwrap_or(Concordance::MEAN);
            assert_eq!(found.dimension, name);
            let close = |ours: f64, theirs: f64, tolerance: f64| {
                assert!(
                    (ours - theirs).abs() <= tolerance,
                    "{name}: {ours} against {theirs}"
                );
            };
            let error = found.error.unwrap();
            close(found.ccc.unwrap(), wanted.ccc[at], TOLERANCE);
            close(found.seeds.unwrap(), wanted.seeds[at], TOLERANCE);
            close(error.error, wanted.error[at], 1e-10);
            close(error.degrees, wanted.degrees[at], 1e-7);
            let [low, high] = found.ci.unwrap();
            close(low, wanted.low[at], 1e-9);
            close(high, wanted.high[at], 1e-9);
        }
    }
    assert!(scores[0].headline && !scores[1].headline);
    assert_eq!(scores[2].fold, FoldName::Fold(1));
    assert!(scores[2].interval.unwrap().refused == Some(NoInterval::FewClusters));
    // The order of a file has no effect, to the bit.
    let mut turned = seeds[0].clone();
    turned.reverse();
    assert_eq!(score(&[&turned]), score(&[&seeds[0]]));
}

#[test]
fn a_fold_without_a_score_makes_the_pooled_one_the_headline() {
    let golden = golden().scored;
    let mut items = rated(&golden.items, 0);
    items.push(RatedPrediction {
        key: "lonely".to_owned(),
        fold: 9,
        ..items[0].clone()
    });
    let scores = score(&[&items]);
    assert!(scores[1].headline && scores[0].scores[0].ccc.is_none());
    assert!(scores[1].mean().unwrap().ccc.is_some());
}

#[test]
fn what_cannot_be_scored_is_named() {
    let golden = golden().scored;
    let items = rated(&golden.items, 0);
    let fails = |items: &[RatedPrediction]| {
        let options = InferenceOptions::default();
        let found = score_dimensions(&RunLabels::default(), &[items], &options);
        found.unwrap_err().to_string()
    };
    assert!(fails(&[]).contains("no predictions"));
    let mut lacking = items.clone();
    lacking[3].predicted.remove("arousal");
    assert!(fails(&lacking).contains("values of valence, arousal, dominance"));
    let mut infinite = items.clone();
    infinite[3].predicted.insert("arousal".to_owned(), f64::NAN);
    assert!(fails(&infinite).contains("a finite arousal"));
}

#[test]
fn soft_scores_equal_scipys() {
    let classes: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    for case in golden().soft {
        let prediction = Prediction {
            key: "k".to_owned(),
            fold: 1,
            label: "a".to_owned(),
            prediction: "a".to_owned(),
            scores: classes.iter().cloned().zip(case.scores).collect(),
            speaker: None,
            votes: classes.iter().cloned().zip(case.votes).collect(),
            gender: None,
        };
        let found = soft_scores(&[prediction], &classes).unwrap();
        match (found, case.divergence) {
            (Some(found), Some(wanted)) => {
                assert!((found.jensen_shannon - wanted).abs() <= TOLERANCE);
            }
            (found, wanted) => assert!(found.is_none() && wanted.is_none()),
        }
    }
}
