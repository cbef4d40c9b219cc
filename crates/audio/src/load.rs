use crate::coded::{self, Failure};
use crate::container::pcm::PcmLayout;
use crate::container::wave::Wave;
use crate::container::{self, Container, aiff, aiff::Aiff, wave};
use crate::options::{Decoded, LoadOptions, check_length};
use crate::sink::Sink;
use crate::source::Source;
use crate::{AudioError, SampleRate, ffmpeg};
use emobox_files::FileError;
use std::io::Read;
use std::path::Path;

/// Bytes of uncompressed samples decoded at a time.
const BLOCK_BYTES: usize = 1 << 16;

/// One channel of one segment of a file, mono at the requested rate.
pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Vec<f32>, AudioError> {
    decode(path, options).map(|decoded| decoded.samples)
}

/// Like [`load`], from bytes in memory (standard input); `name` stands for the file in messages.
pub fn load_bytes(
    bytes: Vec<u8>,
    name: &str,
    options: &LoadOptions,
) -> Result<Vec<f32>, AudioError> {
    decode_bytes(bytes, name, options).map(|decoded| decoded.samples)
}

/// Like [`load`], and reports what was tolerated.
pub fn decode(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Decoded, AudioError> {
    decode_source(Source::open(path.as_ref())?, options)
}

/// Like [`load_bytes`], and reports what was tolerated.
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

/// Symphonia first, ffmpeg for what symphonia does not support.
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

/// The container from the first bytes, or a message that shows them.
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
