//! What the published recipe reports for the same training.
//!
//! Its `evaluate` (emo-box/EmoBox at bb22000, `examples/sb/train.py`) clears the list of predictions once before its loop over
//! the checkpoints of all epochs, not for each: the scores written for epoch e are those of the predictions of epochs 1 to e
//! together. The best epoch and sweep point are then chosen on the test part. Its `scoring_metric.py` names accuracy "UA" and
//! balanced accuracy "WA", and `evaluate` is called with the key "wa", so the best is chosen by balanced accuracy here (our
//! UA); at a tie the earlier epoch and point win. Computed beside the result and never used for it.

use crate::engine::Evaluation;

/// The accumulated confusions of every point, and the best of each seed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cumulated {
    /// `[point][label, prediction]`, flat: counts over all epochs so far.
    pub(crate) points: Vec<Vec<u64>>,
    /// One per seed.
    pub(crate) best: Vec<Option<Best>>,
}

/// The best epoch and point of one seed so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) point: usize,
    pub(crate) epoch: usize,
    /// The confusion accumulated up to that epoch.
    pub(crate) confusion: Vec<u64>,
}

impl Cumulated {
    pub(crate) fn new(points: usize, seeds: usize, classes: usize) -> Self {
        Self {
            points: vec![vec![0; classes * classes]; points],
            best: vec![None; seeds],
        }
    }

    /// Adds every point's predictions on the test part after an epoch (from 1).
    pub(crate) fn add(&mut self, epoch: usize, labels: &[usize], scored: &[Evaluation]) {
        let each = (self.points.len() / self.best.len().max(1)).max(1);
        for (point, evaluation) in scored.iter().enumerate() {
            let confusion = &mut self.points[point];
            let classes = side(confusion);
            for (&label, &prediction) in labels.iter().zip(&evaluation.predictions) {
                confusion[label * classes + prediction] += 1;
            }
            let best = &mut self.best[point / each];
            let wins = best.as_ref().is_none_or(|best| {
                balanced_accuracy(confusion) > balanced_accuracy(&best.confusion)
            });
            if wins {
                *best = Some(Best {
                    point,
                    epoch,
                    confusion: confusion.clone(),
                });
            }
        }
    }
}

/// Number of rows of a square table.
fn side(confusion: &[u64]) -> usize {
    confusion.len().isqrt()
}

/// A flat confusion as rows.
pub(crate) fn rows(confusion: &[u64]) -> Vec<Vec<u64>> {
    let side = side(confusion).max(1);
    confusion.chunks_exact(side).map(<[u64]>::to_vec).collect()
}

/// Mean recall over the classes that have items.
fn balanced_accuracy(confusion: &[u64]) -> f64 {
    let recalls: Vec<f64> = confusion
        .chunks_exact(side(confusion).max(1))
        .enumerate()
        .filter_map(|(label, row)| {
            let total: u64 = row.iter().sum();
            (total > 0).then(|| row[label] as f64 / total as f64)
        })
        .collect();
    recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ValidRecord;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        classes: usize,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        labels: Vec<usize>,
        /// `[point][epoch][item]`.
        predictions: Vec<Vec<Vec<usize>>>,
        epoch: usize,
        point: usize,
        confusion: Vec<Vec<u64>>,
        balanced_accuracy: f64,
    }

    #[test]
    fn the_recipe_s_scoring_of_the_same_predictions_is_equal() {
        let golden = include_str!("../tests/golden/as_published.json");
        let golden: Golden = serde_json::from_str(golden).unwrap();
        assert_eq!(golden.cases.len(), 4);
        for case in golden.cases {
            let points = case.predictions.len();
            let mut cumulated = Cumulated::new(points, 1, golden.classes);
            for epoch in 0..case.predictions[0].len() {
                let scored: Vec<Evaluation> = (0..points)
                    .map(|point| Evaluation {
                        scores: Vec::new(),
                        predictions: case.predictions[point][epoch].clone(),
                        record: ValidRecord { ua: 0.0, loss: 0.0 },
                    })
                    .collect();
                cumulated.add(epoch + 1, &case.labels, &scored);
            }
            let best = cumulated.best[0].clone().unwrap();
            assert_eq!((best.epoch, best.point), (case.epoch, case.point));
            assert_eq!(rows(&best.confusion), case.confusion);
            let apart = balanced_accuracy(&best.confusion) - case.balanced_accuracy;
            assert!(apart.abs() < 1e-12, "{apart}");
        }
    }

    #[derive(Deserialize)]
    struct Trained {
        labels: String,
        /// `[point][epoch]`, one digit per item.
        predictions: Vec<Vec<String>>,
        epoch: usize,
        point: usize,
        confusion: Vec<Vec<u64>>,
    }

    /// EmoDB's first published fold with whisper-tiny.en: every point's predictions after every epoch of a real training,
    /// scored by the recipe's Python code.
    #[test]
    fn a_real_training_scored_as_the_recipe_does_is_equal() {
        let golden = include_str!("../tests/golden/as_published_emodb.json");
        let golden: Trained = serde_json::from_str(golden).unwrap();
        let digits =
            |text: &str| -> Vec<usize> { text.bytes().map(|b| usize::from(b - b'0')).collect() };
        let labels = digits(&golden.labels);
        assert_eq!(labels.len(), 107);
        let points = golden.predictions.len();
        let mut cumulated = Cumulated::new(points, 1, golden.confusion.len());
        for epoch in 0..golden.predictions[0].len() {
            let scored: Vec<Evaluation> = (0..points)
                .map(|point| Evaluation {
                    scores: Vec::new(),
                    predictions: digits(&golden.predictions[point][epoch]),
                    record: ValidRecord { ua: 0.0, loss: 0.0 },
                })
                .collect();
            cumulated.add(epoch + 1, &labels, &scored);
        }
        let best = cumulated.best[0].clone().unwrap();
        assert_eq!((best.epoch, best.point), (golden.epoch, golden.point));
        assert_eq!(rows(&best.confusion), golden.confusion);
    }
}
