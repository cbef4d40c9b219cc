use super::cost::{EncoderSpeed, Machine, Size, extract_costs, train_cost};
use super::{Part, Plan, Work};
use crate::grid::protocol_of;
use crate::{BenchError, CorpusChoice, Experiment, Home, open_corpus};

/// How large the corpora of an experiment are, as far as is known now.
pub(super) struct Sizes {
    /// In their order.
    pub(super) corpora: Vec<Size>,
    /// Those that are not prepared yet.
    from_cards: Vec<String>,
}

impl Sizes {
    pub(super) fn read(home: &Home, experiment: &Experiment) -> Self {
        let mut from_cards = Vec::new();
        let corpora = experiment.corpora.iter();
        Self {
            corpora: corpora
                .map(|choice| size(home, experiment, choice, &mut from_cards))
                .collect(),
            from_cards,
        }
    }
}

impl Plan {
    /// What the plan's jobs take on this machine, by what is known now. How the work is cut stays.
    pub(super) fn estimate(&mut self, sizes: Sizes, machine: &Machine) -> Result<(), BenchError> {
        let experiment = &self.experiment;
        let protocol = protocol_of(experiment)?;
        let slurm = experiment.slurm.clone().unwrap_or_default();
        let cores = slurm.cpus.map_or(machine.cores, |cpus| cpus as usize) as f64;
        let (costs, assumed) = extract_costs(&Home::new(&self.home), experiment, machine);
        let cost_of = |name: &str| {
            let encoders = experiment.encoders.iter();
            let mut named = encoders.zip(&costs).filter(|(e, _)| e.name == name);
            named.next().map(|(_, cost)| *cost)
        };
        let sum = |cost: &dyn Fn(&Size) -> f64| sizes.corpora.iter().map(cost).sum::<f64>();
        let of_parts = |parts: &[Part], cost: &dyn Fn(&Size) -> f64| {
            let mut total = 0.0;
            for part in parts {
                let corpora = experiment.corpora.iter().zip(&sizes.corpora);
                for (_, size) in corpora.filter(|(choice, _)| choice.name == part.corpus) {
                    total += cost(size) / part.of as f64;
                }
            }
            total
        };
        for job in &mut self.jobs {
            (job.audio_seconds, job.seconds) = match &job.work {
                Work::Prepare { corpus } => {
                    let whole = [Part {
                        corpus: corpus.clone(),
                        part: 1,
                        of: 1,
                    }];
                    // Headers are read, not audio.
                    let seconds = of_parts(&whole, &|size| size.utterances * 1e-3);
                    (of_parts(&whole, &|size| size.seconds), seconds)
                }
                Work::Extract { encoder, parts } => {
                    let cost = |size: &Size| {
                        let cost = cost_of(encoder);
                        cost.map_or(0.0, |c| c.core_seconds(size.seconds, size.utterances))
                    };
                    let seconds = of_parts(parts, &cost) / cores;
                    (of_parts(parts, &|size| size.seconds), seconds)
                }
                Work::Train { encoder, parts } => {
                    let fold = |size: &Size| train_cost(&protocol, encoder, *size, machine);
                    let seconds = of_parts(parts, &|size| fold(size) * size.folds as f64) / cores;
                    let audio = of_parts(parts, &|size| size.seconds * size.folds as f64);
                    (audio, seconds)
                }
                Work::Evaluate | Work::Report => (0.0, 1.0),
            };
        }
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
                    hours: core_seconds / 3600.0 / machine.cores as f64,
                }
            });
        self.speeds = speeds.collect();
        self.assumed = Some(assumed);
        self.utterances = sum(&|size| size.utterances) as u64;
        self.from_cards = sizes.from_cards;
        Ok(())
    }
}

/// From the manifest where the corpus is prepared, else from its card.
fn size(
    home: &Home,
    experiment: &Experiment,
    choice: &CorpusChoice,
    from_cards: &mut Vec<String>,
) -> Size {
    let card = crate::corpus_card(&choice.name).ok();
    let card_folds = card.map_or(1, |card| card.folds.count().max(1));
    if let Ok(corpus) = open_corpus(home, &choice.name) {
        let utterances = &corpus.manifest.utterances;
        return Size {
            utterances: utterances.len() as f64,
            seconds: utterances.iter().map(|u| u.length).sum(),
            folds: crate::split::folds(&corpus, experiment).unwrap_or(card_folds),
        };
    }
    let Some(card) = card else {
        // A corpus of one's own that nobody has looked at yet: one job does all of it.
        from_cards.push(choice.name.clone());
        return Size {
            utterances: 0.0,
            seconds: 0.0,
            folds: 1,
        };
    };
    from_cards.push(choice.name.clone());
    Size {
        utterances: f64::from(card.table1.utterances),
        seconds: card.table1.hours * 3600.0,
        folds: card_folds,
    }
}
