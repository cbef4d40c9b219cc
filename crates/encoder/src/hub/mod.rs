//! Checkpoints from the Hugging Face hub, in the user's ordinary hub cache.
//!
//! The layout of the cache (`models--org--name/{blobs,refs,snapshots}`) and the environment variables are those of the Python
//! library `huggingface_hub`, so that each program finds what the other downloaded. [`cached`] needs no network.

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

/// Small files that are downloaded too if a repository has them: they describe the model.
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
    /// A branch, a tag or a commit; `main` by default.
    pub revision: String,
    /// The weights file or index; `None` selects the one that [`emobox_checkpoint::Checkpoint::open`] would.
    pub weights: Option<String>,
    /// Cache, endpoint, token and so on.
    pub settings: HubSettings,
}

impl HubRequest {
    /// The default weights of the branch `main`, with settings from the environment.
    pub fn new(repository: impl Into<String>) -> Self {
        Self {
            repository: repository.into(),
            revision: "main".to_owned(),
            weights: None,
            settings: HubSettings::from_environment(),
        }
    }
}

/// Progress of [`fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubProgress<'a> {
    /// The repository was listed.
    Listed {
        /// Number of files to download (the shards of an index are added once it was read).
        files: usize,
    },
    /// The file is in the cache already.
    Cached {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Another process is downloading the same file; waiting for it.
    Waiting {
        /// Its path in the repository.
        file: &'a str,
    },
    /// Bytes were received.
    Bytes {
        /// The file's path in the repository.
        file: &'a str,
        /// Bytes on disk, including those of earlier attempts.
        done: u64,
        /// Total bytes, if the server gives the size.
        total: Option<u64>,
    },
    /// The connection broke; the rest is requested after a pause.
    Retrying {
        /// The file's path in the repository.
        file: &'a str,
        /// Bytes on disk.
        done: u64,
        /// What happened.
        reason: &'a str,
    },
    /// The hub does not answer; the cached snapshot is used as it is.
    CacheInstead {
        /// What happened.
        reason: &'a str,
    },
}

/// The snapshot folder of a request if its weights are completely in the cache; never uses the network.
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
