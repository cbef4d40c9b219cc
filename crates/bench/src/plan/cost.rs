use crate::{BenchError, EncoderChoice, Experiment, Home};
use emobox_encoder::{BUILT_IN, FBANK, Precision, ZooEntry, measured_peak, zoo_entry};
use emobox_files::{read_json, write_json};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Share of a core's peak that an encoder or the training is assumed to reach if nothing was measured.
pub(super) const SHARE_OF_PEAK: f64 = 0.5;

/// Operations per second of audio of the convolutions in front of the transformer of the wav2vec 2.0
/// kind: seven layers of 512 channels on 16 kHz, `2 * 512 * (512 * kernel) * rate` summed.
const CONVOLUTIONS: f64 = 4.9e9;

/// Frames per second of the wav2vec 2.0 kind and of Whisper.
pub(super) const FRAMES: f64 = 50.0;

/// Whisper encodes whole windows of this many seconds.
const WINDOW: f64 = 30.0;

/// Core seconds per second of audio for log-mel spectra, decoding included.
const FBANK_COST: f64 = 2e-3;

/// The same for eGeMAPS by openSMILE.
const EGEMAPS_COST: f64 = 2e-2;

/// Parameters assumed for a checkpoint that is in no table.
const UNKNOWN_PARAMETERS: f64 = 95e6;

/// Less audio than this says nothing about speed.
const LEAST_MEASURED: f64 = 20.0;

/// The machine that a plan's estimates are for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Machine {
    /// Cores.
    pub(super) cores: usize,
    /// Peak floating-point operations per second of one core.
    pub(super) peak: f64,
}

impl Machine {
    /// Measures this machine; takes 30 ms.
    pub(super) fn measure() -> Self {
        Self {
            cores: rayon::current_num_threads(),
            peak: measured_peak(Precision::F32, Duration::from_millis(30)).unwrap_or(f64::NAN),
        }
    }
}

/// The cost of extraction with an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderSpeed {
    /// The encoder.
    pub encoder: String,
    /// Where the number comes from.
    pub source: SpeedSource,
    /// Hours of audio over all corpora.
    pub audio_hours: f64,
    /// Core hours of extraction; on GPUs, hours of one card. 0 if unknown.
    pub core_hours: f64,
    /// Hours of extraction on this machine with all cores or cards working. 0 if unknown.
    pub hours: f64,
}

/// The source of a speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeedSource {
    /// From the last extraction in this home, or the last `encoders bench` for it.
    Measured,
    /// From the encoder's size and [`Assumed`].
    Estimated,
    /// Nothing was measured on the GPU: its speed cannot be derived from that of a CPU.
    Unknown,
}

/// The basis of estimated speeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assumed {
    /// The kind of GPU (`cuda`); empty for the CPU.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// 10⁹ floating-point operations per second: the rate of a CPU core of this machine on registers alone, or the rate of the measured encoders
    /// on a GPU, 0 if there are none.
    pub peak_gflops: f64,
    /// The share of it that encoders are assumed to reach.
    pub share: f64,
    /// The encoders of the experiment whose measured speeds gave the share; if there are none, it is a guess.
    pub measured: Vec<String>,
}

impl fmt::Display for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (share, peak, device) = (self.share * 100.0, self.peak_gflops, &self.device);
        let names = self.measured.join(", ");
        match (device.is_empty(), names.is_empty()) {
            (true, _) => {}
            (false, true) => {
                return write!(
                    f,
                    "not measured: nothing was measured on {device} in this home, so that hours are not known;\n\
                     `emobox encoders bench NAME --device {device}` with this --home measures an encoder"
                );
            }
            (false, false) => {
                return write!(
                    f,
                    "estimated: from the encoder's size, at the {peak:.0} GFLOP/s that {names} reached on {device};\n\
                     `emobox encoders bench NAME --device {device}` with this --home measures an encoder"
                );
            }
        }
        write!(
            f,
            "estimated: from the encoder's size, at {share:.0}% of the {peak:.0} GFLOP/s just measured on a CPU core, "
        )?;
        match &self.measured[..] {
            [] => write!(f, "a guess"),
            names => write!(f, "as measured for {}", names.join(", ")),
        }?;
        write!(
            f,
            ";\n`emobox encoders bench NAME` with this --home measures an encoder"
        )
    }
}

