use crate::Mismatch;
use crate::submission::{Submission, SubmissionEntry};
use crate::{
    InferenceOptions, Prediction, Run, RunLabels, SCHEMA, ScoreRequest, Source, score_seeds,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Recomputed scores may differ by this much: sums differ in their last digits with another machine's libm.
const TOLERANCE: f64 = 1e-9;

/// How many scores of an entry that differ from their recomputation are named.
const MOST_PROBLEMS: usize = 4;

/// What the verifier's own manifest and partition say of a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The corpus.
    pub corpus: String,
    /// The partition scheme.
    pub partition: String,
    /// The protocol that these test items belong to: a protocol may leave out long clips.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `corpus, encoder` of the entry; empty for the whole file.
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

/// A protocol of the program's registry.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownProtocol {
    /// Its name, as `strict`. Several may share one: with different heads, for example.
    pub name: String,
    /// SHA-256 of all its constants.
    pub digest: String,
    /// Its constants in the form of [`SubmissionEntry::protocol_details`].
    pub details: serde_json::Value,
    /// Number of training seeds that it requires.
    pub seeds: usize,
}

/// A checkpoint whose digest the verifier knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEncoder {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights.
    pub digest: String,
}

/// The verifier's own inputs; none of them is taken from a submission.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// The allowed protocols.
    pub protocols: Vec<KnownProtocol>,
    /// Checkpoints known by digest; others may have any name that none of these has.
    pub encoders: Vec<KnownEncoder>,
    /// Level of the intervals, and the other inference options.
    pub options: InferenceOptions,
}

/// How far a submission was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every score follows from the predictions, and these are of the right items. Whether they come from a probe on these
    /// features is not known: anybody who has the labels can write predictions.
    Consistent,
    /// The verifier repeated extraction and training and got the same predictions.
    Reproduced,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Consistent => "consistent",
            Self::Reproduced => "reproduced",
        })
    }
}

/// A submission whose scores were all recomputed. Only [`verify`] makes one, so a leaderboard has no others.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    system: String,
    description: String,
    digest: String,
    verdict: Verdict,
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

    /// How far it was checked.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(crate) fn reproduced(self) -> Self {
        Self {
            verdict: Verdict::Reproduced,
            ..self
        }
    }

    /// Digest of the submission.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The scores as recomputed, with the audit's verdict on the verifier's own partition.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}

/// Checks a submission against the verifier's own manifests, partitions and protocols and recomputes every score.
///
/// Refusals name what differs but not the right value, so that a submitter cannot learn labels or scores by guessing.
///
/// # Errors
/// Every reason to refuse it: a changed file, an unknown corpus or protocol, constants other than the protocol's, other
/// manifests or partitions, two entries for one corpus and partition, missing provenance, a checkpoint under another name,
/// keys, labels or speakers that differ from the reference, predictions that are not the most probable class of their own
/// scores, claimed scores that differ from the recomputed ones.
pub fn verify(
    submission: &Submission,
    references: &[Reference],
    rules: &Rules,
) -> Result<Verified, Vec<Refusal>> {
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
        whole(
            "the file was changed after it was packed: its content does not have the digest it states"
                .to_owned(),
        );
    }
    if submission.entries.is_empty() {
        whole("no entries".to_owned());
    }
    let mut runs = Vec::new();
    for (place, entry) in submission.entries.iter().enumerate() {
        let earlier = &submission.entries[..place];
        let same =
            |e: &SubmissionEntry| (&e.corpus, &e.partition) == (&entry.corpus, &entry.partition);
        let mut reasons = Vec::new();
        if earlier.iter().any(same) {
            reasons.push(format!(
                "a second entry for this corpus and partition {:?}: a system has one",
                entry.partition
            ));
        }
        reasons.extend(provenance_problems(submission, entry, rules));
        reasons.extend(protocol_problems(entry, &rules.protocols));
        match verify_entry(entry, references, rules) {
            Ok(recomputed) => runs.extend(recomputed),
            Err(problems) => reasons.extend(problems),
        }
        let named = |reason| Refusal {
            entry: entry.name(),
            reason,
        };
        refusals.extend(reasons.into_iter().map(named));
    }
    if refusals.is_empty() {
        Ok(Verified {
            system: submission.system.clone(),
            description: submission.description.clone(),
            digest,
            verdict: Verdict::Consistent,
            runs,
        })
    } else {
        Err(refusals)
    }
}

