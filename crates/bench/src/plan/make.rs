use super::cost::Size;
use super::{Job, JobAction, JobStage, Task};
use crate::{Experiment, Share, Target};
use emobox_corpus::Scheme;
use emobox_files::sha256_bytes;
use serde_json::{Value, json};
use std::path::Path;

/// Version of the record of a finished cell; if it changes, finished cells are scored again, which takes seconds.
const RECORD: u32 = 2;

/// No encoder gets more extraction or training tasks than this if the experiment does not say
/// how large a task is: ten encoders then stay at a few hundred tasks.
const TASKS_PER_ENCODER: f64 = 12.0;

/// Unless the experiment says otherwise, no task is smaller than this many hours of audio.
const LEAST_HOURS: f64 = 1.0;

/// The jobs and tasks of a checked experiment with absolute paths, not estimated yet.
pub(super) fn cut(experiment: &Experiment, out: &Path, sizes: &[Size]) -> (Vec<Job>, Vec<Task>) {
    let mut cut = Cut {
        experiment,
        jobs: Vec::new(),
        tasks: Vec::new(),
    };
    for choice in &experiment.corpora {
        let corpus = choice.name.clone();
        let at = cut.job(JobAction::Prepare { corpus }, Vec::new());
        cut.task(format!("prepare-{}", choice.name), vec![at]);
    }
    cut.extract(sizes);
    if experiment.cross.is_some() {
        cut.cross();
    } else {
        cut.train(sizes);
        cut.score();
        cut.perturb();
    }
    let scores = cut.positions(|job| matches!(job.stage, JobStage::Score | JobStage::Perturb));
    let report = cut.job(JobAction::Report, scores);
    cut.jobs[report].key = key(&json!([experiment, out]));
    cut.task("report".to_owned(), vec![report]);
    (cut.jobs, cut.tasks)
}

struct Cut<'a> {
    experiment: &'a Experiment,
    jobs: Vec<Job>,
    tasks: Vec<Task>,
}

