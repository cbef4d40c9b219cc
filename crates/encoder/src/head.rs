use crate::checkpoint::Checkpoint;
use crate::detect::{read_json, read_text};
use crate::weights::Need;
use crate::{EncoderError, HiddenStates};
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
/// Classes that the published models keep free.
const RESERVED: &str = "unuse";
/// No head has more classes.
const MOST_CLASSES: usize = 10_000;

/// The classifier that a fine-tuned emotion2vec carries: a linear map of the mean of the last
/// hidden state over frames (FunASR, `Emotion2vec.inference`).
pub struct EmotionHead {
    labels: Vec<String>,
    /// `[class, dim]`.
    weight: Vec<f32>,
    /// `[class]`.
    bias: Vec<f32>,
}

impl EmotionHead {
    /// The head in a checkpoint, with the tensors it is made of; `None` where there is none.
    pub(crate) fn read(
        checkpoint: &Checkpoint,
        folder: &Path,
        dim: usize,
    ) -> Result<Option<(Self, [Need; 2])>, EncoderError> {
        let prefixes = ["", "model.", "d2v_model."];
        let named = |prefix: &&&str| checkpoint.has(&format!("{prefix}proj.weight"));
        let Some(prefix) = prefixes.iter().find(named) else {
            return Ok(None);
        };
        let found = checkpoint
            .shape(&format!("{prefix}proj.weight"))
            .unwrap_or_default();
        let classes = found.first().copied().unwrap_or(0).min(MOST_CLASSES);
        let need = |part: &str, shape: Vec<usize>| {
            let tensor = format!("{prefix}proj.{part}");
            let found = checkpoint.shape(&tensor).map(<[usize]>::to_vec);
            Need {
                tensor,
                shape,
                found,
            }
        };
        let needs = [
            need("weight", vec![classes, dim]),
            need("bias", vec![classes]),
        ];
        crate::weights::require(&needs)?;
        let labels = labels(folder, classes)?;
        let [weight, bias] = &needs;
        let head = Self {
            labels,
            weight: checkpoint.read(&weight.tensor)?,
            bias: checkpoint.read(&bias.tensor)?,
        };
        Ok(Some((head, needs)))
    }

    /// The classes, as `tokens.txt` beside the checkpoint names them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The probability of every class given the last hidden state of an utterance; classes that
    /// the model keeps free have none.
    ///
    /// # Panics
    /// If the states are of another encoder.
    pub fn scores(&self, states: &HiddenStates) -> Vec<f32> {
        assert_eq!(
            states.dim * self.bias.len(),
            self.weight.len(),
            "states of another encoder"
        );
        let last = states.layer(states.layers.len() - 1);
        let mut mean = vec![0.0f64; states.dim];
        for frame in last.chunks_exact(states.dim) {
            for (sum, &value) in mean.iter_mut().zip(frame) {
                *sum += f64::from(value) / states.frames as f64;
            }
        }
        let rows = self
            .weight
            .chunks_exact(states.dim)
            .zip(&self.bias)
            .zip(&self.labels);
        let logits: Vec<f64> = rows
            .map(|((row, &bias), label)| match label.starts_with(RESERVED) {
                true => f64::NEG_INFINITY,
                false => {
                    let product: f64 = row.iter().zip(&mean).map(|(&w, m)| f64::from(w) * m).sum();
                    product + f64::from(bias)
                }
            })
            .collect();
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights
            .into_iter()
            .map(|weight| (weight / total) as f32)
            .collect()
    }
}

/// From `tokens.txt` (a class a line) or `tokens.json` (a list); else the published ones.
fn labels(folder: &Path, classes: usize) -> Result<Vec<String>, EncoderError> {
    let path = folder.join("tokens.txt");
    let mut labels: Vec<String> = match read_text(&path)? {
        Some(text) => text.lines().map(|line| line.trim().to_owned()).collect(),
        None => match read_json(&folder.join("tokens.json"))? {
            Some(list) => serde_json::from_value(list).unwrap_or_default(),
            None if classes == PUBLISHED.len() => PUBLISHED.map(str::to_owned).to_vec(),
            None => (0..classes).map(|class| format!("class {class}")).collect(),
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
