//! The 88 functionals of eGeMAPSv02 (Eyben et al. 2016), computed by the user's Python package `opensmile`: the classical
//! baseline.
//!
//! openSMILE is a separate program with its own licence, so this crate includes none of it. One Python process per thread
//! serves requests as long as the encoder is open. The functionals are in semitones, hertz, decibels and ratios; constants made
//! by `parity/encoder/egemaps_scaling.py`, the same for every corpus, scale them to about mean 0 and standard deviation 1.

use super::Network;
use crate::{EncoderError, Prepared};
use emobox_files::sha256_bytes;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Number of functionals, in the order of the package.
pub(crate) const FUNCTIONALS: usize = 88;

/// 60 ms: for anything shorter openSMILE has no frame of its longest window.
pub(crate) const SHORTEST: usize = 960;

const WORKER: &str = include_str!("egemaps.py");

/// Name, mean and standard deviation of each functional.
const SCALING: &str = include_str!("egemaps.tsv");

/// Prints the version without loading the package, which takes a second.
const VERSION: &str = "import importlib.metadata; print(importlib.metadata.version('opensmile'))";

/// `EMOBOX_PYTHON`, otherwise `python3` on the search path.
fn python() -> PathBuf {
    let set = std::env::var_os("EMOBOX_PYTHON").filter(|program| !program.is_empty());
    set.map_or_else(|| PathBuf::from("python3"), PathBuf::from)
}

fn missing(python: &std::path::Path) -> EncoderError {
    EncoderError::OpensmileMissing {
        python: python.display().to_string(),
    }
}

/// The version of the package, queried once per process.
fn version() -> Result<String, EncoderError> {
    static KNOWN: OnceLock<String> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(known.clone());
    }
    let python = python();
    let told = Command::new(&python).args(["-c", VERSION]).output();
    let told = told.map_err(|_| missing(&python))?;
    let version = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    if !told.status.success() || version.is_empty() {
        return Err(missing(&python));
    }
    Ok(KNOWN.get_or_init(|| version).clone())
}

/// What determines the values: the version of openSMILE's package, the feature set, and the constants here.
///
/// # Errors
/// If the package is not installed.
pub(crate) fn identity() -> Result<String, EncoderError> {
    let constants = sha256_bytes(SCALING.as_bytes());
    Ok(format!(
        "opensmile {} eGeMAPSv02, scaled by {}",
        version()?,
        constants.short()
    ))
}

/// Mean and standard deviation of each functional.
fn scaling() -> Vec<[f32; 2]> {
    let row = |line: &str| {
        let mut fields = line.split('\t').skip(1);
        let mut number = || fields.next()?.parse().ok();
        Some([number()?, number()?])
    };
    SCALING.lines().filter_map(row).collect()
}

pub(crate) struct Egemaps {
    scaling: Vec<[f32; 2]>,
    /// Idle processes; each thread takes one, or starts one.
    idle: Mutex<Vec<Worker>>,
}

