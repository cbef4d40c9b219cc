//! Trains one fold and prints, as one JSON object, the labels of its test part, every point's predictions on it after every
//! epoch, and this program's as-published score: for `parity/probe/as_published.py`, which repeats the scoring.
//!
//!     epochs FOLDER DIM EPOCHS [CORPUS FOLD]
//!
//! reads `FOLDER/items.tsv` (frames, label, role and optionally a key per line; roles train, valid, test) and
//! `FOLDER/features.f16` (all frames, one utterance after the other).

use emobox_features::{FrameData, FrameView};
use emobox_probe::{
    EpochProgress, Flow, FoldTask, Item, Observer, Protocol, Role, TrainOptions, Training,
    ViewSource, train_fold,
};
use half::f16;
use std::error::Error;
use std::io::Write;
use std::path::Path;

/// Predictions as `[point][epoch][utterance]`.
#[derive(Default)]
struct Record {
    predictions: Vec<Vec<Vec<usize>>>,
}

impl Observer for Record {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        self.predictions.resize_with(progress.test.len(), Vec::new);
        for (point, seen) in self.predictions.iter_mut().zip(progress.test) {
            point.push(seen.clone());
        }
        Flow::Continue
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // With corpus, fold and keys, the validation part and the weights are those of the benchmark's first seed.
    let (folder, dim, epochs, corpus, fold, paper) = match &arguments[..] {
        [folder, dim, epochs] => (folder, dim, epochs, "given", 1, Protocol::paper()),
        [folder, dim, epochs, corpus, fold] => {
            let paper = Protocol::paper()
                .partitioned_by(0)
                .with_training_seeds(0, 1);
            (folder, dim, epochs, corpus.as_str(), fold.parse()?, paper)
        }
        _ => return Err("usage: epochs FOLDER DIM EPOCHS [CORPUS FOLD]".into()),
    };
    let folder = Path::new(folder);
    let dim: usize = dim.parse()?;
    let (mut items, mut lengths) = (Vec::new(), Vec::new());
    for (at, line) in std::fs::read_to_string(folder.join("items.tsv"))?
        .lines()
        .enumerate()
    {
        let fields: Vec<&str> = line.split('\t').collect();
        let (frames, label, role, key) = match fields[..] {
            [frames, label, role] => (frames, label, role, at.to_string()),
            [frames, label, role, key] => (frames, label, role, key.to_owned()),
            _ => return Err(format!("items.tsv line {}: expected 3 or 4 fields", at + 1).into()),
        };
        lengths.push(frames.parse::<usize>()?);
        items.push(Item {
            key,
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
    let numbers: Vec<f16> =
        bytemuck::pod_collect_to_vec(&std::fs::read(folder.join("features.f16"))?);
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
    let count = items.iter().map(|item| item.label + 1).max().unwrap_or(0);
    let classes: Vec<String> = (0..count).map(|class| class.to_string()).collect();
    let task = FoldTask {
        corpus,
        fold,
        classes: &classes,
        items: &items,
        source: &source,
    };
    let epochs: usize = epochs.parse()?;
    let protocol = Protocol {
        epochs,
        warmup_epochs: epochs.min(10),
        ..paper
    };
    let mut record = Record::default();
    let Training::Done(outcome) =
        train_fold(&task, &protocol, &TrainOptions::default(), &mut record)?
    else {
        return Err("the training stopped".into());
    };
    let published = outcome.as_published.first().ok_or("no test part")?;
    let point = protocol
        .points()
        .iter()
        .position(|point| *point == published.point);
    let tested = items.iter().filter(|item| item.role == Role::Test);
    let out = serde_json::json!({
        "classes": count,
        "labels": tested.map(|item| item.label).collect::<Vec<usize>>(),
        "predictions": record.predictions,
        "as_published": {
            "point": point,
            "epoch": published.epoch,
            "confusion": published.confusion,
        },
    });
    writeln!(std::io::stdout(), "{out}")?;
    Ok(())
}
