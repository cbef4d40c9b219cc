use crate::bytes::Bytes;
use crate::item::Stored;
use crate::layout::{Kind, path};
use crate::{
    FeatureError, Ledger, LedgerItem, Shard, StoreHeader, StorePlan, StoredItem, UtteranceOutcome,
};
use emobox_files::{FileError, Stamp, sha256_bytes, write_atomic};
use emobox_kernels::MappedFile;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The only metadata entry of a shard. Safetensors writes a hash map of entries, and the
/// order of two would change from run to run.
pub(crate) const META: &str = "emobox";

/// An utterance that has no features, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The utterance.
    pub key: String,
    /// Why, in one line.
    pub reason: String,
}

/// The description inside a shard, so that a single file can be identified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShardMeta {
    pub(crate) header: StoreHeader,
    pub(crate) data_sha256: String,
    pub(crate) failed: Vec<Failure>,
}

/// Writes the files of a shard, each atomically, the frames last: where they exist, the ledger
/// and the pooled statistics do too. `outcomes` may come in any order and must name every utterance
/// of the shard once; `audio` is the state of an utterance's file when it was read.
pub fn write_shard(
    dir: &Path,
    plan: &StorePlan,
    shard: &Shard,
    outcomes: &[UtteranceOutcome],
    audio: &HashMap<String, Stamp>,
) -> Result<(), FeatureError> {
    make_shard(dir, plan, shard, outcomes, audio, &mut |path, bytes| {
        Ok(write_atomic(path, &bytes)?)
    })
}

/// Writes the ledger of a shard and passes its other files to `keep`, the frames last.
pub(crate) fn make_shard(
    dir: &Path,
    plan: &StorePlan,
    shard: &Shard,
    outcomes: &[UtteranceOutcome],
    audio: &HashMap<String, Stamp>,
    keep: &mut dyn FnMut(PathBuf, Vec<u8>) -> Result<(), FeatureError>,
) -> Result<(), FeatureError> {
    let (stored, failed) = sorted(plan, shard, outcomes)?;
    ledger(plan, shard, outcomes, audio)?.write(dir, shard)?;
    let header = plan.header();
    let meta = |data_sha256: String| ShardMeta {
        header: header.clone(),
        data_sha256,
        failed: failed.clone(),
    };
    if header.pooled_layers > 0 {
        let tensors = stored.iter();
        let tensors = tensors.map(|item| pooled_tensor(header, &item.key, item));
        let path = path(dir, Kind::Pooled, &shard.file);
        let bytes = file_bytes(&path, tensors.collect(), meta)?;
        keep(path, bytes)?;
    }
    let tensors = stored.iter();
    let tensors = tensors.map(|item| frames_tensor(header, &item.key, item));
    let path = path(dir, Kind::Frames, &shard.file);
    let bytes = file_bytes(&path, tensors.collect(), meta)?;
    keep(path, bytes)
}

/// An utterance's frames as a tensor of a file, under this name.
pub(crate) fn frames_tensor<'a>(
    header: &StoreHeader,
    name: &'a str,
    item: &'a StoredItem,
) -> Tensor<'a> {
    let shape = match header.layers.len() {
        1 => vec![item.frames, header.dim],
        layers => vec![layers, item.frames, header.dim],
    };
    let dtype = match item.data {
        Stored::F16(_) => Dtype::F16,
        Stored::F32(_) => Dtype::F32,
    };
    (name, shape, dtype, item.data.bytes())
}

/// An utterance's pooled statistics as a tensor of a file, under this name.
pub(crate) fn pooled_tensor<'a>(
    header: &StoreHeader,
    name: &'a str,
    item: &'a StoredItem,
) -> Tensor<'a> {
    let shape = vec![header.pooled_layers, 2, header.dim];
    (name, shape, Dtype::F32, bytemuck::cast_slice(&item.pooled))
}

fn ledger(
    plan: &StorePlan,
    shard: &Shard,
    outcomes: &[UtteranceOutcome],
    audio: &HashMap<String, Stamp>,
) -> Result<Ledger, FeatureError> {
    let mut items = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let audio = audio
            .get(outcome.key())
            .ok_or_else(|| FeatureError::WrongItems {
                shard: shard.number,
                problem: "no audio file named for utterance",
                key: outcome.key().to_owned(),
            })?;
        items.push(LedgerItem::new(outcome, audio));
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    debug_assert_eq!(items.len(), plan.items(shard).len());
    Ok(Ledger { items })
}

