//! Corpora whose true scores are known, and the bootstrap and McNemar tests shown for contrast.

use emobox_score::{Confusion, Prediction};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Utterances per speaker and class.
const UTTERANCES: f64 = 10.0;
/// Resamples of the bootstrap shown for contrast.
const RESAMPLES: usize = 200;

/// Utterances of each speaker and class, or their levels.
pub(crate) type Table<T> = Vec<Vec<T>>;

/// Which classes each speaker has.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Design {
    /// Every speaker has the same number of utterances of every class.
    Equal,
    /// Numbers differ between speakers: log-normal with a spread of e.
    Unequal,
    /// Every speaker has utterances of one class alone.
    Pure,
    /// Three speakers have every class, the others one each.
    Mixed,
}

impl Design {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Equal, "equal"),
        (Self::Unequal, "unequal"),
        (Self::Pure, "class-pure"),
        (Self::Mixed, "3 whole, rest pure"),
    ];

    /// Whether every class has a speaker.
    pub(crate) fn fits(self, speakers: usize, classes: usize) -> bool {
        self != Self::Pure || speakers >= classes
    }

    pub(crate) fn sizes(
        self,
        speakers: usize,
        classes: usize,
        stream: &mut ChaCha8Rng,
    ) -> Table<usize> {
        (0..speakers)
            .map(|speaker| {
                let spread = match self {
                    Self::Unequal => normal(stream).exp() * (-0.5_f64).exp(),
                    Self::Pure => (0.7 * normal(stream)).exp(),
                    Self::Equal | Self::Mixed => 1.0,
                };
                let size = (UTTERANCES * spread).round().max(1.0) as usize;
                let whole = match self {
                    Self::Equal | Self::Unequal => true,
                    Self::Pure => false,
                    Self::Mixed => speaker < 3,
                };
                let own = |c: usize| whole || c == speaker % classes;
                (0..classes)
                    .map(|c| if own(c) { size } else { 0 })
                    .collect()
            })
            .collect()
    }
}

/// How speakers differ.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Differ {
    /// By ± 30 points, half of it shared between a speaker's classes.
    Evenly,
    /// A speaker's errors are the expected ones times the mean of two exponential numbers: many easy speakers, a few hard ones.
    Skewed,
    /// One speaker in five makes three times the expected errors, the others half.
    Hard,
}

/// How well speakers are recognised.
#[derive(Clone, Copy)]
pub(crate) struct Skill {
    pub(crate) name: &'static str,
    /// Mean recall of the classes.
    recall: f64,
    differ: Differ,
}

pub(crate) const SKILLS: [Skill; 5] = [
    Skill {
        name: "60 %",
        recall: 0.6,
        differ: Differ::Evenly,
    },
    Skill {
        name: "90 %",
        recall: 0.9,
        differ: Differ::Skewed,
    },
    Skill {
        name: "90 %, one in five hard",
        recall: 0.9,
        differ: Differ::Hard,
    },
    Skill {
        name: "97 %",
        recall: 0.97,
        differ: Differ::Skewed,
    },
    Skill {
        name: "97 %, one in five hard",
        recall: 0.97,
        differ: Differ::Hard,
    },
];

impl Skill {
    /// Expected recall of each class: at 60 %, from 10 points below to 10 above; elsewhere, from 1.5 times the errors to half
    /// of them.
    pub(crate) fn recalls(&self, classes: usize) -> Vec<f64> {
        let place = |c: usize| 2.0 * c as f64 / (classes - 1) as f64 - 1.0;
        (0..classes)
            .map(|c| match self.differ {
                Differ::Evenly => self.recall + 0.1 * place(c),
                _ => 1.0 - (1.0 - self.recall) * (1.0 - 0.5 * place(c)),
            })
            .collect()
    }

    /// Recall of each class for one speaker.
    fn speaker(&self, classes: usize, stream: &mut ChaCha8Rng) -> Vec<f64> {
        let shared = 2.0 * uniform(stream) - 1.0;
        let exponential = |stream: &mut ChaCha8Rng| -(1.0 - uniform(stream)).ln();
        let times = match self.differ {
            Differ::Hard if uniform(stream) < 0.2 => 3.0,
            Differ::Hard => 0.5,
            _ => f64::midpoint(exponential(stream), exponential(stream)),
        };
        self.recalls(classes)
            .into_iter()
            .map(|recall| match self.differ {
                Differ::Evenly => {
                    let own = 2.0 * uniform(stream) - 1.0;
                    recall + 0.15 * (shared + own)
                }
                _ => 1.0 - (1.0 - recall) * times,
            })
            .collect()
    }

    pub(crate) fn speakers(
        &self,
        speakers: usize,
        classes: usize,
        stream: &mut ChaCha8Rng,
    ) -> Table<f64> {
        (0..speakers)
            .map(|_| self.speaker(classes, stream))
            .collect()
    }

    /// Expected UA, WA and macro F1 for these numbers of utterances.
    pub(crate) fn truth(&self, sizes: &Table<usize>) -> [f64; 3] {
        let classes = sizes[0].len();
        let recalls = self.recalls(classes);
        let n: Vec<f64> = (0..classes)
            .map(|c| sizes.iter().map(|row| row[c] as f64).sum())
            .collect();
        let hits: Vec<f64> = (0..classes).map(|c| n[c] * recalls[c]).collect();
        let wrong: f64 = (0..classes).map(|c| n[c] - hits[c]).sum();
        let present: Vec<usize> = (0..classes).filter(|&c| n[c] > 0.0).collect();
        let f1 = |c: usize| {
            let predicted = hits[c] + (wrong - (n[c] - hits[c])) / (classes - 1) as f64;
            2.0 * hits[c] / (n[c] + predicted)
        };
        let mean = |value: &dyn Fn(usize) -> f64| {
            present.iter().map(|&c| value(c)).sum::<f64>() / present.len() as f64
        };
        [
            mean(&|c| recalls[c]),
            hits.iter().sum::<f64>() / n.iter().sum::<f64>(),
            mean(&f1),
        ]
    }
}

