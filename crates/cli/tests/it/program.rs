//! Runs the program as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The shared real data; tests that need it are ignored if it does not exist.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    assert!(path.exists(), "{} is not on this machine", path.display());
    path
}

/// Calls of the program with their own home.
pub(crate) struct Program {
    folder: tempfile::TempDir,
}

/// The output and the exit code of a call.
pub(crate) struct Transcript {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in this test's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into this test's own folder.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A tiny encoder's checkpoint from the golden files, copied so that nothing is written beside the original.
    pub(crate) fn checkpoint(&self, golden: &str, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
        self.write(name, &std::fs::read(folder.join(golden)).unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emobox"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("EMOBOX_HOME", self.path("home"))
            // The kernels of the host's device are compiled once, not by every process of every test.
            .env("EMOBOX_HOST_KERNELS", env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Transcript {
        self.transcript(&self.command(arguments).output().unwrap())
    }

    /// Runs and expects exit code 0.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Transcript {
        let transcript = self.run(arguments);
        assert_eq!(transcript.code, Some(0), "{}", transcript.stderr);
        transcript
    }

    /// A JSON file of this test's own folder.
    pub(crate) fn json(&self, file: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// Starts a command and kills it with SIGKILL once a state is reached, so that nothing is finished or cleaned up.
    pub(crate) fn kill_once(command: &mut Command, reached: impl Fn() -> bool) {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !reached() {
            let waits = begun.elapsed() < Duration::from_secs(300);
            let runs = child.try_wait().unwrap().is_none();
            // It may have ended between the two checks.
            assert!(waits && runs || reached(), "the state was never reached");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a command, sends it a signal (`INT`, `TERM`) once a state is reached, and waits for its end.
    pub(crate) fn signal_once(
        &self,
        command: &mut Command,
        signal: &str,
        reached: impl Fn() -> bool,
    ) -> Transcript {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !reached() {
            assert!(begun.elapsed() < Duration::from_secs(300));
            std::thread::sleep(Duration::from_millis(1));
        }
        let signal = [&format!("-{signal}"), &child.id().to_string()];
        Command::new("kill").args(signal).status().unwrap();
        self.transcript(&child.wait_with_output().unwrap())
    }

    /// Starts a command, kills it after a while as [`Self::kill_once`] does, and returns whether it was still running.
    pub(crate) fn kill_after(command: &mut Command, wait: Duration) -> bool {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(wait);
        let worked = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        worked
    }

    /// Runs a command with its standard output on a full disk: it must fail, and say that the result is lost.
    pub(crate) fn loses_its_result(&self, call: &[&str]) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = self.command(call).stdout(full.unwrap()).output().unwrap();
        self.transcript(&output)
            .fails_with(1, &["could not be written to stdout"]);
    }

    pub(crate) fn transcript(&self, output: &Output) -> Transcript {
        let redact = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let real = self.folder.path().canonicalize().unwrap();
            text.replace(&*real.to_string_lossy(), "[DIR]")
                .replace(&*self.folder.path().to_string_lossy(), "[DIR]")
        };
        Transcript {
            code: output.status.code(),
            stdout: redact(&output.stdout),
            stderr: redact(&output.stderr),
        }
    }
}

impl Transcript {
    /// Expects this exit code and all of these strings on stderr.
    pub(crate) fn fails_with(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in:\n{}",
                self.stderr
            );
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// A canonical 16-bit mono WAV of these samples at 16 kHz.
pub(crate) fn wav(samples: &[i16]) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&16_000u32.to_le_bytes());
    bytes.extend_from_slice(&32_000u32.to_le_bytes());
    bytes.extend_from_slice(&2u16.to_le_bytes());
    bytes.extend_from_slice(&16u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    for sample in samples {
        bytes.extend_from_slice(&sample.to_le_bytes());
    }
    bytes
}

/// A 32-bit float WAV.
pub(crate) fn float_wav(samples: &[f32]) -> Vec<u8> {
    let data = samples.len() as u32 * 4;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&3u16.to_le_bytes());
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&16_000u32.to_le_bytes());
    bytes.extend_from_slice(&64_000u32.to_le_bytes());
    bytes.extend_from_slice(&4u16.to_le_bytes());
    bytes.extend_from_slice(&32u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    for sample in samples {
        bytes.extend_from_slice(&sample.to_le_bytes());
    }
    bytes
}

/// A tone of `seconds` whose pitch and loudness depend on `class`.
pub(crate) fn tone(class: usize, variation: usize, seconds: f32) -> Vec<i16> {
    let samples = (seconds * 16_000.0) as usize;
    let pitch = 120.0 + 90.0 * class as f32 + 7.0 * variation as f32;
    (0..samples)
        .map(|i| {
            let t = i as f32 / 16_000.0;
            let wobble = (t * (3.0 + variation as f32)).sin();
            (((t * pitch * std::f32::consts::TAU).sin() + 0.3 * wobble) * 9000.0) as i16
        })
        .collect()
}

/// Three emotions of six tones each by three speakers, in folders, as a user's own corpus.
pub(crate) fn tones(program: &Program, folder: &str) -> PathBuf {
    tones_lasting(program, folder, |variation| 0.4 + 0.05 * variation as f32)
}

/// The same, each of these seconds.
pub(crate) fn tones_lasting(
    program: &Program,
    folder: &str,
    seconds: impl Fn(usize) -> f32,
) -> PathBuf {
    for (class, emotion) in ["angry", "happy", "sad"].iter().enumerate() {
        for variation in 0..6 {
            program.write(
                &format!("{folder}/{emotion}/{variation}.wav"),
                &wav(&tone(class, variation, seconds(variation))),
            );
        }
    }
    program.path(folder)
}

/// The same with enough additional tones to fill three shards.
pub(crate) fn tones_of_three_shards(program: &Program, folder: &str) -> PathBuf {
    for more in 0..130 {
        let sound = wav(&tone(0, more % 6, 0.1));
        program.write(&format!("{folder}/angry/more{more}.wav"), &sound);
    }
    tones(program, folder)
}
