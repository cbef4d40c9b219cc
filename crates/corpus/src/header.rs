use std::path::Path;

/// The facts on an audio file that a manifest needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioHeader {
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Samples of one channel.
    pub frames: u64,
}

/// Why the header of a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderProblem {
    /// The message, without the file's name.
    pub message: String,
    /// Whether the cause is outside the file and may be temporary: a missing program, a permission, a disk that is not mounted.
    pub may_pass: bool,
}

impl From<String> for HeaderProblem {
    /// A fact about the file's bytes.
    fn from(message: String) -> Self {
        Self {
            message,
            may_pass: false,
        }
    }
}

/// Reads the header of one file.
pub type HeaderReader<'a> = dyn Fn(&Path) -> Result<AudioHeader, HeaderProblem> + Sync + 'a;

/// Runs `work` on a pool of `threads`, or on the shared one. Work that is already in a pool of that size stays there: corpora
/// that are read concurrently share their threads.
pub(crate) fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> T {
    let here = rayon::current_thread_index().map(|_| rayon::current_num_threads());
    let Some(threads) = threads.filter(|threads| here != Some(*threads)) else {
        return work();
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build();
    match pool {
        Ok(pool) => pool.install(work),
        // Without a pool of its own, the work runs on the shared one.
        Err(_) => work(),
    }
}

/// The header as read by the audio crate.
pub(crate) fn probe(path: &Path) -> Result<AudioHeader, HeaderProblem> {
    let info = emobox_audio::probe(path).map_err(|error| HeaderProblem {
        message: error.to_string(),
        may_pass: error.may_pass(),
    })?;
    if let Some(cut) = info.truncation {
        let message = format!(
            "cut short: {} of {} samples are there",
            cut.present, cut.declared
        );
        return Err(message.into());
    }
    let frames = info
        .frames
        .ok_or_else(|| format!("the length is not known from the {} header", info.container))?;
    Ok(AudioHeader {
        sample_rate: info.sample_rate.0,
        channels: info.channels,
        frames,
    })
}
