//! Formats that are not decoded here go through an installed `ffmpeg`.

use crate::container::pcm::{Encoding, PcmLayout};
use crate::sink::Sink;
use crate::source::Origin;
use crate::{AudioError, AudioInfo, Decoded, LoadOptions, SampleRate};
use emobox_files::FileError;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Bytes taken from the pipe at a time.
const BLOCK_BYTES: usize = 1 << 16;
/// Six big-endian words: magic number, offset of the samples, their bytes, encoding, rate, channels.
const AU_HEADER_BYTES: usize = 24;
/// Bytes of error output that are kept from a failing program.
const MESSAGE_BYTES: u64 = 1 << 14;

/// The programs to run; a bare name is searched for on the path.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
}

impl Programs {
    /// `ffmpeg`, or the program named by the environment variable `EMOBOX_FFMPEG`; `ffprobe` is expected beside it.
    fn from_environment() -> Self {
        let set = std::env::var_os("EMOBOX_FFMPEG").filter(|program| !program.is_empty());
        Self::beside(set.map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from))
    }

    fn beside(ffmpeg: PathBuf) -> Self {
        let name = ffmpeg
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or("ffmpeg");
        let ffprobe = ffmpeg.with_file_name(name.replace("ffmpeg", "ffprobe"));
        Self { ffmpeg, ffprobe }
    }
}

/// The program that is run.
pub(crate) fn program() -> PathBuf {
    Programs::from_environment().ffmpeg
}

/// The contents of a file, from `ffprobe`. The length is from the container's clock, so it is not always
/// exact to the sample.
pub(crate) fn probe(origin: &Origin, container: &str) -> Result<AudioInfo, AudioError> {
    Conversion::new(origin, container, Programs::from_environment())?.probe()
}

/// Decodes one channel of the segment through a pipe.
pub(crate) fn decode(
    origin: &Origin,
    container: &str,
    options: &LoadOptions,
) -> Result<Decoded, AudioError> {
    Conversion::new(origin, container, Programs::from_environment())?.decode(options)
}

struct Conversion<'a> {
    path: &'a Path,
    container: &'a str,
    programs: Programs,
    /// The bytes of a source in memory, written to a file where the program can seek.
    file: Option<tempfile::NamedTempFile>,
}

impl<'a> Conversion<'a> {
    fn new(origin: &'a Origin, container: &'a str, programs: Programs) -> Result<Self, AudioError> {
        let file = match &origin.bytes {
            None => None,
            Some(bytes) => Some(
                lay_down(bytes)
                    .map_err(|e| FileError::io("write a temporary copy of", &origin.path, e))?,
            ),
        };
        Ok(Self {
            path: &origin.path,
            container,
            programs,
            file,
        })
    }

    /// The file as an argument: `file:` keeps names that look like options or addresses from being
    /// treated as such.
    fn input(&self) -> OsString {
        let mut argument = OsString::from("file:");
        argument.push(
            self.file
                .as_ref()
                .map_or(self.path, tempfile::NamedTempFile::path),
        );
        argument
    }

