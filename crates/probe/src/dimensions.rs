//! Converts dimensions to the scale that probes are trained on, and back.

use crate::Item;
use crate::heads::{Head, Sizes};

/// Mean and standard deviation of each dimension over the training part. Probes are trained on standardised dimensions because
/// outputs with initial weights are around 0 with about unit spread; the coefficient does not change when both sides are
/// shifted and scaled alike, so loss and selection are those of the corpus's scale.
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

/// Rescales a head trained on standardised dimensions to the corpus's scale by changing its last layer.
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
    use crate::{Role, heads};

    #[test]
    fn the_scale_is_that_of_the_training_part_and_comes_back() {
        let items = [
            Item::nameless(0, &[1.0, 4.0], Role::Train),
            Item::nameless(0, &[100.0, 6.0], Role::Test),
            Item::nameless(0, &[5.0, 4.0], Role::Train),
        ];
        // A dimension without spread keeps its unit.
        let scales = scales(&items, &[0, 2], 2);
        assert_eq!(scales, [(3.0, 2.0), (4.0, 1.0)]);
        let values = standardised(&items, &scales).into_iter();
        let values: Vec<Vec<f32>> = values.map(|item| item.target).collect();
        assert_eq!(values, [[-1.0, 0.0], [48.5, 2.0], [1.0, 0.0]]);

        let head = heads::find("mean-linear").unwrap();
        let sizes = Sizes {
            layers: 1,
            dim: 1,
            hidden: 0,
            classes: 2,
        };
        let width = head.parameters(&sizes) / 2 - 1;
        let mut weights = vec![0.5; head.parameters(&sizes)];
        rescale(&mut weights, head, &sizes, &scales);
        let rows = [vec![1.0; width], vec![0.5; width], vec![4.0, 4.5]].concat();
        assert_eq!(weights, rows);
    }
}
