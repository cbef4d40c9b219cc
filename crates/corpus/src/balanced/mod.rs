//! Balanced test sets: the same number of utterances of each shared class from each speaker.

mod published;

use crate::partition::draw;
use crate::{CorpusError, LineProblem, Manifest, Utterance};
use emobox_files::{FileError, write_atomic_with};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

pub use published::{Joined, PUBLISHED_SETS, PublishedItem, PublishedSet, published_classes};

/// Which speakers a balanced set is drawn from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeakerChoice {
    /// Every speaker; each must fill its cells.
    #[default]
    All,
    /// These; each must fill its cells.
    Named(Vec<String>),
    /// This many of those who fill their cells, drawn by the seed.
    Any(usize),
}

/// Requirements for a balanced set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BalanceOptions {
    /// Shared class for each harmonised class of the corpus that takes part: `Angry` → `angry`. Other classes are left out; two
    /// may have the same shared class.
    pub classes: BTreeMap<String, String>,
    /// Utterances of each shared class from each speaker.
    pub per_cell: usize,
    /// The speakers to draw from.
    pub speakers: SpeakerChoice,
    /// Seed of the draws.
    pub seed: u64,
}

/// One utterance of a balanced set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancedItem {
    /// The utterance.
    pub key: String,
    /// The shared class.
    pub label: String,
    /// The speaker.
    pub speaker: String,
}

/// A balanced set and how it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancedSet {
    /// The corpus.
    pub corpus: String,
    /// Sorted by key.
    pub items: Vec<BalancedItem>,
    /// For each shared class: utterances of the corpus, and how many of these the labeller agrees with.
    pub agreement: BTreeMap<String, (usize, usize)>,
    /// Utterances of the shared classes without a label from the labeller.
    pub unlabelled: usize,
}

/// A labeller's class for each key: a predictions file (`key`, `prediction`, …, one JSON object per line). If the predictions
/// for a key differ, the key counts as disagreement with every class.
pub fn read_pseudo_labels(path: &Path) -> Result<BTreeMap<String, String>, CorpusError> {
    #[derive(Deserialize)]
    struct Line {
        key: String,
        prediction: String,
    }
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for Line { key, prediction } in read_lines(path)? {
        let kept = labels.entry(key).or_insert_with(|| prediction.clone());
        if *kept != prediction {
            kept.clear();
        }
    }
    Ok(labels)
}

/// One JSON value per line; blank lines are skipped.
///
/// # Errors
/// A file that cannot be read, or every line that cannot be parsed.
fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CorpusError> {
    let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(text) {
            Ok(item) => items.push(item),
            Err(error) => problems.push(LineProblem {
                line,
                message: error.to_string(),
            }),
        }
    }
    if problems.is_empty() {
        Ok(items)
    } else {
        Err(CorpusError::Lines {
            path: path.to_owned(),
            problems,
        })
    }
}