impl Cut<'_> {
    /// Adds a job that is not estimated yet, and returns its position.
    fn job(&mut self, work: JobAction, needs: Vec<usize>) -> usize {
        let (stage, name) = match &work {
            JobAction::Prepare { corpus } => (JobStage::Prepare, format!("prepare {corpus}")),
            JobAction::Extract {
                corpus,
                encoder,
                share,
            } => (
                JobStage::Extract,
                format!("extract {corpus} {encoder}{}", numbered(*share)),
            ),
            JobAction::Train {
                corpus,
                encoder,
                scheme,
                share,
            } => {
                let scheme = self.told_apart(*scheme);
                let name = format!("train {corpus} {encoder}{scheme}{}", numbered(*share));
                (JobStage::Train, name)
            }
            JobAction::Score {
                corpus,
                encoder,
                scheme,
            } => {
                let scheme = self.told_apart(*scheme);
                (JobStage::Score, format!("score {corpus} {encoder}{scheme}"))
            }
            JobAction::Perturb {
                corpus,
                encoder,
                scheme,
                perturbation,
            } => {
                let scheme = self.told_apart(*scheme);
                let name = format!("perturb {corpus} {encoder}{scheme} {perturbation}");
                (JobStage::Perturb, name)
            }
            JobAction::Draw { corpus } => (JobStage::Draw, format!("draw {corpus}")),
            JobAction::TrainAll { corpus, encoder } => {
                (JobStage::Train, format!("train {corpus} {encoder}"))
            }
            JobAction::Test {
                corpus,
                encoder,
                on,
            } => (JobStage::Score, format!("test {corpus} {encoder} on {on}")),
            JobAction::Report => (JobStage::Report, "report".to_owned()),
        };
        let key = key(&json!([work, settings(self.experiment, stage, &work)]));
        self.jobs.push(Job {
            name,
            stage,
            work,
            key,
            needs,
            audio_seconds: 0.0,
            seconds: 0.0,
            bytes: 0.0,
        });
        self.jobs.len() - 1
    }

    /// A scheme as part of a name: nothing if the experiment has only one.
    fn told_apart(&self, scheme: Scheme) -> String {
        match self.experiment.schemes.are_several() {
            true => format!(" {scheme}"),
            false => String::new(),
        }
    }

    fn task(&mut self, name: String, jobs: Vec<usize>) {
        let stage = self.jobs[jobs[0]].stage;
        self.tasks.push(Task { name, stage, jobs });
    }

    fn extract(&mut self, sizes: &[Size]) {
        let slurm = self.experiment.slurm.clone().unwrap_or_default();
        let weights: Vec<f64> = sizes.iter().map(|size| size.seconds / 3600.0).collect();
        let all: f64 = weights.iter().sum();
        let limit = slurm
            .audio_hours
            .unwrap_or((all / TASKS_PER_ENCODER).max(LEAST_HOURS));
        let packed = pack(&weights, limit, |_| usize::MAX);
        let names = self.names();
        let mut encoders = names.clone();
        let labellers = self.labellers();
        let labeller = labellers.iter().flatten().next();
        if let Some(labeller) = labeller.filter(|name| !encoders.contains(name)) {
            encoders.push(labeller.clone());
        }
        for encoder in encoders {
            for (at, bin) in (1..).zip(&packed) {
                let mut jobs = Vec::new();
                for &(corpus, share) in bin {
                    // The labeller encodes only what has to be labelled.
                    let is_labeller = labellers[corpus].as_ref() == Some(&encoder);
                    if !is_labeller && !names.contains(&encoder) {
                        continue;
                    }
                    let corpus = self.experiment.corpora[corpus].name.clone();
                    let needs = self.positions(|job| {
                        job.work.corpus() == Some(&corpus) && job.stage == JobStage::Prepare
                    });
                    let encoder = encoder.clone();
                    let work = JobAction::Extract {
                        corpus,
                        encoder,
                        share,
                    };
                    jobs.push(self.job(work, needs));
                }
                if !jobs.is_empty() {
                    self.task(format!("extract-{encoder}-{at}"), jobs);
                }
            }
        }
    }

    fn train(&mut self, sizes: &[Size]) {
        let slurm = self.experiment.slurm.clone().unwrap_or_default();
        let weights: Vec<f64> = sizes
            .iter()
            .map(|size| size.seconds / 3600.0 * size.folds as f64)
            .collect();
        let all: f64 = weights.iter().sum();
        let floor = slurm.audio_hours.unwrap_or(LEAST_HOURS);
        let limit = (all / TASKS_PER_ENCODER).max(floor);
        let packed = pack(&weights, limit, |c| sizes[c].folds);
        for (encoder, scheme) in self.rows() {
            for (at, bin) in (1..).zip(&packed) {
                let mut jobs = Vec::new();
                for &(corpus, share) in bin {
                    let corpus = self.experiment.corpora[corpus].name.clone();
                    let needs = self.of_cell(&corpus, &encoder, JobStage::Extract);
                    let encoder = encoder.clone();
                    let work = JobAction::Train {
                        corpus,
                        encoder,
                        scheme,
                        share,
                    };
                    jobs.push(self.job(work, needs));
                }
                let scheme = self.told_apart(scheme).replace(' ', "-");
                self.task(format!("train-{encoder}{scheme}-{at}"), jobs);
            }
        }
    }

    /// Every encoder with every scheme.
    fn rows(&self) -> Vec<(String, Scheme)> {
        let schemes = &self.experiment.schemes;
        let of_encoder = |name: String| schemes.iter().map(move |scheme| (name.clone(), scheme));
        self.names().into_iter().flat_map(of_encoder).collect()
    }

    fn score(&mut self) {
        for (encoder, scheme) in self.rows() {
            let mut jobs = Vec::new();
            for choice in &self.experiment.corpora {
                let corpus = choice.name.clone();
                let needs = self.trainings(&corpus, &encoder, scheme);
                let encoder = encoder.clone();
                let work = JobAction::Score {
                    corpus,
                    encoder,
                    scheme,
                };
                jobs.push(self.job(work, needs));
            }
            let scheme = self.told_apart(scheme).replace(' ', "-");
            self.task(format!("score-{encoder}{scheme}"), jobs);
        }
    }

    /// A task for each cell, a job for each perturbation: a failed one does not affect the others.
    fn perturb(&mut self) {
        for (encoder, scheme) in self.rows() {
            for choice in &self.experiment.corpora {
                let mut jobs = Vec::new();
                for perturbation in self.experiment.perturb.iter() {
                    let needs = self.trainings(&choice.name, &encoder, scheme);
                    let work = JobAction::Perturb {
                        corpus: choice.name.clone(),
                        encoder: encoder.clone(),
                        scheme,
                        perturbation: perturbation.to_string(),
                    };
                    jobs.push(self.job(work, needs));
                }
                if !jobs.is_empty() {
                    let scheme = self.told_apart(scheme).replace(' ', "-");
                    self.task(format!("perturb-{encoder}{scheme}-{}", choice.name), jobs);
                }
            }
        }
    }

    /// The training jobs of a cell under a scheme.
    fn trainings(&self, corpus: &str, encoder: &str, scheme: Scheme) -> Vec<usize> {
        self.positions(|job| {
            job.stage == JobStage::Train
                && job.work.corpus() == Some(corpus)
                && job.work.encoder() == Some(encoder)
                && job.work.scheme() == Some(scheme)
        })
    }

    /// Sets and trainings of every corpus, and the tests of each training on the sets of the others.
    fn cross(&mut self) {
        let labellers = self.labellers();
        for (choice, labeller) in self.experiment.corpora.iter().zip(labellers) {
            let corpus = choice.name.clone();
            let mut needs = self.prepares(&corpus);
            if let Some(labeller) = labeller {
                needs.extend(self.of_cell(&corpus, &labeller, JobStage::Extract));
            }
            let at = self.job(JobAction::Draw { corpus }, needs);
            self.task(format!("draw-{}", choice.name), vec![at]);
        }
        for encoder in self.names() {
            for choice in &self.experiment.corpora {
                let corpus = choice.name.clone();
                let mut needs = self.prepares(&corpus);
                needs.extend(self.of_cell(&corpus, &encoder, JobStage::Extract));
                let encoder = encoder.clone();
                let at = self.job(JobAction::TrainAll { corpus, encoder }, needs);
                let name = format!(
                    "{}-{}",
                    self.jobs[at].work.encoder().unwrap_or(""),
                    choice.name
                );
                self.task(format!("train-{name}"), vec![at]);
            }
        }
        for encoder in self.names() {
            let mut jobs = Vec::new();
            for (corpus, on) in self.experiment.pairs_of_corpora() {
                let mut needs = self.of_cell(corpus, &encoder, JobStage::Train);
                needs.extend(self.of_cell(corpus, &encoder, JobStage::Extract));
                needs.extend(
                    self.positions(|job| {
                        job.stage == JobStage::Draw && job.work.corpus() == Some(on)
                    }),
                );
                needs.extend(self.of_cell(on, &encoder, JobStage::Extract));
                let work = JobAction::Test {
                    corpus: corpus.to_owned(),
                    encoder: encoder.clone(),
                    on: on.to_owned(),
                };
                jobs.push(self.job(work, needs));
            }
            self.task(format!("score-{encoder}"), jobs);
        }
    }

    /// The preparations that work on a corpus depends on: its own, and those of all corpora if the shared classes are those that
    /// all have.
    fn prepares(&self, corpus: &str) -> Vec<usize> {
        let cross = self.experiment.cross.as_ref();
        let all = cross.is_some_and(|cross| cross.classes.is_empty());
        self.positions(|job| {
            job.stage == JobStage::Prepare && (all || job.work.corpus() == Some(corpus))
        })
    }

    /// For each corpus the encoder whose features label it, if there is one.
    fn labellers(&self) -> Vec<Option<String>> {
        let corpora = self.experiment.corpora.iter();
        let labeller = |corpus: &str| {
            let choice = self.experiment.features_to_label(corpus)?;
            Some(choice.name.clone())
        };
        corpora.map(|choice| labeller(&choice.name)).collect()
    }

    fn names(&self) -> Vec<String> {
        let encoders = self.experiment.encoders.iter();
        encoders.map(|choice| choice.name.clone()).collect()
    }

    fn of_cell(&self, corpus: &str, encoder: &str, stage: JobStage) -> Vec<usize> {
        self.positions(|job| {
            job.stage == stage
                && job.work.corpus() == Some(corpus)
                && job.work.encoder() == Some(encoder)
        })
    }

    fn positions(&self, wanted: impl Fn(&Job) -> bool) -> Vec<usize> {
        let jobs = self.jobs.iter().enumerate();
        jobs.filter(|(_, job)| wanted(job))
            .map(|(at, _)| at)
            .collect()
    }
}

