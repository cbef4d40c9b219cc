use emobox_files::FileError;

/// A file that could not be fetched, with the address or the file concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The file could not be read or written here.
    #[error(transparent)]
    File(#[from] FileError),
    /// No answer.
    #[error("fetch {url}: {detail}; check the connection and the address")]
    Unreachable {
        /// The address without its query.
        url: String,
        /// What went wrong.
        detail: String,
    },
    /// A status for which retrying is useless.
    #[error("fetch {url}: the server answers {status}{}", meaning(*status))]
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
    /// The connection broke repeatedly.
    #[error(
        "fetch {file}: the connection broke after {done} of {} bytes: {detail}; what has arrived is kept: \
         run the same command again to go on from there", total.map_or("?".to_owned(), |t| t.to_string())
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes on disk.
        done: u64,
        /// Total bytes, if known.
        total: Option<u64>,
        /// The last failure.
        detail: String,
    },
    /// The bytes are not the expected ones; they were deleted.
    #[error(
        "fetch {file}: the content is not as published: {what} expected {expected}, got {found}; it was deleted"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// `bytes`, `md5` or `sha256`.
        what: &'static str,
        /// The expected value.
        expected: String,
        /// The received value.
        found: String,
    },
    /// The caller stopped; what has arrived is kept.
    #[error("fetch {file}: stopped after {done} bytes, which are kept")]
    Stopped {
        /// The file.
        file: String,
        /// Bytes on disk.
        done: u64,
    },
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => " (access is denied)",
        404 | 410 => " (there is no such file any more)",
        429 => " (too many requests; try again later)",
        500..=599 => " (the server has trouble; try again later)",
        _ => "",
    }
}
