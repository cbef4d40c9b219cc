use crate::matching::Mismatch;
use crate::{
    BootstrapOptions, Prediction, Provenance, Run, RunLabels, SCHEMA, ScoreRequest, score_folds,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Recomputed scores may differ by this much: the last digits of a sum on another machine's libm.
const TOLERANCE: f64 = 1e-9;

/// How many scores of an entry that do not come out are named.
const MOST_PROBLEMS: usize = 4;

/// One file with everything that a score can be recomputed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the system on the leaderboard.
    pub system: String,
    /// A sentence about it.
    #[serde(default)]
    pub description: String,
    /// Versions and digests of what went into it.
    #[serde(default)]
    pub provenance: Provenance,
    /// One entry for each corpus, encoder and configuration.
    pub entries: Vec<SubmissionEntry>,
    /// SHA-256 of everything above, as [`Submission::seal`] makes it. It shows damage and careless edits; it is
    /// no signature, and what convinces is the recomputation.
    pub digest: String,
}

/// The predictions of one configuration with what they claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmissionEntry {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder.
    pub encoder: String,
    /// Protocol name.
    pub protocol: String,
    /// The protocol's constants, in full.
    #[serde(default)]
    pub protocol_details: serde_json::Value,
    /// Partition scheme.
    pub partition: String,
    /// What else tells it from its siblings.
    #[serde(default)]
    pub config: String,
    /// The classes of the corpus.
    pub classes: Vec<String>,
    /// SHA-256 of the manifest.
    pub manifest_digest: String,
    /// SHA-256 of the partition.
    pub partition_digest: String,
    /// SHA-256 of the feature store, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_digest: Option<String>,
    /// How the intervals were drawn.
    pub bootstrap: BootstrapOptions,
    /// Predictions on the test parts of all folds.
    pub predictions: Vec<Prediction>,
    /// The scores as claimed.
    pub scores: Vec<Run>,
}

/// What the verifier knows of a corpus from its own manifest and partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The corpus.
    pub corpus: String,
    /// The partition scheme.
    pub partition: String,
    /// The protocol whose test items these are: one may leave out long clips.
    pub protocol: String,
    /// SHA-256 of the manifest.
    pub manifest_digest: String,
    /// SHA-256 of the partition.
    pub partition_digest: String,
    /// The classes.
    pub classes: Vec<String>,
    /// Every test item of every fold.
    pub items: Vec<ReferenceItem>,
    /// The audit's verdict on the partition.
    pub audit: Option<String>,
}

/// A test item as the manifest and the partition have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceItem {
    /// Key of the utterance.
    pub key: String,
    /// Fold, from 1.
    pub fold: u32,
    /// Its label.
    pub label: String,
    /// Who speaks, where known.
    pub speaker: Option<String>,
    /// The speaker's gender as the manifest writes it, where known.
    pub gender: Option<String>,
}

/// Why a submission is refused: the entry, then what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `corpus, encoder` of the entry; empty where the whole file is meant.
    pub entry: String,
    /// The reason.
    pub reason: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.entry.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.entry, self.reason)
        }
    }
}

/// A submission whose every score was recomputed. Only [`verify`] makes one, so nothing else reaches a
/// leaderboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    system: String,
    description: String,
    digest: String,
    runs: Vec<Run>,
}

impl Verified {
    /// Name of the system.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// A sentence about it.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Digest of the submission.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The scores as recomputed, with the audit's verdict of the verifier's own partition.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}

impl Submission {
    /// Fills in the digest.
    pub fn seal(mut self) -> Self {
        self.digest = self.content_digest();
        self
    }

