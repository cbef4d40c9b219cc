//! Misclassified utterances with their recordings.

use serde::{Deserialize, Serialize};

/// Maximum length of a list of errors; a longer list is cut to the most confident ones.
pub const ERRORS_LIMIT: usize = 200;

/// The errors of one cell, the most confident first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorList {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// How the corpus was partitioned.
    pub partition: String,
    /// The protocol.
    pub protocol: String,
    /// What distinguishes the configuration from others of the same encoder.
    pub config: String,
    /// Number of test items.
    pub n: usize,
    /// How many of them were misclassified.
    pub wrong: usize,
    /// The folder that contains [`Clip::path`], with `/` as separator and no trailing slash.
    pub root: String,
    /// At most [`ERRORS_LIMIT`] of them.
    pub rows: Vec<ErrorRow>,
}

/// One utterance; in JSON a list of its fields, because 32 corpora by ten encoders have fifty thousand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct ErrorRow {
    /// Key of the utterance in its manifest.
    pub key: String,
    /// Fold whose test part it is in, from 1.
    pub fold: u32,
    /// The class of the annotation.
    pub reference: String,
    /// The predicted class.
    pub predicted: String,
    /// Probabilities of the predicted class and of the reference; none if the predictions have no probabilities.
    pub probability: Option<[f64; 2]>,
    /// The speaker, if known.
    pub speaker: Option<String>,
    /// The text, or the corpus's code for it, if known.
    pub text: Option<String>,
    /// The recording, if known.
    pub clip: Option<Clip>,
}

/// A recording or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Below the list's root, with `/`.
    pub path: String,
    /// The channel, from 1; 0 is the mean of all.
    pub channel: u16,
    /// Start and end in seconds, for a part of a recording.
    pub part: Option<[f64; 2]>,
}

/// Key, fold, reference, predicted, probabilities, speaker, text; path, channel and part of the clip.
type Stored = (
    String,
    u32,
    String,
    String,
    Option<[f64; 2]>,
    Option<String>,
    Option<String>,
    Option<(String, u16, Option<[f64; 2]>)>,
);

impl From<Stored> for ErrorRow {
    fn from(stored: Stored) -> Self {
        let (key, fold, reference, predicted, probability, speaker, text, clip) = stored;
        Self {
            key,
            fold,
            reference,
            predicted,
            probability,
            speaker,
            text,
            clip: clip.map(|(path, channel, part)| Clip {
                path,
                channel,
                part,
            }),
        }
    }
}

impl From<ErrorRow> for Stored {
    fn from(row: ErrorRow) -> Self {
        (
            row.key,
            row.fold,
            row.reference,
            row.predicted,
            row.probability,
            row.speaker,
            row.text,
            row.clip.map(|clip| (clip.path, clip.channel, clip.part)),
        )
    }
}

/// Audio embedded in the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The corpus.
    pub corpus: String,
    /// Key of the utterance.
    pub key: String,
    /// A file that browsers play, as a `data:` address.
    pub address: String,
}