/// Draws a balanced set.
///
/// With `pseudo_labels` (key → class, spelled as a shared or a harmonised class) only utterances are kept on which the labeller
/// agrees with the annotation. Each cell (shared class × speaker) then gives `per_cell` utterances, drawn by the seed from
/// content alone. If cells cannot be filled, the error lists every such cell with the number it has.
pub fn balanced_set(
    manifest: &Manifest,
    pseudo_labels: Option<&BTreeMap<String, String>>,
    options: &BalanceOptions,
) -> Result<BalancedSet, CorpusError> {
    let shared: BTreeSet<&str> = options.classes.values().map(String::as_str).collect();
    let Candidates {
        cells,
        speakers,
        agreement,
        unlabelled,
    } = candidates(manifest, pseudo_labels, &options.classes);
    let filled = |speaker: &str| {
        shared.iter().all(|class| {
            cells
                .get(&(speaker, *class))
                .is_some_and(|keys| keys.len() >= options.per_cell)
        })
    };
    let chosen: Vec<&str> = match &options.speakers {
        SpeakerChoice::All => speakers.iter().copied().collect(),
        SpeakerChoice::Named(names) => names.iter().map(String::as_str).collect(),
        SpeakerChoice::Any(n) => {
            let order = draw::shuffled(options.seed, "balanced speakers", speakers.iter().copied());
            let (full, short): (Vec<&str>, Vec<&str>) =
                order.into_iter().partition(|speaker| filled(speaker));
            // If too few speakers fill their cells, the error shows what the next best lack.
            full.into_iter().chain(short).take(*n).collect()
        }
    };
    let wanted_speakers = if let SpeakerChoice::Any(n) = options.speakers {
        n
    } else {
        chosen.len()
    };
    let mut shortfalls = Vec::new();
    if chosen.len() < wanted_speakers || chosen.is_empty() {
        shortfalls.push(format!(
            "{} speakers of these classes are known, {} are wanted",
            chosen.len(),
            wanted_speakers.max(1)
        ));
    }
    let mut items = Vec::new();
    for speaker in chosen {
        for class in &shared {
            let keys = cells
                .get(&(speaker, *class))
                .map(Vec::as_slice)
                .unwrap_or_default();
            if keys.len() < options.per_cell {
                shortfalls.push(format!("{speaker} × {class} has {}", keys.len()));
            }
            let drawn = draw::shuffled(options.seed, "balanced cell", keys.iter().copied())
                .into_iter()
                .take(options.per_cell);
            items.extend(drawn.map(|key| BalancedItem {
                key: key.to_owned(),
                label: (*class).to_owned(),
                speaker: speaker.to_owned(),
            }));
        }
    }
    if !shortfalls.is_empty() {
        return Err(CorpusError::Shortfall {
            corpus: manifest.corpus.clone(),
            wanted: options.per_cell,
            shortfalls,
        });
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(BalancedSet {
        corpus: manifest.corpus.clone(),
        items,
        agreement,
        unlabelled,
    })
}

/// Cell size and number of speakers of the largest balanced set that a corpus has, given either, both or neither.
///
/// Only speakers who fill the cell of every shared class take part; of two sets of the same size the one with more speakers is
/// chosen. `None` if no speaker fills the cells.
pub fn largest_balance(
    manifest: &Manifest,
    pseudo_labels: Option<&BTreeMap<String, String>>,
    classes: &BTreeMap<String, String>,
    per_cell: Option<usize>,
    speakers: Option<usize>,
) -> Option<(usize, usize)> {
    let shared: BTreeSet<&str> = classes.values().map(String::as_str).collect();
    let candidates = candidates(manifest, pseudo_labels, classes);
    let smallest_cell = |speaker: &&str| {
        let of_class = |class: &&str| {
            candidates
                .cells
                .get(&(*speaker, *class))
                .map_or(0, Vec::len)
        };
        shared.iter().map(of_class).min().unwrap_or(0)
    };
    let mut sizes: Vec<usize> = candidates.speakers.iter().map(smallest_cell).collect();
    sizes.retain(|size| *size > 0);
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    match (per_cell, speakers) {
        (Some(per_cell), Some(speakers)) => Some((per_cell, speakers)),
        (Some(per_cell), None) => {
            let filled = sizes.iter().filter(|size| **size >= per_cell).count();
            (filled > 0).then_some((per_cell, filled))
        }
        (None, Some(speakers)) => {
            let last = speakers.checked_sub(1)?;
            sizes.get(last).map(|size| (*size, speakers))
        }
        (None, None) => (1..)
            .zip(&sizes)
            .map(|(speakers, size)| (*size, speakers))
            .max_by_key(|(size, speakers)| (size * speakers, *speakers)),
    }
}

/// The utterances that a balanced set can be drawn from.
struct Candidates<'a> {
    /// Keys by speaker and shared class.
    cells: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
    /// All speakers with an utterance of the shared classes.
    speakers: BTreeSet<&'a str>,
    agreement: BTreeMap<String, (usize, usize)>,
    unlabelled: usize,
}

/// The single speaker of a corpus that names none.
const UNKNOWN_SPEAKER: &str = "unknown";

