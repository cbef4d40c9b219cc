//! Whether a 95 % interval holds the truth 95 times in 100, on corpora that are simulated so that the truth is
//! known: every speaker has an own level of accuracy, so the utterances of a speaker resemble each other.

use emobox_score::{BootstrapOptions, CompareRequest, Prediction, Resampling, compare};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

const CORPORA: u64 = 300;
const SPEAKERS: usize = 40;
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
                gender: None,
            });
        }
    }
    predictions
}

fn levels(stream: &mut ChaCha8Rng) -> Vec<f64> {
    (0..SPEAKERS)
        .map(|_| TRUTH + 0.6 * (uniform(stream) - 0.5))
        .collect()
}

fn options(seed: u64) -> BootstrapOptions {
    BootstrapOptions {
        replicates: 400,
        seed,
        level: 0.95,
    }
}

fn share(hits: u64) -> f64 {
    hits as f64 / CORPORA as f64
}

#[test]
fn speaker_intervals_cover_and_utterance_intervals_do_not() {
    let (mut pooled, mut mean, mut by_utterance) = (0, 0, 0);
    for seed in 0..CORPORA {
        let mut stream = ChaCha8Rng::seed_from_u64(1000 + seed);
        let levels = levels(&mut stream);
        let mut predictions = corpus(&mut stream, &levels, 0.0);
        let holds = |[low, high]: [f64; 2]| u64::from(low <= TRUTH && TRUTH <= high);
        let speakers = Resampling::new(&predictions, &classes()).unwrap();
        let intervals = speakers.intervals(&options(seed)).unwrap();
        pooled += holds(intervals.pooled.ua);
        mean += holds(intervals.mean.ua);
        for prediction in &mut predictions {
            prediction.speaker = None;
        }
        let utterances = Resampling::new(&predictions, &classes()).unwrap();
        by_utterance += holds(utterances.intervals(&options(seed)).unwrap().pooled.ua);
    }
    // Binomial error of 300 trials at 0.95: 0.0126. Seen: pooled 0.937, mean 0.937, utterances 0.697.
    assert!(
        (0.92..=0.98).contains(&share(pooled)),
        "pooled {}",
        share(pooled)
    );
    assert!((0.92..=0.98).contains(&share(mean)), "mean {}", share(mean));
    assert!(
        share(by_utterance) < 0.88,
        "utterances {}",
        share(by_utterance)
    );
}

#[test]
fn paired_intervals_cover_and_level_systems_are_rarely_told_apart() {
    const GAP: f64 = 0.05;
    let (mut covered, mut false_alarms, mut detectable) = (0, 0, Vec::new());
    for seed in 0..CORPORA {
        let mut stream = ChaCha8Rng::seed_from_u64(9000 + seed);
        let levels = levels(&mut stream);
        let systems = [GAP, 0.0, 0.0].map(|shift| corpus(&mut stream, &levels, shift));
        let against_last = |i: usize| {
            compare(&CompareRequest {
                corpus: "simulated",
                a: ("a", &systems[i]),
                b: ("b", &systems[2]),
                classes: &classes(),
                bootstrap: options(seed),
            })
            .unwrap()
        };
        let better = against_last(0).ua;
        covered += u64::from(better.ci[0] <= GAP && GAP <= better.ci[1]);
        detectable.push(better.smallest_detectable);
        false_alarms += u64::from(against_last(1).ua.p < 0.05);
    }
    assert!(
        (0.92..=0.98).contains(&share(covered)),
        "covered {}",
        share(covered)
    );
    assert!(
        (0.02..=0.09).contains(&share(false_alarms)),
        "false alarms {}",
        share(false_alarms)
    );
    // Two systems of 960 items with a variance of 0.6 · 0.4 less that of the levels they share, 0.03:
    // 2.8 · √(2 · 0.21 / 960) = 0.0586. Seen: covered 0.960, false alarms 0.070, detectable 0.0563.
    let mean = detectable.iter().sum::<f64>() / detectable.len() as f64;
    assert!((0.052..0.065).contains(&mean), "smallest detectable {mean}");
}