/// The size of a corpus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub(crate) utterances: f64,
    pub(crate) seconds: f64,
    pub(crate) folds: usize,
}

/// An amount of audio and the time that encoding it took: `HOME/speeds/…json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Number of utterances.
    pub utterances: f64,
    /// Their total length.
    pub audio_seconds: f64,
    /// Wall-clock time multiplied by the number of working cores or GPUs.
    pub core_seconds: f64,
}

impl Measured {
    /// Records this as the speed of an encoder on a kind of device, unless it is too little to be meaningful;
    /// returns whether it was recorded.
    pub fn record(
        &self,
        home: &Home,
        encoder: &str,
        device: &str,
        precision: &str,
    ) -> Result<bool, BenchError> {
        let says_something = self.audio_seconds >= LEAST_MEASURED;
        if says_something {
            write_json(path(home, encoder, device, precision), self)?;
        }
        Ok(says_something)
    }

    fn read(home: &Home, experiment: &Experiment, encoder: &str) -> Option<Self> {
        let kind = experiment.device.first().kind();
        read_json(path(home, encoder, kind, experiment.precision.name())).ok()
    }
}

fn path(home: &Home, encoder: &str, device: &str, precision: &str) -> PathBuf {
    let name = format!("{encoder}+{device}+{precision}.json");
    home.root().join("speeds").join(name)
}

/// Core seconds of extraction, as a function of the amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExtractCost {
    per_second: f64,
    per_utterance: f64,
    pub(super) source: SpeedSource,
}

/// The cost of every encoder of an experiment, and the basis of the estimates.
pub(super) fn extract_costs(
    home: &Home,
    experiment: &Experiment,
    machine: &Machine,
) -> (Vec<ExtractCost>, Assumed) {
    let names = || experiment.encoders.iter().map(|choice| &choice.name);
    let records: Vec<_> = names()
        .map(|name| Measured::read(home, experiment, name))
        .collect();
    if experiment.device.are_gpus() {
        return on_gpus(experiment, records, machine);
    }
    let mut measured = Vec::new();
    let mut shares = Vec::new();
    for (name, record) in names().zip(&records) {
        // The size of any other is unknown.
        if let (Some(record), Some(_)) = (record, zoo_entry(name)) {
            let at_peak = ExtractCost::estimated(name, machine.peak);
            let least = at_peak.core_seconds(record.audio_seconds, record.utterances);
            shares.push(least / record.core_seconds);
            measured.push(name.clone());
        }
    }
    let share = match shares.len() {
        0 => SHARE_OF_PEAK,
        count => shares.iter().sum::<f64>() / count as f64,
    };
    let costs = names().zip(records).map(|(name, record)| match record {
        Some(record) => ExtractCost::measured(name, record),
        None => ExtractCost::estimated(name, machine.peak * share),
    });
    let assumed = Assumed {
        device: String::new(),
        peak_gflops: machine.peak / 1e9,
        share,
        measured,
    };
    (costs.collect(), assumed)
}

/// [`extract_costs`] in seconds of one card: a card's speed is known only by measurement.
fn on_gpus(
    experiment: &Experiment,
    records: Vec<Option<Measured>>,
    machine: &Machine,
) -> (Vec<ExtractCost>, Assumed) {
    let names = || experiment.encoders.iter().map(|choice| &choice.name);
    let mut measured = Vec::new();
    let mut speeds = Vec::new();
    for (name, record) in names().zip(&records) {
        if let (Some(record), Some(_)) = (record, zoo_entry(name)) {
            let operations = ExtractCost::estimated(name, 1.0);
            let operations = operations.core_seconds(record.audio_seconds, record.utterances);
            speeds.push(operations / record.core_seconds);
            measured.push(name.clone());
        }
    }
    let speed = match speeds.len() {
        0 => None,
        count => Some(speeds.iter().sum::<f64>() / count as f64),
    };
    let cards = experiment.device.all().len() as f64;
    let cost = |(name, record): (&String, Option<Measured>)| match (record, speed) {
        (Some(record), _) => ExtractCost::measured(name, record),
        // The cores compute it, wherever other encoders compute.
        (None, _) if BUILT_IN.contains(&name.as_str()) => ExtractCost {
            per_second: built_in_cost(name) / machine.cores as f64 * cards,
            per_utterance: 0.0,
            source: SpeedSource::Estimated,
        },
        (None, Some(speed)) => ExtractCost::estimated(name, speed),
        (None, None) => ExtractCost {
            per_second: 0.0,
            per_utterance: 0.0,
            source: SpeedSource::Unknown,
        },
    };
    let assumed = Assumed {
        device: experiment.device.first().kind().to_owned(),
        peak_gflops: speed.unwrap_or(0.0) / 1e9,
        share: 1.0,
        measured,
    };
    (names().zip(records).map(cost).collect(), assumed)
}