/// A name may be on a leaderboard once per corpus and partition: returns refusals for later submissions that repeat one.
pub fn repeated(submissions: &[Verified]) -> Vec<Refusal> {
    let mut seen = BTreeMap::new();
    let mut refusals = Vec::new();
    for (place, submission) in submissions.iter().enumerate() {
        for run in &submission.runs {
            let key = (&submission.system, &run.corpus, &run.partition);
            let first = *seen.entry(key).or_insert(place);
            let refusal = Refusal {
                entry: format!("{}, {}", run.corpus, run.encoder),
                reason: format!(
                    "{:?} already has scores on this corpus and partition {:?}",
                    submission.system, run.partition
                ),
            };
            if first != place && !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
    }
    refusals
}

/// Checks that all inputs of an entry are named, with digests that agree with the entry's own.
fn provenance_problems(
    submission: &Submission,
    entry: &SubmissionEntry,
    rules: &Rules,
) -> Vec<String> {
    let mut problems = Vec::new();
    let find = |kind: &str, name: &str| {
        let is_it = |s: &&Source| s.kind == kind && s.name == name;
        submission.provenance.sources.iter().find(is_it)
    };
    if !submission.provenance.versions.contains_key("emobox") {
        problems.push("the provenance names no version of emobox".to_owned());
    }
    let cut = format!("{}/{}", entry.corpus, entry.partition);
    let named = [
        ("manifest", &entry.corpus, &entry.manifest_digest),
        ("partition", &cut, &entry.partition_digest),
    ];
    for (kind, name, own) in named {
        match find(kind, name) {
            None => problems.push(format!("the provenance has no {kind} of this corpus")),
            Some(source) if source.digest != *own => {
                problems.push(format!("the provenance has another {kind} than the entry"));
            }
            Some(_) => {}
        }
    }
    let Some(checkpoint) = find("checkpoint", &entry.encoder) else {
        problems.push("the provenance has no checkpoint of this encoder".to_owned());
        return problems;
    };
    let is_sha256 = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_sha256(&checkpoint.digest) {
        problems.push("the checkpoint's digest is no SHA-256".to_owned());
    }
    for known in &rules.encoders {
        let (name, digest) = (
            known.name == entry.encoder,
            known.digest == checkpoint.digest,
        );
        if name && !digest {
            problems.push("other weights than the known ones of this encoder".to_owned());
        } else if digest && !name {
            problems.push("these weights are known under another name".to_owned());
        }
    }
    problems
}

/// Checks that the protocol is in the registry, with the same constants.
fn protocol_problems(entry: &SubmissionEntry, protocols: &[KnownProtocol]) -> Vec<String> {
    let named: Vec<&KnownProtocol> = protocols
        .iter()
        .filter(|p| p.name == entry.protocol)
        .collect();
    if named.is_empty() {
        return vec![format!("there is no protocol {:?}", entry.protocol)];
    }
    // The variant with the fewest differing constants is taken as the intended one.
    let others = |known: &KnownProtocol| other_constants(&entry.protocol_details, &known.details);
    let nearest = named
        .iter()
        .min_by_key(|p| (p.digest != entry.protocol_digest, others(p).len()));
    let Some(known) = nearest else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let differing = others(known);
    if !differing.is_empty() {
        problems.push(format!(
            "other constants than protocol {:?} has: {}",
            entry.protocol,
            differing.join(", ")
        ));
    }
    if known.digest != entry.protocol_digest {
        problems.push(format!(
            "the protocol's digest is not that of {:?}",
            entry.protocol
        ));
    }
    if entry.seeds().len() != known.seeds {
        problems.push(format!(
            "predictions of {} training seeds, protocol {:?} has {}",
            entry.seeds().len(),
            entry.protocol,
            known.seeds
        ));
    }
    problems
}

/// Names of constants that only one has, or that differ.
fn other_constants(ours: &serde_json::Value, theirs: &serde_json::Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let map = |value: &serde_json::Value| value.as_object().unwrap_or(&empty).clone();
    let (ours, theirs) = (map(ours), map(theirs));
    let mut names: Vec<String> = ours.keys().chain(theirs.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| ours.get(name) != theirs.get(name));
    names
}

fn verify_entry(
    entry: &SubmissionEntry,
    references: &[Reference],
    rules: &Rules,
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
    if reference.manifest_digest != entry.manifest_digest {
        reasons.push("another manifest than the verifier's".to_owned());
    }
    if reference.partition_digest != entry.partition_digest {
        reasons.push("another partition than the verifier's".to_owned());
    }
    if reference.classes != entry.classes {
        reasons.push("other classes than the corpus has".to_owned());
    }
    for predictions in entry.seeds() {
        reasons.extend(item_problems(predictions, reference));
        reasons.extend(score_contradictions(predictions));
    }
    reasons.dedup();
    let recomputed = score_seeds(
        &ScoreRequest {
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
            inference: rules.options,
        },
        &entry.seeds(),
    );
    match recomputed {
        Err(error) => reasons.push(error.to_string()),
        Ok(mut runs) => {
            reasons.extend(claim_problems(&entry.scores, &runs));
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

/// Keys that do not match one to one; the first label, speaker or gender that differs from the reference.
fn item_problems(predictions: &[Prediction], reference: &Reference) -> Vec<String> {
    let name = |key: &str, fold: u32| format!("{key} (fold {fold})");
    let expected: Vec<String> = reference
        .items
        .iter()
        .map(|i| name(&i.key, i.fold))
        .collect();
    let given: Vec<String> = predictions.iter().map(|p| name(&p.key, p.fold)).collect();
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
    for what in ["label", "speaker", "gender"] {
        let other = predictions.iter().find(|p| {
            let item = items.get(&(p.fold, p.key.as_str()));
            item.is_some_and(|item| match what {
                "label" => p.label != item.label,
                "speaker" => p.speaker != item.speaker,
                _ => p.gender != item.gender,
            })
        });
        if let Some(p) = other {
            let at = name(&p.key, p.fold);
            problems.push(format!("the {what} of {at} is not the manifest's"));
        }
    }
    problems
}

/// Predictions that are not the most probable class of their own scores, and scores that only some items have.
pub(crate) fn score_contradictions(predictions: &[Prediction]) -> Vec<String> {
    let mut problems = Vec::new();
    let contradicts = |p: &&Prediction| {
        let own = p.scores.get(&p.prediction);
        !p.scores.is_empty()
            && own.is_none_or(|own| own.is_nan() || p.scores.values().any(|other| other > own))
    };
    let found: Vec<&Prediction> = predictions.iter().filter(contradicts).collect();
    if let Some(first) = found.first() {
        problems.push(format!(
            "{} predictions are not the most probable class of their own scores, the first is {} (fold {})",
            found.len(),
            first.key,
            first.fold
        ));
    }
    let with = predictions.iter().filter(|p| !p.scores.is_empty()).count();
    if with > 0 && with < predictions.len() {
        problems.push("some predictions have scores and some have none".to_owned());
    }
    problems
}

/// Names of claimed scores that differ from the recomputed ones, without the right values.
fn claim_problems(claimed: &[Run], recomputed: &[Run]) -> Vec<String> {
    let mut problems = Vec::new();
    for run in recomputed {
        let fold = run.fold.to_string();
        let mut claims = claimed.iter().filter(|claim| claim.fold == run.fold);
        let Some(claim) = claims.next() else {
            problems.push(format!("no scores claimed for fold {fold:?}"));
            continue;
        };
        if claims.next().is_some() {
            problems.push(format!("two claims for fold {fold:?}"));
        }
        if claim.confusion != run.confusion || claim.n != run.n {
            problems.push(format!("confusion of fold {fold:?} does not come out"));
        }
        if claim.headline != run.headline {
            problems.push(format!(
                "fold {fold:?} is given another part: which score is the headline"
            ));
        }
        if claim.interval != run.interval {
            problems.push(format!(
                "the intervals of fold {fold:?} are made otherwise than the verifier makes them"
            ));
        }
        let mut others: Vec<&str> = numbers(run)
            .into_iter()
            .zip(numbers(claim))
            .filter(|((_, ours), (_, theirs))| match (ours, theirs) {
                (None, None) => false,
                (Some(ours), Some(theirs)) => {
                    let apart = (ours - theirs).abs();
                    apart.is_nan() || apart > TOLERANCE
                }
                _ => true,
            })
            .map(|((name, _), _)| name)
            .collect();
        others.dedup();
        for name in others {
            problems.push(format!("{name} of fold {fold:?} does not come out"));
        }
    }
    let known = |claim: &&Run| recomputed.iter().any(|run| run.fold == claim.fold);
    if let Some(extra) = claimed.iter().find(|claim| !known(claim)) {
        problems.push(format!(
            "scores of fold {:?}, which has no predictions",
            extra.fold.to_string()
        ));
    }
    // One changed prediction changes every score; a few of them say as much as all.
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    problems.truncate(MOST_PROBLEMS);
    if more > 0 {
        problems.push(format!("and {more} more scores that do not come out"));
    }
    problems
}

/// Every number that a table may show.
fn numbers(run: &Run) -> Vec<(&'static str, Option<f64>)> {
    let ends = |ci: Option<[f64; 2]>| [ci.map(|c| c[0]), ci.map(|c| c[1])];
    let (ua, wa, f1) = (ends(run.ua_ci), ends(run.wa_ci), ends(run.macro_f1_ci));
    let seeds = |pick: fn(&crate::Rates) -> f64| run.seeds.map(|s| pick(&s.deviation));
    vec![
        ("ua", Some(run.ua)),
        ("wa", Some(run.wa)),
        ("macro_f1", Some(run.macro_f1)),
        ("micro_f1", Some(run.micro_f1)),
        ("weighted_f1", Some(run.weighted_f1)),
        ("ua_ci", ua[0]),
        ("ua_ci", ua[1]),
        ("wa_ci", wa[0]),
        ("wa_ci", wa[1]),
        ("macro_f1_ci", f1[0]),
        ("macro_f1_ci", f1[1]),
        ("deviation of ua over seeds", seeds(|r| r.ua)),
        ("deviation of wa over seeds", seeds(|r| r.wa)),
        ("deviation of macro_f1 over seeds", seeds(|r| r.macro_f1)),
    ]
}
