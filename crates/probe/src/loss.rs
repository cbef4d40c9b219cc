use crate::concordance::concordance;
use crate::softmax::log_softmax;
use crate::{ClassWeighting, Item, Target};

/// The training loss: cross-entropy with optional class weights and logit adjustment.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    target: Target,
    /// A weight per class; empty if all are 1.
    weights: Vec<f64>,
    /// Added to the logits; empty if all are 0.
    offsets: Vec<f64>,
}

impl Loss {
    /// `counts`: training utterances of each class.
    pub(crate) fn new(
        target: Target,
        counts: &[usize],
        weighting: ClassWeighting,
        adjustment: f64,
    ) -> Self {
        let total = counts.iter().sum::<usize>() as f64;
        let present = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weights = match weighting {
            ClassWeighting::None => Vec::new(),
            ClassWeighting::Balanced => counts
                .iter()
                .map(|&n| total / (present * n.max(1) as f64))
                .collect(),
        };
        // A class without training utterances counts as half of one: ln 0 would exclude it altogether.
        let prior = |n: usize| ((n as f64).max(0.5) / total).ln();
        let offsets = if adjustment == 0.0 {
            Vec::new()
        } else {
            counts.iter().map(|&n| adjustment * prior(n)).collect()
        };
        Self {
            target,
            weights,
            offsets,
        }
    }

    /// The loss weight and the logit offset of each class.
    pub(crate) fn by_class(&self, classes: usize) -> (Vec<f64>, Vec<f64>) {
        let or = |numbers: &[f64], usual: f64| match numbers {
            [] => vec![usual; classes],
            numbers => numbers.to_vec(),
        };
        (or(&self.weights, 1.0), or(&self.offsets, 0.0))
    }

    /// The sum of the loss weights of utterances with these labels.
    pub(crate) fn weight_of(&self, labels: impl Iterator<Item = usize>) -> f64 {
        labels
            .map(|label| self.weights.get(label).copied().unwrap_or(1.0))
            .sum()
    }

    /// The loss of a batch (weighted mean over its utterances) and the sum of the weights. The gradient with respect to the
    /// logits `[utterance, class]` is written to `gradient`.
    pub(crate) fn evaluate(
        &self,
        logits: &[f32],
        items: &[&Item],
        gradient: &mut [f32],
    ) -> (f64, f64) {
        if self.target == Target::Dimensions {
            return disagreement(logits, items, gradient);
        }
        let labels: Vec<usize> = items.iter().map(|item| item.label).collect();
        let classes = logits.len() / labels.len().max(1);
        let weight = |label: usize| self.weights.get(label).copied().unwrap_or(1.0);
        let total: f64 = labels.iter().map(|&label| weight(label)).sum();
        let rows = logits.chunks_exact(classes.max(1));
        let outs = gradient.chunks_exact_mut(classes.max(1));
        let mut adjusted = vec![0.0; classes];
        let mut sum = 0.0;
        for ((row, out), item) in rows.zip(outs).zip(items) {
            let label = item.label;
            for (class, to) in adjusted.iter_mut().enumerate() {
                *to = f64::from(row[class]) + self.offsets.get(class).copied().unwrap_or(0.0);
            }
            log_softmax(&mut adjusted);
            let share = weight(label) / total;
            sum += cross_entropy(&adjusted, item) * weight(label);
            for (class, (to, log)) in out.iter_mut().zip(&adjusted).enumerate() {
                let target = match item.target.get(class) {
                    Some(&share) => f64::from(share),
                    None if class == label => 1.0,
                    None => 0.0,
                };
                *to = ((log.exp() - target) * share) as f32;
            }
        }
        (sum / total, total)
    }
}

/// The cross-entropy of an utterance's log-probabilities against its class, or against the distribution of its votes.
pub(crate) fn cross_entropy(log_probabilities: &[f64], item: &Item) -> f64 {
    if item.target.is_empty() {
        return -log_probabilities[item.label];
    }
    let parts = item.target.iter().zip(log_probabilities);
    parts
        .filter(|(share, _)| **share > 0.0)
        .map(|(share, log)| -f64::from(*share) * log)
        .sum()
}

/// 1 minus the concordance of the outputs over the batch, averaged over outputs, and the number of utterances; writes the
/// gradient.
fn disagreement(outputs: &[f32], items: &[&Item], gradient: &mut [f32]) -> (f64, f64) {
    let wide = outputs.len() / items.len().max(1);
    let predicted: Vec<f64> = outputs.iter().map(|&x| f64::from(x)).collect();
    let reference: Vec<f32> = items.iter().flat_map(|item| item.target.clone()).collect();
    let mut slopes = vec![0.0; predicted.len()];
    let mut sum = 0.0;
    for output in 0..wide {
        sum += concordance(&predicted, &reference, output, wide, Some(&mut slopes));
    }
    for (to, slope) in gradient.iter_mut().zip(slopes) {
        *to = (-slope / wide as f64) as f32;
    }
    (1.0 - sum / wide as f64, items.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope() {
        let item = |label, target: &[f32]| Item::nameless(label, target, crate::Role::Train);
        let counts = [6, 3, 1];
        let plain = || [item(2, &[]), item(0, &[]), item(1, &[])];
        let voted = || {
            [
                item(2, &[0.2, 0.0, 0.8]),
                item(0, &[]),
                item(1, &[0.0, 1.0, 0.0]),
            ]
        };
        let rated = || {
            [
                item(0, &[0.5, -1.0, 1.0]),
                item(0, &[-0.3, 0.2, 0.0]),
                item(0, &[1.0, 0.9, -2.0]),
            ]
        };
        let balanced = ClassWeighting::Balanced;
        let losses = [
            (
                Loss::new(Target::Classes, &counts, ClassWeighting::None, 0.0),
                plain(),
            ),
            (Loss::new(Target::Classes, &counts, balanced, 1.0), plain()),
            (
                Loss::new(Target::Votes, &counts, ClassWeighting::None, 0.0),
                voted(),
            ),
            (Loss::new(Target::Votes, &counts, balanced, 1.0), voted()),
            (
                Loss::new(Target::Dimensions, &[], ClassWeighting::None, 0.0),
                rated(),
            ),
        ];
        let logits = [0.3, -0.7, 1.1, 0.0, 2.0, -1.0, 0.4, 0.1, -0.2];
        for (loss, items) in losses {
            let labels: Vec<&Item> = items.iter().collect();
            let mut gradient = [0.0; 9];
            loss.evaluate(&logits, &labels, &mut gradient);
            for at in 0..9 {
                let value = |by: f32| {
                    let mut moved = logits;
                    moved[at] += by;
                    loss.evaluate(&moved, &labels, &mut [0.0; 9]).0
                };
                let slope = (value(1e-3) - value(-1e-3)) / (f64::from(1e-3f32) * 2.0);
                assert!((slope - f64::from(gradient[at])).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn adjusted_logits_that_say_nothing_predict_the_class_frequencies() {
        let loss = Loss::new(Target::Classes, &[3, 1], ClassWeighting::None, 1.0);
        for (label, frequency) in [(0, 0.75_f64), (1, 0.25)] {
            let item = Item::nameless(label, &[], crate::Role::Train);
            let (found, _) = loss.evaluate(&[0.0; 2], &[&item], &mut [0.0; 2]);
            assert!((found + frequency.ln()).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn huge_logits_stay_finite() {
        let mut row = [1e30, -1e30, 0.0];
        log_softmax(&mut row);
        assert_eq!(row[0], 0.0);
        assert!(row.iter().all(|x| !x.is_nan()));
    }
}