/// Name, shape, type and bytes.
pub(crate) type Tensor<'a> = (&'a str, Vec<usize>, Dtype, &'a [u8]);

/// A file of tensors with a description, which is made from the digest of the tensors' bytes.
pub(crate) fn file_bytes<M: Serialize>(
    path: &Path,
    tensors: Vec<Tensor<'_>>,
    meta: impl FnOnce(String) -> M,
) -> Result<Vec<u8>, FeatureError> {
    let unwritable = |reason: String| FeatureError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let mut data = Vec::with_capacity(tensors.iter().map(|t| t.3.len()).sum());
    tensors.iter().for_each(|t| data.extend_from_slice(t.3));
    let meta = meta(sha256_bytes(&data).as_str().to_owned());
    drop(data);
    let meta = serde_json::to_string(&meta).map_err(|e| unwritable(e.to_string()))?;
    let views = tensors
        .into_iter()
        .map(|(key, shape, dtype, bytes)| Ok((key, TensorView::new(dtype, shape, bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| unwritable(e.to_string()))?;
    serialize(views, Some(HashMap::from([(META.to_owned(), meta)])))
        .map_err(|e| unwritable(e.to_string()))
}

/// The shard's outcomes in the order of its keys, after checking that the keys match.
fn sorted<'a>(
    plan: &StorePlan,
    shard: &Shard,
    outcomes: &'a [UtteranceOutcome],
) -> Result<(Vec<&'a StoredItem>, Vec<Failure>), FeatureError> {
    let wrong = |problem, key: &str| FeatureError::WrongItems {
        shard: shard.number,
        problem,
        key: key.to_owned(),
    };
    let mut by_key: BTreeMap<&str, &UtteranceOutcome> = BTreeMap::new();
    for outcome in outcomes {
        if by_key.insert(outcome.key(), outcome).is_some() {
            return Err(wrong("more than one result for utterance", outcome.key()));
        }
    }
    let (mut stored, mut failed) = (Vec::new(), Vec::new());
    for item in plan.items(shard) {
        match by_key.remove(item.key.as_str()) {
            None => return Err(wrong("no result for utterance", &item.key)),
            Some(UtteranceOutcome::Stored(item)) => stored.push(item),
            Some(UtteranceOutcome::Failed { key, reason }) => failed.push(Failure {
                key: key.clone(),
                reason: reason.clone(),
            }),
        }
    }
    match by_key.keys().next() {
        None => Ok((stored, failed)),
        Some(key) => Err(wrong("not an utterance of this shard:", key)),
    }
}

/// A shard with its parsed header.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) map: Bytes,
    pub(crate) meta: ShardMeta,
    pub(crate) tensors: Vec<TensorPlace>,
    /// Where the numbers begin in the file.
    pub(crate) data_start: usize,
}

/// The position of a tensor in its file.
#[derive(Debug)]
pub(crate) struct TensorPlace {
    pub(crate) key: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
    /// Byte offset from the start of the file.
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
}

/// Maps a shard and checks that its header parses and the file has the length the header implies,
/// so a truncated file is found here, before anything reads it.
pub(crate) fn open(path: &Path) -> Result<Opened, FeatureError> {
    let map = MappedFile::open(path).map_err(|e| FileError::io("map", path, e))?;
    parse(path, Bytes::Mapped(map))
}

/// The same for bytes in memory, under the name of their file.
pub(crate) fn parse(path: &Path, map: Bytes) -> Result<Opened, FeatureError> {
    let damaged = |reason: String| FeatureError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let (header_length, metadata) = SafeTensors::read_metadata(&map)
        .map_err(|e| damaged(format!("{e} ({} bytes on disk)", map.len())))?;
    let meta = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(META))
        .ok_or_else(|| damaged(format!("no {META:?} entry in its header")))?;
    let meta: ShardMeta =
        serde_json::from_str(meta).map_err(|e| damaged(format!("{META:?} entry: {e}")))?;
    let data_start = 8 + header_length;
    let tensors = metadata.offset_keys().into_iter().filter_map(|key| {
        let info = metadata.info(&key)?;
        let (start, end) = info.data_offsets;
        Some(TensorPlace {
            shape: info.shape.clone(),
            dtype: info.dtype,
            offset: data_start + start,
            bytes: end - start,
            key,
        })
    });
    Ok(Opened {
        tensors: tensors.collect(),
        map,
        meta,
        data_start,
    })
}
