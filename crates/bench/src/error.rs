use crate::CallError;
use emobox_corpus::CorpusError;
use emobox_encoder::EncoderError;
use emobox_probe::ProbeError;
use std::path::PathBuf;

/// Work that failed, with the subject it concerns.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The call itself is wrong; nothing was done.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An experiment file that is not valid.
    #[error("experiment file {}: {problem}", path.display())]
    Experiment {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        problem: String,
    },
    /// An experiment file that cannot be read.
    #[error(transparent)]
    ExperimentFile(emobox_files::FileError),
    /// A corpus that was given by name alone and is not prepared in this home.
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
    /// A raw release that is not at the given place.
    #[error(
        "the raw folder of {corpus} is not there: {}{}",
        raw.display(),
        if *skipped { "; the corpus is left out" } else { " (--skip-absent leaves such corpora out)" }
    )]
    RawAbsent {
        /// The corpus.
        corpus: String,
        /// The folder.
        raw: PathBuf,
        /// Whether absent corpora are to be left out.
        skipped: bool,
    },
    /// A corpus of which little could be used.
    #[error("{broken} of {of} audio files of {corpus} cannot be used, the first is {first}")]
    MostBroken {
        /// The corpus.
        corpus: String,
        /// Files that cannot be used.
        broken: usize,
        /// All audio files.
        of: usize,
        /// The first of them and why.
        first: String,
    },
    /// A corpus some of whose audio files cannot be read now, for a reason outside the files.
    #[error("{files} audio files of {corpus} cannot be read now, the first is {first}")]
    NotNow {
        /// The corpus.
        corpus: String,
        /// Files that cannot be read.
        files: usize,
        /// The first of them and why.
        first: String,
    },
    /// No cell of an experiment succeeded.
    #[error("{}", nothing(reasons))]
    NothingScored {
        /// Each reason with the first cell or corpus that has it.
        reasons: Vec<(String, String)>,
        /// Whether the call must change, rather than the work.
        wrong_call: bool,
    },
    /// Too little disk space for the features of an experiment.
    #[error("{0}")]
    TooLittleDisk(String),
    /// A device that an experiment names and this machine does not have.
    #[error("{0}")]
    NoDevice(String),
    /// A state that the program itself rules out.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
    /// A submission whose scores do not verify.
    #[error("{} is refused:\n{}", file.display(), lines(reasons))]
    Refused {
        /// The submission.
        file: PathBuf,
        /// Every reason.
        reasons: Vec<emobox_score::Refusal>,
    },
    /// A submission whose predictions differ when it is trained again.
    #[error("{} is not reproduced:\n{}", file.display(), lines(reasons))]
    NotReproduced {
        /// The submission.
        file: PathBuf,
        /// Every reason.
        reasons: Vec<emobox_score::Refusal>,
    },
    /// Ctrl-C.
    #[error("stopped; the same command goes on from here")]
    Interrupted,
    /// Ctrl-C, and what was begun is deleted again.
    #[error("stopped; nothing of {} is left, the same command begins again", .0.display())]
    Undone(PathBuf),
    /// Ctrl-C between recordings that are predicted.
    #[error(
        "stopped after {done} of {of} recordings: their predictions are printed; for the rest, call predict again from {} on",
        next.display()
    )]
    Unheard {
        /// Recordings whose predictions were printed.
        done: usize,
        /// Recordings named in the call.
        of: usize,
        /// The first recording without a prediction.
        next: PathBuf,
    },
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// Threads could not be started.
    #[error("cannot start {threads} worker threads: {reason}")]
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
        source: EncoderError,
    },
    /// The device that was to train probes.
    #[error("probes cannot be trained on this device: {0}")]
    TrainDevice(emobox_encoder::EncoderError),
    /// Fetching a checkpoint.
    #[error(transparent)]
    Hub(#[from] emobox_encoder::hub::HubError),
    /// Fetching a corpus.
    #[error(transparent)]
    Fetch(emobox_fetch::FetchError),
    /// Unpacking a corpus.
    #[error(transparent)]
    Unpack(emobox_fetch::UnpackError),
    /// The unpacked content is not the content that the address stands for.
    #[error(
        "{} is not what was published: git tree expected {expected}, got {found}; it was deleted", folder.display()
    )]
    NotAsPublished {
        /// The folder inside the archive.
        folder: PathBuf,
        /// Its published name.
        expected: String,
        /// The name of what arrived.
        found: String,
    },
    /// An extraction that leaves too little to train on.
    #[error(
        "{count} of {of} utterances of {corpus} {}: {first}{}",
        if *may_pass { "cannot be read now" } else { "have no features" },
        more(*same)
    )]
    NoFeatures {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// Utterances without features.
        count: usize,
        /// Utterances of the corpus.
        of: usize,
        /// The most frequent reason, as given by the first utterance that has it.
        first: String,
        /// How many have that reason.
        same: usize,
        /// Whether the reason lies outside the files.
        may_pass: bool,
    },
    /// A cell whose features are not made yet.
    #[error(
        "{corpus} is not encoded with {encoder} yet: run `emobox extract` with the same options, or `emobox bench`"
    )]
    NotExtracted {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
    },
    /// A fold that cannot be trained or scored.
    #[error("fold {fold} of {corpus} with {encoder} has no {part} utterance; {why}")]
    EmptyPart {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// The fold.
        fold: u32,
        /// `training` or `test`.
        part: &'static str,
        /// What was left out.
        why: String,
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
    /// Perturbation of audio before it is encoded.
    #[error(transparent)]
    Perturb(#[from] emobox_audio::PerturbError),
    /// Perturbed test utterances that an encoder cannot process.
    #[error(
        "{encoder} cannot encode {count} perturbed test utterances of {corpus}, the first is {first}"
    )]
    NotHeard {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// How many.
        count: usize,
        /// The first of them and why.
        first: String,
    },
    /// A job of a plan whose inputs do not exist.
    #[error("job {job} needs the output of jobs that are not finished: {needs}")]
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
        "the cluster works on; the same command with --attach follows it again, with --cancel ends it"
    )]
    Left,
}

