//! Sweeps of probes compared with double precision, step by step.

use crate::made::{gpu, normal, scaled};
use emobox_gpu::{
    ATTENTION, Frames, Gpu, Numbers, PointState, Pooling, Sweep, SweepShape, Utterance,
};
use half::f16;

/// For logits, in units of the larger of 1 and the logit: weights are stored as two 16-bit numbers.
const FORWARD: f64 = 1.0 / 262_144.0;
/// For gradients, relative to the largest.
const GRADIENT: f64 = 1e-5;
/// For Adam's updates, relative to the larger of 1 and the number.
const UPDATE: f64 = 1e-6;

const POOLINGS: [Pooling; 4] = [
    Pooling::Mean,
    Pooling::Statistics,
    Pooling::Attentive,
    Pooling::Features,
];
const CLASSES: usize = 3;
const LENGTHS: [usize; 5] = [1, 64, 65, 130, 17];
const RATES: [f64; 3] = [1e-2, 3e-3, 1e-3];

pub(crate) struct Case {
    shape: SweepShape,
    features: Vec<f16>,
    frames: Frames,
    batch: Vec<Utterance>,
}

impl Case {
    pub(crate) fn new(gpu: &Gpu, pooling: Pooling, dim: usize, hidden: &[usize]) -> Self {
        let shape = SweepShape {
            dim,
            classes: CLASSES,
            hidden: hidden.to_vec(),
            pooling,
            adam: [0.9, 0.999, 1e-8],
            clip_norm: 0.05,
        };
        let rows: usize = LENGTHS.iter().sum();
        // An unused row first, and one after the last.
        let features: Vec<f16> = normal(7, (rows + 2) * dim)
            .into_iter()
            .map(f16::from_f32)
            .collect();
        let frames = gpu.frames(rows + 2, dim).unwrap();
        frames.write(0, &features).unwrap();
        let mut first_row = 1;
        let batch = LENGTHS.iter().zip([2, 0, 1, 1, 2]).map(|(&frames, label)| {
            first_row += frames;
            Utterance {
                first_row: first_row - frames,
                frames,
                label,
            }
        });
        Self {
            batch: batch.collect(),
            shape,
            features,
            frames,
        }
    }

    /// Units of a hidden layer, parameters of the pooling itself, width of its output.
    fn sizes(&self, hidden: usize) -> (usize, usize, usize) {
        match self.shape.pooling {
            Pooling::Features => (0, 0, self.shape.dim),
            Pooling::Mean => (hidden, 0, hidden),
            Pooling::Statistics => (hidden, 0, 2 * hidden),
            Pooling::Attentive => (hidden, ATTENTION * (hidden + 2), 2 * hidden),
        }
    }

    pub(crate) fn start(&self, hidden: usize, seed: u64) -> PointState {
        let dim = self.shape.dim;
        let (hidden, own, width) = self.sizes(hidden);
        let scale = |fan_in: usize| 1.0 / (fan_in.max(1) as f32).sqrt();
        let mut values = scaled(normal(seed, hidden * dim + hidden), scale(dim));
        values.extend(scaled(normal(seed + 2, own), 0.5));
        values.extend(scaled(
            normal(seed + 1, CLASSES * width + CLASSES),
            scale(width),
        ));
        let count = values.len();
        PointState {
            values,
            first: vec![0.0; count],
            second: vec![0.0; count],
            steps: 0,
        }
    }

    fn sweep(&self, gpu: &Gpu, hidden: &[usize]) -> Sweep {
        let shape = SweepShape {
            hidden: hidden.to_vec(),
            ..self.shape.clone()
        };
        let mut sweep = Sweep::new(gpu, &shape).unwrap();
        for (point, &units) in hidden.iter().enumerate() {
            // The same numbers for the same units, whatever the other points are.
            sweep.load(point, &self.start(units, units as u64)).unwrap();
        }
        sweep
    }

    fn row(&self, at: usize) -> Vec<f64> {
        let dim = self.shape.dim;
        let row = &self.features[at * dim..(at + 1) * dim];
        row.iter().map(|x| x.to_f64()).collect()
    }

