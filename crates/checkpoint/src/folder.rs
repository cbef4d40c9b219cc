//! Chooses the weights file in a folder.

use super::{CheckpointError, limits};
use emobox_files::{FileError, join_inside};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Whole names, in order of preference, then any single file with one of [`ENDINGS`].
const NAMES: [&str; 5] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.pt",
];
const ENDINGS: [&str; 5] = ["safetensors", "pt", "pth", "ckpt", "bin"];
/// The encoder of a SpeechBrain pipeline.
pub const SPEECHBRAIN: &str = "wav2vec2.ckpt";
/// Files that training programs leave beside the weights.
const NOT_WEIGHTS: [&str; 6] = [
    "optimizer.pt",
    "optimizer.bin",
    "scheduler.pt",
    "scaler.pt",
    "training_args.bin",
    "rng_state.pth",
];

/// The weights in a list of file names.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// This file: weights or an index.
    One(String),
    /// None at all.
    None,
    /// Several, without a rule to prefer one.
    Several(Vec<String>),
}

/// Chooses the weights among file names, which must be sorted.
pub fn choose(names: &[String]) -> Choice {
    for name in NAMES {
        if names.iter().any(|candidate| candidate == name) {
            return Choice::One(name.to_owned());
        }
    }
    let has = |name: &str| names.iter().any(|candidate| candidate == name);
    // SpeechBrain stores every part of a pipeline in a separate file.
    if has("hyperparams.yaml") && has(SPEECHBRAIN) {
        return Choice::One(SPEECHBRAIN.to_owned());
    }
    for ending in ENDINGS {
        let mut files: Vec<String> = names
            .iter()
            .filter(|name| {
                Path::new(name).extension().is_some_and(|e| e == ending)
                    && !NOT_WEIGHTS.contains(&name.as_str())
            })
            .cloned()
            .collect();
        match files.len() {
            0 => {}
            1 => return Choice::One(files.remove(0)),
            _ => return Choice::Several(files),
        }
    }
    Choice::None
}

/// The weights file of a folder: a single file, or an index.
pub(super) fn find(folder: &Path) -> Result<PathBuf, CheckpointError> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|e| FileError::io("list", folder, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| FileError::io("list", folder, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if folder.join(&name).is_file() {
            names.push(name);
        }
    }
    names.sort();
    match choose(&names) {
        Choice::One(name) => Ok(folder.join(name)),
        Choice::Several(files) => Err(CheckpointError::SeveralWeights {
            folder: folder.to_owned(),
            files,
        }),
        Choice::None => {
            names.truncate(12);
            Err(CheckpointError::NoWeights {
                folder: folder.to_owned(),
                found: names,
            })
        }
    }
}

/// The names of the shards that an index lists, in alphabetical order.
pub fn shard_names(index: &Path) -> Result<Vec<String>, CheckpointError> {
    Ok(read_index(index)?.into_keys().collect())
}

/// The files of a sharded checkpoint and the contents that the index declares.
pub(super) struct Shards {
    /// In order of their names, each inside the index's own folder.
    pub(super) paths: Vec<PathBuf>,
    /// Names of tensors and the shard of each.
    pub(super) tensors: Vec<(String, usize)>,
}

/// Reads an index and finds its shards.
pub(super) fn shards(index: &Path) -> Result<Shards, CheckpointError> {
    let folder = index.parent().unwrap_or(Path::new("."));
    let mut paths = Vec::new();
    let mut tensors = Vec::new();
    for (shard, names) in read_index(index)? {
        let path = join_inside(folder, &shard)?;
        if !path.is_file() {
            return Err(CheckpointError::MissingShard {
                index: index.to_owned(),
                shard,
                tensors: names.len(),
                example: names[0].clone(),
            });
        }
        let number = paths.len();
        tensors.extend(names.into_iter().map(|name| (name, number)));
        paths.push(path);
    }
    Ok(Shards { paths, tensors })
}

/// The names of the tensors in each shard.
fn read_index(index: &Path) -> Result<BTreeMap<String, Vec<String>>, CheckpointError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let length = std::fs::metadata(index)
        .map_err(|e| FileError::io("read", index, e))?
        .len();
    if length > limits::HEADER_BYTES as u64 {
        return Err(CheckpointError::Limit {
            path: index.to_owned(),
            what: "the size of the index in bytes".to_owned(),
            limit: limits::HEADER_BYTES as u64,
            found: length,
        });
    }
    let Index { weight_map } = emobox_files::read_json(index)?;
    if weight_map.is_empty() {
        return Err(CheckpointError::NoTensors {
            path: index.to_owned(),
            found: vec!["an empty weight_map".to_owned()],
        });
    }
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in weight_map {
        shards.entry(shard).or_default().push(tensor);
    }
    Ok(shards)
}
