//! Repeats the extraction and training behind a submission, from the verifier's own audio and checkpoints.

use crate::read_submission;
use crate::submission::Verifier;
use emobox_bench::{
    BenchError, CallError, Choice, Context, CorpusChoice, EncoderChoice, Experiment, Home, Maps,
    PredictionSet, ProtocolName, TRAINED_ON, bench, machine,
};
use emobox_corpus::Scheme;
use emobox_features::{ComputePrecision, FeatureNormalisation};
use emobox_files::FileError;
use emobox_score::{Refusal, Rerun, Submission, SubmissionEntry, Verified, reproduce};
use std::path::Path;

impl Verifier<'_> {
    /// Checks a submission, then extracts and trains every entry again and compares the predictions. Of the home's contents
    /// only the manifests are used; `encoders` says where the checkpoints are.
    ///
    /// # Errors
    /// Like [`Verifier::check`]; [`BenchError::NotReproduced`] with the predictions that differ.
    pub fn rerun(
        &self,
        file: &Path,
        encoders: &[EncoderChoice],
        context: Context<'_>,
    ) -> Result<Verified, BenchError> {
        let verified = self.check(file, context)?;
        let submission = read_submission(file)?;
        let mut reruns = Vec::new();
        let mut refusals = Vec::new();
        for entry in &submission.entries {
            match self.again(&submission, entry, encoders, context) {
                Ok(rerun) => reruns.push(rerun),
                Err(error) if error.is_interruption() || error.stops_everything() => {
                    return Err(error);
                }
                Err(error) => refusals.push(Refusal {
                    entry: format!("{}, {}", entry.corpus, entry.encoder),
                    reason: format!("consistent, not reproduced: it cannot be run again: {error}"),
                }),
            }
        }
        let refused = |reasons| BenchError::NotReproduced {
            file: file.to_owned(),
            reasons,
        };
        if !refusals.is_empty() {
            return Err(refused(refusals));
        }
        reproduce(verified, &submission, &reruns).map_err(refused)
    }

    fn again(
        &self,
        submission: &Submission,
        entry: &SubmissionEntry,
        encoders: &[EncoderChoice],
        context: Context<'_>,
    ) -> Result<Rerun, BenchError> {
        let experiment = self.experiment(entry, encoders)?;
        let digest = &submission.digest[..16.min(submission.digest.len())];
        let folder = self.home.root().join("reruns").join(digest);
        // The home's contents may come from the submitter; only the manifest, which the check has just
        // compared, is used.
        let home = Home::new(folder.join("home"));
        let (from, to) = (self.home.corpus(&entry.corpus), home.corpus(&entry.corpus));
        std::fs::create_dir_all(&to).map_err(|e| FileError::io("create folder", &to, e))?;
        for name in ["manifest.jsonl", "prepare.json"] {
            let (from, to) = (from.join(name), to.join(name));
            std::fs::copy(&from, &to).map_err(|e| FileError::io("copy", &from, e))?;
        }
        let out = folder.join(format!("{}-{}", entry.corpus, entry.partition));
        let run = bench(&home, &experiment, &out, context)?;
        let seeds = run.predictions().iter().map(PredictionSet::read);
        let theirs = submission.provenance.versions.get("machine");
        // It is trained again on the CPU.
        let on_gpu = entry.config.contains(TRAINED_ON);
        Ok(Rerun {
            corpus: entry.corpus.clone(),
            partition: entry.partition.clone(),
            same_machine: theirs == Some(&machine()) && !on_gpu,
            seeds: seeds.collect::<Result<_, _>>()?,
        })
    }

    /// The experiment that an entry claims to be.
    fn experiment(
        &self,
        entry: &SubmissionEntry,
        encoders: &[EncoderChoice],
    ) -> Result<Experiment, BenchError> {
        let unclear = |what: &str| {
            BenchError::Call(CallError::value(
                format!("setting {:?}", entry.config),
                "of an entry",
                format!("it to say which {what} it is of"),
            ))
        };
        // "layer 4, utterance norm, f32", as the bench writes it, and any further settings after it.
        let mut clauses = entry.config.split(", ");
        let layers = clauses.next().and_then(|text| text.strip_prefix("layer "));
        let layers = layers.ok_or_else(|| unclear("layer"))?.replace('+', ",");
        let norm = clauses.next().and_then(|text| text.strip_suffix(" norm"));
        let precision = clauses.next().ok_or_else(|| unclear("precision"))?;
        let head = entry.protocol_details.get("head");
        let named = encoders.iter().find(|choice| choice.name == entry.encoder);
        Ok(Experiment {
            corpora: vec![CorpusChoice {
                name: entry.corpus.clone(),
                ..CorpusChoice::default()
            }],
            encoders: vec![named.cloned().unwrap_or_else(|| EncoderChoice {
                name: entry.encoder.clone(),
                path: None,
            })],
            schemes: Scheme::named(&entry.partition)?.into(),
            protocol: ProtocolName::named(&entry.protocol)?,
            partition_seed: self.partition_seed,
            training_seeds: self.training_seeds,
            metadata: self.metadata.map(Path::to_owned),
            precision: ComputePrecision::named(precision)?,
            layers: layers
                .parse()
                .map_err(|e| BenchError::Call(CallError::value("layers", &layers, e)))?,
            normalisation: FeatureNormalisation::named(norm.ok_or_else(|| unclear("norm"))?)?,
            head: head.and_then(|head| head.as_str()).map(str::to_owned),
            maps: Maps::None,
            ..Experiment::default()
        })
    }
}
