use super::cache::RepositoryCache;
use super::client::{Client, Remote};
use super::{DESCRIPTIONS, HubError, HubProgress, HubRequest, cached};
use emobox_checkpoint::{Choice, choose, shard_names};
use emobox_fetch::{Checksum, Continue, FetchError, Transfer, Wanted, fetch_file};
use emobox_files::{join_inside, write_atomic};
use std::path::{Path, PathBuf};

/// Limit for a file whose size the hub does not give; all large files have one.
const UNKNOWN_BYTES: u64 = 64 << 20;

/// Downloads the weights of a repository and the files that describe them into the hub cache, and returns the snapshot folder.
///
/// Files in the cache are not downloaded again; a partial file is resumed; every file is checked for the promised size and, if
/// the hub gives one, the promised SHA-256 before it gets its name. If the hub does not answer, a complete snapshot in the
/// cache is used instead.
pub fn fetch(
    request: &HubRequest,
    progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<PathBuf, HubError> {
    let settings = &request.settings;
    let cache = RepositoryCache::new(&settings.cache, &request.repository)?;
    let reference = cache.reference(&request.revision)?;
    if let Some(because) = &settings.offline {
        return cached(request).ok_or_else(|| HubError::Offline {
            repository: request.repository.clone(),
            revision: request.revision.clone(),
            because: because.clone(),
            cache: settings.cache.clone(),
        });
    }
    let client = Client::new(settings, &request.repository)?;
    let listing = match client.list(&request.revision) {
        Ok(listing) => listing,
        Err(error) => {
            let no_answer = matches!(
                error,
                HubError::Transfer(FetchError::Unreachable { .. } | FetchError::Status { .. })
            );
            let Some(snapshot) = cached(request).filter(|_| no_answer) else {
                return Err(error);
            };
            let reason = error.to_string();
            progress(HubProgress::CacheInstead { reason: &reason });
            return Ok(snapshot);
        }
    };
    let files = listing.files();
    let weights = choose_weights(request, &files)?;
    let mut download = Download {
        snapshot: cache.snapshot_folder(&listing.sha)?,
        commit: &listing.sha,
        cache: &cache,
        client: &client,
        progress,
    };
    let descriptions = files
        .iter()
        .filter(|name| DESCRIPTIONS.contains(&name.as_str()));
    let descriptions: Vec<_> = descriptions.collect();
    (download.progress)(HubProgress::Listed {
        files: descriptions.len() + 1,
    });
    // The weights come last: a snapshot with weights is complete.
    for name in descriptions {
        download.file(name)?;
    }
    let shards = if weights.ends_with(".index.json") {
        let index = download.file(&weights)?;
        let folder = weights.rsplit_once('/').map_or("", |(folder, _)| folder);
        let names = shard_names(&index)?.into_iter();
        names
            .map(|name| {
                if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                }
            })
            .collect()
    } else {
        vec![weights]
    };
    for shard in &shards {
        download.file(shard)?;
    }
    let snapshot = download.snapshot;
    if request.revision != listing.sha {
        write_atomic(&reference, listing.sha.as_bytes())?;
    }
    Ok(snapshot)
}

fn choose_weights(request: &HubRequest, files: &[String]) -> Result<String, HubError> {
    let few = || files.iter().take(20).cloned().collect::<Vec<_>>();
    if let Some(name) = &request.weights {
        if files.contains(name) {
            return Ok(name.clone());
        }
        return Err(HubError::NotFound {
            repository: request.repository.clone(),
            revision: request.revision.clone(),
            what: format!("file {name}"),
            found: few(),
        });
    }
    let detail = match choose(files) {
        Choice::One(name) => return Ok(name),
        Choice::None => "no weights in a format that is read",
        Choice::Several(_) => "several files qualify as weights, name one",
    };
    Err(HubError::NoWeights {
        repository: request.repository.clone(),
        detail: detail.to_owned(),
        found: few(),
    })
}

struct Download<'a> {
    snapshot: PathBuf,
    commit: &'a str,
    cache: &'a RepositoryCache,
    client: &'a Client<'a>,
    progress: &'a mut dyn FnMut(HubProgress<'_>),
}

impl Download<'_> {
    /// Makes sure that a file is in the snapshot.
    fn file(&mut self, name: &str) -> Result<PathBuf, HubError> {
        let place = join_inside(&self.snapshot, name)?;
        if place.is_file() {
            (self.progress)(HubProgress::Cached { file: name });
            return Ok(place);
        }
        let remote = self.client.describe(self.commit, name)?;
        let blob = self.cache.blob(&remote.etag)?;
        let _lock = self.cache.lock(&remote.etag, || {
            (self.progress)(HubProgress::Waiting { file: name });
        })?;
        if blob.is_file() {
            (self.progress)(HubProgress::Cached { file: name });
        } else {
            self.blob(name, &remote, &blob)?;
        }
        self.cache.link(&self.snapshot, name, &blob)?;
        Ok(place)
    }

    /// Downloads a blob to a temporary file, checks it, and renames it.
    fn blob(&mut self, name: &str, remote: &Remote, blob: &Path) -> Result<(), HubError> {
        let is_sha256 = Checksum::parse(&format!("sha256:{}", remote.etag));
        let wanted = Wanted {
            url: remote.url.clone(),
            name: name.to_owned(),
            bytes: remote.size,
            limit: UNKNOWN_BYTES,
            checksum: is_sha256,
            // A blob's name is its etag.
            named_by_content: true,
        };
        let progress = &mut *self.progress;
        let mut watch = |event: Transfer<'_>| {
            match event {
                Transfer::Bytes { done, .. } => progress(HubProgress::Bytes {
                    file: name,
                    done,
                    total: remote.size,
                }),
                Transfer::Retrying { done, reason } => progress(HubProgress::Retrying {
                    file: name,
                    done,
                    reason,
                }),
                _ => {}
            }
            Continue::Yes
        };
        fetch_file(&self.client.http, &wanted, blob, &mut watch)
            .map_err(|error| self.client.explain(error, self.commit, name))
    }
}
