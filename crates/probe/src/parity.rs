//! Compares with PyTorch: the same head from the same initial weights in the same batch order. The golden file and its versions
//! come from `parity/probe/torch_probe.py`.

use crate::adam::Weights;
use crate::engine::{Engine, EngineData};
use crate::heads;
use crate::loss::Loss;
use crate::team::Team;
use crate::{ClassWeighting, Item, Point, Protocol, Role, ViewSource};
use emobox_features::{FrameData, FrameView};
use half::f16;
use safetensors::SafeTensors;

/// Losses over 20 epochs agree within this share of the loss.
const LOSS_TOLERANCE: f64 = 1e-4;
/// Gradients of the first step agree within this, absolutely and as a share of the largest.
const GRADIENT_TOLERANCE: f32 = 1e-5;

const DIM: usize = 24;
const BATCH: usize = 7;
const EPOCHS: usize = 20;

fn numbers<T: bytemuck::Pod>(golden: &SafeTensors<'_>, name: &str) -> Vec<T> {
    bytemuck::pod_collect_to_vec(golden.tensor(name).unwrap().data())
}

fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |m, x| m.max(x.abs()))
}

#[test]
fn the_sweep_follows_pytorch() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/torch_probe.safetensors"
    );
    let bytes = std::fs::read(path).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let lengths: Vec<i32> = numbers(&golden, "lengths");
    let labels: Vec<i32> = numbers(&golden, "labels");
    let order: Vec<i32> = numbers(&golden, "order");
    let losses: Vec<f64> = numbers(&golden, "losses");
    let frames: Vec<f16> = numbers(&golden, "features");
    let classes = *labels.iter().max().unwrap() as usize + 1;

    let mut rest = frames.as_slice();
    let views = lengths.iter().map(|&length| {
        let (mine, others) = rest.split_at(length as usize * DIM);
        rest = others;
        FrameView {
            layers: 1,
            frames: length as usize,
            dim: DIM,
            data: FrameData::F16(mine),
        }
    });
    let source = ViewSource::new(views.collect()).unwrap();
    let items: Vec<Item> = labels
        .iter()
        .map(|&label| Item::nameless(label as usize, &[], Role::Train))
        .collect();

    let protocol = Protocol {
        epochs: EPOCHS,
        ..Protocol::paper()
    };
    let points = protocol.points();
    let hidden: Vec<usize> = points.iter().map(|p| p.hidden).collect();
    let initial = |point: &Point| {
        let flat: Vec<f16> = numbers(&golden, &format!("initial.{}", point.hidden));
        Weights::new(flat.iter().map(|x| x.to_f32()).collect())
    };
    let data = EngineData {
        source: &source,
        items: &items,
        classes,
        team: &Team::new(1),
    };
    let head = heads::find(heads::DEFAULT).unwrap();
    let start = points.iter().map(initial).collect();
    let mut engine = Engine::new(head, &protocol, &hidden, data, start);
    let loss = Loss::new(
        crate::Target::Classes,
        &vec![1; classes],
        ClassWeighting::None,
        0.0,
    );

    let first: Vec<usize> = order[..BATCH].iter().map(|&at| at as usize).collect();
    engine.gradients(&first, &loss).unwrap();
    for (point, got) in points.iter().zip(engine.last_gradients()) {
        let want: Vec<f32> = numbers(&golden, &format!("gradient.{}", point.hidden));
        let apart = largest(got.iter().zip(&want).map(|(a, b)| a - b));
        let scale = largest(want.iter().copied());
        assert!(got.len() == want.len() && scale > 0.01);
        assert!(
            apart <= GRADIENT_TOLERANCE * scale.min(1.0),
            "{point:?}: {apart} of {scale}"
        );
    }

    let mut worst = 0f64;
    for (epoch, order) in order.chunks(items.len()).enumerate() {
        let rate = |p: &Point| protocol.learning_rate(epoch + 1, p.learning_rate);
        let rates: Vec<f64> = points.iter().map(rate).collect();
        let mut sums = vec![0.0; points.len()];
        let order: Vec<usize> = order.iter().map(|&at| at as usize).collect();
        for rows in order.chunks(BATCH) {
            let (values, weight) = engine.step(rows, &loss, &rates).unwrap();
            sums.iter_mut()
                .zip(values)
                .for_each(|(s, v)| *s += v * weight);
        }
        for (point, sum) in sums.iter().enumerate() {
            let want = losses[point * EPOCHS + epoch];
            let apart = (sum / items.len() as f64 - want).abs() / want;
            worst = worst.max(apart);
            assert!(
                apart <= LOSS_TOLERANCE,
                "{:?}, epoch {epoch}: {apart}",
                points[point]
            );
        }
    }
    let wide = &losses[EPOCHS..2 * EPOCHS];
    assert!(wide[EPOCHS - 1] < 0.9 * wide[0], "the curve is flat");
    assert!(worst > 0.0, "two programs do not agree to the last bit");
}