fn uniform(stream: &mut ChaCha8Rng) -> f64 {
    f64::from(stream.next_u32() >> 1) / f64::from(1_u32 << 31)
}

/// By the Box–Muller transform.
pub(crate) fn normal(stream: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(stream)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(stream)).cos()
}

pub(crate) fn class_names(classes: usize) -> Vec<String> {
    (0..classes).map(|c| c.to_string()).collect()
}

/// Predictions for items of these counts at these levels.
pub(crate) fn predict(
    sizes: &Table<usize>,
    levels: &Table<f64>,
    stream: &mut ChaCha8Rng,
) -> Vec<Prediction> {
    let names = class_names(sizes[0].len());
    let mut predictions = Vec::new();
    for (speaker, (sizes, levels)) in sizes.iter().zip(levels).enumerate() {
        for (class, (&size, &level)) in sizes.iter().zip(levels).enumerate() {
            for item in 0..size {
                let right = uniform(stream) < level;
                let other = 1 + (uniform(stream) * (names.len() - 1) as f64) as usize;
                let predicted = if right {
                    class
                } else {
                    (class + other) % names.len()
                };
                predictions.push(Prediction {
                    key: format!("{speaker}-{class}-{item}"),
                    fold: 1,
                    label: names[class].clone(),
                    prediction: names[predicted].clone(),
                    scores: BTreeMap::new(),
                    speaker: Some(format!("{speaker:03}")),
                    votes: BTreeMap::new(),
                    gender: None,
                });
            }
        }
    }
    predictions
}

/// Percentiles of UA of resamples of speakers.
pub(crate) fn bootstrap(
    predictions: &[Prediction],
    names: &[String],
    stream: &mut ChaCha8Rng,
) -> [f64; 2] {
    let mut speakers = BTreeMap::<&String, Vec<&Prediction>>::new();
    for item in predictions {
        speakers
            .entry(item.speaker.as_ref().unwrap_or(&item.key))
            .or_default()
            .push(item);
    }
    let tables: Vec<Confusion> = speakers
        .into_values()
        .filter_map(|items| Confusion::of(items, names).ok())
        .collect();
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut sum = vec![[0_u64; 2]; names.len()];
            for _ in 0..tables.len() {
                let drawn = &tables[(uniform(stream) * tables.len() as f64) as usize];
                for (c, row) in drawn.counts.iter().enumerate() {
                    sum[c][0] += row[c];
                    sum[c][1] += row.iter().sum::<u64>();
                }
            }
            let present = sum.iter().filter(|[_, n]| *n > 0);
            let count = present.clone().count() as f64;
            present
                .map(|[hits, n]| *hits as f64 / *n as f64)
                .sum::<f64>()
                / count
        })
        .collect();
    values.sort_by(f64::total_cmp);
    [RESAMPLES / 40, RESAMPLES - RESAMPLES / 40 - 1].map(|i| values[i])
}

pub(crate) fn stream_of(cell: usize, simulation: u64) -> ChaCha8Rng {
    let mut stream = ChaCha8Rng::seed_from_u64(simulation);
    stream.set_stream(cell as u64);
    stream
}

/// The paired bootstrap: twice the smaller tail.
pub(crate) fn bootstrap_p(
    a: &[Prediction],
    b: &[Prediction],
    classes: usize,
    stream: &mut ChaCha8Rng,
) -> f64 {
    let mut speakers = BTreeMap::<&String, Vec<[f64; 2]>>::new();
    for (x, y) in a.iter().zip(b) {
        let class: usize = x.label.parse().unwrap_or(0);
        let row = speakers
            .entry(x.speaker.as_ref().unwrap_or(&x.key))
            .or_insert_with(|| vec![[0.0; 2]; classes]);
        let hit = |p: &Prediction| f64::from(u8::from(p.label == p.prediction));
        row[class][0] += hit(x) - hit(y);
        row[class][1] += 1.0;
    }
    let rows: Vec<_> = speakers.into_values().collect();
    let (mut above, mut below) = (0, 0);
    for _ in 0..RESAMPLES {
        let mut sum = vec![[0.0; 2]; classes];
        for _ in 0..rows.len() {
            let drawn = &rows[(uniform(stream) * rows.len() as f64) as usize];
            for (sum, drawn) in sum.iter_mut().zip(drawn) {
                sum[0] += drawn[0];
                sum[1] += drawn[1];
            }
        }
        let present = sum.iter().filter(|[_, n]| *n > 0.0);
        let difference: f64 = present.map(|[hits, n]| hits / n).sum();
        above += usize::from(difference >= 0.0);
        below += usize::from(difference <= 0.0);
    }
    (2.0 * (above.min(below) + 1) as f64 / (RESAMPLES + 1) as f64).min(1.0)
}

/// McNemar's exact p over all items, as if all of them were independent.
pub(crate) fn mcnemar_p(a: &[Prediction], b: &[Prediction]) -> f64 {
    let right = |p: &Prediction| p.label == p.prediction;
    let only = |x: &[Prediction], y: &[Prediction]| {
        let pairs = x.iter().zip(y);
        pairs.filter(|(x, y)| right(x) && !right(y)).count() as u64
    };
    emobox_score::mcnemar(only(a, b), only(b, a)).p_exact
}
