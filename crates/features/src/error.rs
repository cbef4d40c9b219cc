use emobox_files::FileError;
use std::path::PathBuf;

/// Why a store could not be planned, written, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store on disk was made with other options than requested.
    #[error(
        "feature store {} does not match: {field} is {found} there, {expected} was asked for; \
         extract into another folder or delete this one", path.display()
    )]
    Mismatch {
        /// The store's folder.
        path: PathBuf,
        /// The first header field that differs.
        field: &'static str,
        /// The requested value.
        expected: String,
        /// The store's value.
        found: String,
    },
    /// Some shards of the store were never written.
    #[error(
        "feature store {} is incomplete: {missing} of {total} shards are missing (first {first}); \
         run the extraction again, it goes on where it stopped", path.display()
    )]
    Incomplete {
        /// The store's folder.
        path: PathBuf,
        /// How many shard files are absent.
        missing: usize,
        /// How many there should be.
        total: usize,
        /// The first absent file.
        first: String,
    },
    /// A shard differs from what was written: truncated, overwritten, or from elsewhere.
    #[error("shard {} is damaged: {reason}; delete it and run the extraction again", path.display())]
    Damaged {
        /// The shard file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that the store does not hold.
    #[error("no features for {key:?} in {}{}", path.display(), failure.as_ref().map_or(String::new(), |f| format!(": its extraction failed: {f}")))]
    UnknownKey {
        /// The utterance asked for.
        key: String,
        /// The requested utterance.
        path: PathBuf,
        /// Why the extraction left it out, if that is known.
        failure: Option<String>,
    },
    /// The same key twice in a work list.
    #[error("utterance {0:?} is in the work list twice: keys must be unique")]
    DuplicateKey(String),
    /// The items passed for a shard are not the shard's utterances.
    #[error("shard {shard}: {problem} {key:?}")]
    WrongItems {
        /// The shard's number.
        shard: usize,
        /// `no result for utterance`, `more than one result for utterance`, `not an utterance of this shard:`.
        problem: &'static str,
        /// The key concerned.
        key: String,
    },
    /// Hidden states that cannot be stored.
    #[error("hidden states of {key:?}: {reason}")]
    Unstorable {
        /// The utterance.
        key: String,
        /// What is wrong with them, with expected and found.
        reason: String,
    },
    /// An invalid share of the work.
    #[error("share {0:?} is not i/n with 1 <= i <= n, for example 2/4")]
    BadShare(String),
}
