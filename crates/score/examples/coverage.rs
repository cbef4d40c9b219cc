//! Simulates corpora whose true scores are known and counts how often intervals hold them and how often systems that are
//! alike are told apart. Prints the tables of `docs/statistics.md`:
//!
//!     cargo run --release -p emobox-score --example coverage -- [SIMULATIONS [intervals|comparisons [DESIGN]]]
//!
//! DESIGN is the first word of the utterances' column, where one of them is enough.
//!
//! Everything goes through the library's own `score_folds` and `compare_seeds`; the percentile bootstrap beside them is made
//! here, for contrast. Seeded: the same call prints the same table.

use emobox_score::{
    CompareRequest, Confusion, InferenceOptions, Prediction, RunLabels, ScoreRequest, SeededSystem,
    compare, compare_seeds, score_folds,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

const CLASSES: usize = 4;
/// Utterances a speaker and class.
const UTTERANCES: f64 = 10.0;
/// Resamples of the bootstrap shown for contrast.
const RESAMPLES: usize = 200;
const SPEAKERS: [usize; 12] = [2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let simulations: u64 = arguments.first().map_or(Ok(1000), |n| n.parse())?;
    let part = arguments.get(1).map_or("", String::as_str);
    let only = arguments.get(2).map_or("", String::as_str);
    let mut out = std::io::stdout().lock();
    if part != "comparisons" {
        intervals(&mut out, simulations, only)?;
    }
    if part != "intervals" {
        comparisons(&mut out, simulations, only)?;
    }
    Ok(())
}

/// Who says what.
#[derive(Clone, Copy, PartialEq)]
enum Design {
    /// Every speaker says the same number of utterances of every class.
    Equal,
    /// Numbers differ between speakers, log-normal with a spread of e.
    Unequal,
    /// Every speaker has utterances of one class alone.
    Pure,
    /// Three speakers have every class, the others one each.
    Mixed,
}

impl Design {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Equal, "equal"),
        (Self::Unequal, "unequal"),
        (Self::Pure, "class-pure"),
        (Self::Mixed, "3 whole, rest pure"),
    ];

    /// Utterances of each speaker and class.
    fn sizes(self, speakers: usize, stream: &mut ChaCha8Rng) -> Vec<[usize; CLASSES]> {
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
                std::array::from_fn(|c| {
                    let mine = whole || c == speaker % CLASSES;
                    if mine { size } else { 0 }
                })
            })
            .collect()
    }
}

/// How well speakers are recognised.
#[derive(Clone, Copy)]
struct Skill {
    name: &'static str,
    /// Expected recall of each class.
    recalls: [f64; CLASSES],
    /// One speaker in five is hard: the recall is four steps lower, and one step higher for the others.
    step: f64,
    /// Whether a speaker's errors are so many times the expected ones as the mean of two exponential numbers says: many
    /// easy speakers, a few hard ones.
    skewed: bool,
    /// Half the width of a uniform speaker effect, half of it shared between the classes.
    width: f64,
}

const SKILLS: [Skill; 3] = [
    Skill {
        name: "60 %",
        recalls: [0.5, 0.6, 0.63, 0.67],
        step: 0.0,
        skewed: false,
        width: 0.3,
    },
    Skill {
        name: "90 %",
        recalls: [0.85, 0.9, 0.92, 0.93],
        step: 0.0,
        skewed: true,
        width: 0.0,
    },
    Skill {
        name: "90 %, one in five hard",
        recalls: [0.85, 0.9, 0.92, 0.93],
        step: 0.05,
        skewed: false,
        width: 0.01,
    },
];

impl Skill {
    fn recall(&self, class: usize) -> f64 {
        self.recalls[class]
    }

    /// Levels of one speaker.
    fn speaker(&self, stream: &mut ChaCha8Rng) -> [f64; CLASSES] {
        let hard = if uniform(stream) < 0.2 { -4.0 } else { 1.0 };
        let shared = 2.0 * uniform(stream) - 1.0;
        let exponential = |stream: &mut ChaCha8Rng| -(1.0 - uniform(stream)).ln();
        let times = f64::midpoint(exponential(stream), exponential(stream));
        std::array::from_fn(|c| {
            let own = 2.0 * uniform(stream) - 1.0;
            let effect = 0.5 * self.width * (shared + own);
            let errors = (1.0 - self.recall(c)) * if self.skewed { times } else { 1.0 };
            1.0 - errors + self.step * hard + effect
        })
    }

