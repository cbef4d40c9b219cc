//! Whether a 95 % interval contains the truth 95 times in 100, on corpora simulated so that the truth is known: every speaker
//! has their own accuracy, so the utterances of a speaker are correlated. `docs/statistics.md` has the same for many more cells
//! (`examples/coverage.rs`).

use emobox_score::{
    CompareRequest, InferenceOptions, Prediction, Run, RunLabels, ScoreRequest, compare,
    score_folds,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

const CORPORA: u64 = 400;
const UTTERANCES: usize = 24;
const TRUTH: f64 = 0.6;

fn uniform(stream: &mut ChaCha8Rng) -> f64 {
    f64::from(stream.next_u32()) / f64::from(u32::MAX)
}

fn classes() -> Vec<String> {
    ["a", "b", "c"].map(String::from).to_vec()
}

/// A corpus whose expected recall is `TRUTH + shift` in every class; speakers differ by ± 0.3 about it.
fn corpus(stream: &mut ChaCha8Rng, levels: &[f64], shift: f64) -> Vec<Prediction> {
    let classes = classes();
    let mut predictions = Vec::new();
    for (speaker, level) in levels.iter().enumerate() {
        for utterance in 0..UTTERANCES {
            let label = utterance % 3;
            let right = uniform(stream) < level + shift;
            let other = 1 + usize::from(uniform(stream) < 0.5);
            predictions.push(Prediction {
                key: format!("{speaker}-{utterance}"),
                fold: 1 + (speaker % 4) as u32,
                label: classes[label].clone(),
                prediction: classes[if right { label } else { (label + other) % 3 }].clone(),
                scores: BTreeMap::new(),
                speaker: Some(speaker.to_string()),
                votes: BTreeMap::new(),
                gender: None,
            });
        }
    }
    predictions
}

fn levels(stream: &mut ChaCha8Rng, speakers: usize) -> Vec<f64> {
    (0..speakers)
        .map(|_| TRUTH + 0.6 * (uniform(stream) - 0.5))
        .collect()
}

fn options() -> InferenceOptions {
    InferenceOptions {
        sampled_flips: 400,
        ..InferenceOptions::default()
    }
}

fn runs(predictions: &[Prediction]) -> Vec<Run> {
    score_folds(&ScoreRequest {
        labels: &RunLabels::default(),
        classes: &classes(),
        predictions,
        oracle: None,
        inference: options(),
    })
    .unwrap()
}

fn share(hits: u64) -> f64 {
    hits as f64 / CORPORA as f64
}

#[test]
fn speaker_intervals_cover_and_utterance_intervals_do_not() {
    for speakers in [5, 12] {
        let (mut pooled, mut mean, mut by_utterance) = (0, 0, 0);
        for seed in 0..CORPORA {
            let mut stream = ChaCha8Rng::seed_from_u64(1000 + seed);
            let levels = levels(&mut stream, speakers);
            let mut predictions = corpus(&mut stream, &levels, 0.0);
            let holds = |run: &Run| {
                let [low, high] = run.ua_ci.unwrap();
                u64::from(low <= TRUTH && TRUTH <= high)
            };
            let scored = runs(&predictions);
            mean += holds(&scored[0]);
            pooled += holds(&scored[1]);
            for prediction in &mut predictions {
                prediction.speaker = None;
            }
            by_utterance += holds(&runs(&predictions)[1]);
        }
        // Binomial error of 400 trials at 0.95: 0.011.
        for (what, covered) in [("pooled", share(pooled)), ("mean", share(mean))] {
            assert!(covered >= 0.93, "{speakers} speakers: {what} {covered}");
        }
        let covered = share(by_utterance);
        assert!(covered < 0.85, "{speakers} speakers: utterances {covered}");
    }
}

#[test]
fn paired_intervals_cover_and_level_systems_are_rarely_told_apart() {
    const GAP: f64 = 0.05;
    for speakers in [4, 8, 24] {
        let (mut covered, mut false_alarms, mut t_alarms) = (0, 0, 0);
        for seed in 0..CORPORA {
            let mut stream = ChaCha8Rng::seed_from_u64(9000 + seed);
            let [one, other] = [0, 1].map(|_| levels(&mut stream, speakers));
            let a = corpus(&mut stream, &one, GAP);
            let [b, c] = [&one, &other].map(|levels| corpus(&mut stream, levels, 0.0));
            let against = |a: &[Prediction]| {
                compare(&CompareRequest {
                    corpus: "simulated",
                    a: ("a", a),
                    b: ("b", &b),
                    classes: &classes(),
                    inference: options(),
                })
                .unwrap()
                .ua
            };
            let better = against(&a);
            covered += u64::from(better.ci.is_some_and(|[l, h]| l <= GAP && GAP <= h));
            let level = against(&c);
            false_alarms += u64::from(level.p < 0.05);
            t_alarms += u64::from(level.p_t.is_some_and(|p| p < 0.05));
        }
        let alarms = [share(false_alarms), share(t_alarms)];
        assert!(
            alarms[0] <= 0.07 && alarms[1] <= 0.07,
            "{speakers}: {alarms:?}"
        );
        if speakers < 5 {
            assert_eq!((covered, alarms), (0, [0.0; 2]), "refused below 5 speakers");
        } else {
            assert!(
                share(covered) >= 0.93,
                "{speakers}: covered {}",
                share(covered)
            );
        }
    }
}
