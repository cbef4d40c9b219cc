use emobox_bench::{
    BenchError, BenchRun, CallError, Context, Home, SplitRequest, check_name, open_corpus,
    predictions_in, predictions_path, protocol_facts, read_run, scores_file, split,
};
use emobox_corpus::{Role, Scheme};
use emobox_files::{read_json, write_atomic, write_json};
use emobox_probe::{Protocol, Target};
use emobox_report::{Fact, ReportData, leaderboard};
use emobox_score::{
    FoldName, InferenceOptions, KnownProtocol, Provenance, Reference, ReferenceItem, Refusal,
    Rules, Run, SCHEMA, Submission, SubmissionEntry, Verified, verify,
};
use std::path::Path;

/// Packs the output folder of a finished run: predictions, claimed scores, and the digests of the
/// manifests, partitions and stores that they were made from.
///
/// # Errors
/// A folder without a run, scores without their predictions, or without the digests that a verifier needs.
pub fn submission_of(
    folder: &Path,
    system: &str,
    description: &str,
) -> Result<Submission, BenchError> {
    if system.trim().is_empty() {
        return Err(BenchError::Call(CallError::Nothing {
            what: "system",
            how: "--system NAME names it",
        }));
    }
    let run = read_run(folder)?;
    let data = run.data();
    if !data.scores.dimensions.is_empty() {
        let problem = "holds dimensions: submissions and leaderboards are of classes";
        return Err(BenchError::Call(CallError::other(folder, problem)));
    }
    let means = data.scores.runs.iter().filter(|r| r.fold == FoldName::Mean);
    let mut entries = Vec::new();
    for mean in means {
        let same = |r: &&Run| {
            (&r.corpus, &r.encoder, &r.partition, &r.config)
                == (&mean.corpus, &mean.encoder, &mean.partition, &mean.config)
        };
        let digest = |kind: &str, name: &str| digest_of(&data.scores.provenance, kind, name);
        let missing = |kind: &str| {
            BenchError::Call(CallError::other(
                folder,
                format!(
                    "has no digest of the {kind} of {} in scores.json; run `emobox bench` again with this version",
                    mean.corpus
                ),
            ))
        };
        let cut = format!("{}/{}", mean.corpus, mean.partition);
        let seeds = mean.seeds.map_or(1, |seeds| seeds.count as usize);
        let predictions = |seed: usize| {
            let (corpus, encoder) = (&mean.corpus, &mean.encoder);
            predictions_in(&predictions_path(
                folder,
                corpus,
                encoder,
                &mean.partition,
                seed,
            ))
        };
        entries.push(SubmissionEntry {
            corpus: mean.corpus.clone(),
            encoder: mean.encoder.clone(),
            protocol: mean.protocol.clone(),
            protocol_details: constants(&data.protocol),
            protocol_digest: digest("protocol", &mean.protocol)
                .ok_or_else(|| missing("protocol"))?,
            partition: mean.partition.clone(),
            config: mean.config.clone(),
            classes: mean.classes.clone(),
            manifest_digest: digest("manifest", &mean.corpus).ok_or_else(|| missing("manifest"))?,
            partition_digest: digest("partition", &cut).ok_or_else(|| missing("partition"))?,
            store_digest: digest("store", &format!("{}/{}", mean.corpus, mean.encoder)),
            predictions: predictions(0)?,
            further_seeds: (1..seeds).map(predictions).collect::<Result<_, _>>()?,
            scores: data.scores.runs.iter().filter(same).cloned().collect(),
        });
    }
    if entries.is_empty() {
        return Err(BenchError::Call(CallError::other(
            folder,
            "has no scores to pack",
        )));
    }
    Ok(Submission {
        schema: SCHEMA,
        system: system.to_owned(),
        description: description.to_owned(),
        provenance: data.scores.provenance.clone(),
        entries,
        digest: String::new(),
    }
    .seal())
}

/// Writes a submission atomically.
pub fn write_submission(submission: &Submission, to: &Path) -> Result<(), BenchError> {
    Ok(write_json(to, submission)?)
}

/// Reads a submission; nothing in it is trusted yet.
pub fn read_submission(file: &Path) -> Result<Submission, BenchError> {
    Ok(read_json(file)?)
}

/// Writes the static leaderboard page. It accepts only verified submissions.
pub fn write_leaderboard(
    title: &str,
    submissions: &[Verified],
    to: &Path,
) -> Result<(), BenchError> {
    Ok(write_atomic(
        to,
        leaderboard(title, submissions).as_bytes(),
    )?)
}

/// The recomputed scores of a submission, for display.
pub fn verified_run(verified: &Verified) -> BenchRun {
    let scores = scores_file(Provenance::default(), verified.runs().to_vec());
    BenchRun::of(ReportData::new(verified.system(), scores))
}

