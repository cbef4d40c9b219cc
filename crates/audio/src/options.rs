//! Options for reading a file, and what is reported of it.

use crate::{AudioError, SampleRate, Seconds};
use std::path::Path;

/// Used instead of a channel number: the mean of all channels. Channels are mixed only on request.
pub const MIX: u16 = 0;

/// What to take from a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadOptions {
    /// The channel, from 1, or [`MIX`].
    pub channel: u16,
    /// Where the segment begins; the sample nearest to it is the first.
    pub start: Option<Seconds>,
    /// Where the segment ends; the sample nearest to it is the first left out. Up to 0.1 s after
    /// the end of the file counts as the end of the file.
    pub end: Option<Seconds>,
    /// The rate of the result.
    pub sample_rate: SampleRate,
    /// Read what exists of a truncated file, instead of failing.
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

/// A header that promises more than the file holds, in samples per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// What the header promises.
    pub declared: u64,
    /// What the file holds.
    pub present: u64,
}

/// Samples, and the tolerated problem of the file, if any.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Mono, −1 to 1, at the requested rate.
    pub samples: Vec<f32>,
    /// Set if the file is truncated and [`LoadOptions::tolerate_truncation`] is set.
    pub truncation: Option<Truncation>,
}

/// The information in a file's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioInfo {
    /// `WAV`, `FLAC`, …
    pub container: String,
    /// `pcm_s16`, `mp3`, …
    pub codec: String,
    /// Samples per second of a channel.
    pub sample_rate: SampleRate,
    /// Number of channels.
    pub channels: u16,
    /// Samples per channel that [`crate::load`] would read at the file's own rate; `None` if the
    /// headers do not say. Through ffmpeg it is the container's duration and may be off by one
    /// packet.
    pub frames: Option<u64>,
    /// Set if the header promises more samples than the file holds; `frames` is what it holds.
    pub truncation: Option<Truncation>,
}

/// An error, or the fact to report, if there are fewer samples than the header promises.
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
