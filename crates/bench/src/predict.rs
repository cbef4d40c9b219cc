use crate::encoders::open_encoder;
use crate::{BenchError, CallError, EncoderChoice, usual_precision};
use emobox_audio::SampleRate;
use emobox_corpus::RawTree;
use emobox_encoder::{Device, EmotionHead, Encoder, LayerSelection};
use emobox_features::HiddenView;
use emobox_probe::{Probe, Target};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// An encoder with a trained probe or with its checkpoint's own head, ready to predict on recordings.
pub struct Predictor {
    /// Absent if the encoder's own head predicts.
    probe: Option<Probe>,
    encoder: Encoder,
    layers: LayerSelection,
}

/// The emotion of one recording, or of a window of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The file as it was given; `-` for standard input.
    pub file: PathBuf,
    /// The start of the window in seconds, if the recording is divided into windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// The length of the recording or window in seconds.
    pub seconds: f64,
    /// The most probable class; empty if the head predicts dimensions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prediction: String,
    /// All classes with their probabilities, the most probable first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probabilities: Vec<(String, f64)>,
    /// The value of each dimension, from a head that predicts them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, f64)>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(start) = self.start {
            write!(f, "\t{start:.2}\t{:.2}", start + self.seconds)?;
        }
        if !self.prediction.is_empty() {
            write!(f, "\t{}", self.prediction)?;
        }
        for (name, number) in self.probabilities.iter().chain(&self.values) {
            write!(f, "\t{name} {number:.3}")?;
        }
        Ok(())
    }
}

impl Answer {
    /// The mean of predictions on parts of a recording with these numbers of samples.
    pub fn mean(parts: &[Self], seconds: f64) -> Self {
        let mean = |numbers: fn(&Self) -> &[(String, f64)]| {
            let first = parts.first().map_or(&[][..], numbers);
            let of = |(name, _): &(String, f64)| {
                let all = parts.iter().flat_map(numbers);
                let same = all.filter(|(other, _)| other == name);
                let sum: f64 = same.map(|(_, number)| number).sum();
                (name.clone(), sum / parts.len() as f64)
            };
            first.iter().map(of).collect::<Vec<_>>()
        };
        let mut probabilities = mean(|answer| &answer.probabilities);
        probabilities.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = probabilities.first();
        Self {
            file: parts
                .first()
                .map_or_else(PathBuf::new, |part| part.file.clone()),
            start: None,
            seconds,
            prediction: best.map_or_else(String::new, |(class, _)| class.clone()),
            values: mean(|answer| &answer.values),
            probabilities,
        }
    }
}

/// `encoder.json` beside a saved probe: the location of its encoder at training.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub(crate) struct EncoderPlace {
    /// The checkpoint's folder or file, absolute or below the probe's folder; none for an encoder that is found by its name.
    pub(crate) path: Option<PathBuf>,
}

/// The file of an [`EncoderPlace`], in the probe's folder.
pub(crate) const ENCODER_PLACE: &str = "encoder.json";

/// The encoder of the probe in a folder: at the given place, else at its place at training or, for an exported model, below
/// the folder, else by its name.
pub(crate) fn encoder_of(probe: &Probe, folder: &Path, given: Option<&Path>) -> EncoderChoice {
    let place = emobox_files::read_json::<EncoderPlace>(folder.join(ENCODER_PLACE)).ok();
    let known = || {
        let path = folder.join(place?.path?);
        path.exists().then_some(path)
    };
    EncoderChoice {
        name: probe.description().features.encoder.clone(),
        path: given.map(Path::to_owned).or_else(known),
    }
}

/// Refuses an encoder with other weights than the probe was trained on.
pub(crate) fn check_weights(probe: &Probe, folder: &Path, found: &str) -> Result<(), BenchError> {
    let features = &probe.description().features;
    if found == features.weights_digest {
        return Ok(());
    }
    Err(BenchError::Call(CallError::other(
        folder,
        format!(
            "holds a probe that was trained on {} with weights {:.12}, this one has {found:.12}: name the right checkpoint with --encoder DIR",
            features.encoder, features.weights_digest
        ),
    )))
}

/// The probe in a folder or named by its `probe.json`, with its folder.
pub(crate) fn saved_probe(probe: &Path) -> Result<(&Path, Probe), BenchError> {
    let folder = if probe.is_dir() {
        probe
    } else {
        probe.parent().unwrap_or(probe)
    };
    if !folder.join("probe.json").exists() && folder.join("scores.json").exists() {
        return Err(BenchError::Call(CallError::other(
            folder,
            "is a run, which has a probe for each fold: `emobox fit NAME --corpus … --encoder …` trains a model on the whole corpus, and `emobox predict NAME …` predicts with it",
        )));
    }
    if !folder.join("probe.json").exists() {
        return Err(BenchError::Call(CallError::other(
            probe,
            "is neither a model of this home, nor the folder of a model or of a saved probe: `emobox fit NAME --corpus … --encoder …` trains a model, and --encoder predicts with the head of a checkpoint",
        )));
    }
    Ok((folder, Probe::load(folder)?))
}

