use emobox_checkpoint::CheckpointError;
use emobox_files::FileError;
use std::path::PathBuf;

/// A checkpoint that could not be fetched, with the repository and the file concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The cache could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An index that was fetched is not one.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A name that no repository, revision or file can have.
    #[error("{what} {name:?} is not valid: expected {expected}")]
    InvalidName {
        /// `repository`, `revision`, `file` or `etag`.
        what: &'static str,
        /// As given by the user or the server.
        name: String,
        /// The form that is accepted.
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
    /// Offline mode, and the cache does not hold what is asked for.
    #[error(
        "fetch {repository} (revision {revision}): offline mode is on ({because}) and {} does not hold its weights; \
         fetch once without offline mode, or name a folder that has them", cache.display()
    )]
    Offline {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The variable that says so.
        because: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// No answer from the hub.
    #[error(
        "fetch {url}: {detail}; check the connection, or set HF_ENDPOINT to a mirror, or name a local folder"
    )]
    Unreachable {
        /// The address without its query.
        url: String,
        /// What went wrong.
        detail: String,
    },
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
        /// What the repository holds instead, where that is known.
        found: Vec<String>,
    },
    /// 401 or 403.
    #[error("fetch {repository}: the hub answers {status}: {}", access(*status, token.as_deref(), page))]
    Denied {
        /// The repository.
        repository: String,
        /// 401 or 403.
        status: u16,
        /// Where the token came from that was sent.
        token: Option<String>,
        /// The repository's page.
        page: String,
    },
    /// Any other status.
    #[error("fetch {url}: the hub answers {status}")]
    Status {
        /// The address without its query.
        url: String,
        /// The status.
        status: u16,
    },
    /// An answer that does not follow the protocol.
    #[error("fetch {url}: {detail}")]
    Malformed {
        /// The address without its query.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A repository without weights, or with several files and no rule to choose.
    #[error("fetch {repository}: {detail}; it holds {}", found.join(", "))]
    NoWeights {
        /// The repository.
        repository: String,
        /// What was looked for.
        detail: String,
        /// Its files (the first few).
        found: Vec<String>,
    },
    /// The connection broke again and again.
    #[error(
        "fetch {file}: the connection broke after {done} of {} bytes: {detail}; what has arrived is kept: \
         run the same command again to go on from there", total.map_or("?".to_owned(), |t| t.to_string())
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes on disk.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
        /// The last failure.
        detail: String,
    },
    /// The bytes are not those that the hub promised; they were thrown away.
    #[error(
        "fetch {file}: what arrived is not what the hub promised: {what} expected {expected}, got {found}; the bytes \
         were thrown away: run the same command again, or set HF_ENDPOINT to another mirror"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// `sha256` or `bytes`.
        what: &'static str,
        /// As promised.
        expected: String,
        /// As arrived.
        found: String,
    },
}

/// A failed transfer, with the advice that helps where the server is a hub.
#[cfg(feature = "hub")]
impl From<emobox_fetch::FetchError> for HubError {
    fn from(error: emobox_fetch::FetchError) -> Self {
        use emobox_fetch::FetchError;
        match error {
            FetchError::File(error) => Self::File(error),
            FetchError::Unreachable { url, detail } => Self::Unreachable { url, detail },
            FetchError::Status { url, status } => Self::Status { url, status },
            FetchError::Malformed { url, detail } => Self::Malformed { url, detail },
            FetchError::Interrupted {
                file,
                done,
                total,
                detail,
            } => Self::Interrupted {
                file,
                done,
                total,
                detail,
            },
            FetchError::Corrupt {
                file,
                what,
                expected,
                found,
            } => Self::Corrupt {
                file,
                what,
                expected,
                found,
            },
            // Nothing here stops a transfer; were it so, what has arrived is kept as after a cut.
            other => Self::Interrupted {
                file: String::new(),
                done: 0,
                total: None,
                detail: other.to_string(),
            },
        }
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
