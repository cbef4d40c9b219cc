//! Test sets whose labels only the organiser has.
//!
//! A key often gives the label away (`03a01Fa` is joy in EmoDB), so a sealed set names its recordings by numbers that only the
//! key file maps to keys. The commitment binds the organiser: labels cannot be changed after the set was published.

use crate::submission::sha256_hex;
use crate::verify::score_contradictions;
use crate::{Mismatch, Prediction, ReferenceItem, SCHEMA, ScoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Characters of a recording's number: 64 bits, so that among a million recordings two share a number in one of 3 × 10⁷ sets.
const ID: usize = 16;

/// The published part: recordings without labels, speakers or revealing names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSet {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the set.
    pub name: String,
    /// The classes that may be predicted.
    pub classes: Vec<String>,
    /// Numbers of the recordings, sorted.
    pub ids: Vec<String>,
    /// SHA-256 of the key file: labels cannot be changed after the set was published.
    pub commitment: String,
}

/// The part that the organiser keeps secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealKey {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the set.
    pub name: String,
    /// Random text from which the numbers and the commitment are derived; whoever knows it can test guessed labels.
    pub salt: String,
    /// The classes that may be predicted.
    pub classes: Vec<String>,
    /// Every recording by its number.
    pub items: BTreeMap<String, ReferenceItem>,
}

/// An answer to a sealed set: `{"id", "prediction", "scores"}`, a line of `answers.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedAnswer {
    /// Number of the recording.
    pub id: String,
    /// The predicted class.
    pub prediction: String,
    /// Natural-log probability of each class, where given.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "crate::prediction::log_probabilities"
    )]
    pub scores: BTreeMap<String, f64>,
}

/// Seals a test part. `salt` is at least 32 unguessable characters, from the caller's source of randomness.
///
/// # Errors
/// No items, a short salt, or two recordings with the same number (try another salt).
pub fn seal(
    name: &str,
    classes: &[String],
    items: &[ReferenceItem],
    salt: &str,
) -> Result<(SealedSet, SealKey), ScoreError> {
    if items.is_empty() {
        return Err(ScoreError::Empty {
            subject: name.to_owned(),
        });
    }
    if salt.len() < 32 {
        return Err(ScoreError::Invalid {
            subject: "salt of a sealed set".to_owned(),
            expected: "at least 32 characters".to_owned(),
            got: salt.len().to_string(),
        });
    }
    let id = |item: &ReferenceItem| {
        let text = format!("{salt}\n{}\n{}", item.fold, item.key);
        sha256_hex(text.as_bytes())[..ID].to_owned()
    };
    let by_id: BTreeMap<String, ReferenceItem> =
        items.iter().map(|item| (id(item), item.clone())).collect();
    if by_id.len() < items.len() {
        return Err(ScoreError::Invalid {
            subject: format!("test items of {name}"),
            expected: format!("{} different ones", items.len()),
            got: by_id.len().to_string(),
        });
    }
    let key = SealKey {
        schema: SCHEMA,
        name: name.to_owned(),
        salt: salt.to_owned(),
        classes: classes.to_vec(),
        items: by_id,
    };
    let sealed = SealedSet {
        schema: SCHEMA,
        name: name.to_owned(),
        classes: classes.to_vec(),
        ids: key.items.keys().cloned().collect(),
        commitment: key.commitment(),
    };
    Ok((sealed, key))
}

impl SealKey {
    /// SHA-256 of the contents of the key file.
    pub fn commitment(&self) -> String {
        // Serialising plain data to memory cannot fail; if it did, no commitment would match.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        sha256_hex(&bytes)
    }

    /// Adds labels and speakers to the answers to a set, for scoring.
    ///
    /// # Errors
    /// A key of another set, or one that was changed after the set was published; numbers that are missing, extra or doubled;
    /// an answer that is not one of the classes, or not the most probable class of its own scores. Messages name recordings by
    /// their numbers alone, so they can be passed on.
    pub fn open(
        &self,
        set: &SealedSet,
        answers: &[SealedAnswer],
    ) -> Result<Vec<Prediction>, ScoreError> {
        if self.commitment() != set.commitment || !self.items.keys().eq(&set.ids) {
            return Err(ScoreError::Invalid {
                subject: format!("key of {}", self.name),
                expected: format!("the one that the set {} was sealed with", set.name),
                got: "another: it is of another set, or one of the two was changed after the set was given out"
                    .to_owned(),
            });
        }
        Mismatch::between(
            self.items.keys().map(String::as_str),
            answers.iter().map(|a| a.id.as_str()),
        )
        .into_result()?;
        let unknown = answers.iter().find_map(|answer| {
            let mut named = std::iter::once(&answer.prediction).chain(answer.scores.keys());
            let class = named.find(|class| !self.classes.contains(class))?;
            Some((answer, class))
        });
        if let Some((answer, class)) = unknown {
            return Err(ScoreError::UnknownClass {
                key: answer.id.clone(),
                what: "prediction",
                class: class.clone(),
                known: self.classes.clone(),
            });
        }
        let mut predictions: Vec<Prediction> = answers
            .iter()
            .map(|answer| {
                let item = &self.items[&answer.id];
                Prediction {
                    key: answer.id.clone(),
                    fold: item.fold,
                    label: item.label.clone(),
                    prediction: answer.prediction.clone(),
                    scores: answer.scores.clone(),
                    speaker: item.speaker.clone(),
                    votes: BTreeMap::new(),
                    gender: item.gender.clone(),
                }
            })
            .collect();
        if let Some(problem) = score_contradictions(&predictions).into_iter().next() {
            return Err(ScoreError::Invalid {
                subject: format!("answers to {}", self.name),
                expected: "predictions that follow from their scores".to_owned(),
                got: problem,
            });
        }
        for prediction in &mut predictions {
            let item = &self.items[&prediction.key];
            prediction.key.clone_from(&item.key);
        }
        Ok(predictions)
    }
}