/// The settings that determine what a job makes, and no others: jobs of two experiments that agree in them are one.
fn settings(e: &Experiment, stage: JobStage, work: &JobAction) -> Value {
    let corpus = e
        .corpora
        .iter()
        .find(|c| Some(c.name.as_str()) == work.corpus());
    let prepare = json!([corpus, e.allow_missing, e.as_published]);
    let encoder = e
        .encoders
        .iter()
        .find(|c| Some(c.name.as_str()) == work.encoder());
    let extract = json!([
        encoder,
        e.layers.to_string(),
        e.normalisation,
        e.precision,
        e.store_precision,
        e.layer_curve
    ]);
    let mut train = json!([
        e.partition_seed,
        e.training_seeds,
        e.metadata,
        e.protocol,
        e.head,
        e.class_weighting,
        e.logit_adjustment,
        e.maps,
        e.layer_curve_head
    ]);
    if let (Some(train), Some(epochs)) = (train.as_array_mut(), e.epochs) {
        train.push(json!({ "epochs": epochs }));
    }
    if let (Some(train), true) = (train.as_array_mut(), e.target != Target::Classes) {
        train.push(json!({ "target": e.target }));
    }
    // A GPU's probes differ from the CPU's in their last digits.
    if let (Some(train), true) = (train.as_array_mut(), e.probe_devices().are_gpus()) {
        train.push(json!(e.probe_devices().first().kind()));
    }
    let version = env!("CARGO_PKG_VERSION");
    // If the shared classes are those that all corpora have, everything across corpora depends on all of them.
    let on = e
        .corpora
        .iter()
        .find(|c| Some(c.name.as_str()) == work.tested_on());
    let cross = e.cross.as_ref();
    let cross = cross.map(|cross| match cross.classes.is_empty() {
        true => json!([cross, e.corpora]),
        false => json!([cross, on]),
    });
    match stage {
        JobStage::Prepare => json!([version, prepare]),
        JobStage::Extract => json!([version, prepare, extract]),
        JobStage::Score => json!([version, RECORD, prepare, extract, train, cross]),
        _ => json!([version, prepare, extract, train, cross]),
    }
}

