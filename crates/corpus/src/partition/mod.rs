//! Which utterance is train, valid or test in which fold: three schemes that are never mixed implicitly.

mod cpython_random;
pub(crate) mod draw;
mod metadata;
mod official;
mod paper;
mod published;
mod speaker;

use crate::{CorpusError, LineProblem, Manifest};
use emobox_files::{FileError, Sha256, read_json, sha256_bytes, write_atomic_with, write_json};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use published::seeded_test_keys;

/// How a corpus is partitioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// The four rules of the paper's section 2.2, from the manifest alone.
    #[default]
    Paper,
    /// Exactly the published lists.
    Published,
    /// No speaker on both sides.
    Speaker,
}

impl Scheme {
    /// All schemes, for help texts.
    pub const ALL: [Self; 3] = [Self::Paper, Self::Published, Self::Speaker];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Published => "published",
            Self::Speaker => "speaker",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scheme {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name() == text)
            .ok_or_else(|| format!("unknown scheme {text:?}; known are {}", known()))
    }
}

/// What the folds of [`Scheme::Speaker`] keep together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// All utterances of a speaker.
    #[default]
    Speaker,
    /// All utterances of a text, for corpora of one or two speakers.
    Text,
}

/// Options of [`partition`].
#[derive(Debug, Clone, Default)]
pub struct PartitionOptions {
    /// The scheme.
    pub scheme: Scheme,
    /// Seed of the draws of `paper` and of ties in `speaker`.
    pub seed: u64,
    /// A copy of the published metadata: the repository or its `data` folder. For [`Scheme::Published`].
    pub metadata: Option<PathBuf>,
    /// Number of folds of [`Scheme::Speaker`]; `None` means one per speaker for up to 6 speakers, otherwise 5.
    pub folds: Option<u32>,
    /// What [`Scheme::Speaker`] keeps together.
    pub group_by: GroupBy,
}

/// The part an utterance has in a fold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Trained on.
    Train,
    /// The published or official validation part.
    Valid,
    /// Tested on.
    Test,
    /// A further test set by name: `test2`.
    Extra(String),
}

impl Role {
    /// Its name in `partition.tsv`.
    pub fn name(&self) -> &str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
            Self::Extra(name) => name,
        }
    }
}

impl From<&str> for Role {
    fn from(word: &str) -> Self {
        match word {
            "train" => Self::Train,
            "valid" => Self::Valid,
            "test" => Self::Test,
            other => Self::Extra(other.to_owned()),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One utterance in one fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assignment {
    /// The fold, from 1.
    pub fold: u32,
    /// The utterance.
    pub key: String,
    /// Its part.
    pub role: Role,
}

/// The rule that made a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The release's own train, valid and test parts.
    OfficialSplit,
    /// The release's own groups (sessions), one tested per fold.
    OfficialGroups,
    /// 25 % of each raw label, speakers on both sides.
    Stratified,
    /// One speaker tested per fold.
    LeaveOneSpeakerOut,
    /// Several speakers tested per fold.
    SpeakerFolds,
    /// Several texts tested per fold.
    TextFolds,
    /// Lists read from the published metadata.
    PublishedLists,
    /// The published seeded draw over the published order.
    PublishedDraw,
    /// All utterances are for training: the test set is another corpus.
    WholeCorpus,
}

impl Rule {
    /// The rule in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::OfficialSplit => "official split",
            Self::OfficialGroups => "official groups",
            Self::Stratified => "25 % of each emotion",
            Self::LeaveOneSpeakerOut => "leave one speaker out",
            Self::SpeakerFolds => "speaker folds",
            Self::TextFolds => "text folds",
            Self::PublishedLists => "published lists",
            Self::PublishedDraw => "published draw",
            Self::WholeCorpus => "everything for training",
        }
    }
}

/// Facts on a partition besides its assignments: the content of `partition.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionInfo {
    /// Version of the format, 1.
    pub schema: u32,
    /// The corpus.
    pub corpus: String,
    /// The scheme requested.
    pub scheme: Scheme,
    /// The seed; it only matters if `rule` draws at random.
    pub seed: u64,
    /// The rule that applied.
    pub rule: Rule,
    /// Why this rule, in one sentence.
    pub reason: String,
    /// Number of folds.
    pub folds: u32,
    /// Utterances of the manifest that are in no fold.
    pub in_no_fold: usize,
    /// Keys of the published lists that the manifest lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_in_manifest: Vec<String>,
    /// SHA-256 of the manifest.
    pub manifest: String,
    /// The audit, if one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<crate::Audit>,
}

