//! What is asked of a file, and what is told of it.

use crate::{AudioError, SampleRate, Seconds};
use std::path::Path;

/// In place of a channel's number: the mean of all channels. Nothing is mixed unless this is asked for.
pub const MIX: u16 = 0;

/// What to take from a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOptions {
    /// The channel, from 1, or [`MIX`].
    pub channel: u16,
    /// Where the segment begins; the sample nearest to it is the first.
    pub start: Option<Seconds>,
    /// Where the segment ends; the sample nearest to it is the first left out. Up to 0.1 s after
    /// the end of the file is taken for the end of the file.
    pub end: Option<Seconds>,
    /// The rate of the result.
    pub sample_rate: SampleRate,
    /// Take what is there of a file that is cut short, instead of failing.
    pub tolerate_truncation: bool,
}

impl Default for LoadOptions {
    /// The whole first channel at 16 kHz; a truncated file is an error.
    fn default() -> Self {
        Self {
            channel: 1,
            start: None,
            end: None,
            sample_rate: SampleRate::SPEECH,
            tolerate_truncation: false,
        }
    }
}

/// A header that promises more than the file holds, in samples a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// What the header promises.
    pub declared: u64,
    /// What is there.
    pub present: u64,
}

/// Samples and what was wrong with the file, where that was tolerated.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Mono, −1 to 1, at the rate asked for.
    pub samples: Vec<f32>,
    /// Set when the file is cut short and [`LoadOptions::tolerate_truncation`] is set.
    pub truncation: Option<Truncation>,
}

/// What the headers of a file say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioInfo {
    /// `WAV`, `FLAC`, …
    pub container: String,
    /// `pcm_s16`, `mp3`, …
    pub codec: String,
    /// Samples a second of a channel.
    pub sample_rate: SampleRate,
    /// Number of channels.
    pub channels: u16,
    /// Samples a channel that [`crate::load`] would read at the file's own rate; `None` where the
    /// headers do not tell. Through ffmpeg it is the container's duration and may be off by one
    /// packet.
    pub frames: Option<u64>,
    /// Set when the header promises more samples than the file holds; `frames` is what it holds.
    pub truncation: Option<Truncation>,
}

/// An error, or the fact to report, when fewer samples are there than the header promises.
pub(crate) fn check_length(
    path: &Path,
    declared: u64,
    present: u64,
    options: &LoadOptions,
) -> Result<Option<Truncation>, AudioError> {
    if declared <= present {
        Ok(None)
    } else if options.tolerate_truncation {
        Ok(Some(Truncation { declared, present }))
    } else {
        Err(AudioError::Truncated {
            path: path.to_owned(),
            declared,
            present,
        })
    }
}