fn key(value: &Value) -> String {
    sha256_bytes(value.to_string().as_bytes())
        .short()
        .to_owned()
}

/// The end of a job's name: which share of its corpus it does, unless it does all of it.
fn numbered(share: Share) -> String {
    match share {
        Share::ALL => String::new(),
        share => format!(" {share}"),
    }
}

/// Splits what is larger than `limit` into equal shares, and groups what is smaller up to it: bins of corpora, by
/// position, and their shares.
fn pack(weights: &[f64], limit: f64, most: impl Fn(usize) -> usize) -> Vec<Vec<(usize, Share)>> {
    let mut packed = Vec::new();
    let mut bin = Vec::new();
    let mut filled = 0.0;
    for (at, &weight) in weights.iter().enumerate() {
        // What exceeds the limit only by rounding is not split.
        let wanted = (weight / limit - 1e-6).ceil().max(1.0) as usize;
        let of = wanted.min(most(at).max(1));
        if of > 1 {
            let shares = (1..=of).filter_map(|share| Share::new(share, of));
            packed.extend(shares.map(|share| vec![(at, share)]));
            continue;
        }
        if filled + weight > limit && !bin.is_empty() {
            packed.push(std::mem::take(&mut bin));
            filled = 0.0;
        }
        bin.push((at, Share::ALL));
        filled += weight;
    }
    if !bin.is_empty() {
        packed.push(bin);
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_corpora_are_cut_and_small_ones_put_together() {
        let packed = pack(&[0.5, 2.5, 0.4, 0.2], 1.0, |_| 99);
        let texts: Vec<Vec<String>> = packed
            .iter()
            .map(|bin| {
                bin.iter()
                    .map(|&(c, share)| format!("{c}{}", numbered(share)))
                    .collect()
            })
            .collect();
        let expected = [
            vec!["1 1/3"],
            vec!["1 2/3"],
            vec!["1 3/3"],
            vec!["0", "2"],
            vec!["3"],
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn no_more_shares_than_folds() {
        assert_eq!(pack(&[100.0], 1.0, |_| 5).len(), 5);
    }
}