/// Train, valid and test of every fold of one corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Sorted by fold and key.
    pub assignments: Vec<Assignment>,
    /// How it was made.
    pub info: PartitionInfo,
}

/// One fold in which all utterances are for training: the test set is another corpus.
pub fn whole_corpus(manifest: &Manifest) -> Partition {
    let assignment = |u: &crate::Utterance| Assignment {
        fold: 1,
        key: u.key.clone(),
        role: Role::Train,
    };
    let mut assignments: Vec<Assignment> = manifest.utterances.iter().map(assignment).collect();
    assignments.sort_unstable();
    Partition {
        assignments,
        info: PartitionInfo {
            schema: 1,
            corpus: manifest.corpus.clone(),
            scheme: Scheme::default(),
            seed: 0,
            rule: Rule::WholeCorpus,
            reason: "another corpus is tested on".to_owned(),
            folds: 1,
            in_no_fold: 0,
            not_in_manifest: Vec::new(),
            manifest: manifest.digest().to_string(),
            audit: None,
        },
    }
}

/// The result of a scheme, before facts from the manifest are added.
struct Plan {
    rule: Rule,
    reason: String,
    assignments: Vec<Assignment>,
    not_in_manifest: Vec<String>,
}

/// Partitions a manifest. The result depends on the manifest's content, the seed and (for `published`) the metadata, not on the
/// order of anything.
pub fn partition(
    manifest: &Manifest,
    options: &PartitionOptions,
) -> Result<Partition, CorpusError> {
    if manifest.utterances.is_empty() {
        return Err(refuse(manifest, options.scheme, "the manifest is empty"));
    }
    let mut plan = match options.scheme {
        Scheme::Paper => paper::plan(manifest, options.seed)?,
        Scheme::Published => published::plan(manifest, options.metadata.as_deref())?,
        Scheme::Speaker => speaker::plan(manifest, options)?,
    };
    plan.assignments.sort_unstable();
    let covered: BTreeSet<&str> = plan.assignments.iter().map(|a| a.key.as_str()).collect();
    let info = PartitionInfo {
        schema: 1,
        corpus: manifest.corpus.clone(),
        scheme: options.scheme,
        seed: options.seed,
        rule: plan.rule,
        reason: plan.reason,
        folds: plan.assignments.iter().map(|a| a.fold).max().unwrap_or(0),
        in_no_fold: manifest.utterances.len() - covered.len(),
        not_in_manifest: plan.not_in_manifest,
        manifest: manifest.digest().to_string(),
        audit: None,
    };
    Ok(Partition {
        assignments: plan.assignments,
        info,
    })
}

fn refuse(manifest: &Manifest, scheme: Scheme, reason: impl Into<String>) -> CorpusError {
    CorpusError::NoPartition {
        corpus: manifest.corpus.clone(),
        scheme: scheme.name().to_owned(),
        reason: reason.into(),
    }
}

/// Assignments for n folds from the test fold (from 1) of each utterance, which is in train in all others.
fn cross_validation(
    manifest: &Manifest,
    folds: u32,
    test_fold: impl Fn(usize) -> u32,
) -> Vec<Assignment> {
    let mut assignments = Vec::with_capacity(manifest.utterances.len() * folds as usize);
    for (index, utterance) in manifest.utterances.iter().enumerate() {
        let tested = test_fold(index);
        for fold in 1..=folds {
            let role = if fold == tested {
                Role::Test
            } else {
                Role::Train
            };
            assignments.push(Assignment {
                fold,
                key: utterance.key.clone(),
                role,
            });
        }
    }
    assignments
}

impl Partition {
    /// Keys of one part of one fold, sorted.
    pub fn keys(&self, fold: u32, role: &Role) -> Vec<&str> {
        let range = self.fold(fold);
        range
            .iter()
            .filter(|a| a.role == *role)
            .map(|a| a.key.as_str())
            .collect()
    }

