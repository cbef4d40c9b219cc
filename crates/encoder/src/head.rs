use crate::detect::{read_json, read_text};
use crate::model::ModelConfig;
use crate::weights::{Naming, Need};
use crate::{EncoderError, HiddenStates, LayerSelection};
use emobox_checkpoint::Checkpoint;
use emobox_checkpoint::SPEECHBRAIN;
use serde_json::Value;
use std::path::Path;

/// The classes of emotion2vec+, in the order of its published head.
const PUBLISHED: [&str; 9] = [
    "angry",
    "disgusted",
    "fearful",
    "happy",
    "neutral",
    "other",
    "sad",
    "surprised",
    "<unk>",
];
/// Prefix of classes that the published models leave unused.
const RESERVED: &str = "unuse";
/// Limit on the number of classes.
const MOST_CLASSES: usize = 10_000;
/// Limit on the width of a map inside a head.
const WIDEST: usize = 65_536;
/// The dimensions that regression heads predict.
const DIMENSIONS: [&str; 3] = ["arousal", "dominance", "valence"];
/// Epsilon of SpeechBrain's `output_norm`, a norm over the utterance: PyTorch's default.
const EPSILON: f64 = 1e-5;

/// The head of a fine-tuned checkpoint: maps from the mean over frames of a hidden state, or of a weighted sum of all states,
/// to its classes or dimensions.
///
/// * emotion2vec+: one map of the last state (FunASR, `Emotion2vec.inference`).
/// * transformers 5.23's `ForSequenceClassification`: projector and classifier, after a weighted sum of all states if
///   `use_weighted_layer_sum` is set. The last state is the one after an encoder's final norm, as in S3PRL, with which such
///   heads were trained, and in transformers 4; transformers 5 takes it before that norm.
/// * audEERING's `EmotionModel` and heads with the same layout: a dense map, tanh, an output map.
/// * SpeechBrain's IEMOCAP pipeline: the last state normalised over the utterance, one map (`model.ckpt`).
pub struct EmotionHead {
    labels: Vec<String>,
    of_dimensions: bool,
    /// One weight per hidden state; `None` if only the last is used.
    weights: Option<Vec<f64>>,
    normalised: bool,
    maps: Vec<Map>,
    tanh: bool,
}

struct Map {
    /// `[output, input]`.
    weight: Vec<f32>,
    /// `[output]`.
    bias: Vec<f32>,
}

impl Map {
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks_exact(x.len()).zip(&self.bias);
        rows.map(|(row, &bias)| {
            let product: f64 = row.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum();
            product + f64::from(bias)
        })
        .collect()
    }
}

/// Reads the tensors of a head and records them.
struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    used: Vec<Need>,
}

impl Reader<'_> {
    fn rows(&self, part: &str) -> Option<usize> {
        let shape = self.checkpoint.shape(&format!("{}{part}", self.prefix))?;
        shape.first().copied()
    }

    fn has(&self, part: &str) -> bool {
        self.rows(part).is_some()
    }

    fn tensor(&mut self, part: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let tensor = format!("{}{part}", self.prefix);
        let found = self.checkpoint.shape(&tensor).map(<[usize]>::to_vec);
        let need = Need {
            tensor,
            shape: shape.to_vec(),
            found,
        };
        crate::weights::require(std::slice::from_ref(&need))?;
        let values = self.checkpoint.read(&need.tensor)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let (tensor, value) = (need.tensor, values[index]);
            return Err(EncoderError::NonFiniteTensor {
                tensor,
                index,
                value,
            });
        }
        self.used.push(need);
        Ok(values)
    }

    /// `{name}.weight` with `inputs` columns and, if `bias`, `{name}.bias`.
    fn map(&mut self, name: &str, inputs: usize, bias: bool) -> Result<Map, EncoderError> {
        let weight = format!("{name}.weight");
        let outputs = self.rows(&weight).unwrap_or(0).min(WIDEST);
        Ok(Map {
            weight: self.tensor(&weight, &[outputs, inputs])?,
            bias: match bias {
                true => self.tensor(&format!("{name}.bias"), &[outputs])?,
                false => vec![0.0; outputs],
            },
        })
    }
}

