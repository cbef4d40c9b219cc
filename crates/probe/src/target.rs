//! What a probe learns beside classes: distributions of votes, and dimensions.

use crate::Item;
use crate::heads::{Head, Sizes};
use serde::{Deserialize, Serialize};

/// What a probe learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One class per utterance: cross-entropy.
    #[default]
    Classes,
    /// What the annotators said, as a distribution over the classes: cross-entropy against that. Selection and scores are those
    /// of the class, as ever. An utterance without votes has its class.
    Votes,
    /// Valence, arousal and dominance: one less the concordance correlation coefficient, computed over the batch and averaged
    /// over dimensions. Selection is by the mean coefficient on the validation part.
    Dimensions,
}

impl Target {
    /// The names, in the order of a help text.
    pub const NAMES: [&'static str; 3] = ["classes", "votes", "dimensions"];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn is_classes(&self) -> bool {
        *self == Self::Classes
    }
}

/// Lin's concordance correlation coefficient of `[utterance, output]` numbers in one output, with population moments; also
/// its slopes by the predictions, where `slopes` (of the same form as `predicted`) wants them. 0 where it is 0 / 0: fewer than two
/// utterances, or one and the same constant.
pub(crate) fn concordance(
    predicted: &[f64],
    reference: &[f32],
    output: usize,
    outputs: usize,
    slopes: Option<&mut [f64]>,
) -> f64 {
    let x = || predicted.iter().skip(output).step_by(outputs).copied();
    let y = || {
        reference
            .iter()
            .skip(output)
            .step_by(outputs)
            .map(|&y| f64::from(y))
    };
    let n = x().count() as f64;
    let (mx, my) = (x().sum::<f64>() / n, y().sum::<f64>() / n);
    let mut covariance = 0.0;
    let mut whole = n * (mx - my).powi(2);
    for (x, y) in x().zip(y()) {
        covariance += (x - mx) * (y - my);
        whole += (x - mx).powi(2) + (y - my).powi(2);
    }
    // Not so where a number is not finite either.
    let is_defined = n > 1.0 && whole > 0.0;
    if let Some(slopes) = slopes {
        for (slope, (x, y)) in slopes
            .iter_mut()
            .skip(output)
            .step_by(outputs)
            .zip(x().zip(y()))
        {
            // Of 2 c / w, with c' = y − m_y and w' = 2 (x − m_x) + 2 (m_x − m_y) = 2 (x − m_y).
            let rise = 2.0 * (y - my) * whole - 2.0 * covariance * 2.0 * (x - my);
            *slope = if is_defined {
                rise / (whole * whole)
            } else {
                0.0
            };
        }
    }
    if is_defined {
        2.0 * covariance / whole
    } else {
        0.0
    }
}

/// Mean and standard deviation of each dimension over the training part. Probes are trained on standardised dimensions, since
/// initial weights answer around 0 with about unit spread; the coefficient does not change when both sides are shifted and
/// scaled alike, so loss and selection are those of the corpus's scale.
pub(crate) fn scales(items: &[Item], train: &[usize], outputs: usize) -> Vec<(f64, f64)> {
    let scale = |output: usize| {
        let values = || {
            train
                .iter()
                .map(move |&at| f64::from(items[at].target[output]))
        };
        let n = train.len() as f64;
        let mean = values().sum::<f64>() / n;
        let deviation = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        (mean, if deviation > 0.0 { deviation } else { 1.0 })
    };
    (0..outputs).map(scale).collect()
}

/// The items with standardised dimensions.
pub(crate) fn standardised(items: &[Item], scales: &[(f64, f64)]) -> Vec<Item> {
    let mut items = items.to_vec();
    for item in &mut items {
        for (value, (mean, deviation)) in item.target.iter_mut().zip(scales) {
            *value = ((f64::from(*value) - mean) / deviation) as f32;
        }
    }
    items
}

/// Brings a head that answers standardised dimensions to the corpus's scale: its last layer takes it in.
pub(crate) fn rescale(weights: &mut [f32], head: &Head, sizes: &Sizes, scales: &[(f64, f64)]) {
    let layout = head.layout(sizes);
    let width = layout.last().map_or(0, |bias| bias.fan_in);
    let outputs = scales.len();
    let first = weights.len() - outputs * (width + 1);
    let (rows, biases) = weights[first..].split_at_mut(outputs * width);
    for (row, (_, deviation)) in rows.chunks_exact_mut(width).zip(scales) {
        row.iter_mut()
            .for_each(|x| *x = (f64::from(*x) * deviation) as f32);
    }
    for (bias, (mean, deviation)) in biases.iter_mut().zip(scales) {
        *bias = (f64::from(*bias) * deviation + mean) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_is_that_of_the_definition_and_its_slopes_are_right() {
        let reference = [0.0, 1.0, 1.0];
        let found = concordance(&[0.0, 1.0, 2.0], &reference, 0, 1, None);
        assert!((found - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(concordance(&[1.0; 3], &[1.0; 3], 0, 1, None), 0.0);
        assert_eq!(concordance(&[1.0], &[0.5], 0, 1, None), 0.0);
        // Two outputs, five utterances.
        let reference = [0.5, -1.0, 1.5, 0.3, -0.7, 0.9, 0.1, 0.2, 1.0, -2.0];
        let predicted = [0.2, 0.0, 1.1, -0.4, 0.3, 0.8, -0.6, 0.7, 0.4, -1.2];
        for output in 0..2 {
            let mut slopes = [0.0; 10];
            concordance(&predicted, &reference, output, 2, Some(&mut slopes));
            for at in 0..10 {
                let value = |by: f64| {
                    let mut moved = predicted;
                    moved[at] += by;
                    concordance(&moved, &reference, output, 2, None)
                };
                let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
                assert!((slope - slopes[at]).abs() < 1e-9, "{slope} {}", slopes[at]);
            }
        }
    }
}
