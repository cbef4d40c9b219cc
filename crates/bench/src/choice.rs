//! Named choices: one place that turns a name into a value and back, for options, experiment files and Python.

use crate::{BenchError, CallError};
use emobox_corpus::Scheme;
use emobox_features::{ComputePrecision, FeatureNormalisation, StorePrecision};
use emobox_probe::{ClassWeighting, Target};
use serde::{Deserialize, Serialize};

/// A setting with a fixed list of values.
pub trait Choice: Copy + PartialEq + Send + Sync + 'static {
    /// The name of the setting, for messages.
    const WHAT: &'static str;
    /// Every value with its name and a sentence about it, the default first.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// The name of this value.
    fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|(value, ..)| *value == self);
        row.map_or("", |(_, name, _)| name)
    }

    /// The value of a name.
    fn named(name: &str) -> Result<Self, BenchError> {
        let row = Self::ALL.iter().find(|(_, known, _)| *known == name);
        row.map(|(value, ..)| *value).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
            BenchError::Call(CallError::value(
                Self::WHAT,
                name,
                format!("one of {}", known.join(", ")),
            ))
        })
    }
}

impl Choice for Scheme {
    const WHAT: &'static str = "partition scheme";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Paper,
            "paper",
            "The four rules of the paper, from the manifest alone",
        ),
        (Self::Published, "published", "Exactly the published lists"),
        (Self::Speaker, "speaker", "No speaker on both sides"),
    ];
}

/// How probes are trained and selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtocolName {
    /// Validation shares no speaker with training wherever the corpus allows.
    #[default]
    Strict,
    /// Validation is drawn at random within each label; clips over 30 s are skipped.
    Paper,
}

impl Choice for ProtocolName {
    const WHAT: &'static str = "protocol";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Strict,
            "strict",
            "Validation shares no speaker with training wherever the corpus allows",
        ),
        (
            Self::Paper,
            "paper",
            "Validation is drawn at random within each label; clips over 30 s are skipped",
        ),
    ];
}

impl Choice for FeatureNormalisation {
    const WHAT: &'static str = "normalisation";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Utterance,
            "utterance",
            "Over all frames and dimensions jointly, as the published recipe does",
        ),
        (Self::Frame, "frame", "Over the dimensions of each frame"),
        (Self::None, "none", "As the encoder gives them"),
    ];
}

impl Choice for ComputePrecision {
    const WHAT: &'static str = "precision";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::F32, "f32", "Single precision"),
        (
            Self::Bf16,
            "bf16",
            "Products of bfloat16, summed in single precision",
        ),
        (
            Self::F16,
            "f16",
            "Products of half precision, summed in single precision; on GPUs only",
        ),
    ];
}

impl Choice for StorePrecision {
    const WHAT: &'static str = "precision of stored features";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::F16, "f16", "Half precision: half the disk"),
        (Self::F32, "f32", "Single precision"),
    ];
}

impl Choice for ClassWeighting {
    const WHAT: &'static str = "class weighting";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::None, "none", "Every utterance weighs the same"),
        (Self::Balanced, "balanced", "Every class weighs the same"),
    ];
}

impl Choice for Target {
    const WHAT: &'static str = "target";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Classes, "classes", "One class per utterance"),
        (
            Self::Votes,
            "votes",
            "The annotators' votes, as a distribution over the classes; scored as classes and against the votes",
        ),
        (
            Self::Dimensions,
            "dimensions",
            "Valence, arousal and dominance, by their concordance with the reference",
        ),
    ];
}

/// What becomes of the features of a cell once its folds are trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepFeatures {
    /// They stay, for the next protocol or partition.
    #[default]
    Keep,
    /// They are deleted; the finished cell stays finished.
    Discard,
}

impl Choice for KeepFeatures {
    const WHAT: &'static str = "handling of features";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Keep,
            "keep",
            "They stay, for the next protocol or partition",
        ),
        (
            Self::Discard,
            "discard",
            "They are deleted when their folds are trained; the finished cell stays finished",
        ),
    ];
}

/// Which maps of the utterances are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Maps {
    /// Principal components.
    #[default]
    Pca,
    /// Principal components and t-SNE: exact, and slow for large corpora.
    Tsne,
    /// None.
    None,
}

/// Which probe a layer curve is made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerHead {
    /// A small linear probe on pooled statistics of every hidden state, which every store can have.
    #[default]
    Pooled,
    /// The table's own head on the frames of each stored layer.
    Own,
}

impl Choice for LayerHead {
    const WHAT: &'static str = "head of the layer curve";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Pooled,
            "pooled",
            "A linear probe on the mean and deviation over frames of every layer",
        ),
        (
            Self::Own,
            "own",
            "The table's own head on the frames of each layer of --layers all, or 0,4,7-9",
        ),
    ];
}

impl Choice for Maps {
    const WHAT: &'static str = "kind of map";
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Pca, "pca", "Principal components"),
        (
            Self::Tsne,
            "tsne",
            "Principal components and t-SNE, which is slow for large corpora",
        ),
        (Self::None, "none", "No maps"),
    ];
}

/// Values that are written as text: layers, devices.
pub(crate) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The same for an optional value.
pub(crate) mod as_text_or_none {
    use serde::{Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        super::as_text::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    fn same_names<T: Choice + Serialize + DeserializeOwned + Default + std::fmt::Debug>() {
        for (value, name, about) in T::ALL {
            assert_eq!(serde_json::to_value(value).unwrap(), *name, "{}", T::WHAT);
            assert_eq!(T::named(name).unwrap(), *value);
            assert!(!about.is_empty());
        }
        assert_eq!(T::ALL[0].0, T::default(), "{}", T::WHAT);
        let message = T::named("nonsense").unwrap_err().to_string();
        assert!(message.contains(T::ALL[1].1), "{message}");
    }

    #[test]
    fn files_and_options_use_the_same_names() {
        same_names::<Scheme>();
        same_names::<ProtocolName>();
        same_names::<FeatureNormalisation>();
        same_names::<ComputePrecision>();
        same_names::<StorePrecision>();
        same_names::<ClassWeighting>();
        same_names::<KeepFeatures>();
        same_names::<Maps>();
    }
}
