//! Finished utterances of shards that are not complete, saved for the next start.

use crate::item::Stored;
use crate::layout::{BEGUN, Kind};
use crate::shard::{Tensor, file_bytes};
use crate::{
    FeatureError, LedgerItem, Shard, StoreHeader, StorePlan, StorePrecision, UtteranceOutcome,
};
use crate::{StoredItem, shard};
use emobox_files::{Stamp, remove_file, sha256_bytes, write_atomic};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The description of a saved file.
#[derive(Serialize, Deserialize)]
struct Meta {
    header: StoreHeader,
    data_sha256: String,
    items: Vec<LedgerItem>,
}

/// Saves some utterances of a shard, in a file of their own.
pub fn save_begun(
    dir: &Path,
    plan: &StorePlan,
    shard: &Shard,
    results: &[(&UtteranceOutcome, &Stamp)],
) -> Result<(), FeatureError> {
    let header = plan.header();
    let place = files(dir, shard).len();
    let path = dir
        .join(BEGUN)
        .join(format!("{}{place:05}.safetensors", prefix(shard)));
    let stored = results.iter().filter_map(|(outcome, _)| match outcome {
        UtteranceOutcome::Stored(item) => Some(item),
        UtteranceOutcome::Failed { .. } => None,
    });
    let names = |kind: Kind| {
        stored
            .clone()
            .map(move |item| (name(kind, &item.key), item))
    };
    let frames: Vec<(String, &StoredItem)> = names(Kind::Frames).collect();
    let pooled: Vec<(String, &StoredItem)> = match header.pooled_layers {
        0 => Vec::new(),
        _ => names(Kind::Pooled).collect(),
    };
    let frames = frames
        .iter()
        .map(|(name, item)| shard::frames_tensor(header, name, item));
    let pooled = pooled
        .iter()
        .map(|(name, item)| shard::pooled_tensor(header, name, item));
    let mut tensors: Vec<Tensor<'_>> = frames.chain(pooled).collect();
    // As safetensors orders them, for the digest of their bytes.
    tensors.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(b.0)));
    let items = results
        .iter()
        .map(|(outcome, stamp)| LedgerItem::new(outcome, stamp))
        .collect();
    let bytes = file_bytes(&path, tensors, |data_sha256| Meta {
        header: header.clone(),
        data_sha256,
        items,
    })?;
    Ok(write_atomic(&path, &bytes)?)
}

/// The saved utterances of a shard. What cannot be read, or belongs to another store, is left out: it is encoded again.
pub fn read_begun(dir: &Path, plan: &StorePlan, shard: &Shard) -> Vec<(UtteranceOutcome, Stamp)> {
    let mut results: Vec<(UtteranceOutcome, Stamp)> = Vec::new();
    // The last result of an utterance counts: its audio was replaced since the others.
    for path in files(dir, shard).into_iter().rev() {
        let saved = std::fs::read(&path).ok();
        for (outcome, stamp) in saved
            .and_then(|bytes| parse(&bytes, plan))
            .unwrap_or_default()
        {
            let is_of_shard = plan
                .items(shard)
                .iter()
                .any(|item| item.key == outcome.key());
            if is_of_shard
                && results
                    .iter()
                    .all(|(known, _)| known.key() != outcome.key())
            {
                results.push((outcome, stamp));
            }
        }
    }
    results
}

/// Deletes the saved utterances of a shard.
pub fn remove_begun(dir: &Path, shard: &Shard) -> Result<(), FeatureError> {
    for path in files(dir, shard) {
        remove_file(path)?;
    }
    Ok(())
}

fn parse(bytes: &[u8], plan: &StorePlan) -> Option<Vec<(UtteranceOutcome, Stamp)>> {
    let (length, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let meta = metadata.metadata().as_ref()?.get(shard::META)?;
    let meta: Meta = serde_json::from_str(meta).ok()?;
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let header = plan.header();
    let data = bytes.get(8 + length..)?;
    if meta.header != *header || sha256_bytes(data).as_str() != meta.data_sha256 {
        return None;
    }
    let outcome = |item: &LedgerItem| {
        if let Some(reason) = &item.failed {
            return Some(UtteranceOutcome::Failed {
                key: item.key.clone(),
                reason: reason.clone(),
            });
        }
        let frames = tensors.tensor(&name(Kind::Frames, &item.key)).ok()?;
        let data = match (header.precision, frames.dtype()) {
            (StorePrecision::F16, Dtype::F16) => {
                Stored::F16(bytemuck::pod_collect_to_vec(frames.data()))
            }
            (StorePrecision::F32, Dtype::F32) => {
                Stored::F32(bytemuck::pod_collect_to_vec(frames.data()))
            }
            _ => return None,
        };
        let pooled = match header.pooled_layers {
            0 => Vec::new(),
            _ => {
                let pooled = tensors.tensor(&name(Kind::Pooled, &item.key)).ok()?;
                bytemuck::pod_collect_to_vec(pooled.data())
            }
        };
        StoredItem::restored(header, &item.key, item.frames, item.cut_to, data, pooled)
            .map(UtteranceOutcome::Stored)
    };
    let items = meta.items.iter();
    items
        .map(|item| Some((outcome(item)?, item.audio.clone())))
        .collect()
}

fn name(kind: Kind, key: &str) -> String {
    format!("{}/{key}", kind.folder())
}

/// What the names of a shard's files begin with.
fn prefix(shard: &Shard) -> String {
    format!("{}-", shard.file.trim_end_matches(".safetensors"))
}

fn files(dir: &Path, shard: &Shard) -> Vec<PathBuf> {
    let prefix = prefix(shard);
    let entries = std::fs::read_dir(dir.join(BEGUN))
        .into_iter()
        .flatten()
        .flatten();
    let ours = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(&prefix)
    });
    let mut files: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
    files.sort();
    files
}
