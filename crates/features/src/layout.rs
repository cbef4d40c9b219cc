//! Where the files of a store are.

use std::path::{Path, PathBuf};

/// Prefix of the names of claims, beside `store.json`.
pub(crate) const CLAIM: &str = ".claim-";

/// The two files of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Frames,
    Pooled,
}

impl Kind {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Pooled => "pooled",
        }
    }
}

pub(crate) fn path(dir: &Path, kind: Kind, file: &str) -> PathBuf {
    dir.join(kind.folder()).join(file)
}

/// The folder of the ledgers in a store.
pub(crate) const AUDIO: &str = "audio";

/// The folder of these files in a store that is being made.
pub(crate) const BEGUN: &str = "begun";
