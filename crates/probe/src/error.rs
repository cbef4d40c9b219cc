use emobox_features::FeatureError;
use emobox_files::FileError;
use std::path::PathBuf;

/// Why a probe could not be trained, saved, loaded or applied.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Features could not be read.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A device operation failed.
    #[error("the device: {0}")]
    Device(#[from] emobox_gpu::GpuError),
    /// The protocol asks for something impossible.
    #[error("protocol {protocol:?}: {problem}")]
    Protocol {
        /// The protocol's name.
        protocol: String,
        /// Which constant, what was expected, what was found.
        problem: String,
    },
    /// No protocol of that name.
    #[error("no protocol is called {name:?}; there are {known}")]
    UnknownProtocol {
        /// The name requested.
        name: String,
        /// The known names.
        known: String,
    },
    /// No head of that name.
    #[error("no head is called {name:?}; there are {known}")]
    UnknownHead {
        /// The name requested.
        name: String,
        /// The known names.
        known: String,
    },
    /// A fold that cannot be trained.
    #[error("{corpus}, fold {fold}: {problem}")]
    Fold {
        /// The corpus.
        corpus: String,
        /// The fold, from 1.
        fold: u32,
        /// What is missing, with counts.
        problem: String,
    },
    /// The features of one utterance cannot be used.
    #[error("features of {key:?}: {problem}")]
    Features {
        /// The utterance.
        key: String,
        /// What is wrong, with expected and found values.
        problem: String,
    },
    /// Every point of the sweep diverged.
    #[error(
        "{corpus}, fold {fold}: no sweep point ever had a finite validation loss; \
         check the features' scale or lower the learning rates"
    )]
    Diverged {
        /// The corpus.
        corpus: String,
        /// The fold, from 1.
        fold: u32,
    },
    /// A saved training state belongs to another training.
    #[error("saved training state does not fit: {field} is {found} there, {expected} is needed")]
    State {
        /// What differs.
        field: &'static str,
        /// The value for this training.
        expected: String,
        /// The value in the state.
        found: String,
    },
    /// A saved probe or training state cannot be read.
    #[error("{what} {}: {problem}", path.display())]
    Unreadable {
        /// `probe` or `training state`.
        what: &'static str,
        /// The file, where there is one.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