impl Egemaps {
    pub(crate) fn open() -> Result<Self, EncoderError> {
        let worker = Worker::start()?;
        Ok(Self {
            scaling: scaling(),
            idle: Mutex::new(vec![worker]),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn functionals(&self, samples: &[f32]) -> Result<Vec<f32>, EncoderError> {
        let found = self.idle().pop();
        let mut worker = match found {
            Some(worker) => worker,
            None => Worker::start()?,
        };
        let mut row = worker.ask(samples)?;
        // A process that failed is not returned to the pool.
        self.idle().push(worker);
        if !row.iter().all(|value| value.is_finite()) {
            return Err(EncoderError::NothingFound);
        }
        for (value, [mean, deviation]) in row.iter_mut().zip(&self.scaling) {
            *value = (*value - mean) / deviation;
        }
        Ok(row)
    }
}

impl Network for Egemaps {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        samples.to_vec()
    }

    fn encode(&self, inputs: &[Prepared], _: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let inputs = inputs.iter();
        inputs
            .map(|input| self.functionals(&input.values))
            .collect()
    }

    fn batch_frames(&self) -> Option<usize> {
        None
    }
}

/// A Python process with the package loaded. It exits when its input is closed.
struct Worker {
    process: Child,
    questions: Option<ChildStdin>,
    answers: ChildStdout,
}

impl Worker {
    fn start() -> Result<Self, EncoderError> {
        let python = python();
        let mut process = Command::new(&python)
            .args(["-c", WORKER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|_| missing(&python))?;
        let questions = process.stdin.take();
        match process.stdout.take() {
            Some(answers) => Ok(Self {
                process,
                questions,
                answers,
            }),
            None => Err(missing(&python)),
        }
    }

    fn ask(&mut self, samples: &[f32]) -> Result<Vec<f32>, EncoderError> {
        let mut row = vec![0; FUNCTIONALS * 4];
        let asked = self.questions.as_mut().map(|pipe| {
            pipe.write_all(&(samples.len() as u32).to_le_bytes())?;
            let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
            pipe.write_all(&bytes)?;
            pipe.flush()?;
            self.answers.read_exact(&mut row)
        });
        match asked {
            Some(Ok(())) => {
                let (row, _) = row.as_chunks::<4>();
                Ok(row.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            _ => Err(EncoderError::OpensmileFailed {
                message: self.last_words(),
            }),
        }
    }

    /// The last line that the process wrote before it exited.
    fn last_words(&mut self) -> String {
        self.questions = None;
        let _ = self.process.kill();
        let mut text = String::new();
        if let Some(mut pipe) = self.process.stderr.take() {
            let _ = pipe.read_to_string(&mut text);
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.next_back().unwrap_or("no message").to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, EncoderOptions, EncoderSource, LayerSelection};

    #[test]
    fn there_is_a_constant_for_every_functional() {
        let scaling = scaling();
        assert_eq!(scaling.len(), FUNCTIONALS);
        assert!(
            scaling
                .iter()
                .all(|[mean, deviation]| mean.is_finite() && *deviation > 0.0)
        );
    }

    #[test]
    fn an_utterance_is_one_vector_whoever_asks() {
        let source = EncoderSource::Named(crate::EGEMAPS.to_owned());
        let encoder = match Encoder::open(&source, &EncoderOptions::default()) {
            Err(EncoderError::OpensmileMissing { .. }) => {
                eprintln!("skipped: no Python with opensmile (EMOBOX_PYTHON names one)");
                return;
            }
            opened => opened.unwrap(),
        };
        let info = encoder.info();
        assert_eq!((info.dim, info.hidden_states), (88, 1));
        assert!(
            info.weights_digest.starts_with("opensmile "),
            "{}",
            info.weights_digest
        );
        // A voice of 150 Hz with harmonics, in two bursts.
        let sample = |n: usize| {
            let on = (n / 6_000).is_multiple_of(2);
            let harmonics = (1..6).map(|k| (n as f32 * 0.0589 * k as f32).sin() / k as f32);
            if on {
                0.2 * harmonics.sum::<f32>()
            } else {
                0.0
            }
        };
        let voice: Vec<f32> = (0..24_000).map(sample).collect();
        let alone = encoder.encode(&voice, &LayerSelection::Last).unwrap();
        assert_eq!((alone.frames, alone.dim, alone.data.len()), (1, 88, 88));
        // The first is the mean pitch in semitones above 27.5 Hz.
        let [mean, deviation] = scaling()[0];
        let semitones = alone.data[0] * deviation + mean;
        assert!(
            (semitones - 12.0 * (150.0_f32 / 27.5).log2()).abs() < 0.5,
            "{semitones}"
        );
        let both = encoder.encode_batch(&[&voice, &voice], &LayerSelection::Last, 2);
        assert!(
            both.iter()
                .all(|states| states.as_ref().unwrap().data == alone.data)
        );
        let short = encoder.encode(&voice[..900], &LayerSelection::Last);
        assert!(matches!(short, Err(EncoderError::TooShort { .. })));
    }
}
