use crate::{RawFile, RawTree};
use rayon::prelude::*;
use std::path::Path;

/// What a manifest needs to know of an audio file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioHeader {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Samples of one channel.
    pub frames: u64,
}

/// Reads the header of one file; the error is a message without the file's name.
pub type HeaderReader<'a> = dyn Fn(&Path) -> Result<AudioHeader, String> + Sync + 'a;

/// Reads headers in parallel, in the order of `files`, whatever the number of threads.
pub(crate) fn read_headers(
    tree: &RawTree,
    files: &[&RawFile],
    threads: Option<usize>,
    read: &HeaderReader<'_>,
) -> Vec<Result<AudioHeader, String>> {
    // Chunks, because a tiny header costs about as much as handing one item to a thread.
    let work = || {
        files
            .par_iter()
            .with_min_len(64)
            .map(|file| read(&tree.locate(file)))
            .collect()
    };
    in_pool(threads, work)
}

/// Runs `work` on a pool of `threads`, or on the common one.
pub(crate) fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> T {
    let Some(threads) = threads else {
        return work();
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build();
    match pool {
        Ok(pool) => pool.install(work),
        // Without threads of its own the work is still done, on the common pool.
        Err(_) => work(),
    }
}

/// The header as the audio room reads it.
pub(crate) fn probe(path: &Path) -> Result<AudioHeader, String> {
    let info = emobox_audio::probe(path).map_err(|error| error.to_string())?;
    if let Some(cut) = info.truncation {
        return Err(format!(
            "cut short: {} of {} samples are there",
            cut.present, cut.declared
        ));
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