    /// The assignments of one fold, sorted by key.
    pub fn fold(&self, fold: u32) -> &[Assignment] {
        let start = self.assignments.partition_point(|a| a.fold < fold);
        let end = self.assignments.partition_point(|a| a.fold <= fold);
        &self.assignments[start..end]
    }

    /// SHA-256 of `partition.tsv` as written to disk.
    pub fn digest(&self) -> Sha256 {
        let mut bytes = Vec::new();
        // Writing to a vector cannot fail.
        let _ = self.write_table(&mut bytes);
        sha256_bytes(&bytes)
    }

    fn write_table(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "key\tfold\trole")?;
        for a in &self.assignments {
            writeln!(out, "{}\t{}\t{}", a.key, a.fold, a.role)?;
        }
        Ok(())
    }

    /// Number of utterances by part, fold by fold.
    pub fn sizes(&self) -> Vec<BTreeMap<Role, usize>> {
        let mut sizes = vec![BTreeMap::new(); self.info.folds as usize];
        for assignment in &self.assignments {
            *sizes[assignment.fold as usize - 1]
                .entry(assignment.role.clone())
                .or_default() += 1;
        }
        sizes
    }

    /// Fails if the partition was not made for this manifest: if it has a key that the manifest lacks.
    pub fn check(&self, manifest: &Manifest) -> Result<(), CorpusError> {
        let known: BTreeSet<&str> = manifest.utterances.iter().map(|u| u.key.as_str()).collect();
        let unknown: BTreeSet<&str> = self
            .assignments
            .iter()
            .map(|a| a.key.as_str())
            .filter(|key| !known.contains(key))
            .collect();
        let Some(first) = unknown.first() else {
            return Ok(());
        };
        Err(CorpusError::PartitionMismatch {
            corpus: manifest.corpus.clone(),
            reason: format!(
                "{} of its keys are not in the manifest, the first is {first}",
                unknown.len()
            ),
        })
    }

    /// Writes `partition.tsv` and `partition.json` into `folder`.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), CorpusError> {
        let folder = folder.as_ref();
        write_atomic_with(folder.join("partition.tsv"), |out| self.write_table(out))?;
        write_json(folder.join("partition.json"), &self.info)?;
        Ok(())
    }

    /// Reads what [`Partition::write`] wrote, or a table from elsewhere with the same columns.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, CorpusError> {
        let folder = folder.as_ref();
        let info: PartitionInfo = read_json(folder.join("partition.json"))?;
        let path = folder.join("partition.tsv");
        let text = std::fs::read_to_string(&path).map_err(|e| FileError::io("read", &path, e))?;
        let (assignments, problems) = parse(&text, info.folds);
        if !problems.is_empty() {
            return Err(CorpusError::Lines { path, problems });
        }
        Ok(Self { assignments, info })
    }
}

fn parse(text: &str, folds: u32) -> (Vec<Assignment>, Vec<LineProblem>) {
    let mut assignments = Vec::new();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (line, text) in (1..).zip(text.lines()) {
        let mut bad = |message: String| problems.push(LineProblem { line, message });
        if line == 1 {
            if text != "key\tfold\trole" {
                bad(format!(
                    "expected the columns key, fold, role (tab separated), found {text:?}"
                ));
            }
            continue;
        }
        let cells: Vec<&str> = text.split('\t').collect();
        let [key, fold, role] = cells[..] else {
            bad(format!(
                "expected 3 tab-separated cells, found {}",
                cells.len()
            ));
            continue;
        };
        match fold.parse::<u32>() {
            Ok(fold) if (1..=folds).contains(&fold) && !key.is_empty() && !role.is_empty() => {
                if seen.insert((fold, key)) {
                    assignments.push(Assignment {
                        fold,
                        key: key.to_owned(),
                        role: role.into(),
                    });
                } else {
                    bad(format!("{key} is already in fold {fold}"));
                }
            }
            _ => bad(format!(
                "expected a key, a fold from 1 to {folds} and a role, found {text:?}"
            )),
        }
    }
    assignments.sort_unstable();
    (assignments, problems)
}
