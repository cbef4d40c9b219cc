//! Times the training of one fold on features made by `parity/probe/speed.py`, which calls it.
//!
//!     speed FOLDER DIM EPOCHS THREADS [SEEDS]
//!
//! reads `FOLDER/items.tsv` (frames, label, role per line) and `FOLDER/features.f16` (all frames, one utterance after the
//! other), and prints the seconds of every epoch as a JSON list. SEEDS training seeds (default 1) are trained together.

use emobox_features::{FrameData, FrameView};
use emobox_probe::{
    EpochProgress, Flow, FoldTask, Item, Observer, Protocol, Role, TrainOptions, ViewSource,
    train_fold,
};
use half::f16;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

struct Clock {
    last: Instant,
    seconds: Vec<f64>,
}

impl Observer for Clock {
    fn epoch(&mut self, _: &EpochProgress<'_>) -> Flow {
        self.seconds.push(self.last.elapsed().as_secs_f64());
        self.last = Instant::now();
        Flow::Continue
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ([folder, dim, epochs, threads], seeds) = match &arguments[..] {
        [folder, dim, epochs, threads] => ([folder, dim, epochs, threads], 1),
        [folder, dim, epochs, threads, seeds] => ([folder, dim, epochs, threads], seeds.parse()?),
        _ => return Err("usage: speed FOLDER DIM EPOCHS THREADS [SEEDS]".into()),
    };
    let folder = Path::new(folder);
    let dim: usize = dim.parse()?;
    let mut items = Vec::new();
    let mut lengths = Vec::new();
    for (at, line) in std::fs::read_to_string(folder.join("items.tsv"))?
        .lines()
        .enumerate()
    {
        let fields: Vec<&str> = line.split('\t').collect();
        let [frames, label, role] = fields[..] else {
            return Err(format!("items.tsv line {}: expected 3 fields", at + 1).into());
        };
        lengths.push(frames.parse::<usize>()?);
        items.push(Item {
            key: at.to_string(),
            label: label.parse()?,
            target: Vec::new(),
            speaker: None,
            role: match role {
                "train" => Role::Train,
                "valid" => Role::Valid,
                _ => Role::Test,
            },
        });
    }
    let bytes = std::fs::read(folder.join("features.f16"))?;
    let numbers: Vec<f16> = bytemuck::pod_collect_to_vec(&bytes);
    drop(bytes);
    let mut rest = numbers.as_slice();
    let mut views = Vec::new();
    for &frames in &lengths {
        let (mine, others) = rest.split_at(frames * dim);
        rest = others;
        views.push(FrameView {
            layers: 1,
            frames,
            dim,
            data: FrameData::F16(mine),
        });
    }
    let source = ViewSource::new(views)?;
    let classes: Vec<String> = (0..4).map(|class: usize| class.to_string()).collect();
    let task = FoldTask {
        corpus: "synthetic",
        fold: 1,
        classes: &classes,
        items: &items,
        source: &source,
    };
    let protocol = Protocol {
        epochs: epochs.parse()?,
        warmup_epochs: 1,
        ..Protocol::paper().with_training_seeds(1, seeds)
    };
    let options = TrainOptions {
        threads: threads.parse()?,
        ..TrainOptions::default()
    };
    let mut clock = Clock {
        last: Instant::now(),
        seconds: Vec::new(),
    };
    train_fold(&task, &protocol, &options, &mut clock)?;
    writeln!(std::io::stdout(), "{:?}", clock.seconds)?;
    Ok(())
}
