//! Compressed formats, through symphonia.

use crate::container::pcm::mean_of;
use crate::container::{Container, mp4, mpeg};
use crate::options::check_length;
use crate::sink::Sink;
use crate::source::Source;
use crate::{AudioError, AudioInfo, Decoded, LoadOptions, MIX, SampleRate};
use emobox_files::FileError;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::units::Timestamp;

/// What symphonia reads from.
struct Media {
    source: Source,
    /// Hides the length. Symphonia estimates the length of a bare stream from its bit rate and then cuts off
    /// what it takes for excess, which at a variable rate is speech.
    endless: bool,
}

impl Read for Media {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.source.read(out)
    }
}

impl Seek for Media {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.source.seek(to)
    }
}

impl MediaSource for Media {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        (!self.endless).then_some(self.source.length)
    }
}

/// Why symphonia did not decode a file.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It does not support what is named; ffmpeg may.
    Unsupported(String),
    /// The file is defective.
    Broken(AudioError),
}

impl From<AudioError> for Failure {
    fn from(error: AudioError) -> Self {
        Self::Broken(error)
    }
}

/// The first audio track of a file, opened.
struct Stream {
    path: PathBuf,
    container: Container,
    reader: Box<dyn FormatReader>,
    track: u32,
    parameters: AudioCodecParameters,
    sample_rate: SampleRate,
    /// From the container; 0 if only the codec's own headers have it.
    channels: u16,
    /// Decoded samples to drop before the first audible one.
    skipped: u64,
    /// Whether the container continues past the end of the file.
    cut_short: bool,
    /// Samples per channel, if a header gives the exact number.
    frames: Option<u64>,
}

/// The information in the headers.
pub(crate) fn probe(source: Source, container: Container) -> Result<AudioInfo, Failure> {
    let path = source.path().to_owned();
    guarded(&path, container, || {
        open(source, container).map(|stream| stream.info())
    })
}

/// Decodes one channel of the segment.
pub(crate) fn decode(
    source: Source,
    container: Container,
    options: &LoadOptions,
) -> Result<Decoded, Failure> {
    let path = source.path().to_owned();
    guarded(&path, container, || {
        decode_stream(source, container, options)
    })
}

/// Symphonia 0.6 overflows on some damaged headers; its panic is reported as a defect of that file.
fn guarded<T>(
    path: &Path,
    container: Container,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    emobox_files::guarded(work).unwrap_or_else(|| {
        Err(AudioError::malformed(path, container, "the decoder stumbled over it").into())
    })
}

/// Reads the headers and picks the first audio track.
fn open(mut source: Source, container: Container) -> Result<Stream, Failure> {
    let path = source.path().to_owned();
    let timings = match container {
        Container::Mp4 => mp4::timings(&mut source),
        _ => mp4::Timings::default(),
    };
    let endless = match container {
        Container::Mpeg => !mpeg::has_length_header(&mut source),
        Container::Adts => true,
        _ => false,
    };
    let source = source
        .into_bulk(0)
        .map_err(|e| AudioError::from_read(&path, container, e))?;
    let stream = MediaSourceStream::new(Box::new(Media { source, endless }), Default::default());
    let reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, Default::default(), Default::default())
        .map_err(|e| {
            if timings.cut_short {
                AudioError::malformed(&path, container, "the file is cut short").into()
            } else {
                failure(&path, container, e)
            }
        })?;
    let track = reader
        .first_track_known_codec(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| match container {
            // A stream whose codec symphonia does not know, such as Speex, is not a track to it.
            Container::Ogg => Failure::Unsupported("unknown codec".to_owned()),
            _ => AudioError::malformed(&path, container, "no audio track").into(),
        })?;
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
    let timing = timings
        .tracks
        .iter()
        .find(|timing| timing.track == track.id);
    let frames = match timing {
        Some(timing) => timing.frames(sample_rate),
        // In OGG the count of an Opus track includes the samples that its decoder drops.
        None if parameters.codec == CODEC_ID_OPUS => track
            .num_frames
            .map(|n| n.saturating_sub(u64::from(track.delay.unwrap_or(0)))),
        None => track.num_frames.filter(|_| !endless),
    };
    Ok(Stream {
        path,
        container,
        track: track.id,
        sample_rate: SampleRate(sample_rate),
        channels,
        skipped: timing.map_or(0, |timing| timing.skipped(sample_rate)),
        cut_short: timings.cut_short,
        frames,
        parameters,
        reader,
    })
}