    /// UA, WA and macro F1 that these numbers of utterances would have in the long run.
    fn truth(&self, sizes: &[[usize; CLASSES]]) -> [f64; 3] {
        let n: [f64; CLASSES] =
            std::array::from_fn(|c| sizes.iter().map(|row| row[c] as f64).sum());
        let hits: [f64; CLASSES] = std::array::from_fn(|c| n[c] * self.recall(c));
        let wrong: f64 = (0..CLASSES).map(|c| n[c] - hits[c]).sum();
        let present: Vec<usize> = (0..CLASSES).filter(|&c| n[c] > 0.0).collect();
        let f1 = |c: usize| {
            let predicted = hits[c] + (wrong - (n[c] - hits[c])) / (CLASSES - 1) as f64;
            2.0 * hits[c] / (n[c] + predicted)
        };
        let mean = |value: &dyn Fn(usize) -> f64| {
            present.iter().map(|&c| value(c)).sum::<f64>() / present.len() as f64
        };
        [
            mean(&|c| self.recall(c)),
            hits.iter().sum::<f64>() / n.iter().sum::<f64>(),
            mean(&f1),
        ]
    }
}

fn uniform(stream: &mut ChaCha8Rng) -> f64 {
    f64::from(stream.next_u32() >> 1) / f64::from(1_u32 << 31)
}

/// Box and Muller.
fn normal(stream: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(stream)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(stream)).cos()
}

fn classes() -> Vec<String> {
    (0..CLASSES).map(|c| c.to_string()).collect()
}

/// Predictions of items of these sizes at these levels, in four folds of whole speakers.
fn predict(
    sizes: &[[usize; CLASSES]],
    levels: &[[f64; CLASSES]],
    stream: &mut ChaCha8Rng,
) -> Vec<Prediction> {
    let names = classes();
    let mut predictions = Vec::new();
    for (speaker, (sizes, levels)) in sizes.iter().zip(levels).enumerate() {
        for (class, (&size, &level)) in sizes.iter().zip(levels).enumerate() {
            for item in 0..size {
                let right = uniform(stream) < level;
                let other = 1 + (uniform(stream) * (CLASSES - 1) as f64) as usize;
                let predicted = if right {
                    class
                } else {
                    (class + other) % CLASSES
                };
                predictions.push(Prediction {
                    key: format!("{speaker}-{class}-{item}"),
                    fold: 1,
                    label: names[class].clone(),
                    prediction: names[predicted].clone(),
                    scores: BTreeMap::new(),
                    speaker: Some(format!("{speaker:03}")),
                    gender: None,
                });
            }
        }
    }
    predictions
}

/// UA of resamples of speakers, sorted.
fn bootstrap(predictions: &[Prediction], stream: &mut ChaCha8Rng) -> Vec<f64> {
    let mut speakers = BTreeMap::<&String, Vec<&Prediction>>::new();
    for item in predictions {
        speakers
            .entry(item.speaker.as_ref().unwrap_or(&item.key))
            .or_default()
            .push(item);
    }
    let tables: Vec<Confusion> = speakers
        .into_values()
        .filter_map(|items| Confusion::of(items, &classes()).ok())
        .collect();
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut sum = [[0_u64; CLASSES]; 2];
            for _ in 0..tables.len() {
                let drawn = &tables[(uniform(stream) * tables.len() as f64) as usize];
                for (c, row) in drawn.counts.iter().enumerate() {
                    sum[0][c] += row[c];
                    sum[1][c] += row.iter().sum::<u64>();
                }
            }
            let present: Vec<usize> = (0..CLASSES).filter(|&c| sum[1][c] > 0).collect();
            let recalls = present.iter().map(|&c| sum[0][c] as f64 / sum[1][c] as f64);
            recalls.sum::<f64>() / present.len() as f64
        })
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

fn stream_of(cell: usize, simulation: u64) -> ChaCha8Rng {
    let mut stream = ChaCha8Rng::seed_from_u64(simulation);
    stream.set_stream(cell as u64);
    stream
}

fn options() -> InferenceOptions {
    InferenceOptions {
        sampled_flips: 1000,
        ..InferenceOptions::default()
    }
}

