//! Targets besides classes: distributions of votes, and dimensions.

use serde::{Deserialize, Serialize};

/// The target of a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One class per utterance: cross-entropy.
    #[default]
    Classes,
    /// The distribution of the annotators' votes over the classes: cross-entropy against it. Selection and scores are by class,
    /// as usual. For an utterance without votes the target is its class.
    Votes,
    /// Valence, arousal and dominance: 1 minus the concordance correlation coefficient, computed over the batch and averaged
    /// over dimensions. Selection is by the mean coefficient on the validation part.
    Dimensions,
}

impl Target {
    /// The names, in the order of the help text.
    pub const NAMES: [&'static str; 3] = ["classes", "votes", "dimensions"];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn is_classes(&self) -> bool {
        *self == Self::Classes
    }
}
