//! The test parts of a cell with noise, rooms and codecs applied, scored by the probes that were trained on the unchanged audio.

use super::{Cell, by_seed};
use crate::extract::plan_extraction;
use crate::extract::{Beside, Perturbed, extract_on, in_a_path, store_folder};
use crate::plan::Done;
use crate::predictions::prediction;
use crate::record::seed_file;
use crate::train::{FoldJob, Jobs, probe_folder};
use crate::{BenchError, ExtractOptions, KeepFeatures};
use emobox_audio::Perturbation;
use emobox_features::{Store, StorePlan};
use emobox_files::{read_json, write_atomic_with, write_json};
use emobox_probe::{FoldOutcome, Predicted, Probe, most_probable};
use emobox_score::{
    Comparison, InferenceOptions, PerturbedScores, Prediction, SeededSystem, compare_seeds,
    write_predictions,
};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Cell<'_> {
    /// Encodes the test parts of all folds under a perturbation, runs the trained probes on them, and records the
    /// loss.
    pub(crate) fn perturb(&self, name: &str) -> Result<Done, BenchError> {
        let perturbation: Perturbation = name.parse()?;
        let identity = perturbation.identity()?;
        let split = self.shop.split(&self.corpus, self.scheme)?;
        self.with_folds(&self.corpus, &split, |jobs| {
            let outcomes: Vec<FoldOutcome> = jobs
                .jobs
                .iter()
                .map(|job| Ok(read_json(job.outcome_path())?))
                .collect::<Result<_, BenchError>>()?;
            let tested = outcomes
                .iter()
                .flat_map(|outcome| outcome.selected.iter())
                .flat_map(|selected| selected.predictions.iter());
            let options = ExtractOptions {
                perturbed: Some(Perturbed {
                    perturbation,
                    identity: identity.clone(),
                    keys: Arc::new(tested.map(|item| item.key.clone()).collect()),
                }),
                statistics: false,
                ..self.shop.options.clone()
            };
            let plan = plan_extraction(&self.corpus, &self.encoder, &options)?;
            let folder = store_folder(self.shop.home, &self.corpus.name, &self.encoder, &options);
            self.hear(&options, &folder)?;
            let store = Store::open(&folder, plan.header())?;
            let perturbed = self.answers(&jobs, &outcomes, &store)?;
            let clean = by_seed(&self.corpus, &outcomes, |outcome| {
                let seeds = outcome.selected.iter();
                seeds.map(|seed| &seed.predictions[..]).collect()
            });
            let record = PerturbedScores {
                encoder: self.name().to_owned(),
                config: self.config(),
                perturbation: perturbation.to_string(),
                about: perturbation.about(),
                identity,
                comparison: self.compared(&perturbation.to_string(), &perturbed, &clean)?,
            };
            let mut done = Done {
                inputs: self.inputs_of_scores(),
                outputs: vec![record_path(&jobs.folder, &perturbation)],
            };
            done.inputs
                .extend(jobs.jobs.iter().map(FoldJob::outcome_path));
            for (seed, items) in perturbed.iter().enumerate() {
                let name = seed_file(&file_name(&perturbation), seed);
                let path = jobs.folder.join(name);
                write_atomic_with(&path, |to| write_predictions(to, items))?;
                done.outputs.push(path);
            }
            // Last: if the record exists, everything else does.
            write_json(&done.outputs[0], &record)?;
            self.discard_perturbed(&plan, &folder, &perturbation)?;
            Ok(done)
        })
    }

    /// Encodes what is not encoded yet. Every test utterance must be encoded: a score on a subset is a different score.
    fn hear(&self, options: &ExtractOptions, folder: &Path) -> Result<(), BenchError> {
        let encoders = self.shop.encoders(self.name())?;
        let context = self.shop.context;
        let beside = Beside {
            audio: self.shop.audio(),
            ..Beside::default()
        };
        let extracted = extract_on(&self.corpus, &encoders, folder, options, beside, context)?;
        if extracted.encoded > 0 {
            context.progress.note(&extracted.line());
        }
        if let Some(trouble) = extracted.trouble() {
            return Err(trouble);
        }
        match extracted.failed.first() {
            None => Ok(()),
            Some((key, reason)) => Err(BenchError::NotHeard {
                corpus: self.corpus.name.clone(),
                encoder: self.name().to_owned(),
                count: extracted.failed.len(),
                first: format!("{key}: {reason}"),
            }),
        }
    }

    /// The probes' predictions, a list for each training seed, in the order of the predictions on the unchanged audio.
    fn answers(
        &self,
        jobs: &Jobs<'_>,
        outcomes: &[FoldOutcome],
        store: &Store,
    ) -> Result<Vec<Vec<Prediction>>, BenchError> {
        // Not every field of a cell can be shared between threads.
        let corpus = &*self.corpus;
        let mut seeds: Vec<Vec<Prediction>> = Vec::new();
        for (job, outcome) in jobs.jobs.iter().zip(outcomes) {
            for (place, selected) in outcome.selected.iter().enumerate() {
                let folder = job.folder.join(probe_folder(place, selected.point.seed));
                let probe = Probe::load(&folder)?;
                let answer = |asked: &Predicted| {
                    let answered = answer(&probe, store, asked)?;
                    Ok(prediction(corpus, outcome, &answered))
                };
                let items = selected.predictions.par_iter().map(answer);
                let items = items.collect::<Result<Vec<_>, BenchError>>()?;
                if seeds.len() <= place {
                    seeds.push(Vec::new());
                }
                seeds[place].extend(items);
            }
        }
        Ok(seeds)
    }

    /// Paired by utterance, over speakers.
    fn compared(
        &self,
        name: &str,
        perturbed: &[Vec<Prediction>],
        clean: &[Vec<Prediction>],
    ) -> Result<Comparison, BenchError> {
        let [perturbed, clean] =
            [perturbed, clean].map(|lists| lists.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let system = |name, seeds| SeededSystem { name, seeds };
        let options = InferenceOptions {
            seed: self.shop.experiment.partition_seed,
            ..InferenceOptions::default()
        };
        let comparison = compare_seeds(
            &self.corpus.name,
            system(name, &perturbed[..]),
            system("clean", &clean[..]),
            &self.corpus.manifest.classes(),
            &options,
        )?;
        Ok(Comparison {
            partition: self.scheme.to_string(),
            ..comparison
        })
    }

    /// Deletes perturbed features, unless features are kept, once the last scheme has used them.
    fn discard_perturbed(
        &self,
        plan: &StorePlan,
        folder: &Path,
        perturbation: &Perturbation,
    ) -> Result<(), BenchError> {
        let experiment = self.shop.experiment;
        let is_scored = |scheme| {
            let Ok(split) = self.shop.split(&self.corpus, scheme) else {
                // A scheme that cannot partition this corpus scores nothing.
                return true;
            };
            let there = self.with_folds(&self.corpus, &split, |jobs| {
                Ok(record_path(&jobs.folder, perturbation).exists())
            });
            there.unwrap_or(false)
        };
        if experiment.features == KeepFeatures::Discard && experiment.schemes.iter().all(is_scored)
        {
            plan.discard(folder)?;
        }
        Ok(())
    }
}

/// The probe's answer for the same item on the unchanged audio.
fn answer(probe: &Probe, store: &Store, asked: &Predicted) -> Result<Predicted, BenchError> {
    let log_probabilities = probe.predict(&store.get(&asked.key)?)?;
    Ok(Predicted {
        key: asked.key.clone(),
        label: asked.label,
        prediction: most_probable(&log_probabilities),
        log_probabilities,
        dimensions: Vec::new(),
    })
}

/// The base name of a perturbation's files.
fn file_name(perturbation: &Perturbation) -> String {
    format!("perturbed-{}", in_a_path(perturbation))
}

/// The path of the record in the folder of the cell's probes.
fn record_path(folder: &Path, perturbation: &Perturbation) -> PathBuf {
    folder.join(format!("{}.json", file_name(perturbation)))
}
