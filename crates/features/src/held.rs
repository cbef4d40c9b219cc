use crate::bytes::Bytes;
use crate::layout::{self, Kind};
use crate::shard::{self, Opened, make_shard};
use crate::{FeatureError, Shard, StorePlan, UtteranceOutcome};
use emobox_files::Stamp;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shards that stay in memory instead of being written, for features that are dropped once probes are trained on them.
/// [`Store::open_held`](crate::Store::open_held) reads them like files: they are the files' bytes under the files' names.
#[derive(Debug, Default)]
pub struct HeldShards(Mutex<HashMap<PathBuf, Arc<Opened>>>);

impl HeldShards {
    /// Like [`write_shard`](crate::write_shard): the ledger goes to the folder, everything else stays here.
    pub fn put(
        &self,
        dir: &Path,
        plan: &StorePlan,
        shard: &Shard,
        outcomes: &[UtteranceOutcome],
        audio: &HashMap<String, Stamp>,
    ) -> Result<(), FeatureError> {
        make_shard(dir, plan, shard, outcomes, audio, &mut |path, bytes| {
            let opened = shard::parse(&path, Bytes::held(&bytes))?;
            self.shards().insert(path, Arc::new(opened));
            Ok(())
        })
    }

    /// Whether a shard of the store in `dir` is held here.
    pub fn contains(&self, dir: &Path, shard: &Shard) -> bool {
        // The frames are put last.
        let path = layout::path(dir, Kind::Frames, &shard.file);
        self.shards().contains_key(&path)
    }

    pub(crate) fn get(&self, path: &Path) -> Option<Arc<Opened>> {
        self.shards().get(path).cloned()
    }

    fn shards(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Opened>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
