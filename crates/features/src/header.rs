use crate::FeatureError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the store's format.
pub const SCHEMA: u32 = 1;

/// How the frames of a store were made. Two stores whose headers agree hold the same features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    /// Format version, [`SCHEMA`].
    pub schema: u32,
    /// The corpus the audio came from.
    pub corpus: String,
    /// The encoder's name, for example `whisper-tiny.en`.
    pub encoder: String,
    /// The digest of the encoder's weights (for a weightless encoder, of its constants).
    pub weights_digest: String,
    /// The hidden states whose frames are stored, in this order; 0 is the embedding output.
    pub layers: Vec<usize>,
    /// How many hidden states the pooled statistics cover (0: no pooled store).
    pub pooled_layers: usize,
    /// The width of a frame.
    pub dim: usize,
    /// Samples of 16 kHz audio from one frame to the next.
    pub hop: usize,
    /// The precision of stored numbers.
    pub precision: StorePrecision,
    /// The precision of the encoder.
    pub compute: ComputePrecision,
    /// The normalisation of the frames before they were stored.
    pub normalisation: FeatureNormalisation,
    /// The perturbation of the audio before encoding, with its version; absent for unchanged audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perturbation: Option<String>,
    /// Raised by the extraction whenever the same audio gives different numbers.
    pub revision: u32,
    /// The program that wrote the store. Informational; it is not compared.
    pub program_version: String,
}

/// The number format of stored frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorePrecision {
    /// IEEE half precision: 11 significant bits, half the disk.
    #[default]
    F16,
    /// IEEE single precision.
    F32,
}

impl StorePrecision {
    /// The name in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }

    /// Bytes per number on disk.
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// The number format of the encoder's matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputePrecision {
    /// IEEE single precision.
    #[default]
    F32,
    /// Products of bfloat16, summed in single precision.
    Bf16,
    /// Products of IEEE half precision, summed in single precision; on GPUs only.
    F16,
}

impl ComputePrecision {
    /// The name in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }
}

/// Layer normalisation (no affine, epsilon [`crate::EPSILON`]) of the stored frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureNormalisation {
    /// Over all frames and dimensions of an utterance jointly, as the published recipe does.
    #[default]
    Utterance,
    /// Over the dimensions of each frame.
    Frame,
    /// Unchanged, as given by the encoder.
    None,
}

impl FeatureNormalisation {
    /// The name in files and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utterance => "utterance",
            Self::Frame => "frame",
            Self::None => "none",
        }
    }
}

impl StoreHeader {
    /// Refuses a store whose header differs from `self`, naming the first differing field.
    pub fn check(&self, path: &Path, found: &Self) -> Result<(), FeatureError> {
        let fields: [(&'static str, String, String); 13] = [
            ("schema", self.schema.to_string(), found.schema.to_string()),
            ("corpus", quoted(&self.corpus), quoted(&found.corpus)),
            ("encoder", quoted(&self.encoder), quoted(&found.encoder)),
            (
                "digest of the weights",
                quoted(&self.weights_digest),
                quoted(&found.weights_digest),
            ),
            (
                "list of stored layers",
                format!("{:?}", self.layers),
                format!("{:?}", found.layers),
            ),
            (
                "number of pooled layers",
                self.pooled_layers.to_string(),
                found.pooled_layers.to_string(),
            ),
            ("dimension", self.dim.to_string(), found.dim.to_string()),
            ("hop", self.hop.to_string(), found.hop.to_string()),
            ("precision", word(&self.precision), word(&found.precision)),
            (
                "compute precision",
                word(&self.compute),
                word(&found.compute),
            ),
            (
                "normalisation",
                word(&self.normalisation),
                word(&found.normalisation),
            ),
            (
                "perturbation of the audio",
                format!("{:?}", self.perturbation),
                format!("{:?}", found.perturbation),
            ),
            (
                "extraction revision",
                self.revision.to_string(),
                found.revision.to_string(),
            ),
        ];
        match fields.into_iter().find(|(_, a, b)| a != b) {
            None => Ok(()),
            Some((field, expected, found)) => Err(FeatureError::Mismatch {
                path: path.to_owned(),
                field,
                expected,
                found,
            }),
        }
    }

    /// Numbers stored for `frames` frames of one utterance.
    pub(crate) fn numbers(&self, frames: usize) -> usize {
        self.layers.len() * frames * self.dim
    }

    /// The text whose digest names the shards: everything that is compared.
    pub(crate) fn identity(&self) -> String {
        let comparable = Self {
            program_version: String::new(),
            ..self.clone()
        };
        serde_json::to_string(&comparable).expect("a struct of plain fields is always JSON")
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn word<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}").to_lowercase()
}