fn nothing(reasons: &[(String, String)]) -> String {
    match reasons {
        [(_, reason)] => reason.clone(),
        _ => {
            let lines = reasons
                .iter()
                .map(|(cell, why)| format!("\n  {cell}: {why}"));
            format!("no cell could be done:{}", lines.collect::<String>())
        }
    }
}

fn more(same: usize) -> String {
    match same {
        0 | 1 => String::new(),
        n => format!(" (and {} more for the same reason)", n - 1),
    }
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
    /// What is wrong with the encoder of this name in the call.
    pub fn encoder(name: &str, source: EncoderError) -> Self {
        Self::Encoder {
            encoder: name.to_owned(),
            source,
        }
    }

    /// Whether a retry may succeed: the reason lies outside the data and the call.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::File(error) => error.may_pass(),
            Self::Audio(error) => error.may_pass(),
            Self::NoFeatures { may_pass, .. } => *may_pass,
            Self::RawAbsent { .. } | Self::MostBroken { .. } | Self::NotNow { .. } => true,
            _ => false,
        }
    }

    /// Whether every other job would fail in the same way: a full disk.
    pub fn stops_everything(&self) -> bool {
        let file = match self {
            Self::File(error) | Self::Feature(emobox_features::FeatureError::File(error)) => error,
            Self::Probe(ProbeError::File(error)) => error,
            _ => return false,
        };
        file.is_disk_full()
    }

    /// The kind of error; it alone determines the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted | Self::Left | Self::Undone(_) | Self::Unheard { .. } => {
                ErrorKind::Interrupted
            }
            Self::NothingScored {
                wrong_call: true, ..
            }
            | Self::Call(_)
            | Self::Experiment { .. }
            | Self::ExperimentFile(_)
            | Self::NotPrepared { .. }
            | Self::RawAbsent { .. }
            | Self::Perturb(emobox_audio::PerturbError::Unknown { .. })
            | Self::Corpus(
                CorpusError::UnknownCorpus { .. }
                | CorpusError::NearName { .. }
                | CorpusError::BadName { .. },
            )
            | Self::Encoder {
                source:
                    EncoderError::UnknownName { .. }
                    | EncoderError::NoSuchPath { .. }
                    | EncoderError::NoSuchLayer { .. }
                    | EncoderError::BadLayerSelection { .. },
                ..
            }
            | Self::Feature(emobox_features::FeatureError::BadShare(_))
            | Self::Probe(
                ProbeError::Protocol { .. }
                | ProbeError::UnknownProtocol { .. }
                | ProbeError::UnknownHead { .. },
            ) => ErrorKind::WrongCall,
            _ => ErrorKind::Failed,
        }
    }

    /// Whether the user stopped the work.
    pub fn is_interruption(&self) -> bool {
        self.kind() == ErrorKind::Interrupted
    }

    /// Whether the call, not the work, was wrong.
    pub fn is_wrong_call(&self) -> bool {
        self.kind() == ErrorKind::WrongCall
    }
}

/// Who can act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The user's call: an unknown name, a missing argument, an invalid experiment. Nothing was done.
    WrongCall,
    /// The work's: data, files, the machine.
    Failed,
    /// Nobody's: the user stopped it, and the same command resumes.
    Interrupted,
}
