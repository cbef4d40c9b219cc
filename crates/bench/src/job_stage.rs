use serde::{Deserialize, Serialize};
use std::fmt;

/// The stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStage {
    /// Raw corpora to manifests.
    Prepare,
    /// Audio to features.
    Extract,
    /// Balanced sets of a cross-corpus experiment: pseudo-labels and the draw.
    Draw,
    /// Features to probes and predictions.
    Train,
    /// Predictions to scores.
    Score,
    /// Test parts encoded with noise, rooms and codecs, and scored by the existing probes.
    Perturb,
    /// Scores to tables and the page.
    Report,
}

impl JobStage {
    /// All stages in their order.
    pub const ALL: [Self; 7] = [
        Self::Prepare,
        Self::Extract,
        Self::Draw,
        Self::Train,
        Self::Score,
        Self::Perturb,
        Self::Report,
    ];

    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Extract => "extract",
            Self::Draw => "draw",
            Self::Train => "train",
            Self::Score => "score",
            Self::Perturb => "perturb",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for JobStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
