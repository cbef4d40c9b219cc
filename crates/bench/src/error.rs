use emobox_probe::ProbeError;
use std::path::PathBuf;

/// Work that could not be done, with the subject it concerns.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The call itself is wrong; nothing was done.
    #[error("{0}")]
    Call(String),
    /// An experiment file that is not one.
    #[error("experiment file {}: {problem}", path.display())]
    Experiment {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        problem: String,
    },
    /// A corpus that was asked for by name alone and is not prepared in this home.
    #[error(
        "corpus {corpus} is not prepared in {}: run `emobox prepare {corpus} --raw DIR` first (bench, extract and train also take its raw release as --corpus {corpus}=DIR)",
        home.display()
    )]
    NotPrepared {
        /// The corpus.
        corpus: String,
        /// The working folder.
        home: PathBuf,
    },
    /// A submission whose scores do not stand.
    #[error("{} is refused:\n{}", file.display(), lines(reasons))]
    Refused {
        /// The submission.
        file: PathBuf,
        /// Every reason.
        reasons: Vec<emobox_score::Refusal>,
    },
    /// Ctrl-C.
    #[error("stopped; the same command goes on from here")]
    Interrupted,
    /// Threads could not be started.
    #[error("start {threads} worker threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's reason.
        reason: String,
    },
    /// Files.
    #[error(transparent)]
    File(#[from] emobox_files::FileError),
    /// Audio.
    #[error(transparent)]
    Audio(#[from] emobox_audio::AudioError),
    /// Corpora, manifests and partitions.
    #[error(transparent)]
    Corpus(#[from] emobox_corpus::CorpusError),
    /// Encoders and checkpoints.
    #[error("encoder {encoder}: {source}")]
    Encoder {
        /// Its name in the call.
        encoder: String,
        /// What is wrong with it.
        source: emobox_encoder::EncoderError,
    },
    /// Fetching a checkpoint.
    #[error(transparent)]
    Hub(#[from] emobox_encoder::hub::HubError),
    /// Fetching a corpus.
    #[error(transparent)]
    Fetch(emobox_fetch::FetchError),
    /// Unpacking a corpus.
    #[error(transparent)]
    Unpack(emobox_fetch::UnpackError),
    /// What was unpacked is not the content that the address stands for.
    #[error(
        "{} is not what was published: git tree expected {expected}, got {found}; it was thrown away", folder.display()
    )]
    NotAsPublished {
        /// The folder inside the archive.
        folder: PathBuf,
        /// Its published name.
        expected: String,
        /// The name of what arrived.
        found: String,
    },
    /// Feature stores.
    #[error(transparent)]
    Feature(#[from] emobox_features::FeatureError),
    /// Training and prediction.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Predictions and scores.
    #[error(transparent)]
    Score(#[from] emobox_score::ScoreError),
    /// A job of a plan whose inputs are not there.
    #[error("job {job} reads what these make, and they are not finished: {needs}")]
    NotReady {
        /// The job.
        job: String,
        /// The jobs that it needs.
        needs: String,
    },
    /// A cluster that refuses or loses work; says what to change.
    #[error("{0}")]
    Cluster(String),
    /// Ctrl-C while a cluster works.
    #[error(
        "left the cluster at its work; the same command with --attach joins it again, with --cancel ends it"
    )]
    Left,
}

fn lines(reasons: &[emobox_score::Refusal]) -> String {
    let lines: Vec<String> = reasons.iter().map(|r| format!("  {r}")).collect();
    lines.join("\n")
}

impl From<emobox_fetch::FetchError> for BenchError {
    fn from(error: emobox_fetch::FetchError) -> Self {
        match error {
            emobox_fetch::FetchError::Stopped { .. } => Self::Interrupted,
            error => Self::Fetch(error),
        }
    }
}

impl From<emobox_fetch::UnpackError> for BenchError {
    fn from(error: emobox_fetch::UnpackError) -> Self {
        match error {
            emobox_fetch::UnpackError::Stopped { .. } => Self::Interrupted,
            error => Self::Unpack(error),
        }
    }
}

impl BenchError {
    pub(crate) fn encoder(name: &str, source: emobox_encoder::EncoderError) -> Self {
        Self::Encoder {
            encoder: name.to_owned(),
            source,
        }
    }

    /// Whether the user stopped the work.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Left)
    }

    /// Whether the call, not the work, was wrong.
    pub fn is_wrong_call(&self) -> bool {
        matches!(
            self,
            Self::Call(_)
                | Self::Experiment { .. }
                | Self::NotPrepared { .. }
                | Self::Probe(
                    ProbeError::Protocol { .. }
                        | ProbeError::UnknownProtocol { .. }
                        | ProbeError::UnknownHead { .. }
                )
        )
    }
}
