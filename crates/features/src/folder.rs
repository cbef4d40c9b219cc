//! The folder of a store: what is there of a plan, what is missing, what is left from other plans.

use crate::layout::{self, AUDIO, BEGUN, CLAIM, Kind};
use crate::{FeatureError, Ledger, Shard, Share, StoreHeader, StorePlan, shard};
use emobox_files::{FileError, is_temporary, read_json, remove_file, remove_folder, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreIndex {
    pub(crate) header: StoreHeader,
    pub(crate) utterances: usize,
    pub(crate) shards: Vec<String>,
}

impl StorePlan {
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
            let path = layout::path(dir, *kind, &shard.file);
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
        Ok(remove_file(layout::path(dir, Kind::Frames, &shard.file))?)
    }

    /// Deletes the features, but keeps the records of how and from which audio they were made.
    pub fn discard(&self, dir: &Path) -> Result<(), FeatureError> {
        let folders = [Kind::Frames.folder(), Kind::Pooled.folder(), BEGUN];
        for folder in folders {
            remove_folder(dir.join(folder))?;
        }
        Ok(())
    }

    /// The files of a share of the work, made or not, `store.json` first.
    pub fn files(&self, dir: &Path, share: Share) -> Vec<PathBuf> {
        let mut files = vec![dir.join("store.json")];
        let ours = self.shards.iter().filter(|s| share.contains(s.number));
        for shard in ours {
            files.push(Ledger::path(dir, shard));
            files.push(layout::path(dir, Kind::Frames, &shard.file));
            if self.header.pooled_layers > 0 {
                files.push(layout::path(dir, Kind::Pooled, &shard.file));
            }
        }
        files
    }

    /// Deletes [`StorePlan::strays`], and the folder of saved utterances.
    pub fn remove_strays(&self, dir: &Path) -> Result<(), FeatureError> {
        for stray in self.strays(dir)? {
            // Another process that finishes at the same time deletes them too.
            remove_file(&stray)?;
        }
        let _ = std::fs::remove_dir(dir.join(BEGUN));
        Ok(())
    }

    /// Files in `dir` that belong to no shard of this plan: left over from another work list, or from a
    /// process that was killed while writing. Call it only when no shard is left to make.
    pub fn strays(&self, dir: &Path) -> Result<Vec<PathBuf>, FeatureError> {
        let mut strays = Vec::new();
        // The store's own folder has `store.json`, and a process may be killed while writing that too.
        let begun = dir.join(BEGUN);
        let folders = [Kind::Frames.folder(), Kind::Pooled.folder(), AUDIO];
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
