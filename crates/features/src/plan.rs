use crate::begun;
use crate::ledger::{self, Ledger};
use crate::shard::{self, Kind};
use crate::{FeatureError, StoreHeader};
use emobox_files::{FileError, is_temporary, read_json, sha256_bytes, write_json};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Prefix of the names of claims, beside `store.json`.
pub(crate) const CLAIM: &str = ".claim-";

/// A shard is closed at this many utterances …
const SHARD_UTTERANCES: usize = 64;
/// … or at this many bytes of frames, whichever comes first.
const SHARD_BYTES: usize = 16 << 20;

/// One utterance to extract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// The utterance's key, unique in the corpus.
    pub key: String,
    /// The number of frames it will have, from the length in the manifest. It only decides where shards are
    /// cut, so an estimate is enough, but it must be the same on every run.
    pub frames: usize,
}

/// A consecutive part of the sorted work list, written as one pair of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Position in the plan, from 0.
    pub number: usize,
    /// The file's name in `frames/` and in `pooled/`.
    pub file: String,
    /// The utterances, as a range of the sorted work list.
    pub items: Range<usize>,
}

/// The state of a shard on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// Nothing yet.
    Missing,
    /// A file that differs from what was written; it has to be made again.
    Damaged(String),
    /// Complete, with this many utterances that have no features.
    Done {
        /// Utterances whose extraction failed.
        failed: usize,
    },
}

/// The whole extraction of one corpus with one encoder, divided into shards beforehand.
#[derive(Clone, Debug)]
pub struct StorePlan {
    header: StoreHeader,
    work: Vec<WorkItem>,
    shards: Vec<Shard>,
}

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreIndex {
    pub(crate) header: StoreHeader,
    pub(crate) utterances: usize,
    pub(crate) shards: Vec<String>,
}

impl StorePlan {
    /// Sorts the work by key and cuts it into shards.
    pub fn new(header: StoreHeader, mut work: Vec<WorkItem>) -> Result<Self, FeatureError> {
        work.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(pair) = work.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(FeatureError::DuplicateKey(pair[0].key.clone()));
        }
        let shards = cut(&header, &work)
            .into_iter()
            .enumerate()
            .map(|(number, items)| Shard {
                file: file_name(&header, number, &work[items.clone()]),
                number,
                items,
            })
            .collect();
        Ok(Self {
            header,
            work,
            shards,
        })
    }

    /// The header every shard carries.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// All shards, in the order of the sorted keys.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The utterances of a shard.
    pub fn items(&self, shard: &Shard) -> &[WorkItem] {
        &self.work[shard.items.clone()]
    }

    /// Bytes that the features of some shards take.
    pub fn bytes(&self, shards: &[&Shard]) -> usize {
        let pooled = self.header.pooled_layers * 2 * self.header.dim * size_of::<f32>();
        let items = shards.iter().flat_map(|shard| self.items(shard));
        items.fold(0, |sum: usize, item| {
            let numbers = self.header.numbers(item.frames);
            let frames = numbers.saturating_mul(self.header.precision.bytes());
            sum.saturating_add(frames).saturating_add(pooled)
        })
    }

    /// Begins or resumes the store in `dir`: refuses a store made with other options, and writes
    /// `store.json` if it is absent or has another work list of the same kind.
    pub fn begin(&self, dir: &Path) -> Result<(), FeatureError> {
        let path = dir.join("store.json");
        let index = StoreIndex {
            header: self.header.clone(),
            utterances: self.work.len(),
            shards: self.shards.iter().map(|shard| shard.file.clone()).collect(),
        };
        if path.exists() {
            let found: StoreIndex = read_json(&path)?;
            self.header.check(dir, &found.header)?;
            if found.shards == index.shards {
                return Ok(());
            }
        }
        Ok(write_json(&path, &index)?)
    }

    /// Checks the files of one shard; reads headers only.
    pub fn inspect(&self, dir: &Path, shard: &Shard) -> ShardState {
        if !Ledger::path(dir, shard).exists() {
            return ShardState::Missing;
        }
        let kinds = [Kind::Frames, Kind::Pooled];
        let wanted = &kinds[..if self.header.pooled_layers > 0 { 2 } else { 1 }];
        let mut failed = 0;
        for kind in wanted {
            let path = shard::path(dir, *kind, &shard.file);
            if !path.exists() {
                return ShardState::Missing;
            }
            match shard::open(&path) {
                Ok(opened) => failed = opened.meta.failed.len(),
                Err(error) => return ShardState::Damaged(error.to_string()),
            }
        }
        ShardState::Done { failed }
    }

    /// The shards of a share of the work that still have to be made.
    pub fn missing_shards(&self, dir: &Path, share: Share) -> Vec<&Shard> {
        let ours = self.shards.iter().filter(|s| share.contains(s.number));
        ours.filter(|shard| !matches!(self.inspect(dir, shard), ShardState::Done { .. }))
            .collect()
    }

    /// Deletes the features of a shard, so that they are made again.
    pub fn forget(&self, dir: &Path, shard: &Shard) -> Result<(), FeatureError> {
        let frames = shard::path(dir, Kind::Frames, &shard.file);
        match std::fs::remove_file(&frames) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::io("remove", frames, e).into())
            }
            _ => Ok(()),
        }
    }

    /// Deletes the features, but keeps the records of how and from which audio they were made.
    pub fn discard(&self, dir: &Path) -> Result<(), FeatureError> {
        let folders = [Kind::Frames.folder(), Kind::Pooled.folder(), begun::FOLDER];
        for folder in folders {
            let folder = dir.join(folder);
            match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::io("remove", folder, e).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files of a share of the work, made or not, `store.json` first.
    pub fn files(&self, dir: &Path, share: Share) -> Vec<PathBuf> {
        let mut files = vec![dir.join("store.json")];
        let ours = self.shards.iter().filter(|s| share.contains(s.number));
        for shard in ours {
            files.push(Ledger::path(dir, shard));
            files.push(shard::path(dir, Kind::Frames, &shard.file));
            if self.header.pooled_layers > 0 {
                files.push(shard::path(dir, Kind::Pooled, &shard.file));
            }
        }
        files
    }

    /// Deletes [`StorePlan::strays`], and the folder of saved utterances.
    pub fn remove_strays(&self, dir: &Path) -> Result<(), FeatureError> {
        for stray in self.strays(dir)? {
            match std::fs::remove_file(&stray) {
                // Another process that finishes at the same time deletes them too.
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::io("remove", &stray, e).into());
                }
                _ => {}
            }
        }
        let _ = std::fs::remove_dir(dir.join(begun::FOLDER));
        Ok(())
    }

    /// Files in `dir` that belong to no shard of this plan: left over from another work list, or from a
    /// process that was killed while writing. Call it only when no shard is left to make.
    pub fn strays(&self, dir: &Path) -> Result<Vec<PathBuf>, FeatureError> {
        let mut strays = Vec::new();
        // The store's own folder has `store.json`, and a process may be killed while writing that too.
        let begun = dir.join(begun::FOLDER);
        let folders = [Kind::Frames.folder(), Kind::Pooled.folder(), ledger::FOLDER];
        for folder in folders
            .map(|name| dir.join(name))
            .iter()
            .chain([&begun, &dir.to_owned()])
        {
            if !folder.exists() {
                continue;
            }
            let entries =
                std::fs::read_dir(folder).map_err(|e| FileError::io("list", folder, e))?;
            for entry in entries {
                let entry = entry.map_err(|e| FileError::io("list", folder, e))?;
                let name = entry.file_name();
                let stem = Path::new(&name).with_extension("safetensors");
                let is_shard = Path::new(&name)
                    .extension()
                    .is_some_and(|e| e == "safetensors" || e == "json");
                // What a killed process was writing, or had claimed and finished. No other process is working: every shard is done.
                let text = name.to_string_lossy();
                let is_torn = is_temporary(&text) || text.starts_with(CLAIM);
                if is_torn
                    || folder != dir
                        && is_shard
                        && !self
                            .shards
                            .iter()
                            .any(|shard| stem == Path::new(&shard.file))
                {
                    strays.push(entry.path());
                }
            }
        }
        strays.sort();
        Ok(strays)
    }
}

