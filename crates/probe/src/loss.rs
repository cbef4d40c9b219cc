use crate::ClassWeighting;

/// The training loss: cross-entropy with optional class weights and logit adjustment.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    /// A weight a class; empty when all are 1.
    weights: Vec<f64>,
    /// Added to the logits; empty when all are 0.
    offsets: Vec<f64>,
}

impl Loss {
    /// `counts`: training utterances of each class.
    pub(crate) fn new(counts: &[usize], weighting: ClassWeighting, adjustment: f64) -> Self {
        let total = counts.iter().sum::<usize>() as f64;
        let present = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weights = match weighting {
            ClassWeighting::None => Vec::new(),
            ClassWeighting::Balanced => counts
                .iter()
                .map(|&n| total / (present * n.max(1) as f64))
                .collect(),
        };
        // A class without training utterances counts as half a one: ln 0 would forbid it outright.
        let prior = |n: usize| ((n as f64).max(0.5) / total).ln();
        let offsets = if adjustment == 0.0 {
            Vec::new()
        } else {
            counts.iter().map(|&n| adjustment * prior(n)).collect()
        };
        Self { weights, offsets }
    }

    /// What each of so many classes weighs, and what is added to its logit.
    pub(crate) fn by_class(&self, classes: usize) -> (Vec<f64>, Vec<f64>) {
        let or = |numbers: &[f64], usual: f64| match numbers {
            [] => vec![usual; classes],
            numbers => numbers.to_vec(),
        };
        (or(&self.weights, 1.0), or(&self.offsets, 0.0))
    }

    /// The sum of the weights of some utterances, by their labels.
    pub(crate) fn weight_of(&self, labels: impl Iterator<Item = usize>) -> f64 {
        labels
            .map(|label| self.weights.get(label).copied().unwrap_or(1.0))
            .sum()
    }

    /// The loss of a batch, weighted mean over its utterances, and its gradient by the logits
    /// `[utterance, class]`, written over `gradient`. Also the sum of the weights.
    pub(crate) fn evaluate(
        &self,
        logits: &[f32],
        labels: &[usize],
        gradient: &mut [f32],
    ) -> (f64, f64) {
        let classes = logits.len() / labels.len().max(1);
        let weight = |label: usize| self.weights.get(label).copied().unwrap_or(1.0);
        let total: f64 = labels.iter().map(|&label| weight(label)).sum();
        let rows = logits.chunks_exact(classes.max(1));
        let outs = gradient.chunks_exact_mut(classes.max(1));
        let mut adjusted = vec![0.0; classes];
        let mut sum = 0.0;
        for ((row, out), &label) in rows.zip(outs).zip(labels) {
            for (class, to) in adjusted.iter_mut().enumerate() {
                *to = f64::from(row[class]) + self.offsets.get(class).copied().unwrap_or(0.0);
            }
            log_softmax(&mut adjusted);
            let share = weight(label) / total;
            sum -= adjusted[label] * weight(label);
            for (class, (to, log)) in out.iter_mut().zip(&adjusted).enumerate() {
                let target = if class == label { 1.0 } else { 0.0 };
                *to = ((log.exp() - target) * share) as f32;
            }
        }
        (sum / total, total)
    }
}

/// Turns logits into log-probabilities in place.
pub(crate) fn log_softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
    let level = largest + sum.ln();
    row.iter_mut().for_each(|x| *x -= level);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope() {
        let losses = [
            Loss::new(&[6, 3, 1], ClassWeighting::None, 0.0),
            Loss::new(&[6, 3, 1], ClassWeighting::Balanced, 1.0),
        ];
        let (logits, labels) = ([0.3, -0.7, 1.1, 0.0, 2.0, -1.0], [2, 0]);
        for loss in losses {
            let mut gradient = [0.0; 6];
            loss.evaluate(&logits, &labels, &mut gradient);
            for at in 0..6 {
                let value = |by: f32| {
                    let mut moved = logits;
                    moved[at] += by;
                    loss.evaluate(&moved, &labels, &mut [0.0; 6]).0
                };
                let slope = (value(1e-2) - value(-1e-2)) / 2e-2;
                assert!((slope - f64::from(gradient[at])).abs() < 1e-4);
            }
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
