use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What is wrong with a call; nothing has been done yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A value that does not have the format its option takes.
    #[error("{what} {given}: expected {expected}")]
    Value {
        /// The option or setting.
        what: String,
        /// The value as given.
        given: String,
        /// The expected format.
        expected: String,
    },
    /// The name of something that does not exist.
    #[error("{of} has no {what} {name:?}: there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        of: String,
        /// The kind of thing.
        what: String,
        /// Its name.
        name: String,
        /// The existing names.
        known: Vec<String>,
    },
    /// The same thing twice in a list.
    #[error("{what} {name} is named twice")]
    Twice {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Nothing is given where something is needed.
    #[error("no {what} is named: {how}")]
    Nothing {
        /// What is needed.
        what: &'static str,
        /// How to name it.
        how: &'static str,
    },
    /// A name that cannot be a folder name.
    #[error(
        "{0:?} cannot be the name of a corpus or encoder: use letters, digits, '.', '_', '-', '+'"
    )]
    Name(String),
    /// Choices that exclude each other; says which, and what to choose instead.
    #[error("{0}")]
    Contradiction(String),
    /// A file or folder that would be overwritten.
    #[error("{} is there already: {advice}", path.display())]
    Taken {
        /// The file or folder.
        path: PathBuf,
        /// Why it is kept, and what to name instead.
        advice: &'static str,
    },
    /// A file or folder that is not what was asked for.
    #[error("{} {problem}", path.display())]
    Other {
        /// The file or folder.
        path: PathBuf,
        /// What it is or lacks, and what to name instead.
        problem: String,
    },
    /// An encoder that is on the hub but not on this machine.
    #[error("{0} is not on this machine: `emobox encoders pull {0}` fetches it")]
    Away(String),
    /// An encoder without weights.
    #[error("{0} is built in: there is nothing to fetch")]
    BuiltIn(String),
    /// An encoder that cannot answer by itself.
    #[error(
        "{0} has no head that predicts emotions; checkpoints with heads are emotion2vec+, ForSequenceClassification checkpoints of the \
         wav2vec 2.0 family and of conformers, audEERING's models and SpeechBrain's IEMOCAP pipeline; `emobox fit` trains one"
    )]
    NoHead(String),
    /// A head that predicts something else.
    #[error(
        "the head of {encoder} predicts {} and no classes: `emobox predict --encoder` prints its values", dimensions.join(", ")
    )]
    HeadOfDimensions {
        /// The encoder.
        encoder: String,
        /// What its head predicts.
        dimensions: Vec<String>,
    },
    /// Corpora, or a corpus and a head, that have too few classes in common.
    #[error("{0}")]
    Classes(String),
    /// A corpus that no labeller can label.
    #[error(
        "{corpus} cannot be labelled by probes trained on itself: {reason}; name a saved probe or a model with an \
         emotion head as --labeller, give --pseudo-labels {corpus}=FILE, or take --labeller none"
    )]
    NoLabeller {
        /// The corpus.
        corpus: String,
        /// Why its own probes cannot.
        reason: String,
    },
    /// A list of items that is not a balanced set of the corpus.
    #[error("balanced set: {0}")]
    BalancedSet(String),
    /// A corpus that lacks the targets probes are to learn.
    #[error(
        "{corpus} has no {what} in its manifest, which --target {target} learns: {how}. A corpus that an earlier version prepared \
         is read again by `emobox prepare {corpus} --raw DIR`"
    )]
    NotRated {
        /// The corpus.
        corpus: String,
        /// What it lacks.
        what: String,
        /// What is to be learnt.
        target: &'static str,
        /// Where it comes from.
        how: String,
    },
    /// Predictions that do not belong to the corpus.
    #[error("{file}: {problem}")]
    Predictions {
        /// The file or list.
        file: String,
        /// The first item that does not fit.
        problem: String,
    },
    /// An experiment that was not submitted to a cluster, or was cancelled.
    #[error("{0}: start it with --executor slurm")]
    NotOnCluster(String),
    /// A port of this machine that is in use or forbidden.
    #[error(
        "port {port} of this machine is not available ({reason}); name another with --port, or 0 for any"
    )]
    Port {
        /// The port.
        port: u16,
        /// The system's reason.
        reason: String,
    },
    /// A recording that is longer than the page accepts.
    #[error(
        "the clip is {seconds:.0} s long; the page accepts up to {longest:.0} s, `emobox predict --window SECONDS` any length"
    )]
    LongClip {
        /// Its length.
        seconds: f64,
        /// The longest.
        longest: f64,
    },
    /// A licence that nobody has accepted.
    #[error("{0}")]
    NotAccepted(String),
}

impl CallError {
    /// [`CallError::Value`].
    pub fn value(what: impl Display, given: impl Display, expected: impl Display) -> Self {
        Self::Value {
            what: what.to_string(),
            given: given.to_string(),
            expected: expected.to_string(),
        }
    }

    /// [`CallError::Unknown`].
    pub fn unknown<N: Display>(
        of: impl Display,
        what: impl Display,
        name: impl Display,
        known: impl IntoIterator<Item = N>,
    ) -> Self {
        Self::Unknown {
            of: of.to_string(),
            what: what.to_string(),
            name: name.to_string(),
            known: known.into_iter().map(|name| name.to_string()).collect(),
        }
    }

    /// [`CallError::Twice`].
    pub fn twice(what: &'static str, name: impl Display) -> Self {
        Self::Twice {
            what,
            name: name.to_string(),
        }
    }

    /// [`CallError::Other`].
    pub fn other(path: &Path, problem: impl Into<String>) -> Self {
        Self::Other {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}