    fn spawn(&self, program: &Path, arguments: &[&OsStr]) -> Result<Child, AudioError> {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| match e.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => AudioError::FfmpegMissing {
                    path: self.path.to_owned(),
                    container: self.container.to_owned(),
                    program: program.display().to_string(),
                },
                _ => FileError::io("run ffmpeg on", self.path, e).into(),
            })
    }

    fn failed(&self, program: &Path, message: &str) -> AudioError {
        let lines = || {
            message
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
        };
        AudioError::FfmpegFailed {
            path: self.path.to_owned(),
            container: self.container.to_owned(),
            program: program.display().to_string(),
            message: lines().next_back().unwrap_or("no message").to_owned(),
        }
    }

    fn probe(&self) -> Result<AudioInfo, AudioError> {
        let program = &self.programs.ffprobe;
        let input = self.input();
        let child = self.spawn(
            program,
            &[
                OsStr::new("-v"),
                OsStr::new("error"),
                OsStr::new("-protocol_whitelist"),
                OsStr::new("file"),
                OsStr::new("-select_streams"),
                OsStr::new("a:0"),
                OsStr::new("-show_entries"),
                OsStr::new("stream=codec_name,sample_rate,channels,duration:format=duration"),
                OsStr::new("-of"),
                OsStr::new("default=noprint_wrappers=1"),
                &input,
            ],
        )?;
        let output = child
            .wait_with_output()
            .map_err(|e| FileError::io("run ffprobe on", self.path, e))?;
        if !output.status.success() {
            return Err(self.failed(program, &String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let field = |name: &str| {
            let value = |line: &'_ str| {
                line.strip_prefix(name)?
                    .strip_prefix('=')
                    .map(str::to_owned)
            };
            text.lines().filter_map(value).find(|value| value != "N/A")
        };
        let number = |name| field(name).and_then(|value| value.parse().ok());
        let (Some(codec), Some(rate), Some(channels)) = (
            field("codec_name"),
            number("sample_rate"),
            number("channels"),
        ) else {
            return Err(AudioError::malformed(
                self.path,
                self.container,
                "no audio track",
            ));
        };
        let seconds: Option<f64> = field("duration").and_then(|value| value.parse().ok());
        Ok(AudioInfo {
            container: self.container.to_owned(),
            codec,
            sample_rate: SampleRate(rate),
            channels: channels as u16,
            frames: seconds
                .filter(|seconds| *seconds >= 0.0)
                .map(|seconds| (seconds * f64::from(rate)).round() as u64),
            truncation: None,
        })
    }

    /// The file's own rate and channels come first in ffmpeg's output (the header of a Sun AU file), so no second
    /// process is needed to find them.
    fn decode(&self, options: &LoadOptions) -> Result<Decoded, AudioError> {
        let program = &self.programs.ffmpeg;
        let input = self.input();
        let arguments = [
            "-nostdin",
            "-v",
            "error",
            "-protocol_whitelist",
            "file",
            "-i",
        ];
        let output = [
            "-map",
            "0:a:0",
            "-map_metadata",
            "-1",
            "-c:a",
            "pcm_f32be",
            "-f",
            "au",
            "-protocol_whitelist",
            "pipe",
            "pipe:1",
        ];
        let arguments = arguments.iter().map(OsStr::new).chain([&*input]);
        let arguments: Vec<&OsStr> = arguments.chain(output.iter().map(OsStr::new)).collect();
        let mut child = self.spawn(program, &arguments)?;
        let complaints = child.stderr.take();
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut pipe) = complaints {
                // What is past the limit is drained, so that the program does not block on it.
                let _ = pipe.by_ref().take(MESSAGE_BYTES).read_to_end(&mut text);
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
            text
        });
        let drained = match child.stdout.take() {
            Some(pipe) => self.drain(pipe, options),
            None => Ok(None),
        };
        let enough = match &drained {
            Ok(sink) => sink.as_ref().is_some_and(Sink::is_full),
            Err(_) => true,
        };
        if enough {
            // The rest is not needed; it is not an error if the program has already ended.
            let _ = child.kill();
        }
        let status = child
            .wait()
            .map_err(|e| FileError::io("run ffmpeg on", self.path, e))?;
        let message = complaints.join().unwrap_or_default();
        let sink = drained?;
        if !enough && !status.success() {
            if sink.is_none() {
                // If nothing came, ffprobe gives a clearer reason.
                self.probe()?;
            }
            return Err(self.failed(program, &String::from_utf8_lossy(&message)));
        }
        let sink = sink.ok_or_else(|| AudioError::NoSamples {
            path: self.path.to_owned(),
            container: self.container.to_owned(),
        })?;
        Ok(Decoded {
            samples: sink.finish(self.container)?,
            truncation: None,
        })
    }

    /// The output of the pipe; `None` if it ends before a header.
    fn drain(
        &self,
        mut pipe: impl Read,
        options: &LoadOptions,
    ) -> Result<Option<Sink>, AudioError> {
        let fail = |e| FileError::io("read from ffmpeg", self.path, e);
        let mut header = [0; AU_HEADER_BYTES];
        match pipe.read_exact(&mut header) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(fail)?,
        }
        let (fields, _) = header.as_chunks::<4>();
        let field = |index: usize| u32::from_be_bytes(fields[index]);
        let (start, rate, channels) = (field(1), field(4), field(5));
        let annotation = u64::from(start).saturating_sub(AU_HEADER_BYTES as u64);
        std::io::copy(&mut pipe.by_ref().take(annotation), &mut std::io::sink()).map_err(fail)?;
        let channels = u16::try_from(channels).unwrap_or(u16::MAX).max(1);
        let layout = PcmLayout {
            encoding: Encoding::Float32,
            big_endian: true,
            channels,
            sample_rate: rate,
            frame_bytes: 4 * u32::from(channels),
            start: u64::from(start),
            // Unknown before the end.
            frames: u64::MAX,
            declared: u64::MAX,
        };
        let mut sink = Sink::new(self.path.to_owned(), options, (SampleRate(rate), channels))?;
        let frame = layout.frame_bytes as usize;
        let mut bytes = vec![0; BLOCK_BYTES.max(frame)];
        let mut samples = Vec::with_capacity(BLOCK_BYTES / frame);
        let mut held = 0;
        while !sink.is_full() {
            let read = pipe.read(&mut bytes[held..]).map_err(fail)?;
            if read == 0 {
                break;
            }
            held += read;
            let used = held - held % frame;
            samples.clear();
            layout.decode(&bytes[..used], options.channel, &mut samples);
            sink.push(&samples)?;
            bytes.copy_within(used..held, 0);
            held -= used;
        }
        Ok(Some(sink))
    }
}

