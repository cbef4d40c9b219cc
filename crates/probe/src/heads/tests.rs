//! Every head against PyTorch's autograd; `parity/probe/torch_heads.py` made the golden file.

use super::{Setup, Sizes, all};
use crate::batch::Batch;
use crate::loss::Loss;
use crate::team::Team;
use crate::{ClassWeighting, Item, Role, ViewSource};
use emobox_features::{FrameData, FrameView};
use safetensors::SafeTensors;

const LAYERS: usize = 3;
const SIZES: Sizes = Sizes {
    layers: LAYERS,
    dim: 8,
    hidden: 6,
    classes: 3,
};
const FRAMES: [usize; 4] = [1, 5, 9, 41];
const LABELS: [usize; 4] = [0, 2, 1, 2];
/// Share of the largest number that f32 sums in another order may differ by.
const TOLERANCE: f32 = 1e-5;

fn close(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0f32, |m, x| m.max(x.abs()));
    for (at, (a, b)) in got.iter().zip(want).enumerate() {
        assert!(
            (a - b).abs() <= TOLERANCE * largest,
            "{what}, {at}: {a}, expected {b}"
        );
    }
}

#[test]
fn logits_and_gradients_are_those_of_autograd() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/torch_heads.safetensors"
    );
    let bytes = std::fs::read(path).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| -> Vec<f32> {
        bytemuck::pod_collect_to_vec(golden.tensor(name).unwrap().data())
    };
    let features = read("features");
    let team = Team::new(2);
    let items = LABELS.map(|label| Item::nameless(label, &[], Role::Train));
    for head in all() {
        for layers in [1, LAYERS] {
            let mut rest = features.as_slice();
            let views = FRAMES.map(|frames| {
                let (mine, others) = rest.split_at(LAYERS * frames * SIZES.dim);
                rest = others;
                let view = FrameView {
                    layers: LAYERS,
                    frames,
                    dim: SIZES.dim,
                    data: FrameData::F32(mine),
                };
                if layers == 1 {
                    view.part(0, 0..frames)
                } else {
                    view
                }
            });
            let source = ViewSource::new(views.to_vec()).unwrap();
            let batch = Batch {
                source: &source,
                items: &items,
                rows: &[0, 1, 2, 3],
                check: true,
                team: &team,
            };
            let mut sweep = head.sweep(&Setup {
                layers,
                dim: SIZES.dim,
                classes: SIZES.classes,
                hidden: &[SIZES.hidden],
                team: &team,
            });
            let name = format!("{}.{layers}", head.name);
            let weights = read(&format!("{name}.weights"));
            let sizes = Sizes { layers, ..SIZES };
            assert_eq!(weights.len(), head.parameters(&sizes));
            let mut logits = [Vec::new()];
            sweep.forward(&[&weights], &batch, &mut logits).unwrap();
            close(&name, &logits[0], &read(&format!("{name}.logits")));
            let loss = Loss::new(crate::Target::Classes, &[1; 3], ClassWeighting::None, 0.0);
            let mut slopes = [vec![0.0; logits[0].len()]];
            loss.evaluate(&logits[0], &items.each_ref(), &mut slopes[0]);
            let mut gradient = [vec![f32::NAN; weights.len()]];
            sweep
                .backward(&[&weights], &batch, &slopes, &mut gradient)
                .unwrap();
            close(&name, &gradient[0], &read(&format!("{name}.gradient")));
        }
    }
}