impl ExtractCost {
    fn measured(encoder: &str, record: Measured) -> Self {
        let by_window = is_by_window(zoo_entry(encoder));
        Self {
            per_second: match by_window {
                true => 0.0,
                false => record.core_seconds / record.audio_seconds,
            },
            per_utterance: match by_window {
                true => record.core_seconds / record.utterances,
                false => 0.0,
            },
            source: SpeedSource::Measured,
        }
    }

    /// At `speed` operations per second.
    fn estimated(encoder: &str, speed: f64) -> Self {
        let entry = zoo_entry(encoder);
        let frame = 2.0 * parameters(entry);
        let (per_second, per_utterance) = if BUILT_IN.contains(&encoder) {
            (built_in_cost(encoder), 0.0)
        } else if let Some(entry) = entry.filter(|entry| is_by_window(Some(entry))) {
            let frames = FRAMES * WINDOW;
            // Queries with keys, and weights with values.
            let attention = 4.0 * frames * (entry.dim * entry.layers.unwrap_or(0)) as f64;
            (0.0, (frame + attention) * frames / speed)
        } else {
            ((frame * FRAMES + CONVOLUTIONS) / speed, 0.0)
        };
        Self {
            per_second,
            per_utterance,
            source: SpeedSource::Estimated,
        }
    }

    pub(super) fn core_seconds(&self, seconds: f64, utterances: f64) -> f64 {
        self.per_second * seconds + self.per_utterance * utterances
    }
}

/// Whether an utterance costs a whole window: nearly all are shorter.
fn is_by_window(entry: Option<&ZooEntry>) -> bool {
    entry.is_some_and(|entry| entry.family == "Whisper")
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

fn built_in_cost(name: &str) -> f64 {
    match name == FBANK {
        true => FBANK_COST,
        false => EGEMAPS_COST,
    }
}

/// The properties of an encoder that determine the size of its features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) dim: usize,
    states: usize,
    /// Frames per second.
    rate: f64,
}

impl Shape {
    /// From the checkpoint's configuration if it is available, else from the zoo. Reads no weights.
    pub(super) fn of(choice: &EncoderChoice) -> Self {
        if let Ok(known) = crate::encoders::describe_encoder(choice) {
            let info = known.info();
            return Self {
                dim: info.dim,
                states: info.hidden_states,
                rate: f64::from(info.sample_rate) / info.hop as f64,
            };
        }
        let entry = zoo_entry(&choice.name);
        Self {
            dim: entry.map_or(768, |entry| entry.dim),
            states: entry.and_then(|entry| entry.layers).unwrap_or(12) + 1,
            rate: FRAMES,
        }
    }

