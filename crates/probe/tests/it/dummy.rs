//! A made-up corpus whose features carry its labels.

use emobox_features::{FrameData, FrameView};
use emobox_probe::{FeatureSource, FoldTask, Item, Protocol, Role, ViewSource};
use half::f16;

pub(crate) const DIM: usize = 24;

pub(crate) struct Dummy {
    pub(crate) classes: Vec<String>,
    pub(crate) items: Vec<Item>,
    frames: Vec<Vec<f32>>,
}

/// A number in [-1, 1) from a counter; good enough randomness for the tests.
fn noise(counter: usize) -> f32 {
    let mixed = (counter as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f32 / 8_388_608.0 - 1.0
}

/// `count` utterances of 4 classes and 8 speakers; every fifth is in the test part.
pub(crate) fn dummy(count: usize) -> Dummy {
    let mut items = Vec::new();
    let mut frames = Vec::new();
    for at in 0..count {
        let label = at % 4;
        items.push(Item {
            key: format!("dummy-{at:04}"),
            label,
            target: Vec::new(),
            speaker: Some(format!("speaker{}", at / 4 % 8)),
            role: if at % 5 == 4 { Role::Test } else { Role::Train },
        });
        let length = 5 + at * 7 % 40;
        let number = |i: usize| {
            let signal = if i % DIM % 4 == label { 0.35 } else { 0.0 };
            noise(at * 10_000 + i) + signal
        };
        frames.push((0..length * DIM).map(number).collect());
    }
    Dummy {
        classes: ["angry", "happy", "neutral", "sad"]
            .map(String::from)
            .to_vec(),
        items,
        frames,
    }
}

impl Dummy {
    pub(crate) fn source(&self) -> ViewSource<'_> {
        let views = self.frames.iter().map(|data| FrameView {
            layers: 1,
            frames: data.len() / DIM,
            dim: DIM,
            data: FrameData::F32(data),
        });
        ViewSource::new(views.collect()).unwrap()
    }

    pub(crate) fn task<'a>(&'a self, source: &'a dyn FeatureSource) -> FoldTask<'a> {
        FoldTask {
            corpus: "dummy",
            fold: 1,
            classes: &self.classes,
            items: &self.items,
            source,
        }
    }

    pub(crate) fn frames(&self, item: usize) -> &[f32] {
        &self.frames[item]
    }

    pub(crate) fn frames_mut(&mut self, item: usize) -> &mut Vec<f32> {
        &mut self.frames[item]
    }
}

pub(crate) fn short(epochs: usize) -> Protocol {
    Protocol {
        name: "short".into(),
        hidden_sizes: vec![20, 70],
        epochs,
        warmup_epochs: 2,
        ..Protocol::strict()
    }
}

/// The same features in half precision, as stores keep them.
pub(crate) struct Halves(Vec<Vec<f16>>);

impl Halves {
    pub(crate) fn of(data: &Dummy) -> Self {
        let narrow = |frames: &Vec<f32>| frames.iter().map(|&x| f16::from_f32(x)).collect();
        Self(data.frames.iter().map(narrow).collect())
    }

    pub(crate) fn item_mut(&mut self, item: usize) -> &mut [f16] {
        &mut self.0[item]
    }

    pub(crate) fn source(&self) -> ViewSource<'_> {
        let views = self.0.iter().map(|data| FrameView {
            layers: 1,
            frames: data.len() / DIM,
            dim: DIM,
            data: FrameData::F16(data),
        });
        ViewSource::new(views.collect()).unwrap()
    }
}