    /// Logits and gradient of a point in double precision, with class weights and offsets.
    fn reference(
        &self,
        values: &[f32],
        hidden: usize,
        weights: &[f64],
        offsets: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let dim = self.shape.dim;
        let (hidden, own, width) = self.sizes(hidden);
        let w: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let attention = hidden * dim + hidden;
        let output = attention + own;
        let total: f64 = self.batch.iter().map(|u| weights[u.label]).sum();
        let (mut all, mut gradient) = (Vec::new(), vec![0.0; w.len()]);
        for utterance in &self.batch {
            let x: Vec<Vec<f64>> = (0..utterance.frames)
                .map(|frame| self.row(utterance.first_row + frame))
                .collect();
            let z: Vec<Vec<f64>> = match hidden {
                0 => x.clone(),
                _ => x
                    .iter()
                    .map(|row| {
                        (0..hidden)
                            .map(|unit| {
                                let own = &w[unit * dim..(unit + 1) * dim];
                                let sum: f64 = row.iter().zip(own).map(|(x, w)| x * w).sum();
                                (sum + w[hidden * dim + unit]).max(0.0)
                            })
                            .collect()
                    })
                    .collect(),
            };
            let count = utterance.frames as f64;
            let units = z[0].len();
            let scored: Vec<Vec<f64>> = z
                .iter()
                .map(|row| score(&w[attention..output], row))
                .collect();
            let vector = &w[output - own.min(ATTENTION)..output];
            let alpha: Vec<f64> = match own {
                0 => vec![1.0 / count; z.len()],
                _ => {
                    let scores = scored.iter().map(|s| dot(s, vector).exp());
                    let sum: f64 = scores.clone().sum();
                    scores.map(|x| x / sum).collect()
                }
            };
            let weighted = |of: &dyn Fn(&[f64]) -> f64| -> f64 {
                z.iter().zip(&alpha).map(|(row, a)| a * of(row)).sum()
            };
            let means: Vec<f64> = (0..units).map(|u| weighted(&|row| row[u])).collect();
            let mut pooled = means.clone();
            if width > units {
                let variance = |u: usize| weighted(&|row| (row[u] - means[u]).powi(2));
                pooled.extend((0..units).map(|u| (variance(u) + 1e-5).sqrt()));
            }
            let logits: Vec<f64> = (0..CLASSES)
                .map(|c| {
                    let own = &w[output + c * width..output + (c + 1) * width];
                    own.iter().zip(&pooled).map(|(w, x)| w * x).sum::<f64>()
                        + w[output + CLASSES * width + c]
                })
                .collect();
            let adjusted: Vec<f64> = logits.iter().zip(offsets).map(|(x, o)| x + o).collect();
            let level = adjusted.iter().map(|x| x.exp()).sum::<f64>().ln();
            let mut back = vec![0.0; width];
            for c in 0..CLASSES {
                let target = f64::from(u8::from(c == utterance.label));
                let slope =
                    ((adjusted[c] - level).exp() - target) * weights[utterance.label] / total;
                for at in 0..width {
                    gradient[output + c * width + at] += slope * pooled[at];
                    back[at] += slope * w[output + c * width + at];
                }
                gradient[output + CLASSES * width + c] += slope;
            }
            let by_variance = |u: usize| match width > units {
                true => back[hidden + u] / (2.0 * pooled[hidden + u]),
                false => 0.0,
            };
            let by_alpha: Vec<f64> = z
                .iter()
                .map(|row| {
                    let of =
                        |u: usize| back[u] * row[u] + by_variance(u) * (row[u] - means[u]).powi(2);
                    (0..units).map(of).sum()
                })
                .collect();
            let level = dot(&alpha, &by_alpha);
            for (frame, (z, x)) in z.iter().zip(&x).enumerate() {
                // With respect to the argument of tanh.
                let by_score = alpha[frame] * (by_alpha[frame] - level);
                let under: Vec<f64> = scored[frame]
                    .iter()
                    .zip(vector)
                    .map(|(s, v)| by_score * v * (1.0 - s * s))
                    .collect();
                for (n, slope) in under.iter().enumerate() {
                    for unit in 0..hidden {
                        gradient[attention + n * hidden + unit] += slope * z[unit];
                    }
                    gradient[attention + ATTENTION * hidden + n] += slope;
                    gradient[output - ATTENTION + n] += by_score * scored[frame][n];
                }
                for unit in 0..hidden {
                    if z[unit] <= 0.0 {
                        continue;
                    }
                    let away = 2.0 * by_variance(unit) * (z[unit] - means[unit]);
                    let mut slope = alpha[frame] * (back[unit] + away);
                    for (n, under) in under.iter().enumerate() {
                        slope += under * w[attention + n * hidden + unit];
                    }
                    for (to, x) in gradient[unit * dim..(unit + 1) * dim].iter_mut().zip(x) {
                        *to += slope * x;
                    }
                    gradient[hidden * dim + unit] += slope;
                }
            }
            all.extend(logits);
        }
        (all, gradient)
    }

