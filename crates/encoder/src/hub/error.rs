use emobox_checkpoint::CheckpointError;
use emobox_fetch::FetchError;
use emobox_files::FileError;
use std::path::PathBuf;

/// A checkpoint that could not be fetched, with the repository and the file concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The cache could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A downloaded index is invalid.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An invalid name for a repository, revision or file.
    #[error("{what} {name:?} is not valid: expected {expected}")]
    InvalidName {
        /// `repository`, `revision`, `file` or `etag`.
        what: &'static str,
        /// As given by the user or the server.
        name: String,
        /// The valid form.
        expected: &'static str,
    },
    /// The access token cannot be sent.
    #[error(
        "the access token from {from} has characters that no token has; write it again without quotes and line breaks"
    )]
    InvalidToken {
        /// The variable or file.
        from: String,
    },
    /// Offline mode, and the requested files are not in the cache.
    #[error(
        "fetch {repository} (revision {revision}): offline mode is on ({because}) and {} does not hold its weights; \
         fetch once without offline mode, or name a folder that has them", cache.display()
    )]
    Offline {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The variable that sets offline mode.
        because: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// A failed transfer: no answer, a status without a case of its own here, a broken connection, or unexpected bytes.
    #[error("{error}{advice}", error = .0, advice = hub_advice(.0))]
    Transfer(FetchError),
    /// 404.
    #[error(
        "fetch {repository} (revision {revision}): the hub has no such {what}{}",
        advice(found)
    )]
    NotFound {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// `repository or revision`, or the file.
        what: String,
        /// What the repository has instead, if known.
        found: Vec<String>,
    },
    /// 401 or 403.
    #[error("fetch {repository}: the hub answers {status}: {}", access(*status, token.as_deref(), page))]
    Denied {
        /// The repository.
        repository: String,
        /// 401 or 403.
        status: u16,
        /// The source of the token that was sent.
        token: Option<String>,
        /// The repository's page.
        page: String,
    },
    /// A repository without weights, or with several files and no rule to choose between them.
    #[error("fetch {repository}: {detail}; it holds {}", found.join(", "))]
    NoWeights {
        /// The repository.
        repository: String,
        /// What was searched for.
        detail: String,
        /// Its files (the first few).
        found: Vec<String>,
    },
}

impl From<FetchError> for HubError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::File(error) => Self::File(error),
            error => Self::Transfer(error),
        }
    }
}

/// Advice for servers that are a hub.
fn hub_advice(error: &FetchError) -> &'static str {
    match error {
        FetchError::Unreachable { .. } => {
            "; HF_ENDPOINT may name a mirror, and a local folder needs no hub"
        }
        FetchError::Corrupt { .. } => {
            ": run the same command again, or set HF_ENDPOINT to another mirror"
        }
        _ => "",
    }
}

fn advice(found: &[String]) -> String {
    if found.is_empty() {
        "; check the spelling".to_owned()
    } else {
        format!("; it holds {}", found.join(", "))
    }
}

fn access(status: u16, token: Option<&str>, page: &str) -> String {
    match (status, token) {
        (403, Some(from)) => {
            format!(
                "the token from {from} gives no access; accept the conditions on {page} with its account"
            )
        }
        (_, Some(from)) => {
            format!("the token from {from} was refused, or there is no such repository; check both")
        }
        (_, None) => format!(
            "no token was sent; either there is no such repository (check the spelling), or it is private or has \
             conditions to accept on {page}: then set HF_TOKEN, or log in with the hub's own tool"
        ),
    }
}