fn decode_stream(
    source: Source,
    container: Container,
    options: &LoadOptions,
) -> Result<Decoded, Failure> {
    let mut stream = open(source, container)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&stream.parameters, &Default::default())
        .map_err(|e| failure(&stream.path, container, e))?;
    let mut feed = Feed::new(&stream, options);
    // FLAC frames are independent; other codecs need the preceding frames to be bit-exact.
    if container == Container::Flac && stream.frames.is_some() {
        feed.begin(stream.sample_rate, stream.channels)?;
        seek(&mut stream, &mut feed);
    }
    while !feed.is_full() {
        let packet = match stream.reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => break,
            Err(_) if stream.cut_short => break,
            Err(e) => return Err(failure(&stream.path, container, e)),
        };
        if packet.track_id != stream.track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) if buffer.frames() == 0 => {}
            Ok(buffer) => feed.take(&buffer)?,
            // An MP3 cut out of a stream begins with frames whose data are in earlier frames that are missing.
            Err(Error::DecodeError(_) | Error::IoError(_)) if feed.sink.is_none() => {
                feed.undecodable += packet.dur.get();
            }
            // Symphonia requires the channel count of the first frame throughout; ffmpeg continues.
            Err(Error::DecodeError(problem)) if problem.contains("signal spec") => {
                let what = "its number of channels changes".to_owned();
                return Err(Failure::Unsupported(what));
            }
            Err(Error::DecodeError(problem)) => {
                let at = stream.sample_rate.seconds(feed.position());
                let problem = format!("at {at}: {problem}");
                return Err(AudioError::malformed(&stream.path, container, problem).into());
            }
            Err(e) => return Err(failure(&stream.path, container, e)),
        }
    }
    feed.finish()
}

/// Moves to the frame that holds the start of the segment. If that fails, all is read.
fn seek(stream: &mut Stream, feed: &mut Feed) {
    let Some(sink) = &mut feed.sink else { return };
    let Ok(start) = i64::try_from(sink.start) else {
        return;
    };
    if start == 0 {
        return;
    }
    let to = SeekTo::Timestamp {
        ts: Timestamp::new(start),
        track_id: stream.track,
    };
    if let Ok(seeked) = stream.reader.seek(SeekMode::Accurate, to)
        && let Ok(actual) = u64::try_from(seeked.actual_ts.get())
    {
        sink.skip_to(actual);
    }
}

/// Takes decoded packets, drops inaudible samples, and passes one channel on.
struct Feed {
    path: PathBuf,
    container: Container,
    options: LoadOptions,
    /// Created when the first packet gives the true rate and number of channels.
    sink: Option<Sink>,
    format: (SampleRate, u16),
    /// Samples of packets before the first that could be decoded.
    undecodable: u64,
    /// Samples still to drop at the beginning.
    skipped: u64,
    frames: Option<u64>,
    samples: Vec<f32>,
}

impl Feed {
    fn new(stream: &Stream, options: &LoadOptions) -> Self {
        Self {
            path: stream.path.clone(),
            container: stream.container,
            options: *options,
            sink: None,
            format: (SampleRate(0), 0),
            undecodable: 0,
            skipped: stream.skipped,
            frames: stream.frames,
            samples: Vec::new(),
        }
    }

