use crate::{FeatureError, Shard, StorePlan};
use emobox_files::{Sha256, Stamp, read_json, sha256_parts, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder of the ledgers in a store.
pub(crate) const FOLDER: &str = "audio";

/// From which audio a shard was made. It stays when the features themselves are thrown away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every utterance of the shard, in its order.
    pub items: Vec<LedgerItem>,
}

/// The audio of one utterance, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerItem {
    /// The utterance.
    pub key: String,
    /// Its frames; 0 where it has no features.
    pub frames: usize,
    /// How many samples at 16 kHz the encoder heard, where it did not hear all: Whisper hears 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_to: Option<usize>,
    /// Why it has no features: something in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The audio file, as it was.
    pub audio: Stamp,
}

/// The ledgers of a whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledgers {
    /// All utterances, sorted by key.
    pub items: Vec<LedgerItem>,
}

impl Ledger {
    /// Where the ledger of a shard lies.
    pub fn path(dir: &Path, shard: &Shard) -> PathBuf {
        dir.join(FOLDER)
            .join(shard.file.replace(".safetensors", ".json"))
    }

    /// The ledger of a shard, if it is there and whole.
    pub fn read(dir: &Path, shard: &Shard) -> Option<Self> {
        read_json(Self::path(dir, shard)).ok()
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, dir: &Path, shard: &Shard) -> Result<(), FeatureError> {
        Ok(write_json(Self::path(dir, shard), self)?)
    }
}

impl Ledgers {
    /// All ledgers of a store; none where one is missing.
    pub fn read(dir: &Path, plan: &StorePlan) -> Option<Self> {
        let mut all = Self::default();
        for shard in plan.shards() {
            all.items.extend(Ledger::read(dir, shard)?.items);
        }
        Some(all)
    }

    /// Tells the audio of one store from that of another: the digest of every file by key.
    pub fn digest(&self) -> Sha256 {
        let lines = self.items.iter();
        sha256_parts(lines.map(|item| format!("{}\t{}\n", item.key, item.audio.sha256)))
    }

    /// The utterances without features, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let items = self.items.iter();
        items.filter_map(|item| Some((item.key.as_str(), item.failed.as_deref()?)))
    }

    /// The utterances of which the encoder heard only the beginning.
    pub fn cut(&self) -> impl Iterator<Item = &LedgerItem> {
        self.items.iter().filter(|item| item.cut_to.is_some())
    }

    /// Frames of an utterance; none where it has no features.
    pub fn frames(&self, key: &str) -> Option<usize> {
        let at = self
            .items
            .binary_search_by(|item| item.key.as_str().cmp(key));
        at.ok().map(|at| self.items[at].frames).filter(|&n| n > 0)
    }
}
