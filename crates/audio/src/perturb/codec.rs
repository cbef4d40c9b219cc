//! A lossy codec, encoding and decoding by an installed `ffmpeg`.

use super::PerturbError;
use crate::SampleRate;
use crate::ffmpeg;
use emobox_files::FileError;
use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A codec with ffmpeg's encoder for it and the file extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec {
    name: &'static str,
    about: &'static str,
    encoder: &'static str,
    container: &'static str,
}

const KNOWN: [Codec; 4] = [
    Codec::new("mp3", "MP3", "libmp3lame", "mp3"),
    Codec::new("aac", "AAC", "aac", "m4a"),
    Codec::new("opus", "Opus", "libopus", "ogg"),
    Codec::new("vorbis", "Vorbis", "libvorbis", "ogg"),
];

impl Codec {
    const fn new(
        name: &'static str,
        about: &'static str,
        encoder: &'static str,
        container: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            encoder,
            container,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        KNOWN.into_iter().find(|codec| codec.name == name)
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn about(self) -> &'static str {
        self.about
    }

    /// The decoded samples; `name` is the perturbation's, for messages. The containers say how many samples the
    /// encoder put before the first one, so nothing is shifted.
    pub(super) fn through(
        self,
        samples: &[f32],
        kilobits: u32,
        name: &str,
    ) -> Result<Vec<f32>, PerturbError> {
        let folder = tempfile::Builder::new().prefix("emobox-").tempdir();
        let folder = folder.map_err(|e| FileError::io("make", "a temporary folder", e))?;
        let coded = folder.path().join(format!("coded.{}", self.container));
        let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        let rate = SampleRate::SPEECH.0.to_string();
        let bits = format!("{kilobits}k");
        let raw = ["-f", "f32le", "-ar", &rate, "-ac", "1"].map(OsStr::new);
        let (input, pipe) = (OsStr::new("-i"), OsStr::new("pipe:0"));
        // Without the date and the version in the file, which do not affect the sound.
        let encode = [
            "-c:a",
            self.encoder,
            "-b:a",
            &bits,
            "-fflags",
            "+bitexact",
            "-flags:a",
            "+bitexact",
            "-y",
        ]
        .map(OsStr::new);
        let mut arguments = raw.to_vec();
        arguments.extend([input, pipe]);
        arguments.extend(encode);
        arguments.push(coded.as_os_str());
        run(name, &arguments, &bytes)?;
        let mut arguments = vec![input, coded.as_os_str()];
        arguments.extend(raw);
        arguments.push(OsStr::new("pipe:1"));
        let back = run(name, &arguments, &[])?.stdout;
        let (back, _) = back.as_chunks::<4>();
        let mut heard: Vec<f32> = back.iter().map(|b| f32::from_le_bytes(*b)).collect();
        heard.resize(samples.len(), 0.0);
        Ok(heard)
    }
}

/// The version that the program reports.
pub(super) fn version(name: &str) -> Result<String, PerturbError> {
    let program = ffmpeg::program();
    let output = spawned(name, &program, &[OsStr::new("-version")], &[])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().nth(2).map(str::to_owned);
    version.ok_or_else(|| PerturbError::ProgramFailed {
        name: name.to_owned(),
        program: program.display().to_string(),
        message: "it tells no version".to_owned(),
    })
}

fn run(name: &str, arguments: &[&OsStr], input: &[u8]) -> Result<Output, PerturbError> {
    let program = ffmpeg::program();
    let mut all = [
        "-nostdin",
        "-hide_banner",
        "-v",
        "error",
        "-protocol_whitelist",
        "file,pipe",
    ]
    .map(OsStr::new)
    .to_vec();
    all.extend(arguments);
    let output = spawned(name, &program, &all, input)?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Err(PerturbError::ProgramFailed {
        name: name.to_owned(),
        program: program.display().to_string(),
        message: lines.next_back().unwrap_or("no message").to_owned(),
    })
}

fn spawned(
    name: &str,
    program: &Path,
    arguments: &[&OsStr],
    input: &[u8],
) -> Result<Output, PerturbError> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => PerturbError::ProgramMissing {
            name: name.to_owned(),
            program: program.display().to_string(),
        },
        _ => FileError::io("run", program, e).into(),
    })?;
    // The output goes to a file or is discarded, so the program never waits for a reader. If it
    // ends before it has read everything, its exit status shows that.
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(input);
    }
    let output = child.wait_with_output();
    Ok(output.map_err(|e| FileError::io("run", program, e))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturb::{Perturbation, power};

    /// A chirp in three bursts, so that a shift by a sample is visible.
    fn bursts() -> Vec<f32> {
        let sample = |n: usize| {
            let on = (n / 4_000).is_multiple_of(2);
            let angle = n as f32 * 0.05 + (n as f32 * 0.003).sin() * 8.0;
            if on { angle.sin() * 0.3 } else { 0.0 }
        };
        (0..20_123).map(sample).collect()
    }

    #[test]
    fn every_codec_gives_back_the_clip_in_place() {
        if version("test").is_err() {
            eprintln!("skipped: no ffmpeg on the search path");
            return;
        }
        let speech = bursts();
        for codec in KNOWN {
            let name = format!("codec:{}@48k", codec.name);
            let one: Perturbation = name.parse().unwrap();
            let heard = match one.apply(&speech, "a") {
                Err(PerturbError::ProgramFailed { message, .. })
                    if message.contains("Unknown encoder") =>
                {
                    continue;
                }
                heard => heard.unwrap(),
            };
            assert_eq!(heard.len(), speech.len());
            assert_ne!(heard, speech);
            let match_at = |shift: usize| -> f64 {
                let pairs = heard[shift..].iter().zip(&speech[100..]);
                pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let best = (0..=200).max_by(|a, b| match_at(*a).total_cmp(&match_at(*b)));
            assert_eq!(best, Some(100), "{name} is shifted");
            assert!((power(&heard) / power(&speech) - 1.0).abs() < 0.2, "{name}");
            assert_eq!(
                heard,
                one.apply(&speech, "b").unwrap(),
                "{name} differs from call to call"
            );
            assert!(one.identity().unwrap().contains("ffmpeg "), "{name}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = spawned("codec:mp3@32k", Path::new("/nowhere/ffmpeg"), &[], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "codec:mp3@32k needs the program `/nowhere/ffmpeg`, which is not there; install it (e.g. `apt install ffmpeg`, \
             `brew install ffmpeg`)"
        );
    }
}
