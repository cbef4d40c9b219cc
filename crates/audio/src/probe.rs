use crate::coded::{self, Failure};
use crate::container::pcm::PcmLayout;
use crate::container::wave::Wave;
use crate::container::{AVI, MATROSKA, avi, matroska};
use crate::container::{Container, StreamHeader, aiff, aiff::Aiff, mpeg, wave};
use crate::load::identify;
use crate::options::{AudioInfo, Truncation};
use crate::source::Source;
use crate::{AudioError, SampleRate, ffmpeg};
use std::path::Path;

/// Reads only the headers of a file.
pub fn probe(path: impl AsRef<Path>) -> Result<AudioInfo, AudioError> {
    probe_source(Source::open(path.as_ref())?)
}

/// Like [`probe`], for bytes in memory; `name` stands for the file in messages.
pub fn probe_bytes(bytes: Vec<u8>, name: &str) -> Result<AudioInfo, AudioError> {
    probe_source(Source::memory(bytes, Path::new(name))?)
}

fn probe_source(mut source: Source) -> Result<AudioInfo, AudioError> {
    let container = identify(&mut source)?;
    let path = source.path().to_owned();
    let info = match container {
        Container::Wave => match wave::read(&mut source)? {
            Wave::Pcm(layout) => of_pcm("WAV", &layout),
            Wave::Coded {
                codec,
                channels,
                sample_rate,
                frames,
            } => AudioInfo {
                container: "WAV".to_owned(),
                codec: codec.to_owned(),
                sample_rate: SampleRate(sample_rate),
                channels,
                frames,
                truncation: None,
            },
        },
        Container::Aiff => match aiff::read(&mut source)? {
            Aiff::Pcm(layout) => of_pcm("AIFF", &layout),
            Aiff::Coded(codec) => {
                return ffmpeg::probe(&source.origin, &format!("AIFF-C with {codec}"));
            }
        },
        Container::Foreign(name) => {
            // A process per file would take most of the time of preparing a corpus of videos.
            let header = match name {
                AVI => avi::read(&mut source),
                MATROSKA => matroska::read(&mut source),
                _ => None,
            };
            match header.filter(|header| header.channels > 0) {
                Some(header) => of_stream(name, &header),
                None => return ffmpeg::probe(&source.origin, name),
            }
        }
        _ => {
            let origin = source.origin.clone();
            let counted = match container {
                Container::Mpeg if !mpeg::has_length_header(&mut source) => {
                    mpeg::count_samples(&mut source)
                }
                Container::Adts => mpeg::count_adts_samples(&mut source),
                _ => None,
            };
            match coded::probe(source, container) {
                Ok(info) => AudioInfo {
                    frames: info.frames.or(counted),
                    ..info
                },
                Err(Failure::Unsupported(what)) => {
                    return ffmpeg::probe(&origin, &format!("{container} ({what})"));
                }
                Err(Failure::Broken(error)) => return Err(error),
            }
        }
    };
    if !info.sample_rate.is_plausible() {
        return Err(AudioError::BadSampleRate {
            path,
            rate: info.sample_rate,
        });
    }
    Ok(info)
}

fn of_stream(container: &str, header: &StreamHeader) -> AudioInfo {
    AudioInfo {
        container: container.to_owned(),
        codec: header.codec.to_owned(),
        sample_rate: SampleRate(header.sample_rate),
        channels: header.channels,
        frames: Some((header.seconds * f64::from(header.sample_rate)).round() as u64),
        truncation: None,
    }
}

fn of_pcm(container: &str, layout: &PcmLayout) -> AudioInfo {
    let &PcmLayout {
        declared, frames, ..
    } = layout;
    AudioInfo {
        container: container.to_owned(),
        codec: layout.encoding.name().to_owned(),
        sample_rate: SampleRate(layout.sample_rate),
        channels: layout.channels,
        frames: Some(frames),
        truncation: (declared > frames).then_some(Truncation {
            declared,
            present: frames,
        }),
    }
}