fn intervals(out: &mut impl Write, simulations: u64, only: &str) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "| utterances | recall | speakers | bootstrap UA | UA | WA | macro F1 | width of UA | no interval |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    let mut cell = 0;
    for (design, name) in Design::ALL {
        for skill in SKILLS {
            for speakers in SPEAKERS {
                cell += 1;
                if !name.starts_with(only)
                    || (design == Design::Mixed && speakers < 5)
                    || (design == Design::Pure && speakers < CLASSES)
                {
                    continue;
                }
                let mut held = [0_u64; 4];
                let (mut made, mut widths) = ([0_u64; 3], Vec::new());
                for simulation in 0..simulations {
                    let mut stream = stream_of(cell, simulation);
                    let sizes = design.sizes(speakers, &mut stream);
                    let levels: Vec<_> =
                        (0..speakers).map(|_| skill.speaker(&mut stream)).collect();
                    let predictions = predict(&sizes, &levels, &mut stream);
                    let truth = skill.truth(&sizes);
                    let resamples = bootstrap(&predictions, &mut stream);
                    let [low, high] = [RESAMPLES / 40, RESAMPLES - RESAMPLES / 40 - 1];
                    let inside = |low: f64, high: f64, truth: f64| {
                        u64::from(low - 1e-12 <= truth && truth <= high + 1e-12)
                    };
                    held[3] += inside(resamples[low], resamples[high], truth[0]);
                    let runs = score_folds(&ScoreRequest {
                        labels: &RunLabels::default(),
                        classes: &classes(),
                        predictions: &predictions,
                        oracle: None,
                        inference: options(),
                    })?;
                    let all = [runs[1].ua_ci, runs[1].wa_ci, runs[1].macro_f1_ci];
                    for (i, ci) in all.into_iter().enumerate() {
                        if let Some([low, high]) = ci {
                            made[i] += 1;
                            held[i] += inside(low, high, truth[i]);
                        }
                    }
                    widths.extend(runs[1].ua_ci.map(|[low, high]| high - low));
                }
                widths.sort_by(f64::total_cmp);
                let width = widths
                    .get(widths.len() / 2)
                    .map_or("–".to_owned(), |w| format!("{:.0}", 100.0 * w));
                let [ua, wa, f1] = [0, 1, 2].map(|i| share(held[i], made[i]));
                writeln!(
                    out,
                    "| {name} | {} | {speakers} | {} | {ua} | {wa} | {f1} | {width} | {} |",
                    skill.name,
                    share(held[3], simulations),
                    share(simulations - made[0], simulations)
                )?;
                out.flush()?;
            }
        }
    }
    Ok(())
}

/// Per cent, of a part that is not too small to say anything.
fn share(hits: u64, of: u64) -> String {
    if of < 20 {
        return "–".to_owned();
    }
    format!("{:.1}", 100.0 * hits as f64 / of as f64)
}

/// What tells two systems of the same true score apart.
#[derive(Clone, Copy, PartialEq)]
enum Null {
    /// Each speaker has an own level with each system, drawn alike.
    Alike,
    /// The second system treats all speakers the same, the first does not: as good, but not interchangeable.
    Steadier,
}

fn comparisons(out: &mut impl Write, simulations: u64, only: &str) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "\n| utterances | second system | speakers | bootstrap | McNemar | sign flips | t | smallest p of flips |\n\
         |---|---|---:|---:|---:|---:|---:|---:|"
    )?;
    let skill = SKILLS[0];
    let mut cell = 1000;
    for (design, name) in Design::ALL {
        for (null, what) in [(Null::Alike, "alike"), (Null::Steadier, "steadier")] {
            for speakers in SPEAKERS {
                cell += 1;
                if !name.starts_with(only)
                    || (design == Design::Mixed && speakers < 5)
                    || (design == Design::Pure && speakers < CLASSES)
                {
                    continue;
                }
                let (mut alarms, mut tested) = ([0_u64; 4], 0);
                let mut smallest = 1.0_f64;
                for simulation in 0..simulations {
                    let mut stream = stream_of(cell, simulation);
                    let sizes = design.sizes(speakers, &mut stream);
                    let mut levels = |steady: bool| -> Vec<[f64; CLASSES]> {
                        (0..speakers)
                            .map(|_| {
                                let level = skill.speaker(&mut stream);
                                if steady { skill.recalls } else { level }
                            })
                            .collect()
                    };
                    let [a, b] = [levels(false), levels(null == Null::Steadier)];
                    let a = predict(&sizes, &a, &mut stream);
                    let b = predict(&sizes, &b, &mut stream);
                    let comparison = compare(&CompareRequest {
                        corpus: "simulated",
                        a: ("a", &a),
                        b: ("b", &b),
                        classes: &classes(),
                        inference: options(),
                    })?;
                    alarms[0] += u64::from(bootstrap_p(&a, &b, &mut stream) < 0.05);
                    alarms[1] += u64::from(mcnemar_p(&a, &b) < 0.05);
                    alarms[2] += u64::from(comparison.ua.p < 0.05);
                    smallest = smallest.min(comparison.ua.p);
                    if let Some(p) = comparison.ua.p_t {
                        tested += 1;
                        alarms[3] += u64::from(p < 0.05);
                    }
                }
                let [boot, mcnemar, flips] = [0, 1, 2].map(|i| share(alarms[i], simulations));
                let t = share(alarms[3], tested);
                writeln!(
                    out,
                    "| {name} | {what} | {speakers} | {boot} | {mcnemar} | {flips} | {t} | {smallest:.4} |"
                )?;
                out.flush()?;
            }
        }
    }
    seeds(out, simulations)
}

