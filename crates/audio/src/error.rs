use crate::{SampleRate, Seconds};
use emobox_files::FileError;
use std::path::{Path, PathBuf};

/// A problem with one audio file; every message begins with the file.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The file could not be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has no bytes at all.
    #[error("{}: empty file (0 bytes)", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The container is valid but holds no samples.
    #[error("{}: {container} file without a single sample", path.display())]
    NoSamples {
        /// The file.
        path: PathBuf,
        /// What kind of file it is.
        container: String,
    },
    /// The first bytes are not those of an audio container.
    #[error(
        "{}: not audio: starts with {found}; expected WAV, AIFF, FLAC, MP3, OGG, MP4/M4A or another container that ffmpeg reads",
        path.display()
    )]
    NotAudio {
        /// The file.
        path: PathBuf,
        /// The first bytes in human-readable form.
        found: String,
    },
    /// The container is known but its structure is broken.
    #[error("{}: broken {container} file: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What kind of file it is.
        container: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// The header promises more samples than the file holds.
    #[error(
        "{}: truncated: the header promises {declared} samples a channel, the file holds {present}; copy it again from its source",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Samples per channel by the header.
        declared: u64,
        /// Samples per channel in the file.
        present: u64,
    },
    /// A float file holds NaN or an infinity.
    #[error("{}: sample at {at} of channel {channel} is {value}, expected a finite number", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The time in the file, not in the segment.
        at: Seconds,
        /// The 1-based channel.
        channel: u16,
        /// `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A channel that the file lacks.
    #[error("{}: channel {asked} was asked for, but the file has {}", path.display(), match channels {
        1 => "one channel".to_owned(),
        n => format!("channels 1 to {n}"),
    })]
    NoSuchChannel {
        /// The file.
        path: PathBuf,
        /// The requested 1-based channel.
        asked: u16,
        /// How many there are.
        channels: u16,
    },
    /// A segment that is empty, negative or beyond the end.
    #[error("{}: segment {start} to {end} is not inside the file's 0 to {length}", path.display())]
    BadSegment {
        /// The file.
        path: PathBuf,
        /// Its start.
        start: Seconds,
        /// Its end.
        end: Seconds,
        /// The length of the file.
        length: Seconds,
    },
    /// An implausible sample rate.
    #[error(
        "{}: sample rate {rate}, expected {} to {}",
        path.display(), SampleRate::LOWEST, SampleRate::HIGHEST
    )]
    BadSampleRate {
        /// The file.
        path: PathBuf,
        /// The rate found.
        rate: SampleRate,
    },
    /// Only ffmpeg reads this, and it is not installed.
    #[error(
        "{}: {container} needs the program `{program}`, which is not there; install it (e.g. `apt install ffmpeg`, `brew install ffmpeg`) or convert the file to WAV",
        path.display()
    )]
    FfmpegMissing {
        /// The file.
        path: PathBuf,
        /// Container and, if known, codec.
        container: String,
        /// The program that was searched for.
        program: String,
    },
    /// ffmpeg ran and failed.
    #[error("{}: {container}: {program} failed: {message}", path.display())]
    FfmpegFailed {
        /// The file.
        path: PathBuf,
        /// Container and, if known, codec.
        container: String,
        /// The program that ran.
        program: String,
        /// The last line that it printed.
        message: String,
    },
}

impl AudioError {
    /// Whether the reason lies outside the file and may pass: a missing program, a permission, a disk that is not mounted.
    /// Everything else is a fact about the bytes.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::File(error) => error.may_pass(),
            Self::FfmpegMissing { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn malformed(
        path: &Path,
        container: impl std::fmt::Display,
        problem: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            container: container.to_string(),
            problem: problem.into(),
        }
    }

    /// A read error inside a container: running out of bytes is a defect of the file, anything else is a system
    /// error.
    pub(crate) fn from_read(
        path: &Path,
        container: impl std::fmt::Display,
        error: std::io::Error,
    ) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Self::malformed(path, container, "the file ends inside its header")
        } else {
            Self::File(FileError::io("read", path, error))
        }
    }
}
