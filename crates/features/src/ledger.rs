use crate::layout::AUDIO;
use crate::{FeatureError, Shard, StorePlan, UtteranceOutcome};
use emobox_files::{Sha256, Stamp, read_json, sha256_parts, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The audio that a shard was made from. The ledger stays when the features themselves are deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every utterance of the shard, in its order.
    pub items: Vec<LedgerItem>,
}

/// The audio of one utterance, and the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerItem {
    /// The utterance.
    pub key: String,
    /// Its number of frames; 0 if it has no features.
    pub frames: usize,
    /// How many samples at 16 kHz the encoder received, if not all: Whisper takes 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_to: Option<usize>,
    /// Why it has no features: a defect of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The state of the audio file.
    pub audio: Stamp,
}

/// The ledgers of a whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledgers {
    /// All utterances, sorted by key.
    pub items: Vec<LedgerItem>,
}

impl LedgerItem {
    pub(crate) fn new(outcome: &UtteranceOutcome, audio: &Stamp) -> Self {
        let (frames, cut_to, failed) = match outcome {
            UtteranceOutcome::Stored(item) => (item.frames, item.cut_to, None),
            UtteranceOutcome::Failed { reason, .. } => (0, None, Some(reason.clone())),
        };
        Self {
            key: outcome.key().to_owned(),
            frames,
            cut_to,
            failed,
            audio: audio.clone(),
        }
    }
}

impl Ledger {
    /// The path of a shard's ledger.
    pub fn path(dir: &Path, shard: &Shard) -> PathBuf {
        dir.join(AUDIO)
            .join(shard.file.replace(".safetensors", ".json"))
    }

    /// The ledger of a shard, if it exists and is complete.
    pub fn read(dir: &Path, shard: &Shard) -> Option<Self> {
        read_json(Self::path(dir, shard)).ok()
    }

    /// Writes it atomically.
    pub fn write(&self, dir: &Path, shard: &Shard) -> Result<(), FeatureError> {
        Ok(write_json(Self::path(dir, shard), self)?)
    }
}

impl Ledgers {
    /// All ledgers of a store; none if one is missing.
    pub fn read(dir: &Path, plan: &StorePlan) -> Option<Self> {
        let mut all = Self::default();
        for shard in plan.shards() {
            all.items.extend(Ledger::read(dir, shard)?.items);
        }
        Some(all)
    }

    /// Distinguishes the audio of two stores: the digest of every file by key.
    pub fn digest(&self) -> Sha256 {
        let lines = self.items.iter();
        sha256_parts(lines.map(|item| format!("{}\t{}\n", item.key, item.audio.sha256)))
    }

    /// The utterances without features, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let items = self.items.iter();
        items.filter_map(|item| Some((item.key.as_str(), item.failed.as_deref()?)))
    }

    /// The utterances of which the encoder received only the beginning.
    pub fn cut(&self) -> impl Iterator<Item = &LedgerItem> {
        self.items.iter().filter(|item| item.cut_to.is_some())
    }

    /// Number of frames of an utterance; none if it has no features.
    pub fn frames(&self, key: &str) -> Option<usize> {
        let at = self
            .items
            .binary_search_by(|item| item.key.as_str().cmp(key));
        at.ok().map(|at| self.items[at].frames).filter(|&n| n > 0)
    }
}