    fn content_digest(&self) -> String {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        // Serialising plain data to memory cannot fail; were it to, no digest would match.
        let bytes = serde_json::to_vec(&bare).unwrap_or_default();
        Sha256::digest(bytes)
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

/// Checks a submission against the verifier's own manifests and partitions and recomputes every score.
///
/// # Errors
/// Every reason to refuse it: a changed file, an unknown corpus, other manifests or partitions, keys, labels or
/// speakers that are not the reference's, predictions outside the classes, claimed scores that do not come out.
pub fn verify(submission: &Submission, references: &[Reference]) -> Result<Verified, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut whole = |reason: String| {
        refusals.push(Refusal {
            entry: String::new(),
            reason,
        });
    };
    if submission.schema != SCHEMA {
        whole(format!(
            "expected schema {SCHEMA}, got {}",
            submission.schema
        ));
    }
    let digest = submission.content_digest();
    if digest != submission.digest {
        let got = &submission.digest;
        whole(format!(
            "the file was changed after it was packed: its content has digest {digest}, it says {got}"
        ));
    }
    if submission.entries.is_empty() {
        whole("no entries".to_owned());
    }
    let mut runs = Vec::new();
    for entry in &submission.entries {
        match verify_entry(entry, references) {
            Ok(recomputed) => runs.extend(recomputed),
            Err(reasons) => {
                let entry = format!("{}, {}", entry.corpus, entry.encoder);
                let named = |reason| Refusal {
                    entry: entry.clone(),
                    reason,
                };
                refusals.extend(reasons.into_iter().map(named));
            }
        }
    }
    if refusals.is_empty() {
        Ok(Verified {
            system: submission.system.clone(),
            description: submission.description.clone(),
            digest,
            runs,
        })
    } else {
        Err(refusals)
    }
}

fn verify_entry(
    entry: &SubmissionEntry,
    references: &[Reference],
) -> Result<Vec<Run>, Vec<String>> {
    let is_it = |r: &&Reference| {
        r.corpus == entry.corpus && r.partition == entry.partition && r.protocol == entry.protocol
    };
    let Some(reference) = references.iter().find(is_it) else {
        return Err(vec![format!(
            "no manifest and partition {:?} of this corpus under protocol {:?} to check against",
            entry.partition, entry.protocol
        )]);
    };
    let mut reasons = Vec::new();
    let digests = [
        (
            "manifest",
            &reference.manifest_digest,
            &entry.manifest_digest,
        ),
        (
            "partition",
            &reference.partition_digest,
            &entry.partition_digest,
        ),
    ];
    for (what, expected, got) in digests {
        if expected != got {
            reasons.push(format!(
                "another {what}: expected digest {expected}, got {got}"
            ));
        }
    }
    if reference.classes != entry.classes {
        let [expected, got] = [&reference.classes, &entry.classes].map(|c| c.join(", "));
        reasons.push(format!("other classes: expected {expected}; got {got}"));
    }
    reasons.extend(item_problems(entry, reference));
    let recomputed = score_folds(&ScoreRequest {
        labels: &RunLabels {
            corpus: entry.corpus.clone(),
            encoder: entry.encoder.clone(),
            protocol: entry.protocol.clone(),
            partition: entry.partition.clone(),
            config: entry.config.clone(),
        },
        classes: &entry.classes,
        predictions: &entry.predictions,
        oracle: None,
        bootstrap: entry.bootstrap,
    });
    match recomputed {
        Err(error) => reasons.push(error.to_string()),
        Ok(mut runs) => {
            reasons.extend(score_problems(&entry.scores, &runs));
            if reasons.is_empty() {
                for run in &mut runs {
                    run.audit.clone_from(&reference.audit);
                }
                return Ok(runs);
            }
        }
    }
    Err(reasons)
}

/// Keys that do not match one to one; the first label or speaker that is not the reference's.
fn item_problems(entry: &SubmissionEntry, reference: &Reference) -> Vec<String> {
    let name = |key: &str, fold: u32| format!("{key} (fold {fold})");
    let expected: Vec<String> = reference
        .items
        .iter()
        .map(|i| name(&i.key, i.fold))
        .collect();
    let given: Vec<String> = entry
        .predictions
        .iter()
        .map(|p| name(&p.key, p.fold))
        .collect();
    let mismatch = Mismatch::between(
        expected.iter().map(String::as_str),
        given.iter().map(String::as_str),
    );
    let mut problems = Vec::new();
    if !mismatch.is_empty() {
        problems.push(format!("other test items than the partition's: {mismatch}"));
    }
    let items: BTreeMap<(u32, &str), &ReferenceItem> = reference
        .items
        .iter()
        .map(|item| ((item.fold, item.key.as_str()), item))
        .collect();
    let pairs = || {
        let find = |p: &Prediction| items.get(&(p.fold, p.key.as_str())).copied();
        entry
            .predictions
            .iter()
            .filter_map(move |p| Some((p, find(p)?)))
    };
    if let Some((p, item)) = pairs().find(|(p, item)| p.label != item.label) {
        let at = name(&p.key, p.fold);
        problems.push(format!(
            "label of {at}: expected {:?}, got {:?}",
            item.label, p.label
        ));
    }
    if let Some((p, item)) = pairs().find(|(p, item)| p.speaker != item.speaker) {
        let at = name(&p.key, p.fold);
        problems.push(format!(
            "speaker of {at}: expected {:?}, got {:?}",
            item.speaker, p.speaker
        ));
    }
    if let Some((p, item)) = pairs().find(|(p, item)| p.gender != item.gender) {
        let at = name(&p.key, p.fold);
        problems.push(format!(
            "gender of {at}: expected {:?}, got {:?}",
            item.gender, p.gender
        ));
    }
    problems
}

/// Claimed scores that the predictions do not give.
fn score_problems(claimed: &[Run], recomputed: &[Run]) -> Vec<String> {
    let mut problems = Vec::new();
    for run in recomputed {
        let Some(claim) = claimed.iter().find(|claim| claim.fold == run.fold) else {
            problems.push(format!(
                "no scores claimed for fold {:?}",
                run.fold.to_string()
            ));
            continue;
        };
        if claim.confusion != run.confusion || claim.n != run.n {
            problems.push(format!(
                "confusion of fold {:?} does not come out",
                run.fold.to_string()
            ));
        }
        for ((name, ours), (_, theirs)) in numbers(run).into_iter().zip(numbers(claim)) {
            let apart = (ours - theirs).abs();
            if apart.is_nan() || apart > TOLERANCE {
                let fold = run.fold.to_string();
                problems.push(format!(
                    "{name} of fold {fold:?}: claimed {theirs}, recomputed {ours}"
                ));
            }
        }
    }
    let known = |claim: &&Run| recomputed.iter().any(|run| run.fold == claim.fold);
    if let Some(extra) = claimed.iter().find(|claim| !known(claim)) {
        problems.push(format!(
            "scores of fold {:?}, which has no predictions",
            extra.fold.to_string()
        ));
    }
    // One changed prediction moves every score; a few of them tell as much.
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    problems.truncate(MOST_PROBLEMS);
    if more > 0 {
        problems.push(format!("and {more} more scores that do not come out"));
    }
    problems
}

/// Every number that a table may show.
fn numbers(run: &Run) -> Vec<(&'static str, f64)> {
    let [ua, wa, f1] =
        [run.ua_ci, run.wa_ci, run.macro_f1_ci].map(|ci| ci.unwrap_or([f64::NAN; 2]));
    vec![
        ("ua", run.ua),
        ("wa", run.wa),
        ("macro_f1", run.macro_f1),
        ("micro_f1", run.micro_f1),
        ("weighted_f1", run.weighted_f1),
        ("ua_ci", ua[0]),
        ("ua_ci", ua[1]),
        ("wa_ci", wa[0]),
        ("wa_ci", wa[1]),
        ("macro_f1_ci", f1[0]),
        ("macro_f1_ci", f1[1]),
    ]
}
