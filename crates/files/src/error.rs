use std::path::{Path, PathBuf};

/// A file operation that failed, with the path it failed on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused or failed.
    #[error("{action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// The attempted action, as a present-tense verb: `read`, `write`, `create folder`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The file was read but is not the expected JSON.
    #[error("read {}: not the expected JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        source: serde_json::Error,
    },
    /// A relative path that would leave its root folder.
    #[error("path {relative:?} climbs out of {}: only paths below that folder are allowed", root.display())]
    OutsideRoot {
        /// The folder that paths must stay in.
        root: PathBuf,
        /// The offending path as written.
        relative: String,
    },
}

impl FileError {
    /// Wraps a system error with the action and the path it concerns.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Whether the system refused for a reason that may pass: a disk that is not mounted, a missing permission, a file
    /// that does not exist now. A defect in a file's bytes is not such a reason.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() != std::io::ErrorKind::UnexpectedEof)
    }

    /// Whether the disk (or the user's quota on it) is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

fn is_full(source: &std::io::Error) -> bool {
    matches!(
        source.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

fn advice(source: &std::io::Error) -> &'static str {
    if is_full(source) {
        "; what was written so far is intact: free some space and run the same command again"
    } else {
        ""
    }
}
