use super::Balance;
use crate::{CorpusError, Manifest, Utterance};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

/// The corpora with a published balanced set, and the file name of each below `data/track2` (with its misspelling "balenced").
pub const PUBLISHED_SETS: [(&str, &str); 4] = [
    ("iemocap", "IEMOCAP_selected_balenced.jsonl"),
    ("meld", "MELD_selected_balenced.jsonl"),
    ("ravdess", "RAVDESS_selected_balenced.jsonl"),
    ("savee", "SAVEE_selected_balenced.jsonl"),
];

/// The shared class of each harmonised class in the published sets. RAVDESS's Calm is not neutral.
pub fn published_classes() -> BTreeMap<String, String> {
    let pair = |class: &&str| Some(((*class).to_owned(), shared_class(class)?.to_owned()));
    ["Angry", "Happy", "Neutral", "Sad"]
        .iter()
        .filter_map(pair)
        .collect()
}

fn shared_class(label: &str) -> Option<&'static str> {
    match label {
        "Angry" => Some("angry"),
        "Happy" => Some("happy"),
        "Neutral" => Some("neutral"),
        "Sad" => Some("sad"),
        _ => None,
    }
}

/// One line of a published set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedItem {
    /// A path in the authors' own layout.
    pub wav_filename: String,
    /// `angry`, `happy`, `neutral` or `sad`.
    pub label: String,
    /// The speaker as published.
    pub speaker: String,
}

/// A published balanced set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSet {
    /// The corpus.
    pub corpus: String,
    /// In published order.
    pub items: Vec<PublishedItem>,
}

/// A published set joined to a manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Joined {
    /// The corpus.
    pub corpus: String,
    /// Key and shared class of every item that matches exactly one utterance of the manifest, in published order.
    pub items: Vec<(String, String)>,
    /// Items that match several utterances, with their keys.
    pub ambiguous: Vec<(PublishedItem, Vec<String>)>,
    /// Items that the manifest lacks.
    pub absent: Vec<PublishedItem>,
    /// Speakers and classes of the joined items as published.
    pub published: Balance,
    /// The same with the manifest's speakers.
    pub true_balance: Balance,
}

impl PublishedSet {
    /// The file of a set in a copy of the published metadata: the repository, its `data` folder, or `track2` itself.
    pub fn path(metadata: &Path, corpus: &str) -> Result<PathBuf, CorpusError> {
        let Some((_, name)) = PUBLISHED_SETS.iter().find(|(known, _)| *known == corpus) else {
            let known = PUBLISHED_SETS.map(|(corpus, _)| corpus).join(", ");
            return Err(CorpusError::UnknownCorpus {
                near: String::new(),
                name: format!("{corpus} (with a published balanced set)"),
                known,
            });
        };
        let candidates = [
            metadata.join("data/track2").join(name),
            metadata.join("track2").join(name),
            metadata.join(name),
        ];
        let path = candidates
            .iter()
            .find(|path| path.is_file())
            .unwrap_or(&candidates[0]);
        Ok(path.clone())
    }

    /// Reads a set from [`PublishedSet::path`].
    pub fn read(metadata: &Path, corpus: &str) -> Result<Self, CorpusError> {
        Ok(Self {
            corpus: corpus.to_owned(),
            items: super::read_lines(&Self::path(metadata, corpus)?)?,
        })
    }

    /// Finds the utterance of each item: by the base name (SAVEE: folder and base name), then, if several utterances have it
    /// (MELD: the same name in train, valid and test), by class and speaker.
    pub fn join(&self, manifest: &Manifest) -> Joined {
        let mut by_stem: HashMap<&str, Vec<&Utterance>> = HashMap::new();
        for utterance in &manifest.utterances {
            by_stem
                .entry(stem(&utterance.wav))
                .or_default()
                .push(utterance);
        }
        let mut joined = Joined {
            corpus: self.corpus.clone(),
            items: Vec::new(),
            ambiguous: Vec::new(),
            absent: Vec::new(),
            published: Balance::of([], |_| String::new()),
            true_balance: Balance::of([], |_| String::new()),
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for item in &self.items {
            let mut found = candidates(item, &by_stem);
            if found.len() > 1 {
                found.retain(|u| u.speaker.as_deref() == Some(&item.speaker));
            }
            match found[..] {
                [] => joined.absent.push(item.clone()),
                [utterance] => {
                    joined
                        .items
                        .push((utterance.key.clone(), item.label.clone()));
                    ours.push(utterance.clone());
                    theirs.push(Utterance {
                        speaker: Some(item.speaker.clone()),
                        ..utterance.clone()
                    });
                }
                _ => joined
                    .ambiguous
                    .push((item.clone(), found.iter().map(|u| u.key.clone()).collect())),
            }
        }
        let class = |u: &Utterance| shared_class(&u.label).unwrap_or_default().to_owned();
        joined.published = Balance::of(&theirs, class);
        joined.true_balance = Balance::of(&ours, class);
        joined
    }
}

/// Utterances with the item's name and class. `final_videos_test` before a MELD name means its test part.
fn candidates<'a>(
    item: &PublishedItem,
    by_stem: &HashMap<&str, Vec<&'a Utterance>>,
) -> Vec<&'a Utterance> {
    let base = stem(&item.wav_filename);
    let (base, test_only) = base
        .strip_prefix("final_videos_test")
        .map_or((base, false), |rest| (rest, true));
    let folder = item.wav_filename.rsplit('/').nth(1).unwrap_or_default();
    let names = [base.to_owned(), format!("{folder}_{base}")];
    let found = names.iter().find_map(|name| by_stem.get(name.as_str()));
    let fits = |u: &&&Utterance| {
        shared_class(&u.label) == Some(&item.label)
            && (!test_only || u.split.as_deref() == Some("test"))
    };
    found.into_iter().flatten().filter(fits).copied().collect()
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.items.len() + self.ambiguous.len() + self.absent.len();
        writeln!(
            f,
            "{}: {} of {all} items are one utterance",
            self.corpus,
            self.items.len()
        )?;
        for (item, keys) in &self.ambiguous {
            writeln!(
                f,
                "  ambiguous: {} ({}, {}) is one of {}",
                item.wav_filename,
                item.label,
                item.speaker,
                keys.join(", ")
            )?;
        }
        for item in &self.absent {
            writeln!(
                f,
                "  absent: {} ({}, {})",
                item.wav_filename, item.label, item.speaker
            )?;
        }
        write!(f, "by published speaker: {}", self.published)?;
        if self.published != self.true_balance {
            write!(f, "by who speaks: {}", self.true_balance)?;
        }
        Ok(())
    }
}