impl EmotionHead {
    /// The head in a checkpoint, and the tensors that it uses; `None` if there is none.
    pub(crate) fn read(
        checkpoint: &Checkpoint,
        naming: &Naming,
        folder: &Path,
        model: &ModelConfig,
    ) -> Result<Option<(Self, Vec<Need>)>, EncoderError> {
        match model {
            ModelConfig::Data2Vec2(_) => emotion2vec(checkpoint, folder, model.dim()),
            ModelConfig::Speech(_) | ModelConfig::Conformer(_) => {
                if let Some(head) = speechbrain(folder, model.dim())? {
                    return Ok(Some((head, Vec::new())));
                }
                // Next to the encoder, whose prefix has one more part.
                let inside = naming.prefix.trim_end_matches('.').rsplit_once('.');
                let prefix = inside.map_or_else(String::new, |(before, _)| format!("{before}."));
                let config = read_json(&folder.join("config.json"))?.unwrap_or_default();
                let reader = Reader {
                    checkpoint,
                    prefix,
                    used: Vec::new(),
                };
                of_transformers(reader, &config, model)
            }
            ModelConfig::Whisper(_)
            | ModelConfig::Omni(_)
            | ModelConfig::Dasheng(_)
            | ModelConfig::Beats(_)
            | ModelConfig::SewD(_)
            | ModelConfig::SenseVoice(_)
            | ModelConfig::Fbank(_)
            | ModelConfig::Egemaps => Ok(None),
        }
    }

    /// The classes or dimensions, as the checkpoint's files name them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether it predicts values of dimensions (arousal, dominance, valence), not classes.
    pub fn of_dimensions(&self) -> bool {
        self.of_dimensions
    }

    /// The hidden states that it uses.
    pub fn layers(&self) -> LayerSelection {
        match self.weights {
            None => LayerSelection::Last,
            Some(_) => LayerSelection::All,
        }
    }

    /// The head's outputs for the hidden states of an utterance, those of [`EmotionHead::layers`]: one logit per class, or the
    /// value of each dimension.
    ///
    /// # Panics
    /// If the states are of another encoder.
    pub fn outputs(&self, states: &HiddenStates) -> Vec<f64> {
        let dim = states.dim;
        assert_eq!(
            self.maps.first().map(|map| map.weight.len()),
            self.maps.first().map(|map| map.bias.len() * dim),
            "states of another encoder"
        );
        let last = states.layers.len() - 1;
        let mut mean = vec![0.0f64; dim];
        let mut add = |layer: usize, weight: f64| {
            for frame in states.layer(layer).chunks_exact(dim) {
                for (sum, &value) in mean.iter_mut().zip(frame) {
                    *sum += weight * f64::from(value) / states.frames as f64;
                }
            }
        };
        match &self.weights {
            None => add(last, 1.0),
            Some(weights) => {
                assert_eq!(weights.len(), last + 1, "states of another encoder");
                weights.iter().enumerate().for_each(|(i, &w)| add(i, w));
            }
        }
        if self.normalised {
            let values = || states.layer(last).iter().map(|&v| f64::from(v));
            let count = (states.frames * dim) as f64;
            let centre = values().sum::<f64>() / count;
            let variance = values().map(|v| (v - centre).powi(2)).sum::<f64>() / count;
            let factor = 1.0 / (variance + EPSILON).sqrt();
            mean.iter_mut().for_each(|v| *v = (*v - centre) * factor);
        }
        let mut x = mean;
        for (index, map) in self.maps.iter().enumerate() {
            x = map.apply(&x);
            if self.tanh && index + 1 < self.maps.len() {
                x.iter_mut().for_each(|v| *v = v.tanh());
            }
        }
        x
    }

    /// The probability of every class given the hidden states of an utterance, those of [`EmotionHead::layers`]; without the
    /// classes that the model leaves unused. For dimensions, their values.
    ///
    /// # Panics
    /// If the states are of another encoder.
    pub fn scores(&self, states: &HiddenStates) -> Vec<f32> {
        let mut logits = self.outputs(states);
        if self.of_dimensions {
            return logits.into_iter().map(|value| value as f32).collect();
        }
        for (logit, label) in logits.iter_mut().zip(&self.labels) {
            if label.starts_with(RESERVED) {
                *logit = f64::NEG_INFINITY;
            }
        }
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights
            .into_iter()
            .map(|weight| (weight / total) as f32)
            .collect()
    }
}

fn emotion2vec(
    checkpoint: &Checkpoint,
    folder: &Path,
    dim: usize,
) -> Result<Option<(EmotionHead, Vec<Need>)>, EncoderError> {
    let prefixes = ["", "model.", "d2v_model."];
    let named = |prefix: &&&str| checkpoint.has(&format!("{prefix}proj.weight"));
    let Some(prefix) = prefixes.iter().find(named) else {
        return Ok(None);
    };
    let mut reader = Reader {
        checkpoint,
        prefix: (*prefix).to_owned(),
        used: Vec::new(),
    };
    let map = reader.map("proj", dim, true)?;
    let labels = labels(folder, map.bias.len())?;
    let head = EmotionHead {
        labels,
        of_dimensions: false,
        weights: None,
        normalised: false,
        maps: vec![map],
        tanh: false,
    };
    Ok(Some((head, reader.used)))
}