fn cut(header: &StoreHeader, work: &[WorkItem]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0usize);
    for (index, item) in work.iter().enumerate() {
        let size = header
            .numbers(item.frames)
            .saturating_mul(header.precision.bytes());
        let full = index - start == SHARD_UTTERANCES || bytes.saturating_add(size) > SHARD_BYTES;
        if index > start && full {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    if start < work.len() {
        ranges.push(start..work.len());
    }
    ranges
}

/// Number and digest: a file with another header or another work list has another name, so a stale
/// shard is never taken for a fresh one.
fn file_name(header: &StoreHeader, number: usize, work: &[WorkItem]) -> String {
    let mut text = header.identity();
    for item in work {
        text.push('\n');
        text.push_str(&item.key);
        text.push('\t');
        text.push_str(&item.frames.to_string());
    }
    format!(
        "{number:05}-{}.safetensors",
        sha256_bytes(text.as_bytes()).short()
    )
}

/// One of `count` equal shares of the shards, for several machines on one store: `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    index: usize,
    count: usize,
}

impl Share {
    /// All of the work.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// Part `part` of `count`, counted from 1; none when there is no such part.
    pub fn new(part: usize, count: usize) -> Option<Self> {
        let index = part.checked_sub(1)?;
        (index < count).then_some(Self { index, count })
    }

    /// Whether the shard (or anything else counted from 0) of this number is in the share.
    pub fn contains(self, shard: usize) -> bool {
        shard % self.count == self.index
    }
}

impl FromStr for Share {
    type Err = FeatureError;

    fn from_str(text: &str) -> Result<Self, FeatureError> {
        let bad = || FeatureError::BadShare(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(bad)?;
        let index: usize = index.trim().parse().map_err(|_| bad())?;
        let count: usize = count.trim().parse().map_err(|_| bad())?;
        if index == 0 || index > count {
            return Err(bad());
        }
        Ok(Self {
            index: index - 1,
            count,
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}