fn lay_down(bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("emobox-").tempfile()?;
    file.write_all(bytes)?;
    file.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion<'a>(origin: &'a Origin, program: &str) -> Conversion<'a> {
        Conversion::new(
            origin,
            "Matroska/WebM",
            Programs::beside(PathBuf::from(program)),
        )
        .unwrap()
    }

    #[test]
    fn a_missing_program_is_named_with_the_package_to_install() {
        let origin = Origin {
            path: PathBuf::from("talk.webm"),
            bytes: None,
        };
        let error = conversion(&origin, "/nowhere/ffmpeg")
            .decode(&LoadOptions::default())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "talk.webm: Matroska/WebM needs the program `/nowhere/ffmpeg`, which is not there; install it (e.g. `apt install ffmpeg`, `brew install ffmpeg`) or convert the file to WAV"
        );
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin {
            path: PathBuf::from("talk.webm"),
            bytes: Some(b"?".as_slice().into()),
        };
        let quoting = folder.path().join("ffprobe");
        std::fs::write(
            &quoting,
            "#!/bin/sh\necho first >&2\necho 'moov atom not found' >&2\nexit 1\n",
        )
        .unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&quoting, std::fs::Permissions::from_mode(0o755)).unwrap();
            let program = folder.path().join("ffmpeg");
            let error = conversion(&origin, program.to_str().unwrap())
                .probe()
                .unwrap_err()
                .to_string();
            let expected = format!(
                "talk.webm: Matroska/WebM: {} failed: moov atom not found",
                quoting.display()
            );
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn names_are_never_options_or_addresses() {
        let origin = Origin {
            path: PathBuf::from("-i http://x;y.avi"),
            bytes: None,
        };
        assert_eq!(
            conversion(&origin, "ffmpeg").input(),
            OsString::from("file:-i http://x;y.avi")
        );
        let programs = Programs::beside(PathBuf::from("/opt/my-ffmpeg-7"));
        assert_eq!(programs.ffprobe, PathBuf::from("/opt/my-ffprobe-7"));
    }
}
