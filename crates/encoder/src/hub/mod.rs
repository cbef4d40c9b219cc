//! Checkpoints from the Hugging Face hub, in the user's ordinary hub cache.
//!
//! The layout of the cache (`models--org--name/{blobs,refs,snapshots}`) and the environment variables
//! are those of the Python library `huggingface_hub`, so that either program finds what the other has
//! fetched. [`cached`] needs no network.

mod cache;
mod client;
mod error;
mod fetch;
mod settings;

pub use error::HubError;
pub use fetch::fetch;
pub use settings::{HubSettings, Token};

use cache::RepositoryCache;
use emobox_checkpoint::{Choice, choose, shard_names};
use std::path::{Path, PathBuf};

/// Small files that are taken along where a repository has them: what describes the model.
const DESCRIPTIONS: [&str; 7] = [
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "config.yaml",
    "am.mvn",
    "configuration.json",
    "tokens.txt",
];

/// What to fetch.
#[derive(Clone, Debug)]
pub struct HubRequest {
    /// `org/name`, or `name` for the few without an organisation.
    pub repository: String,
    /// A branch, a tag or a commit; `main` unless something else is wanted.
    pub revision: String,
    /// The weights file or index; `None` takes what [`emobox_checkpoint::Checkpoint::open`] would choose.
    pub weights: Option<String>,
    /// Cache, endpoint, token and so on.
    pub settings: HubSettings,
}

impl HubRequest {
    /// The default weights of the branch `main`, with the settings of the environment.
    pub fn new(repository: impl Into<String>) -> Self {
        Self {
            repository: repository.into(),
            revision: "main".to_owned(),
            weights: None,
            settings: HubSettings::from_environment(),
        }
    }
}

/// What [`fetch`] is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The repository was listed; so many files are wanted.
    Listed {
        /// Wanted files (the shards of an index are added when it has arrived).
        files: usize,
    },
    /// The file is in the cache already.
    Cached {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Another process is fetching the same file; waiting for it.
    Waiting {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Bytes have arrived.
    Bytes {
        /// The file's path in the repository.
        file: &'a str,
        /// Bytes on disk, those of earlier attempts included.
        done: u64,
        /// Bytes in all, where the server says so.
        total: Option<u64>,
    },
    /// The connection broke; the rest is asked for after a pause.
    Retrying {
        /// The file's path in the repository.
        file: &'a str,
        /// Bytes on disk.
        done: u64,
        /// What happened.
        reason: &'a str,
    },
    /// The hub does not answer and the cached snapshot is used as it is.
    CacheInstead {
        /// What happened.
        reason: &'a str,
    },
}

/// The snapshot folder of a request when the cache holds its weights, whole; never asks the network.
pub fn cached(request: &HubRequest) -> Option<PathBuf> {
    let cache = RepositoryCache::new(&request.settings.cache, &request.repository).ok()?;
    let snapshot = cache.snapshot(&request.revision)?;
    has_weights(&snapshot, request.weights.as_deref()).then_some(snapshot)
}

fn has_weights(snapshot: &Path, weights: Option<&str>) -> bool {
    let weights = match weights {
        Some(name) => name.to_owned(),
        None => match choose(&cache::files_in(snapshot)) {
            Choice::One(name) => name,
            Choice::None | Choice::Several(_) => return false,
        },
    };
    let Ok(path) = emobox_files::join_inside(snapshot, &weights) else {
        return false;
    };
    if !weights.ends_with(".index.json") {
        return path.is_file();
    }
    shard_names(&path).is_ok_and(|shards| {
        let folder = path.parent().unwrap_or(snapshot);
        shards.iter().all(|shard| {
            emobox_files::join_inside(folder, shard).is_ok_and(|shard| shard.is_file())
        })
    })
}
