//! Concordances and soft scores; the golden comes from `parity/score/dimensions.py` (audmetric, NumPy, SciPy).

use emobox_score::{
    Concordance, FoldName, InferenceOptions, NoInterval, Prediction, RatedPrediction, RunLabels,
    concordance, read_rated_predictions, score_dimensions, soft_scores,
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

#[test]
fn the_scores_of_each_part_say_what_they_are_of() {
    let golden = golden().scored;
    let items = rated(&golden.items, 0);
    let scores = score(&[&items]);
    assert_eq!(scores[0].folds, Some(3));
    assert!(scores[1..].iter().all(|part| part.folds.is_none()));
    for part in &scores {
        let n = match part.fold {
            FoldName::Fold(fold) => items.iter().filter(|item| item.fold == fold).count(),
            _ => items.len(),
        };
        assert_eq!(part.n, n as u64);
        assert_eq!(part.mean().unwrap().dimension, Concordance::MEAN);
    }
    let mut json = serde_json::to_value(&scores[0]).unwrap();
    json.as_object_mut().unwrap().remove("seeds").unwrap();
    let read: emobox_score::DimensionScores = serde_json::from_value(json).unwrap();
    assert_eq!(read.seeds, 1);
}

#[test]
fn three_seeds_deviate_as_a_sample_does() {
    let golden = golden().scored;
    let mut third = rated(&golden.items, 0);
    for item in &mut third {
        for value in item.predicted.values_mut() {
            *value = 0.5 * *value + 1.0;
        }
    }
    let seeds = [rated(&golden.items, 0), rated(&golden.items, 1), third];
    let lists: Vec<&[RatedPrediction]> = seeds.iter().map(Vec::as_slice).collect();
    let found = score(&lists);
    for at in 0..found[0].scores.len() {
        let each: Vec<f64> = lists
            .iter()
            .map(|list| score(&[list])[0].scores[at].ccc.unwrap())
            .collect();
        let mean = each.iter().sum::<f64>() / 3.0;
        let variance = each.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2.0;
        let found = found[0].scores[at].seeds.unwrap();
        assert!((found - variance.sqrt()).abs() < TOLERANCE);
    }
}

#[test]
fn one_speaker_leaves_utterances_as_units_and_two_do_not() {
    use emobox_score::IntervalUnit::{Speaker, Utterance};
    let golden = golden().scored;
    for (speakers, unit) in [(1, Utterance), (2, Speaker)] {
        let mut items = rated(&golden.items, 0);
        for (i, item) in items.iter_mut().enumerate() {
            item.speaker = Some((i % speakers).to_string());
        }
        assert_eq!(score(&[&items])[1].interval.unwrap().unit, unit);
    }
}

#[test]
fn a_scale_far_from_zero_costs_no_digits() {
    let golden = golden().scored;
    let items = rated(&golden.items, 0);
    let mut far = items.clone();
    for item in &mut far {
        for value in item
            .predicted
            .values_mut()
            .chain(item.reference.values_mut())
        {
            *value += 1e8;
        }
    }
    for (near, far) in score(&[&items]).iter().zip(score(&[&far])) {
        for (near, far) in near.scores.iter().zip(&far.scores) {
            assert!((near.ccc.unwrap() - far.ccc.unwrap()).abs() < 1e-6);
        }
    }
}

#[test]
fn a_fold_of_one_speaker_is_left_out_with_him() {
    let golden = golden().scored;
    let mut items = rated(&golden.items, 0);
    for item in items.iter_mut().filter(|item| item.fold == 3) {
        item.speaker = Some("alone".to_owned());
    }
    let found = &score(&[&items])[0];
    let Concordance { ccc, error, .. } = found.scores[0];
    // The jackknife by hand: without a speaker, a fold that has no other is no part of the mean.
    let mut speakers: Vec<String> = items.iter().filter_map(|i| i.speaker.clone()).collect();
    speakers.sort();
    speakers.dedup();
    let replicates: Vec<f64> = speakers
        .iter()
        .map(|speaker| {
            let rest: Vec<RatedPrediction> = items
                .iter()
                .filter(|item| item.speaker.as_ref() != Some(speaker))
                .cloned()
                .collect();
            score(&[&rest])[0].scores[0].ccc.unwrap()
        })
        .collect();
    let n = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / n;
    let squares: f64 = replicates.iter().map(|v| (v - mean).powi(2)).sum();
    let wanted = ((n - 1.0) / n * squares).sqrt();
    assert!(ccc.is_some() && (error.unwrap().error - wanted).abs() < 1e-10);
}

#[test]
fn lines_of_ratings_are_read_or_refused_by_number() {
    let line = |key: &str, fold: &str, reference: &str, predicted: &str| {
        format!(
            r#"{{"key":"{key}"{fold},"reference":{{{reference}}},"predicted":{{{predicted}}}}}"#
        )
    };
    let good = line("a", "", r#""valence":3.5"#, r#""valence":3"#);
    let read = |lines: &[&str]| read_rated_predictions(lines.join("\n").as_bytes(), "p.jsonl");
    let found = read(&[
        &good,
        &line("a", r#","fold":2"#, r#""valence":1"#, r#""valence":2"#),
    ])
    .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].fold, found[1].fold), (1, 2));
    assert_eq!(found[0].reference["valence"], 3.5);
    assert_eq!(found[0].predicted["valence"], 3.0);
    let refused = |second: &str| read(&[&good, second]).unwrap_err().to_string();
    for (second, words) in [
        (good.clone(), "\"a\""),
        (line("b", "", "", ""), "the reference has no dimension"),
        (
            line("b", "", r#""mean":1"#, r#""mean":1"#),
            "the name of the mean",
        ),
        (
            line("b", "", r#""arousal":1"#, r#""valence":1"#),
            "reference has values of arousal, expected valence",
        ),
        (
            line("b", "", r#""valence":1"#, ""),
            "predicted has values of nothing, expected valence",
        ),
        (
            line("b", "", r#""valence":1e300"#, r#""valence":1"#),
            "reference has valence 1e300, which is on no scale",
        ),
    ] {
        let message = refused(&second);
        assert!(
            message.contains(words) && message.contains('2'),
            "{message}"
        );
    }
    assert!(
        read(&[
            &good,
            &line("b", "", r#""valence":1e100"#, r#""valence":-1e100"#)
        ])
        .is_ok()
    );
}
