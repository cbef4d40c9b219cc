//! Finished scores in the formats of other programs: MTEB, Hugging Face evaluate, MLflow, Weights & Biases.
//!
//! As everywhere in this room there is no clock: where a format requires a time, it is the Unix epoch, so that the same
//! scores give the same bytes.

mod hf;
mod mlflow;
mod mteb;
mod wandb;

use crate::tables::Grid;
use crate::{ReportData, Training, TrainingPoint};
use emobox_score::{FoldName, Run};
use std::path::{Path, PathBuf};

/// A format that another program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// `MODEL/REVISION/TASK.json` with `model_meta.json`, as MTEB stores its results.
    Mteb,
    /// One JSON file per cell, as `evaluate.save` writes it.
    Hf,
    /// A folder of runs for `mlflow ui --backend-store-uri`.
    Mlflow,
    /// Offline runs for `wandb sync`.
    Wandb,
}

/// The files of a format, with paths below `folder`, which some of them contain.
pub fn exchange(data: &ReportData, form: Exchange, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let cells = Cell::all(data);
    let version = data.scores.provenance.versions.get("emobox");
    let version = version.map_or("", String::as_str);
    match form {
        Exchange::Mteb => mteb::files(&cells, version),
        Exchange::Hf => hf::files(&cells, version),
        Exchange::Mlflow => mlflow::files(&cells, version, folder),
        Exchange::Wandb => wandb::files(&cells, version),
    }
}

/// A headline run with everything that belongs to it.
struct Cell<'a> {
    /// Identifies it among the cells of a report.
    name: String,
    run: &'a Run,
    folds: Vec<&'a Run>,
    training: Vec<&'a Training>,
}

impl<'a> Cell<'a> {
    fn all(data: &'a ReportData) -> Vec<Self> {
        let grid = Grid::of(data);
        let of_run = |(corpus, system, run): (usize, usize, &'a Run)| Self {
            name: format!("{} {}", grid.corpora[corpus], grid.systems[system]),
            run,
            folds: data
                .siblings(run)
                .filter(|sibling| matches!(sibling.fold, FoldName::Fold(_)))
                .collect(),
            training: data
                .training
                .iter()
                .filter(|t| (&t.corpus, &t.encoder) == (&run.corpus, &run.encoder))
                .collect(),
        };
        grid.runs().map(of_run).collect()
    }

    /// What was computed.
    fn parameters(&self, version: &str) -> Vec<(&'static str, String)> {
        let run = self.run;
        vec![
            ("corpus", run.corpus.clone()),
            ("encoder", run.encoder.clone()),
            ("protocol", run.protocol.clone()),
            ("partition", run.partition.clone()),
            ("config", run.config.clone()),
            ("test_items", run.n.to_string()),
            ("audit", run.audit.clone().unwrap_or_default()),
            ("emobox", version.to_owned()),
        ]
    }

    /// The scores with their intervals, and the recall of each class.
    fn metrics(&self) -> Vec<(String, f64)> {
        let run = self.run;
        let mut metrics = scores(run);
        for (name, ci) in [
            ("ua", run.ua_ci),
            ("wa", run.wa_ci),
            ("macro_f1", run.macro_f1_ci),
        ] {
            for (end, value) in ["low", "high"].iter().zip(ci.into_iter().flatten()) {
                metrics.push((format!("{name}_ci_{end}"), value));
            }
        }
        if let Some(seeds) = &run.seeds {
            metrics.push(("ua_seed_deviation".to_owned(), seeds.deviation.ua));
        }
        for class in &run.per_class {
            metrics.push((format!("recall_{}", plain(&class.class)), class.recall));
        }
        metrics
    }

    /// The scores of the folds, by their numbers.
    fn folds(&self) -> impl Iterator<Item = (u32, Vec<(String, f64)>)> {
        self.folds.iter().filter_map(|run| match run.fold {
            FoldName::Fold(fold) => Some((fold, scores(run))),
            _ => None,
        })
    }

    /// The curves of the point selected on validation, for each fold: name and one value per epoch.
    fn curves(&self) -> impl Iterator<Item = (String, &'a [f64])> {
        self.training.iter().flat_map(|training| {
            let chosen = training.points.iter().find(|p| p.selected_epoch.is_some());
            let curves = chosen.map(|point: &TrainingPoint| {
                [
                    ("train_loss", &point.train_loss[..]),
                    ("valid_loss", &point.valid_loss[..]),
                    ("valid_ua", &point.valid_ua[..]),
                ]
            });
            let named = curves.into_iter().flatten();
            named.map(|(name, values)| (format!("fold{}_{name}", training.fold), values))
        })
    }

    /// A number that identifies this cell, the same at every call (FNV-1a).
    fn id(&self) -> u128 {
        let run = self.run;
        let names = [
            &run.corpus,
            &run.encoder,
            &run.protocol,
            &run.partition,
            &run.config,
        ];
        let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
        bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
    }
}

fn scores(run: &Run) -> Vec<(String, f64)> {
    let all = [
        ("ua", run.ua),
        ("wa", run.wa),
        ("macro_f1", run.macro_f1),
        ("weighted_f1", run.weighted_f1),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Letters, digits, `_`, `-` and `.`; everything else becomes `_`.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    name.chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

fn json(value: &serde_json::Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
