use crate::{BenchError, EncoderChoice, Experiment, Home};
use emobox_encoder::{FBANK, Precision, ZooEntry, measured_peak, zoo_entry};
use emobox_files::{read_json, write_json};
use emobox_probe::Protocol;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Share of a core's arithmetic limit that the encoders and the training reach, for estimates before
/// anything was measured: an assumption, replaced by the measured speed after the first extraction.
const SHARE_OF_PEAK: f64 = 0.5;

/// Operations a second of audio of the convolutions in front of the transformer of the wav2vec 2.0
/// kind: seven layers of 512 channels on 16 kHz, `2 * 512 * (512 * kernel) * rate` summed.
const CONVOLUTIONS: f64 = 4.9e9;

/// Frames a second of the wav2vec 2.0 kind and of Whisper.
const FRAMES: f64 = 50.0;

/// Whisper encodes whole windows of so many seconds.
const WINDOW: f64 = 30.0;

/// Core seconds a second of audio for log-mel spectra, decoding included.
const FBANK_COST: f64 = 2e-3;

/// Parameters assumed for a checkpoint that no table knows.
const UNKNOWN_PARAMETERS: f64 = 95e6;

/// An extraction shorter than this says nothing about speed.
const LEAST_MEASURED: f64 = 20.0;

/// What a plan's estimates are made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Machine {
    /// Cores.
    pub(super) cores: usize,
    /// Floating-point operations a second of one core, at most.
    pub(super) peak: f64,
}

impl Machine {
    /// Measures the machine at hand; takes 30 ms.
    pub(super) fn measure() -> Self {
        Self {
            cores: rayon::current_num_threads(),
            peak: measured_peak(Precision::F32, Duration::from_millis(30)),
        }
    }

    fn speed(&self) -> f64 {
        self.peak * SHARE_OF_PEAK
    }
}

/// What extraction with an encoder takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderSpeed {
    /// The encoder.
    pub encoder: String,
    /// Where the number comes from.
    pub source: SpeedSource,
    /// Hours of audio over all corpora.
    pub audio_hours: f64,
    /// Core hours of extraction.
    pub core_hours: f64,
    /// Hours of extraction on the machine at hand, all cores working.
    pub hours: f64,
}

/// Where a speed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeedSource {
    /// From extractions in this home.
    Measured,
    /// From the encoder's size and the arithmetic speed of this machine.
    Estimated,
}

/// How much there is of a corpus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) utterances: f64,
    pub(super) seconds: f64,
    pub(super) folds: usize,
}

/// `HOME/speeds/…json`: the last extraction that was long enough to say something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Measured {
    audio_seconds: f64,
    core_seconds: f64,
}

/// Remembers how long an extraction took.
pub(crate) fn record(
    home: &Home,
    experiment: &Experiment,
    encoder: &str,
    audio_seconds: f64,
    elapsed: Duration,
) -> Result<(), BenchError> {
    if audio_seconds < LEAST_MEASURED {
        return Ok(());
    }
    let measured = Measured {
        audio_seconds,
        core_seconds: elapsed.as_secs_f64() * rayon::current_num_threads() as f64,
    };
    Ok(write_json(path(home, experiment, encoder), &measured)?)
}

fn path(home: &Home, experiment: &Experiment, encoder: &str) -> PathBuf {
    let device = experiment.device.replace(':', "-");
    let name = format!("{encoder}+{device}+{}.json", experiment.precision);
    home.root().join("speeds").join(name)
}

/// Core seconds of extraction, as a function of the amount.
pub(super) struct ExtractCost {
    per_second: f64,
    per_utterance: f64,
    pub(super) source: SpeedSource,
}

impl ExtractCost {
    pub(super) fn of(
        home: &Home,
        experiment: &Experiment,
        choice: &EncoderChoice,
        machine: &Machine,
    ) -> Self {
        if let Ok(measured) = read_json::<Measured>(path(home, experiment, &choice.name)) {
            return Self {
                per_second: measured.core_seconds / measured.audio_seconds,
                per_utterance: 0.0,
                source: SpeedSource::Measured,
            };
        }
        let mut cost = Self {
            per_second: FBANK_COST,
            per_utterance: 0.0,
            source: SpeedSource::Estimated,
        };
        if choice.name == FBANK {
            return cost;
        }
        let entry = zoo_entry(&choice.name);
        let parameters = parameters(entry);
        let frame = 2.0 * parameters / machine.speed();
        if entry.is_some_and(|entry| entry.family == "Whisper") {
            // Utterances are shorter than a window nearly everywhere, so each costs one.
            cost.per_utterance += frame * FRAMES * WINDOW;
        } else {
            cost.per_second += frame * FRAMES + CONVOLUTIONS / machine.speed();
        }
        cost
    }

    pub(super) fn core_seconds(&self, size: Size) -> f64 {
        self.per_second * size.seconds + self.per_utterance * size.utterances
    }
}

fn parameters(entry: Option<&ZooEntry>) -> f64 {
    let Some(entry) = entry else {
        return UNKNOWN_PARAMETERS;
    };
    match (entry.parameters, entry.layers) {
        (Some(parameters), _) => parameters as f64,
        // A transformer block has four square matrices and two of four times the width.
        (None, Some(layers)) => 12.0 * layers as f64 * (entry.dim * entry.dim) as f64,
        _ => UNKNOWN_PARAMETERS,
    }
}

/// Core seconds to train one fold of a corpus.
pub(super) fn train_cost(
    protocol: &Protocol,
    encoder: &EncoderChoice,
    size: Size,
    machine: &Machine,
) -> f64 {
    let dim = match zoo_entry(&encoder.name) {
        Some(entry) => entry.dim,
        None if encoder.name == FBANK => 80,
        None => 768,
    };
    let hidden: usize = protocol.hidden_sizes.iter().sum();
    let probes = protocol.learning_rates.len() * protocol.seeds.len();
    // Forward and both halves of backward, a multiply and an add each.
    let frame = 6.0 * dim as f64 * hidden as f64 * probes as f64;
    frame * size.seconds * FRAMES * protocol.epochs as f64 / machine.speed()
}