    fn begin(&mut self, rate: SampleRate, channels: u16) -> Result<&mut Sink, AudioError> {
        self.format = (rate, channels);
        let mut sink = Sink::new(self.path.clone(), &self.options, self.format)?;
        if let Some(frames) = self.frames {
            sink.expect(frames)?;
        }
        // Silence replaces packets that could not be decoded, never more than a second of it, and so keeps the timing.
        let silence = vec![0.0; self.undecodable.min(u64::from(rate.0)) as usize];
        sink.push(&silence)?;
        Ok(self.sink.insert(sink))
    }

    fn take(&mut self, buffer: &GenericAudioBufferRef<'_>) -> Result<(), AudioError> {
        let spec = buffer.spec();
        let format = (SampleRate(spec.rate()), spec.channels().count() as u16);
        if self.sink.is_none() {
            self.begin(format.0, format.1)?;
        } else if self.format.0 != format.0 || self.lacks_channel(format.1) {
            let (from, to) = (self.format, format);
            let problem = format!(
                "changes from {} and {} channels to {} and {} channels at {}",
                from.0,
                from.1,
                to.0,
                to.1,
                from.0.seconds(self.position()),
            );
            return Err(AudioError::malformed(&self.path, self.container, problem));
        }
        self.samples.clear();
        // Joint-stereo encoders write one-channel packets where both channels are the same.
        match self.options.channel {
            MIX => mean_of(format.1, &mut self.samples, |channel, out| {
                copy_channel(buffer, usize::from(channel), out);
            }),
            channel => {
                let index = channel.min(format.1.max(1)) - 1;
                copy_channel(buffer, usize::from(index), &mut self.samples);
            }
        }
        let length = self.samples.len() as u64;
        let dropped = self.skipped.min(length);
        self.skipped -= dropped;
        // Encoders pad the last packet; samples after the stated end are not audible.
        let room = self
            .frames
            .map_or(u64::MAX, |frames| frames.saturating_sub(self.position()));
        let kept = dropped..(dropped + room.min(length - dropped));
        match &mut self.sink {
            Some(sink) => sink.push(&self.samples[kept.start as usize..kept.end as usize]),
            None => Ok(()),
        }
    }

    /// Whether a packet with this many channels lacks the selected channel: a single channel stands for all.
    fn lacks_channel(&self, channels: u16) -> bool {
        channels != self.format.1 && channels > 1 && self.options.channel > channels
    }

    fn position(&self) -> u64 {
        self.sink.as_ref().map_or(0, Sink::position)
    }

    fn is_full(&self) -> bool {
        self.sink.as_ref().is_some_and(Sink::is_full)
    }

    fn finish(self) -> Result<Decoded, Failure> {
        let container = self.container.to_string();
        let Some(sink) = self.sink else {
            check_length(&self.path, self.frames.unwrap_or(0), 0, &self.options)?;
            return Err(AudioError::NoSamples {
                path: self.path,
                container,
            }
            .into());
        };
        let present = sink.position();
        let truncation = match self.frames {
            Some(declared) if !sink.is_full() => {
                check_length(&self.path, declared, present, &self.options)?
            }
            _ => None,
        };
        Ok(Decoded {
            samples: sink.finish(&container)?,
            truncation,
        })
    }
}

fn copy_channel(buffer: &GenericAudioBufferRef<'_>, channel: usize, out: &mut Vec<f32>) {
    match buffer {
        GenericAudioBufferRef::F32(planes) => {
            out.extend_from_slice(planes.plane(channel).unwrap_or_default());
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

fn failure(path: &Path, container: Container, error: Error) -> Failure {
    match error {
        Error::Unsupported("isomp4: missing moov atom") => {
            AudioError::malformed(path, container, "no index (`moov` box)").into()
        }
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
    fn info(&self) -> AudioInfo {
        let codec = symphonia::default::get_codecs()
            .get_audio_decoder(self.parameters.codec)
            .map_or("", |decoder| decoder.codec.info.short_name);
        let codec = match codec {
            "" if self.parameters.codec == CODEC_ID_OPUS => "opus",
            "" => "unknown",
            known => known,
        };
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
