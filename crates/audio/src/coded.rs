//! Compressed formats, through symphonia.

use crate::container::Container;
use crate::load::check_length;
use crate::sink::Sink;
use crate::source::Source;
use crate::{AudioError, AudioInfo, Decoded, LoadOptions, SampleRate};
use emobox_files::FileError;
use std::io::{ErrorKind, Seek};
use std::path::{Path, PathBuf};
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};

impl MediaSource for Source {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Why symphonia did not decode a file.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It lacks what is named; ffmpeg may have it.
    Unsupported(String),
    /// The file is at fault.
    Broken(AudioError),
}

impl From<AudioError> for Failure {
    fn from(error: AudioError) -> Self {
        Self::Broken(error)
    }
}

/// The first audio track of a file, opened.
pub(crate) struct Stream {
    path: PathBuf,
    container: Container,
    reader: Box<dyn FormatReader>,
    track: u32,
    parameters: AudioCodecParameters,
    pub(crate) sample_rate: SampleRate,
    /// As the container says; 0 where only the codec's own headers know.
    pub(crate) channels: u16,
    pub(crate) frames: Option<u64>,
}

/// Reads the headers and picks the first audio track.
pub(crate) fn open(mut source: Source, container: Container) -> Result<Stream, Failure> {
    let path = source.path().to_owned();
    source
        .rewind()
        .map_err(|e| AudioError::from_read(&path, container, e))?;
    let stream = MediaSourceStream::new(Box::new(source.into_bulk()), Default::default());
    let reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, Default::default(), Default::default())
        .map_err(|e| failure(&path, container, e))?;
    let track = reader
        .first_track_known_codec(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| AudioError::malformed(&path, container, "no audio track"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| Failure::Unsupported("unknown codec".to_owned()))?
        .clone();
    let sample_rate = parameters
        .sample_rate
        .ok_or_else(|| Failure::Unsupported("unknown sample rate".to_owned()))?;
    let channels = parameters
        .channels
        .as_ref()
        .map_or(0, |channels| channels.count() as u16);
    let (track, frames) = (track.id, track.num_frames);
    Ok(Stream {
        path,
        container,
        reader,
        track,
        sample_rate: SampleRate(sample_rate),
        channels,
        frames,
        parameters,
    })
}

/// Decodes one channel of the segment.
pub(crate) fn decode(
    source: Source,
    container: Container,
    options: &LoadOptions,
) -> Result<Decoded, Failure> {
    let mut stream = open(source, container)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&stream.parameters, &Default::default())
        .map_err(|e| failure(&stream.path, container, e))?;
    let mut sink = None;
    let mut silence = Vec::new();
    let mut samples = Vec::new();
    // Packets before the first that decodes: an MP3 cut out of a stream begins with frames whose bits
    // lie in frames that are gone.
    let mut undecodable = 0_u64;
    loop {
        let packet = match stream.reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(failure(&stream.path, container, e)),
        };
        if packet.track_id != stream.track {
            continue;
        }
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) if sink.is_none() => {
                undecodable += packet.dur.get();
                continue;
            }
            Err(e) => {
                let at = sink.as_ref().map_or(0, Sink::position);
                return Err(undecodable_at(&stream, at, e));
            }
        };
        if buffer.frames() == 0 {
            continue;
        }
        let sink: &mut Sink = match &mut sink {
            Some(sink) => sink,
            none => {
                let spec = buffer.spec();
                let channels = spec.channels().count() as u16;
                let mut new = Sink::new(
                    stream.path.clone(),
                    options,
                    (SampleRate(spec.rate()), channels),
                )?;
                if let Some(frames) = stream.frames {
                    new.expect(frames)?;
                }
                silence.resize(undecodable.min(u64::from(spec.rate())) as usize, 0.0);
                new.push(&silence)?;
                none.insert(new)
            }
        };
        samples.clear();
        copy_channel(&buffer, usize::from(options.channel - 1), &mut samples);
        sink.push(&samples)?;
        if sink.is_full() {
            break;
        }
    }
    let Some(sink) = sink else {
        let container = container.to_string();
        return Err(AudioError::NoSamples {
            path: stream.path,
            container,
        }
        .into());
    };
    let present = sink.position();
    let truncation = match stream.frames {
        Some(declared) if !sink.is_full() => {
            check_length(&stream.path, declared, present, options)?
        }
        _ => None,
    };
    Ok(Decoded {
        samples: sink.finish(&container.to_string())?,
        truncation,
    })
}

fn copy_channel(buffer: &GenericAudioBufferRef<'_>, channel: usize, out: &mut Vec<f32>) {
    match buffer {
        GenericAudioBufferRef::F32(planes) => {
            out.extend_from_slice(planes.plane(channel).unwrap_or_default())
        }
        GenericAudioBufferRef::S16(planes) => out.extend(
            planes
                .plane(channel)
                .unwrap_or_default()
                .iter()
                .map(|&x| f32::from(x) / 32_768.0),
        ),
        GenericAudioBufferRef::S32(planes) => out.extend(
            planes
                .plane(channel)
                .unwrap_or_default()
                .iter()
                .map(|&x| x as f32 / 2_147_483_648.0),
        ),
        other => {
            let mut planes: Vec<Vec<f32>> = Vec::new();
            other.copy_to_vecs_planar(&mut planes);
            out.extend_from_slice(planes.get(channel).map_or(&[], Vec::as_slice));
        }
    }
}

fn undecodable_at(stream: &Stream, frame: u64, error: Error) -> Failure {
    let at = stream.sample_rate.seconds(frame);
    match error {
        Error::DecodeError(problem) => AudioError::malformed(
            &stream.path,
            stream.container,
            format!("at {at}: {problem}"),
        )
        .into(),
        error => failure(&stream.path, stream.container, error),
    }
}

fn failure(path: &Path, container: Container, error: Error) -> Failure {
    match error {
        Error::Unsupported(what) => Failure::Unsupported(what.to_owned()),
        Error::ResetRequired => Failure::Unsupported("several streams in a row".to_owned()),
        Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            AudioError::malformed(path, container, "the file ends too early").into()
        }
        Error::IoError(e) => AudioError::File(FileError::io("read", path, e)).into(),
        Error::DecodeError(problem) | Error::LimitError(problem) => {
            AudioError::malformed(path, container, problem).into()
        }
        other => AudioError::malformed(path, container, other.to_string()).into(),
    }
}

impl Stream {
    pub(crate) fn info(&self) -> AudioInfo {
        let codec = symphonia::default::get_codecs()
            .get_audio_decoder(self.parameters.codec)
            .map_or("unknown", |decoder| decoder.codec.info.short_name);
        AudioInfo {
            container: self.container.to_string(),
            codec: codec.to_owned(),
            sample_rate: self.sample_rate,
            channels: self.channels,
            frames: self.frames,
            truncation: None,
        }
    }
}
