//! GPU speed of training the paper's head, and its losses against the CPU's at full width: for tools/gpu/check.sh.

use crate::card::card;
use emobox_features::{FrameData, FrameView};
use emobox_probe::{
    EpochProgress, Flow, FoldTask, Item, Observer, Protocol, Role, TrainOptions, ViewSource,
    train_fold,
};
use half::f16;
use std::sync::Arc;
use std::time::Instant;

/// Number of timed epochs, after one that copies the features and one that records the launches.
const EPOCHS: usize = 7;
const CLASSES: usize = 4;

#[derive(Default)]
struct Clock {
    last: Option<Instant>,
    seconds: Vec<f64>,
    losses: Vec<f64>,
}

impl Observer for Clock {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        if let Some(last) = self.last {
            self.seconds.push(last.elapsed().as_secs_f64());
        }
        self.losses
            .extend(progress.records.iter().map(|record| record.train_loss));
        self.last = Some(Instant::now());
        Flow::Continue
    }
}

/// Noise with a small component from the label, in f16.
fn features(frames: usize, dim: usize, label: usize, seed: u64) -> Vec<f16> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let number = |at: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let noise = (state >> 40) as f32 / 4_194_304.0 - 2.0;
        let trace = if at % dim % CLASSES == label {
            0.05
        } else {
            0.0
        };
        f16::from_f32(noise + trace)
    };
    (0..frames * dim).map(number).collect()
}

/// For each width in `EMOBOX_PROBE_DIMS`, on utterances of the lengths in the file `EMOBOX_PROBE_LENGTHS` (frames, one per
/// line; of five, three are for training, one for validation, one for test): prints a line of JSON with the seconds per epoch,
/// and the largest relative difference of an epoch's losses from the CPU's, over enough epochs for 50 steps.
#[test]
#[ignore = "minutes; tools/gpu/check.sh runs it"]
fn an_epoch_of_the_paper_s_head() {
    let setting = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let lengths = std::fs::read_to_string(setting("EMOBOX_PROBE_LENGTHS")).unwrap();
    let lengths: Vec<usize> = lengths.lines().map(|line| line.parse().unwrap()).collect();
    let classes: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    for dim in setting("EMOBOX_PROBE_DIMS").split(',') {
        let dim: usize = dim.parse().unwrap();
        let items: Vec<Item> = (0..lengths.len())
            .map(|at| Item {
                key: at.to_string(),
                label: at / 5 % CLASSES,
                target: Vec::new(),
                speaker: None,
                role: match at % 5 {
                    0..3 => Role::Train,
                    3 => Role::Valid,
                    _ => Role::Test,
                },
            })
            .collect();
        let numbers: Vec<Vec<f16>> = lengths
            .iter()
            .zip(&items)
            .zip(1..)
            .map(|((&frames, item), seed)| features(frames, dim, item.label, seed))
            .collect();
        let views = numbers.iter().map(|data| FrameView {
            layers: 1,
            frames: data.len() / dim,
            dim,
            data: FrameData::F16(data),
        });
        let source = ViewSource::new(views.collect()).unwrap();
        let task = FoldTask {
            corpus: "noise",
            fold: 1,
            classes: &classes,
            items: &items,
            source: &source,
        };
        let train = |epochs: usize, options: &TrainOptions| {
            let protocol = Protocol {
                epochs,
                warmup_epochs: 1,
                ..Protocol::paper()
            };
            let mut clock = Clock::default();
            train_fold(&task, &protocol, options, &mut clock).unwrap();
            clock
        };
        let mut card = card();
        let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let begun = Instant::now();
        let held = card.hold(&keys, &source, 1, usize::MAX).unwrap();
        let brought = begun.elapsed().as_secs_f64();
        let options = TrainOptions {
            card: Some(Arc::new(card)),
            ..TrainOptions::default()
        };
        let timed = train(2 + EPOCHS, &options);
        let steps = (lengths.len() * 3 / 5).div_ceil(Protocol::paper().batch);
        let epochs = 50usize.div_ceil(steps.max(1)).min(20);
        let processor = TrainOptions {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            ..TrainOptions::default()
        };
        let (found, expected) = (train(epochs, &options), train(epochs, &processor));
        let pairs = found.losses.iter().zip(&expected.losses);
        let apart = pairs.fold(0.0f64, |m, (a, b)| m.max((a - b).abs() / b));
        assert!(apart < 1e-4, "{dim}: losses differ by {apart}");
        println!(
            "{{\"dim\": {dim}, \"held\": {held}, \"brought\": {brought:.4}, \"seconds\": {:?}, \"cpu_seconds\": {:?}, \"apart\": {apart:e}, \
             \"steps\": {}}}",
            &timed.seconds[1..],
            expected.seconds,
            epochs * steps
        );
    }
}
