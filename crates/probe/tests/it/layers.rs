//! The layer curve finds the layer that contains the labels.

use crate::dummy::dummy;
use emobox_features::PooledView;
use emobox_probe::{FoldOutcome, LayerCurveTask, Protocol, layer_curve};

const LAYERS: usize = 4;
const DIM: usize = 6;

fn accuracy(outcome: &FoldOutcome) -> f64 {
    let predictions = &outcome.selected[0].predictions;
    let hits = predictions.iter().filter(|p| p.prediction == p.label);
    hits.count() as f64 / predictions.len() as f64
}

#[test]
fn the_curve_peaks_where_the_labels_are() {
    let data = dummy(160);
    // [layer, 2, dim]: the label is in the mean of layer 2 and, faintly, of layer 1.
    let pooled: Vec<Vec<f32>> = data
        .items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let number = |i: usize| {
                let (layer, dim) = (i / (2 * DIM), i % (2 * DIM));
                let noise = ((at * 131 + i * 37) * 7919 % 1009) as f32 / 1009.0;
                let signal = [0.0, 0.25, 2.0, 0.0][layer];
                noise + if dim == item.label { signal } else { 0.0 }
            };
            (0..LAYERS * 2 * DIM).map(number).collect()
        })
        .collect();
    let views: Vec<PooledView<'_>> = pooled
        .iter()
        .map(|data| PooledView {
            layers: LAYERS,
            dim: DIM,
            data,
        })
        .collect();
    let task = LayerCurveTask {
        corpus: "dummy",
        fold: 1,
        classes: &data.classes,
        items: &data.items,
        pooled: &views,
    };
    let protocol = Protocol::strict().for_layer_curve();
    let curve = layer_curve(&task, &protocol, 2).unwrap();
    let scores: Vec<f64> = curve.iter().map(accuracy).collect();
    assert_eq!(scores.len(), LAYERS);
    assert!(
        scores[2] > 0.95 && scores[0] < 0.6 && scores[3] < 0.6,
        "{scores:?}"
    );
    assert!(scores[1] < scores[2] && curve[0].oracle.is_empty());
    assert_eq!(layer_curve(&task, &protocol, 1).unwrap(), curve);
    let few = LayerCurveTask {
        pooled: &views[..3],
        ..task
    };
    let error = layer_curve(&few, &protocol, 1).unwrap_err().to_string();
    assert!(
        error.contains("pooled statistics of 3 utterances"),
        "{error}"
    );
}