/// Checks submissions against the manifests of one home and the partitions made from them.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// The home with the prepared corpora.
    pub home: &'a Home,
    /// The required seed of the partitions.
    pub partition_seed: u64,
    /// The required number of training seeds.
    pub training_seeds: usize,
    /// A copy of the published metadata, for the scheme `published`.
    pub metadata: Option<&'a Path>,
}

impl Verifier<'_> {
    /// Recomputes every score of a submission.
    ///
    /// # Errors
    /// [`BenchError::Refused`] with every reason; a corpus that is not prepared here is one of them.
    pub fn check(&self, file: &Path, context: Context<'_>) -> Result<Verified, BenchError> {
        let submission = read_submission(file)?;
        let mut references: Vec<Reference> = Vec::new();
        let mut reasons: Vec<Refusal> = Vec::new();
        for entry in &submission.entries {
            let known = references.iter().any(|reference| {
                reference.corpus == entry.corpus
                    && reference.partition == entry.partition
                    && reference.protocol == entry.protocol
            });
            if known {
                continue;
            }
            match self.reference(entry, context) {
                Ok(reference) => references.push(reference),
                Err(error) if error.is_interruption() => return Err(error),
                Err(error) => reasons.push(Refusal {
                    entry: format!("{}, {}", entry.corpus, entry.encoder),
                    reason: error.to_string(),
                }),
            }
        }
        let refusals = match verify(&submission, &references, &self.rules()?) {
            Ok(verified) => return Ok(verified),
            Err(refusals) => refusals,
        };
        // A check that could not be made is reported once, with its cause.
        let said: Vec<String> = reasons.iter().map(|r| r.entry.clone()).collect();
        let new = refusals.into_iter().filter(|r| !said.contains(&r.entry));
        reasons.extend(new);
        Err(BenchError::Refused {
            file: file.to_owned(),
            reasons,
        })
    }

    /// The protocols of the registry at the verifier's seed, and intervals as the program makes them.
    fn rules(&self) -> Result<Rules, BenchError> {
        let known = |protocol: Protocol| KnownProtocol {
            name: protocol.name.clone(),
            digest: protocol.digest().as_str().to_owned(),
            details: constants(&protocol_facts(&protocol)),
            seeds: protocol.seeds.len(),
        };
        let seeds: Vec<u64> = (0..self.training_seeds as u64).collect();
        let protocols = Protocol::registry(self.partition_seed, &seeds)?;
        Ok(Rules {
            protocols: protocols.into_iter().map(known).collect(),
            encoders: Vec::new(),
            options: InferenceOptions {
                seed: self.partition_seed,
                ..InferenceOptions::default()
            },
        })
    }

    /// The required test items of an entry.
    fn reference(
        &self,
        entry: &SubmissionEntry,
        context: Context<'_>,
    ) -> Result<Reference, BenchError> {
        let scheme: Scheme =
            serde_json::from_value(entry.partition.as_str().into()).map_err(|_| {
                BenchError::Call(CallError::value(
                    "partition scheme",
                    &entry.partition,
                    "paper, published or speaker",
                ))
            })?;
        check_name(&entry.corpus)?;
        let corpus = open_corpus(self.home, &entry.corpus)?;
        let request = SplitRequest {
            scheme,
            seed: self.partition_seed,
            metadata: self.metadata,
            target: Target::Classes,
            listen: false,
        };
        let split = split(self.home, &corpus, &request, context)?;
        // A custom protocol must answer every test item.
        let longest = Protocol::named(&entry.protocol)
            .ok()
            .and_then(|protocol| protocol.max_seconds)
            .unwrap_or(f64::INFINITY);
        let tested = split
            .partition
            .assignments
            .iter()
            .filter(|a| a.role == Role::Test);
        let items = tested.filter_map(|assignment| {
            let utterance = corpus.utterance(&assignment.key)?;
            (utterance.length <= longest).then(|| ReferenceItem {
                key: utterance.key.clone(),
                fold: assignment.fold,
                label: utterance.label.clone(),
                speaker: utterance.speaker.clone(),
                gender: utterance.gender.clone(),
            })
        });
        Ok(Reference {
            corpus: entry.corpus.clone(),
            partition: entry.partition.clone(),
            protocol: entry.protocol.clone(),
            manifest_digest: corpus.digest.to_string(),
            partition_digest: split.partition.digest().to_string(),
            classes: corpus.manifest.classes(),
            items: items.collect(),
            audit: Some(split.audit.verdict.clone()),
        })
    }
}

fn digest_of(provenance: &Provenance, kind: &str, name: &str) -> Option<String> {
    let is_it = |source: &&emobox_score::Source| source.kind == kind && source.name == name;
    Some(provenance.sources.iter().find(is_it)?.digest.clone())
}

fn constants(facts: &[Fact]) -> serde_json::Value {
    facts
        .iter()
        .map(|fact| {
            (
                fact.name.clone(),
                serde_json::Value::from(fact.value.as_str()),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
