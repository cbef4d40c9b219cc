use crate::home::is_plain_name;
use crate::{BenchError, CallError, EncoderChoice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[cross]` of an experiment file: training on each corpus, testing on the balanced sets of the others.
///
/// ```toml
/// [cross]
/// labeller = { name = "emotion2vec-plus-large" }  # or "first" (the first encoder), "none"
/// per_cell = 6
/// speakers = 10
///
/// [cross.classes]                                 # without it: every class that all corpora have
/// happy = ["Happy", "Excited"]
///
/// [cross.balanced_sets]
/// savee = "sets/savee.jsonl"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossOptions {
    /// Shared classes with each corpus class that belongs to them, as `happy` → `Happy`, `Excited`; empty for
    /// every class that all corpora have.
    pub classes: BTreeMap<String, Vec<String>>,
    /// Who decides which utterances sound like their label.
    pub labeller: Labeller,
    /// Pseudo-labels from predictions files, by corpus; they take precedence over the labeller.
    pub pseudo_labels: BTreeMap<String, PathBuf>,
    /// Existing balanced sets, by corpus: one `{"key", "label", "speaker"}` per line.
    pub balanced_sets: BTreeMap<String, PathBuf>,
    /// Utterances of each class from each speaker; none for the largest set.
    pub per_cell: Option<usize>,
    /// Speakers of each set; none for the largest set.
    pub speakers: Option<usize>,
    /// Exceptions for single corpora whose sets differ in shape: `{ per_cell = 20, speakers = 3 }`.
    pub shapes: BTreeMap<String, SetShape>,
}

/// The shape of one corpus's balanced set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetShape {
    /// Utterances of each class from each speaker.
    pub per_cell: Option<usize>,
    /// Speakers.
    pub speakers: Option<usize>,
}

/// Where pseudo-labels come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Labeller {
    /// The first encoder of the experiment.
    #[default]
    FirstEncoder,
    /// Nobody: every annotation counts.
    Nobody,
    /// An encoder (by its own emotion head if it has one, else by probes trained on the other speakers of the
    /// corpus), or the folder of a saved probe, given as its path.
    Named(EncoderChoice),
}

/// A labeller in an experiment file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Choice(EncoderChoice),
}

impl From<Written> for Labeller {
    fn from(written: Written) -> Self {
        match written {
            Written::Word(word) => Self::named(&word, None),
            Written::Choice(choice) => Self::Named(choice),
        }
    }
}

impl From<Labeller> for Written {
    fn from(labeller: Labeller) -> Self {
        match labeller {
            Labeller::FirstEncoder => Self::Word("first".to_owned()),
            Labeller::Nobody => Self::Word("none".to_owned()),
            Labeller::Named(choice) => Self::Choice(choice),
        }
    }
}

impl Labeller {
    /// `first`, `none`, or an encoder's name and location.
    pub fn named(name: &str, path: Option<PathBuf>) -> Self {
        match (name, path) {
            ("first", None) => Self::FirstEncoder,
            ("none", None) => Self::Nobody,
            (name, path) => Self::Named(EncoderChoice {
                name: name.to_owned(),
                path,
            }),
        }
    }

    pub(crate) fn choice(&self) -> Option<&EncoderChoice> {
        match self {
            Self::Named(choice) => Some(choice),
            Self::FirstEncoder | Self::Nobody => None,
        }
    }
}

impl CrossOptions {
    pub(crate) fn shape(&self, corpus: &str) -> SetShape {
        let own = self.shapes.get(corpus).copied().unwrap_or_default();
        SetShape {
            per_cell: own.per_cell.or(self.per_cell),
            speakers: own.speakers.or(self.speakers),
        }
    }

    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let labeller = match &mut self.labeller {
            Labeller::Named(choice) => choice.path.as_mut(),
            _ => None,
        };
        let labels = self.pseudo_labels.values_mut();
        labels
            .chain(self.balanced_sets.values_mut())
            .chain(labeller)
    }

    /// Refuses what names a corpus that the experiment has not, or leaves nothing to test on.
    pub(crate) fn check(&self, corpora: &[&str]) -> Result<(), BenchError> {
        if corpora.len() < 2 {
            return Err(BenchError::Call(CallError::Nothing {
                what: "second corpus",
                how: "a cross-corpus run needs two or more: add --corpus NAME[=DIR]",
            }));
        }
        let named = [
            ("--pseudo-labels", self.pseudo_labels.keys().collect()),
            ("--balanced-set", self.balanced_sets.keys().collect()),
            ("shapes", self.shapes.keys().collect::<Vec<_>>()),
        ];
        for (option, names) in named {
            if let Some(name) = names
                .into_iter()
                .find(|name| !corpora.contains(&name.as_str()))
            {
                return Err(BenchError::Call(CallError::unknown(
                    "this run",
                    format!("corpus of {option}"),
                    name,
                    corpora,
                )));
            }
        }
        match self.labeller.choice().filter(|c| !is_plain_name(&c.name)) {
            Some(choice) => crate::check_name(&choice.name),
            None => Ok(()),
        }
    }
}
