use crate::{FeatureSource, ProbeError, Target};
use serde::{Deserialize, Serialize};

/// The role of an utterance in one fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Trains the probe, or validates if the partition has no validation part of its own.
    Train,
    /// The partition's own validation part.
    Valid,
    /// Predicted once with the selected probe.
    Test,
    /// A further test set: predicted like [`Role::Test`], but not used for the oracle.
    Extra,
}

/// One utterance of a fold. Its features are those of the same position in the feature source.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The utterance's key.
    pub key: String,
    /// Its class, as an index into [`FoldTask::classes`]; where dimensions are learned, the label that the validation part is
    /// balanced by.
    pub label: usize,
    /// For [`Target::Votes`] the share of each class, or empty without votes; for [`Target::Dimensions`] the value of each;
    /// otherwise empty.
    pub target: Vec<f32>,
    /// Its speaker, where known.
    pub speaker: Option<String>,
    /// Its role in the fold.
    pub role: Role,
}

#[cfg(test)]
impl Item {
    /// An utterance of a test that needs neither key nor speaker.
    pub(crate) fn nameless(label: usize, target: &[f32], role: Role) -> Self {
        Self {
            key: String::new(),
            label,
            target: target.to_vec(),
            speaker: None,
            role,
        }
    }
}

/// One fold to train: data without any settings.
#[derive(Clone, Copy)]
pub struct FoldTask<'a> {
    /// The corpus, for messages.
    pub corpus: &'a str,
    /// The fold, from 1.
    pub fold: u32,
    /// The classes, or the dimensions, in the order of the outputs.
    pub classes: &'a [String],
    /// All utterances of the fold. Batches depend on their order, so pass them sorted by key.
    pub items: &'a [Item],
    /// The features of `items`, by position.
    pub source: &'a dyn FeatureSource,
}

impl FoldTask<'_> {
    /// Positions of the utterances with a role, in order.
    pub fn with_role(&self, role: Role) -> Vec<usize> {
        let items = self.items.iter().enumerate();
        items
            .filter(|(_, item)| item.role == role)
            .map(|(at, _)| at)
            .collect()
    }

    /// Finds errors that would make training fail or meaningless, before it starts.
    pub fn check(&self, target: Target) -> Result<(), ProbeError> {
        let classes = self.classes.len();
        let dimensions = target == Target::Dimensions;
        if dimensions && classes == 0 {
            return Err(self.refuse("no dimension to learn".to_owned()));
        }
        if classes < 2 && !dimensions {
            return Err(self.refuse(format!("a probe needs at least 2 classes, found {classes}")));
        }
        let trained = self.with_role(Role::Train).len();
        if trained < 2 {
            return Err(self.refuse(format!(
                "the training part has {trained} utterances, at least 2 are needed"
            )));
        }
        for (at, item) in self.items.iter().enumerate() {
            let wanted = match target {
                Target::Classes => 0,
                Target::Votes if item.target.is_empty() => 0,
                Target::Votes | Target::Dimensions => classes,
            };
            if item.target.len() != wanted || item.target.iter().any(|x| !x.is_finite()) {
                return Err(self.refuse(format!(
                    "utterance {:?} has {:?} to learn, expected {wanted} finite numbers",
                    item.key, item.target
                )));
            }
            if item.label >= classes && !dimensions {
                return Err(self.refuse(format!(
                    "utterance {:?} has label {} of {classes} classes",
                    item.key, item.label
                )));
            }
            if self.source.frames(at) == 0 {
                return Err(ProbeError::Features {
                    key: item.key.clone(),
                    problem: "no frames, at least 1 is needed".into(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn refuse(&self, problem: String) -> ProbeError {
        ProbeError::Fold {
            corpus: self.corpus.to_owned(),
            fold: self.fold,
            problem,
        }
    }
}