impl Predictor {
    /// Loads a probe and the encoder it was trained on: the one at `encoder` if given, else at its place
    /// at training, else by its name. An encoder with other weights is refused.
    pub fn open(probe: &Path, encoder: Option<&Path>, device: Device) -> Result<Self, BenchError> {
        let (folder, probe) = saved_probe(probe)?;
        let features = &probe.description().features;
        let choice = encoder_of(&probe, folder, encoder);
        let encoder = open_encoder(&choice, features.compute, device)?;
        check_weights(&probe, folder, &encoder.info().weights_digest)?;
        Ok(Self {
            layers: LayerSelection::List(features.layers.clone()),
            encoder,
            probe: Some(probe),
        })
    }

    /// An encoder with its checkpoint's own head.
    pub fn with_its_head(encoder: &EncoderChoice, device: Device) -> Result<Self, BenchError> {
        let encoder = open_encoder(encoder, usual_precision(device), device)?;
        Ok(Self {
            layers: head_of(&encoder)?.layers(),
            encoder,
            probe: None,
        })
    }

    /// The recordings that a call names: files as given, and those below folders, sorted by name.
    pub fn recordings(named: &[PathBuf]) -> Result<Vec<PathBuf>, BenchError> {
        let mut files = Vec::new();
        for path in named {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let tree = RawTree::scan("recordings", path)?;
            let before = files.len();
            files.extend(tree.audio().map(|file| path.join(file.path())));
            if files.len() == before {
                return Err(BenchError::Call(CallError::other(
                    path,
                    "holds no audio file",
                )));
            }
        }
        Ok(files)
    }

    pub(crate) fn probe(&self) -> Option<&Probe> {
        self.probe.as_ref()
    }

    /// Samples per second of its input.
    pub fn rate(&self) -> SampleRate {
        SampleRate(self.encoder.info().sample_rate)
    }

    /// The longest input of the encoder in samples, if limited.
    pub fn longest(&self) -> Option<usize> {
        self.encoder.info().longest
    }

    /// The classes or the dimensions that it predicts.
    pub fn classes(&self) -> &[String] {
        match (&self.probe, self.encoder.head()) {
            (Some(probe), _) => probe.classes(),
            (None, head) => head.map_or(&[], EmotionHead::labels),
        }
    }

    /// Whether it predicts dimensions rather than classes.
    pub fn tells_dimensions(&self) -> bool {
        match &self.probe {
            Some(probe) => probe.description().protocol.target == Target::Dimensions,
            None => self.encoder.head().is_some_and(EmotionHead::of_dimensions),
        }
    }

    /// The emotion of samples at [`Predictor::rate`]; `file` is their name.
    ///
    /// # Errors
    /// Samples that the encoder cannot encode: too few, too many, or not finite.
    pub fn answer(&self, file: &Path, samples: &[f32]) -> Result<Answer, BenchError> {
        let hidden = self
            .encoder
            .encode(samples, &self.layers)
            .map_err(|e| BenchError::encoder(&self.encoder.info().name, e))?;
        let numbers: Vec<f64> = match &self.probe {
            None => {
                let scores = head_of(&self.encoder)?.scores(&hidden);
                scores.into_iter().map(f64::from).collect()
            }
            Some(probe) => {
                let view = HiddenView {
                    layers: &hidden.layers,
                    frames: hidden.frames,
                    dim: hidden.dim,
                    data: &hidden.data,
                };
                let name = file.display().to_string();
                let scores = probe.predict_hidden(&name, &view)?;
                match probe.description().protocol.target {
                    Target::Dimensions => scores,
                    Target::Classes | Target::Votes => {
                        scores.iter().map(|score| score.exp()).collect()
                    }
                }
            }
        };
        let named: Vec<(String, f64)> = self.classes().iter().cloned().zip(numbers).collect();
        let (mut probabilities, values) = match self.tells_dimensions() {
            false => (named, Vec::new()),
            true => (Vec::new(), named),
        };
        // A stable sort: the earlier class first at a tie, as in the benchmark.
        probabilities.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Answer {
            file: file.to_owned(),
            start: None,
            seconds: samples.len() as f64 / f64::from(self.rate().0),
            prediction: probabilities
                .first()
                .map_or_else(String::new, |(class, _)| class.clone()),
            probabilities,
            values,
        })
    }
}

/// The head of an encoder, or an error that says which encoders have one.
pub fn head_of(encoder: &Encoder) -> Result<&EmotionHead, BenchError> {
    encoder
        .head()
        .ok_or_else(|| BenchError::Call(CallError::NoHead(encoder.info().name.clone())))
}