fn candidates<'a>(
    manifest: &'a Manifest,
    pseudo_labels: Option<&BTreeMap<String, String>>,
    classes: &'a BTreeMap<String, String>,
) -> Candidates<'a> {
    let nobody = manifest.utterances.iter().all(|u| u.speaker.is_none());
    let mut found = Candidates {
        cells: BTreeMap::new(),
        speakers: BTreeSet::new(),
        agreement: BTreeMap::new(),
        unlabelled: 0,
    };
    for utterance in &manifest.utterances {
        let Some(class) = classes.get(&utterance.label) else {
            continue;
        };
        let count = found.agreement.entry(class.clone()).or_default();
        count.0 += 1;
        let speaker = utterance.speaker.as_deref();
        let speaker = speaker.or(nobody.then_some(UNKNOWN_SPEAKER));
        found.speakers.extend(speaker);
        if let Some(labels) = pseudo_labels {
            match labels.get(&utterance.key) {
                None => {
                    found.unlabelled += 1;
                    continue;
                }
                Some(label) if label != class && classes.get(label) != Some(class) => continue,
                Some(_) => {}
            }
        }
        count.1 += 1;
        if let Some(speaker) = speaker {
            let cell = found.cells.entry((speaker, class)).or_default();
            cell.push(&utterance.key);
        }
    }
    found
}

impl BalancedSet {
    /// Reads what [`BalancedSet::write`] wrote, or items from elsewhere with the same fields (`key`, `label`, `speaker`).
    pub fn read(path: &Path, corpus: &str) -> Result<Self, CorpusError> {
        Ok(Self {
            corpus: corpus.to_owned(),
            items: read_lines(path)?,
            agreement: BTreeMap::new(),
            unlabelled: 0,
        })
    }

    /// Writes one item per line, atomically.
    pub fn write(&self, path: &Path) -> Result<(), CorpusError> {
        write_atomic_with(path, |out| {
            for item in &self.items {
                serde_json::to_writer(&mut *out, item)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// How evenly utterances are distributed over speakers and classes, by the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Utterances of each class, by speaker.
    pub cells: BTreeMap<String, BTreeMap<String, usize>>,
    /// The classes that occur.
    pub classes: Vec<String>,
}

impl Balance {
    /// Counts utterances under the classes of `class_of`.
    pub fn of<'a>(
        utterances: impl IntoIterator<Item = &'a Utterance>,
        class_of: impl Fn(&Utterance) -> String,
    ) -> Self {
        let mut cells: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let mut classes = BTreeSet::new();
        for utterance in utterances {
            let speaker = utterance
                .speaker
                .clone()
                .unwrap_or_else(|| "unknown".to_owned());
            let class = class_of(utterance);
            *cells
                .entry(speaker)
                .or_default()
                .entry(class.clone())
                .or_default() += 1;
            classes.insert(class);
        }
        Self {
            cells,
            classes: classes.into_iter().collect(),
        }
    }

    /// The smallest and the largest cell, with 0 for an absent one.
    pub fn range(&self) -> (usize, usize) {
        let sizes = self.cells.values().flat_map(|row| {
            self.classes
                .iter()
                .map(|class| row.get(class).copied().unwrap_or(0))
        });
        sizes.fold((usize::MAX, 0), |(low, high), n| (low.min(n), high.max(n)))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cells.is_empty() {
            return writeln!(f, "no utterances");
        }
        let (low, high) = self.range();
        let verdict = if low == high {
            format!("balanced, {low} a cell")
        } else {
            format!("unbalanced, {low} to {high} a cell")
        };
        writeln!(
            f,
            "{} speakers × {} classes: {verdict}",
            self.cells.len(),
            self.classes.len()
        )?;
        let width = self
            .cells
            .keys()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0);
        writeln!(f, "  {:width$}  {}  all", "", self.classes.join("  "))?;
        for (speaker, row) in &self.cells {
            write!(f, "  {speaker:width$}")?;
            for class in &self.classes {
                write!(
                    f,
                    "  {:>1$}",
                    row.get(class).copied().unwrap_or(0),
                    class.chars().count()
                )?;
            }
            writeln!(f, "  {:>3}", row.values().sum::<usize>())?;
        }
        Ok(())
    }
}
