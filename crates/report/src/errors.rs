//! The utterances that were taken for another class, to be heard.

use serde::{Deserialize, Serialize};

/// Most errors of a list; a list with more holds the most confident.
pub const ERRORS_LIMIT: usize = 200;

/// The errors of one cell, the most confident first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorList {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// How the corpus was cut.
    pub partition: String,
    /// The protocol.
    pub protocol: String,
    /// What tells the configuration from others of the same encoder.
    pub config: String,
    /// Test items.
    pub n: usize,
    /// How many of them were taken for another class.
    pub wrong: usize,
    /// The folder that [`Clip::path`] is in, with `/` and nothing behind it.
    pub root: String,
    /// At most [`ERRORS_LIMIT`] of them.
    pub rows: Vec<ErrorRow>,
}

/// One utterance; in JSON a list of its fields, as 32 corpora by ten encoders have fifty thousand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct ErrorRow {
    /// Key of the utterance in its manifest.
    pub key: String,
    /// Fold whose test part it is in, from 1.
    pub fold: u32,
    /// The class of the annotation.
    pub reference: String,
    /// The class that it was taken for.
    pub predicted: String,
    /// Probability of the predicted class, of the reference; none where the predictions have no probabilities.
    pub probability: Option<[f64; 2]>,
    /// Who speaks, where known.
    pub speaker: Option<String>,
    /// What is said, or the corpus' code of it, where known.
    pub text: Option<String>,
    /// Where to hear it, where known.
    pub clip: Option<Clip>,
}

/// A recording or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Below the list's root, with `/`.
    pub path: String,
    /// The channel, from 1; 0 is the mean of all.
    pub channel: u16,
    /// Seconds from and to, of a part.
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

/// Audio inside the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The corpus.
    pub corpus: String,
    /// Key of the utterance.
    pub key: String,
    /// A file that browsers play, as a `data:` address.
    pub address: String,
}