/// `ForSequenceClassification`, or audEERING's layout.
fn of_transformers(
    mut reader: Reader<'_>,
    config: &Value,
    model: &ModelConfig,
) -> Result<Option<(EmotionHead, Vec<Need>)>, EncoderError> {
    let dim = model.dim();
    let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let dense = ["classifier.out_proj", "classifier.output"];
    let dense = dense
        .iter()
        .find(|name| reader.has(&format!("{name}.weight")));
    let sequence = reader.has("projector.weight") && reader.has("classifier.weight");
    // An adapter between encoder and head changes the frames of the states.
    if flag("add_adapter")
        || !(sequence || dense.is_some() && reader.has("classifier.dense.weight"))
    {
        return Ok(None);
    }
    let first = match sequence {
        true => reader.map("projector", dim, true)?,
        false => reader.map("classifier.dense", dim, true)?,
    };
    let last = match (sequence, dense) {
        (false, Some(name)) => *name,
        _ => "classifier",
    };
    let last = reader.map(last, first.bias.len(), true)?;
    let weights = match sequence && flag("use_weighted_layer_sum") {
        false => None,
        true => {
            let raw = reader.tensor("layer_weights", &[model.layers() + 1])?;
            let highest = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let raw = raw.iter().map(|&w| f64::from(w - highest).exp());
            let total: f64 = raw.clone().sum();
            Some(raw.map(|w| w / total).collect())
        }
    };
    let names = (0..last.bias.len().min(MOST_CLASSES)).map(|index| {
        let name = config.get("id2label")?.get(index.to_string())?.as_str();
        Some(name?.trim().to_owned())
    });
    let labels: Option<Vec<String>> = names.collect();
    let labels = labels.unwrap_or_else(|| unnamed(last.bias.len()));
    let regression = config.get("problem_type").and_then(Value::as_str) == Some("regression");
    let told = |label: &String| DIMENSIONS.contains(&label.to_lowercase().as_str());
    let head = EmotionHead {
        of_dimensions: regression || labels.iter().all(told),
        labels,
        weights,
        normalised: false,
        maps: vec![first, last],
        tanh: !sequence,
    };
    Ok(Some((head, reader.used)))
}

/// SpeechBrain's pipeline: the map in `model.ckpt`, the classes in `label_encoder.txt`.
fn speechbrain(folder: &Path, dim: usize) -> Result<Option<EmotionHead>, EncoderError> {
    const MAP: &str = "0.w.weight";
    let weights = folder.join("model.ckpt");
    let Some(settings) = read_text(&folder.join("hyperparams.yaml"))? else {
        return Ok(None);
    };
    if !folder.join(SPEECHBRAIN).is_file() || !weights.is_file() {
        return Ok(None);
    }
    // Any other file of this name is not an emotion head, and does not concern the encoder.
    let Some(checkpoint) = Checkpoint::open(&weights).ok().filter(|c| c.has(MAP)) else {
        return Ok(None);
    };
    let mut reader = Reader {
        checkpoint: &checkpoint,
        prefix: String::new(),
        used: Vec::new(),
    };
    let map = reader.map("0.w", dim, checkpoint.has("0.w.bias"))?;
    // Lines `'neu' => 0`, then the label encoder's own entries.
    let text = read_text(&folder.join("label_encoder.txt"))?.unwrap_or_default();
    let mut labels = unnamed(map.bias.len());
    for line in text.lines() {
        if let Some((name, index)) = line.split_once(" => ")
            && let Some(label) = index
                .trim()
                .parse()
                .ok()
                .and_then(|i: usize| labels.get_mut(i))
        {
            *label = name.trim().trim_matches('\'').to_owned();
        }
    }
    let normalised = settings.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let setting = line.split_once(':');
        setting.is_some_and(|(key, value)| {
            key.trim() == "output_norm" && value.trim().eq_ignore_ascii_case("true")
        })
    });
    Ok(Some(EmotionHead {
        labels,
        of_dimensions: false,
        weights: None,
        normalised,
        maps: vec![map],
        tanh: false,
    }))
}

fn unnamed(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

/// From `tokens.txt` (one class per line) or `tokens.json` (a list); otherwise the published ones.
fn labels(folder: &Path, classes: usize) -> Result<Vec<String>, EncoderError> {
    let path = folder.join("tokens.txt");
    let mut labels: Vec<String> = match read_text(&path)? {
        Some(text) => text.lines().map(|line| line.trim().to_owned()).collect(),
        None => match read_json(&folder.join("tokens.json"))? {
            Some(list) => serde_json::from_value(list).unwrap_or_default(),
            None if classes == PUBLISHED.len() => PUBLISHED.map(str::to_owned).to_vec(),
            None => unnamed(classes),
        },
    };
    labels.retain(|label| !label.is_empty());
    if labels.len() != classes {
        return Err(EncoderError::BadConfigFile {
            path,
            reason: format!("{} classes, but the head has {classes}", labels.len()),
        });
    }
    Ok(labels)
}