/// Two systems alike whose every training seed is off by some points: one seed each, and three.
fn seeds(out: &mut impl Write, simulations: u64) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "\n| SD between seeds | speakers | one seed each: alarms | three seeds each: alarms |\n|---:|---:|---:|---:|"
    )?;
    let skill = SKILLS[0];
    let mut cell = 2000;
    for deviation in [0.011, 0.024] {
        for speakers in [5, 10, 24, 50] {
            cell += 1;
            let mut alarms = [0_u64; 2];
            for simulation in 0..simulations {
                let mut stream = stream_of(cell, simulation);
                let sizes = Design::Equal.sizes(speakers, &mut stream);
                let mut systems: [Vec<Vec<Prediction>>; 2] = [Vec::new(), Vec::new()];
                for system in &mut systems {
                    let levels: Vec<_> =
                        (0..speakers).map(|_| skill.speaker(&mut stream)).collect();
                    for _ in 0..3 {
                        let shift = deviation * normal(&mut stream);
                        let shifted: Vec<_> =
                            levels.iter().map(|row| row.map(|x| x + shift)).collect();
                        system.push(predict(&sizes, &shifted, &mut stream));
                    }
                }
                for (count, alarms) in [1, 3].into_iter().zip(&mut alarms) {
                    let lists = [0, 1].map(|i| -> Vec<&[Prediction]> {
                        systems[i][..count].iter().map(Vec::as_slice).collect()
                    });
                    let [a, b] = [0, 1].map(|i| SeededSystem {
                        name: ["a", "b"][i],
                        seeds: &lists[i],
                    });
                    let comparison = compare_seeds("simulated", a, b, &classes(), &options())?;
                    *alarms += u64::from(comparison.ua.p < 0.05);
                }
            }
            let [one, three] = alarms.map(|n| share(n, simulations));
            writeln!(
                out,
                "| {:.1} | {speakers} | {one} | {three} |",
                100.0 * deviation
            )?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Twice the smaller tail of the paired bootstrap, as the program had it before.
fn bootstrap_p(a: &[Prediction], b: &[Prediction], stream: &mut ChaCha8Rng) -> f64 {
    let mut other = stream.clone();
    // The same draws for both: `bootstrap` sorts, so the pairing is made by differences of hits.
    let mut speakers = BTreeMap::<&String, [[f64; CLASSES]; 2]>::new();
    for (x, y) in a.iter().zip(b) {
        let class: usize = x.label.parse().unwrap_or(0);
        let row = speakers
            .entry(x.speaker.as_ref().unwrap_or(&x.key))
            .or_default();
        let hit = |p: &Prediction| f64::from(u8::from(p.label == p.prediction));
        row[0][class] += hit(x) - hit(y);
        row[1][class] += 1.0;
    }
    let rows: Vec<_> = speakers.into_values().collect();
    let (mut above, mut below) = (0, 0);
    for _ in 0..RESAMPLES {
        let mut sum = [[0.0; CLASSES]; 2];
        for _ in 0..rows.len() {
            let drawn = &rows[(uniform(&mut other) * rows.len() as f64) as usize];
            for c in 0..CLASSES {
                sum[0][c] += drawn[0][c];
                sum[1][c] += drawn[1][c];
            }
        }
        let difference: f64 = (0..CLASSES)
            .filter(|&c| sum[1][c] > 0.0)
            .map(|c| sum[0][c] / sum[1][c])
            .sum();
        above += usize::from(difference >= 0.0);
        below += usize::from(difference <= 0.0);
    }
    (2.0 * (above.min(below) + 1) as f64 / (RESAMPLES + 1) as f64).min(1.0)
}

/// McNemar's exact p over all items, as if no two were of one speaker.
fn mcnemar_p(a: &[Prediction], b: &[Prediction]) -> f64 {
    let right = |p: &Prediction| p.label == p.prediction;
    let only = |x: &[Prediction], y: &[Prediction]| {
        let pairs = x.iter().zip(y);
        pairs.filter(|(x, y)| right(x) && !right(y)).count() as u64
    };
    emobox_score::mcnemar(only(a, b), only(b, a)).p_exact
}