    /// The errors of logits, gradients and updates over some steps, in units of their tolerances.
    pub(crate) fn errors(&self, gpu: &Gpu) -> [f64; 3] {
        let hidden = self.shape.hidden.clone();
        let mut sweep = self.sweep(gpu, &hidden);
        let points = hidden.len();
        let (weights, offsets) = ([0.5, 1.0, 2.5], [0.0, -0.3, 0.7]);
        sweep
            .begin_epoch(&RATES[..points], &weights, &offsets)
            .unwrap();
        let mut worst = [0.0f64; 3];
        let share = |apart: f64, of: f64| {
            if apart.is_nan() {
                f64::INFINITY
            } else {
                apart / of
            }
        };
        for step in 1..=3 {
            let before: Vec<PointState> = (0..points).map(|p| sweep.state(p).unwrap()).collect();
            let said = sweep.logits(&self.frames, &self.batch).unwrap();
            assert!(
                sweep
                    .train(&self.frames, std::slice::from_ref(&self.batch), |_| true)
                    .unwrap()
            );
            for point in 0..points {
                let (logits, gradient) =
                    self.reference(&before[point].values, hidden[point], &weights, &offsets);
                for (utterance, expected) in logits.chunks_exact(CLASSES).enumerate() {
                    let from = (utterance * points + point) * CLASSES;
                    for (found, expected) in said[from..from + CLASSES].iter().zip(expected) {
                        let apart = (f64::from(*found) - expected).abs();
                        worst[0] = worst[0].max(share(apart, FORWARD * expected.abs().max(1.0)));
                    }
                }
                let found = sweep.gradient(point).unwrap();
                let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
                for (found, expected) in found.iter().zip(&gradient) {
                    let apart = (f64::from(*found) - expected).abs();
                    worst[1] = worst[1].max(share(apart, GRADIENT * largest));
                }
                let after = sweep.state(point).unwrap();
                let expected = updated(
                    &before[point],
                    &found,
                    RATES[point],
                    step,
                    self.shape.clip_norm,
                );
                let pairs = [
                    (&after.values, &expected.0),
                    (&after.first, &expected.1),
                    (&after.second, &expected.2),
                ];
                for (found, expected) in pairs {
                    for (found, expected) in found.iter().zip(expected) {
                        let apart = (f64::from(*found) - expected).abs();
                        worst[2] = worst[2].max(share(apart, UPDATE * expected.abs().max(1.0)));
                    }
                }
                let counted = after.steps == step as u64;
                worst[2] = worst[2].max(if counted { 0.0 } else { f64::INFINITY });
            }
        }
        worst
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `tanh(W z + b)` of a frame; empty if the pooling has no parameters.
fn score(own: &[f64], z: &[f64]) -> Vec<f64> {
    let count = ATTENTION.min(own.len());
    let sum =
        |n: usize| dot(&own[n * z.len()..(n + 1) * z.len()], z) + own[ATTENTION * z.len() + n];
    (0..count).map(|n| sum(n).tanh()).collect()
}

/// Clipping and Adam in double precision.
fn updated(
    before: &PointState,
    gradient: &[f32],
    rate: f64,
    step: i32,
    limit: f64,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let norm = gradient
        .iter()
        .map(|&g| f64::from(g).powi(2))
        .sum::<f64>()
        .sqrt();
    let scale = (limit / (norm + 1e-6)).min(1.0);
    let (mut values, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for (at, &g) in gradient.iter().enumerate() {
        let g = f64::from(g) * scale;
        let m = 0.9 * f64::from(before.first[at]) + 0.1 * g;
        let v = 0.999 * f64::from(before.second[at]) + 0.001 * g * g;
        let (mean, square) = (
            m / (1.0 - 0.9f64.powi(step)),
            v / (1.0 - 0.999f64.powi(step)),
        );
        values.push(f64::from(before.values[at]) - rate * mean / (square.sqrt() + 1e-8));
        first.push(m);
        second.push(v);
    }
    (values, first, second)
}

#[test]
fn logits_gradients_and_updates_are_within_their_tolerances() {
    let gpu = gpu(Numbers::F32);
    for pooling in POOLINGS {
        for (dim, hidden) in [(40, &[24, 130][..]), (20, &[8]), (136, &[140, 5])] {
            let errors = Case::new(&gpu, pooling, dim, hidden).errors(&gpu);
            assert!(
                errors.iter().all(|error| *error < 1.0),
                "{pooling:?} {dim} {hidden:?}: {errors:?}"
            );
        }
    }
}

#[test]
fn a_point_has_the_bits_that_it_has_alone() {
    let gpu = gpu(Numbers::F32);
    for pooling in POOLINGS {
        let case = Case::new(&gpu, pooling, 24, &[16, 140, 24]);
        let batches = [
            case.batch.clone(),
            case.batch[1..3].to_vec(),
            case.batch[..4].to_vec(),
        ];
        let train = |gpu: &Gpu, hidden: &[usize], rates: &[f64]| {
            let mut sweep = case.sweep(gpu, hidden);
            sweep
                .begin_epoch(rates, &[1.0; CLASSES], &[0.0; CLASSES])
                .unwrap();
            assert!(sweep.train(&case.frames, &batches, |_| true).unwrap());
            sweep
        };
        let together = train(&gpu, &[16, 140, 24], &RATES);
        let losses = together.losses().unwrap();
        gpu.finish().unwrap();
        for (point, &hidden) in [16, 140, 24].iter().enumerate() {
            // On another stream of work.
            let alone = train(&gpu.beside().unwrap(), &[hidden], &RATES[point..=point]);
            assert_eq!(alone.state(0).unwrap(), together.state(point).unwrap());
            assert_eq!(
                alone.losses().unwrap()[0].to_bits(),
                losses[point].to_bits()
            );
        }
        assert!(losses.iter().all(|loss| *loss > 0.0), "{losses:?}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_moves_nothing() {
    let gpu = gpu(Numbers::F32);
    for pooling in POOLINGS {
        let case = Case::new(&gpu, pooling, 24, &[16, 8]);
        let mut sweep = case.sweep(&gpu, &[16, 8]);
        let mut broken = case.start(8, 8);
        broken.values[3] = f32::NAN;
        broken.steps = 4;
        sweep.load(1, &broken).unwrap();
        let before = sweep.state(0).unwrap();
        let (weights, offsets) = ([1.0; CLASSES], [0.0; CLASSES]);
        sweep.begin_epoch(&RATES[..2], &weights, &offsets).unwrap();
        let batches = [case.batch.clone(), case.batch.clone()];
        let mut asked = 0;
        let went_on = sweep.train(&case.frames, &batches, |at| {
            asked += 1;
            at > 0
        });
        assert!(!went_on.unwrap() && asked == 1);
        assert_eq!(sweep.left_out().unwrap(), 1);
        let (whole, kept) = (sweep.state(0).unwrap(), sweep.state(1).unwrap());
        assert!(whole.steps == 1 && whole.values != before.values);
        assert_eq!(kept.steps, 4);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&kept.values), bits(&broken.values));
        let losses = sweep.losses().unwrap();
        assert!(losses[0].is_finite() && losses[1].is_nan(), "{losses:?}");
    }
}
