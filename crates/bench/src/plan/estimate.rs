use super::cost::{EncoderSpeed, Machine, Shape, Size, extract_costs};
use super::training::TrainRate;
use super::{JobAction, JobStage, Plan};
use crate::split::obstacles;
use crate::{BenchError, CorpusChoice, Experiment, Home, open_corpus};
use std::collections::BTreeMap;

/// The sizes of the corpora of an experiment, as far as they are known now.
#[derive(Default)]
pub(crate) struct Sizes {
    /// In their order.
    pub(crate) corpora: Vec<Size>,
    /// Those that are not prepared yet.
    from_cards: Vec<String>,
    /// Why prepared ones cannot be trained on.
    obstacles: Vec<String>,
}

impl Sizes {
    pub(crate) fn read(home: &Home, experiment: &Experiment) -> Self {
        let mut sizes = Self::default();
        for choice in &experiment.corpora {
            let size = size(home, experiment, choice, &mut sizes);
            sizes.corpora.push(size);
        }
        sizes
    }
}

impl Plan {
    /// Estimates the plan's jobs on this machine from what is known now. The division of the work stays the same.
    pub(super) fn estimate(&mut self, sizes: Sizes, machine: &Machine) -> Result<(), BenchError> {
        let experiment = &self.experiment;
        let protocol = experiment.resolved_protocol()?;
        let slurm = experiment.slurm.clone().unwrap_or_default();
        let cores = slurm.cpus.map_or(machine.cores, |cpus| cpus as usize) as f64;
        let gpus = match experiment.device.are_gpus() {
            true => Some(experiment.device.given(slurm.gpus_of(JobStage::Extract))),
            false => None,
        };
        let home = Home::new(&self.home);
        let rate = TrainRate::of(&home, experiment, &protocol, machine);
        let trainers = match experiment.probe_devices().are_gpus() {
            true => experiment
                .probe_devices()
                .given(slurm.gpus_of(JobStage::Train))
                .all()
                .len() as f64,
            false => cores,
        };
        let (costs, assumed) = extract_costs(&home, experiment, machine);
        let cost_of = |name: &str| {
            let encoders = experiment.encoders.iter();
            let mut named = encoders.zip(&costs).filter(|(e, _)| e.name == name);
            named.next().map(|(_, cost)| *cost)
        };
        let sum = |cost: &dyn Fn(&Size) -> f64| sizes.corpora.iter().map(cost).sum::<f64>();
        let size_of = |name: &str| {
            let mut corpora = experiment.corpora.iter().zip(&sizes.corpora);
            let found = corpora.find(|(choice, _)| choice.name == name);
            found.map(|(_, size)| *size)
        };
        let labeller = experiment.cross.iter();
        let labeller = labeller.filter_map(|cross| cross.labeller.choice());
        let choices = experiment.encoders.iter().chain(labeller);
        let shapes: BTreeMap<&str, Shape> = choices
            .map(|choice| (choice.name.as_str(), Shape::of(choice)))
            .collect();
        for job in &mut self.jobs {
            let Some(size) = job.work.corpus().and_then(size_of) else {
                job.seconds = 1.0;
                continue;
            };
            let audio = size.seconds;
            let shape = job.work.encoder().and_then(|name| shapes.get(name));
            let train = |size| shape.map_or(0.0, |s| rate.seconds(&protocol, *s, size));
            (job.audio_seconds, job.seconds, job.bytes) = match &job.work {
                // Headers are read, not audio.
                JobAction::Prepare { .. } => (audio, size.utterances * 1e-3, 0.0),
                JobAction::Extract { encoder, share, .. } => {
                    let cost = cost_of(encoder);
                    let all = cost.map_or(0.0, |c| c.core_seconds(audio, size.utterances));
                    let bytes = shape.map_or(0.0, |s| s.feature_bytes(experiment, audio));
                    let of = share.count() as f64;
                    let workers = gpus.as_ref().map_or(cores, |gpus| gpus.all().len() as f64);
                    (audio / of, all / workers / of, bytes / of)
                }
                // As long as all of the corpus, because most schemes test most of it; a perturbation needs no training.
                JobAction::Perturb { encoder, .. } => {
                    let cost = cost_of(encoder);
                    let all = cost.map_or(0.0, |c| c.core_seconds(audio, size.utterances));
                    let bytes = shape.map_or(0.0, |s| s.feature_bytes(experiment, audio));
                    let workers = gpus.as_ref().map_or(cores, |gpus| gpus.all().len() as f64);
                    (audio, all / workers, bytes)
                }
                JobAction::Train { share, .. } => {
                    let folds = size.folds as f64 / share.count() as f64;
                    (audio * folds, train(size) * folds / trainers, 0.0)
                }
                JobAction::TrainAll { .. } => (audio, train(size) / trainers, 0.0),
                _ => (0.0, 1.0, 0.0),
            };
        }
        let here = match experiment.device.are_gpus() {
            true => experiment.device.all().len(),
            false => machine.cores,
        };
        let speeds = experiment
            .encoders
            .iter()
            .zip(&costs)
            .map(|(encoder, cost)| {
                let core_seconds = sum(&|size| cost.core_seconds(size.seconds, size.utterances));
                EncoderSpeed {
                    encoder: encoder.name.clone(),
                    source: cost.source,
                    audio_hours: sum(&|size| size.seconds / 3600.0),
                    core_hours: core_seconds / 3600.0,
                    hours: core_seconds / 3600.0 / here as f64,
                }
            });
        self.speeds = speeds.collect();
        self.assumed = Some(assumed);
        self.training = rate.source;
        self.utterances = sum(&|size| size.utterances) as u64;
        self.from_cards = sizes.from_cards;
        self.obstacles = sizes.obstacles;
        Ok(())
    }
}

/// From the manifest where the corpus is prepared, else from its card.
fn size(home: &Home, experiment: &Experiment, choice: &CorpusChoice, sizes: &mut Sizes) -> Size {
    let card = crate::corpus_card(&choice.name).ok();
    let card_folds = card.map_or(1, |card| card.folds.count().max(1));
    if let Ok(corpus) = open_corpus(home, &choice.name) {
        let obstacles = obstacles(&corpus, experiment);
        sizes
            .obstacles
            .extend(obstacles.iter().map(ToString::to_string));
        let utterances = &corpus.manifest.utterances;
        return Size {
            utterances: utterances.len() as f64,
            seconds: utterances.iter().map(|u| u.length).sum(),
            folds: crate::split::folds(&corpus, experiment).unwrap_or(card_folds),
        };
    }
    let Some(card) = card else {
        // A custom corpus that has not been prepared yet: one job does all of it.
        sizes.from_cards.push(choice.name.clone());
        return Size {
            utterances: 0.0,
            seconds: 0.0,
            folds: 1,
        };
    };
    sizes.from_cards.push(choice.name.clone());
    Size {
        utterances: f64::from(card.table1.utterances),
        seconds: card.table1.hours * 3600.0,
        folds: card_folds,
    }
}
