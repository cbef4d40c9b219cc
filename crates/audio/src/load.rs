use crate::coded::{self, Failure};
use crate::container::pcm::PcmLayout;
use crate::container::wave::Wave;
use crate::container::{self, Container, aiff, aiff::Aiff, wave};
use crate::sink::Sink;
use crate::source::Source;
use crate::{AudioError, SampleRate, Seconds, ffmpeg};
use emobox_files::FileError;
use std::io::Read;
use std::path::Path;

/// Bytes of plain samples that are decoded at a time.
const BLOCK_BYTES: usize = 1 << 16;

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

/// One channel of one segment of a file, mono at the wanted rate.
pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Vec<f32>, AudioError> {
    decode(path, options).map(|decoded| decoded.samples)
}

/// As [`load`], from bytes in memory (standard input); `name` stands for the file in messages.
pub fn load_bytes(
    bytes: Vec<u8>,
    name: &str,
    options: &LoadOptions,
) -> Result<Vec<f32>, AudioError> {
    decode_bytes(bytes, name, options).map(|decoded| decoded.samples)
}

/// As [`load`], and says what was tolerated.
pub fn decode(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Decoded, AudioError> {
    decode_source(Source::open(path.as_ref())?, options)
}

/// As [`load_bytes`], and says what was tolerated.
pub fn decode_bytes(
    bytes: Vec<u8>,
    name: &str,
    options: &LoadOptions,
) -> Result<Decoded, AudioError> {
    decode_source(Source::memory(bytes, Path::new(name))?, options)
}

fn decode_source(mut source: Source, options: &LoadOptions) -> Result<Decoded, AudioError> {
    let container = identify(&mut source)?;
    match container {
        Container::Wave => match wave::read(&mut source)? {
            Wave::Pcm(layout) => decode_pcm(source, "WAV", &layout, options),
            Wave::Coded {
                codec: "adpcm_ms" | "adpcm_ima",
                ..
            } => decode_coded(source, container, options),
            Wave::Coded { codec, .. } => {
                ffmpeg::decode(&source.origin, &format!("WAV with {codec}"), options)
            }
        },
        Container::Aiff => match aiff::read(&mut source)? {
            Aiff::Pcm(layout) => decode_pcm(source, "AIFF", &layout, options),
            Aiff::Coded(codec) => {
                ffmpeg::decode(&source.origin, &format!("AIFF-C with {codec}"), options)
            }
        },
        Container::Foreign(name) => ffmpeg::decode(&source.origin, name, options),
        _ => decode_coded(source, container, options),
    }
}

/// Symphonia first, ffmpeg for what it lacks.
fn decode_coded(
    source: Source,
    container: Container,
    options: &LoadOptions,
) -> Result<Decoded, AudioError> {
    let origin = source.origin.clone();
    coded::decode(source, container, options).or_else(|failure| match failure {
        Failure::Unsupported(what) => {
            ffmpeg::decode(&origin, &format!("{container} ({what})"), options)
        }
        Failure::Broken(error) => Err(error),
    })
}

/// The container by the first bytes, or a message that shows them.
pub(crate) fn identify(source: &mut Source) -> Result<Container, AudioError> {
    let head = source.peek()?;
    if let Some(container) = container::sniff(head) {
        return Ok(container);
    }
    let found = container::describe(head);
    let path = source.path().to_owned();
    Err(AudioError::NotAudio { path, found })
}

fn decode_pcm(
    source: Source,
    container: &str,
    layout: &PcmLayout,
    options: &LoadOptions,
) -> Result<Decoded, AudioError> {
    let path = source.path().to_owned();
    let mut sink = Sink::new(
        path.clone(),
        options,
        (SampleRate(layout.sample_rate), layout.channels),
    )?;
    let truncation = check_length(&path, layout.declared, layout.frames, options)?;
    if layout.frames == 0 {
        return Err(AudioError::NoSamples {
            path,
            container: container.to_owned(),
        });
    }
    sink.expect(layout.frames)?;

    let frame_bytes = u64::from(layout.frame_bytes);
    let (start, end) = (sink.start, sink.end.min(layout.frames));
    let fail = |e| AudioError::File(FileError::io("read", &path, e));
    let mut source = source
        .into_bulk(layout.start + start * frame_bytes)
        .map_err(fail)?;
    sink.skip_to(start);
    let frames_a_block = (BLOCK_BYTES / layout.frame_bytes as usize).max(1) as u64;
    let mut bytes = vec![0; (frames_a_block * frame_bytes) as usize];
    let mut samples = Vec::with_capacity(frames_a_block as usize);
    while sink.position() < end {
        let frames = frames_a_block.min(end - sink.position());
        let block = &mut bytes[..(frames * frame_bytes) as usize];
        source.read_exact(block).map_err(fail)?;
        samples.clear();
        layout.decode(block, options.channel, &mut samples);
        sink.push(&samples)?;
    }
    Ok(Decoded {
        samples: sink.finish(container)?,
        truncation,
    })
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