    /// Bytes of the features of this many seconds of audio.
    pub(super) fn feature_bytes(&self, experiment: &Experiment, seconds: f64) -> f64 {
        let layers = experiment.layers.resolve(self.states);
        let layers = layers.map_or(1, |layers| layers.len());
        let frames = seconds * self.rate * (layers * self.dim) as f64 * 2.0;
        // Mean and standard deviation of every hidden state in f32, assuming utterances of four seconds.
        let statistics = match experiment.layer_curve {
            true => seconds / 4.0 * (self.states * self.dim * 8) as f64,
            false => 0.0,
        };
        frames + statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(encoders: &[&str]) -> Experiment {
        let choice = |name: &&str| EncoderChoice {
            name: (*name).to_owned(),
            path: None,
        };
        Experiment {
            encoders: encoders.iter().map(choice).collect(),
            ..Experiment::default()
        }
    }

    #[test]
    fn a_measured_encoder_says_what_the_others_reach() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let machine = Machine {
            cores: 2,
            peak: 50e9,
        };
        let experiment = experiment(&["wav2vec2-base", "wav2vec2-large", "whisper-large-v3"]);
        let (guessed, assumed) = extract_costs(&home, &experiment, &machine);
        assert_eq!((assumed.share, assumed.measured.len()), (0.5, 0));
        assert!(
            assumed.to_string().contains("50% of the 50 GFLOP/s"),
            "{assumed}"
        );

        // Half as fast as guessed.
        let mut record = Measured {
            utterances: 10.0,
            audio_seconds: 40.0,
            core_seconds: 2.0 * guessed[0].core_seconds(40.0, 10.0),
        };
        let noted = record.record(&home, "wav2vec2-base", "cpu", "f32");
        assert!(noted.unwrap());
        let (costs, assumed) = extract_costs(&home, &experiment, &machine);
        assert!((assumed.share - 0.25).abs() < 1e-9, "{}", assumed.share);
        assert_eq!(assumed.measured, ["wav2vec2-base"]);
        let sources = costs.iter().map(|cost| cost.source);
        assert_eq!(
            sources.collect::<Vec<_>>(),
            [
                SpeedSource::Measured,
                SpeedSource::Estimated,
                SpeedSource::Estimated
            ]
        );
        for (cost, guess) in costs.iter().zip(&guessed) {
            let ratio = cost.core_seconds(7.0, 3.0) / guess.core_seconds(7.0, 3.0);
            assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
        }

        // A measurement on another device, or one too brief, says nothing.
        record.audio_seconds = 1.0;
        let noted = record.record(&home, "wav2vec2-large", "cpu", "f32");
        assert!(!noted.unwrap());
        record.audio_seconds = 40.0;
        record
            .record(&home, "wav2vec2-large", "cuda", "f32")
            .unwrap();
        let (costs, _) = extract_costs(&home, &experiment, &machine);
        assert_eq!(costs[1].source, SpeedSource::Estimated);
    }

    #[test]
    fn a_card_is_estimated_from_what_a_card_has_done_and_from_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let machine = Machine {
            cores: 2,
            peak: 50e9,
        };
        let mut experiment = experiment(&["wavlm-base", "wavlm-large", "fbank"]);
        experiment.device = "cuda:0,1".parse().unwrap();
        let mut record = Measured {
            utterances: 10.0,
            audio_seconds: 40.0,
            core_seconds: 20.0,
        };
        record.record(&home, "wavlm-base", "cpu", "f32").unwrap();
        let (costs, assumed) = extract_costs(&home, &experiment, &machine);
        let sources: Vec<SpeedSource> = costs.iter().map(|cost| cost.source).collect();
        use SpeedSource::{Estimated, Measured as Found, Unknown};
        assert_eq!(sources, [Unknown, Unknown, Estimated]);
        assert!(
            assumed.to_string().contains("bench NAME --device cuda"),
            "{assumed}"
        );
        // By their shapes, the large encoder takes 3.4 times as long as the small one on the same card.
        record.core_seconds = 0.01;
        record.record(&home, "wavlm-base", "cuda", "f32").unwrap();
        let (costs, assumed) = extract_costs(&home, &experiment, &machine);
        let sources: Vec<SpeedSource> = costs.iter().map(|cost| cost.source).collect();
        assert_eq!(sources, [Found, Estimated, Estimated]);
        assert_eq!(costs[0].core_seconds(40.0, 10.0), 0.01);
        let guess = |name: &str| ExtractCost::estimated(name, 1.0).core_seconds(40.0, 10.0);
        let ratio = guess("wavlm-large") / guess("wavlm-base");
        assert!((2.5..3.5).contains(&ratio), "{ratio}");
        let large = costs[1].core_seconds(40.0, 10.0);
        assert!((large / 0.01 - ratio).abs() < 1e-9, "{large}");
        let text = assumed.to_string();
        assert!(text.contains("that wavlm-base reached on cuda"), "{text}");
    }

    #[test]
    fn a_window_costs_the_same_whatever_is_in_it() {
        let record = Measured {
            utterances: 10.0,
            audio_seconds: 100.0,
            core_seconds: 20.0,
        };
        let whisper = ExtractCost::measured("whisper-large-v3", record);
        assert_eq!(whisper.core_seconds(40.0, 10.0), 20.0);
        let wavlm = ExtractCost::measured("wavlm-base", record);
        assert_eq!(wavlm.core_seconds(40.0, 10.0), 8.0);
    }
}
