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
        "corpus {corpus} is not prepared in {}: give its raw release as --corpus {corpus}=DIR, or run `emobox prepare {corpus} --raw DIR` first",
        home.display()
    )]
    NotPrepared {
        /// The corpus.
        corpus: String,
        /// The working folder.
        home: PathBuf,
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
    /// Feature stores.
    #[error(transparent)]
    Feature(#[from] emobox_features::FeatureError),
    /// Training and prediction.
    #[error(transparent)]
    Probe(#[from] emobox_probe::ProbeError),
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
            Self::Call(_) | Self::Experiment { .. } | Self::NotPrepared { .. }
        )
    }
}
