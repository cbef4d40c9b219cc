use super::cost::{EncoderSpeed, ExtractCost, Machine, Size, train_cost};
use super::{Job, JobStage, Part, Plan, Work};
use crate::grid::protocol_of;
use crate::{BenchError, CorpusChoice, Experiment, Home, open_corpus};
use std::path::PathBuf;

/// No encoder gets more extraction tasks than this, and none more training tasks, when the experiment
/// does not say how large a task is: ten encoders then stay at a few hundred tasks.
const TASKS_PER_ENCODER: f64 = 12.0;

/// Without an experiment's word, no task is smaller than this many hours of audio.
const LEAST_HOURS: f64 = 1.0;

/// The plan of a checked experiment with absolute paths.
pub(super) fn make(
    name: String,
    home: &Home,
    experiment: Experiment,
    out: PathBuf,
    machine: &Machine,
) -> Result<Plan, BenchError> {
    let protocol = protocol_of(&experiment)?;
    let mut from_cards = Vec::new();
    let mut sizes = Vec::new();
    for choice in &experiment.corpora {
        sizes.push(size(home, &experiment, choice, &mut from_cards)?);
    }
    let slurm = experiment.slurm.clone().unwrap_or_default();
    let cores = slurm.cpus.map_or(machine.cores, |cpus| cpus as usize) as f64;
    let mut jobs = Jobs(Vec::new());
    for (choice, size) in experiment.corpora.iter().zip(&sizes) {
        jobs.prepare(home, choice, *size);
    }
    let hours: f64 = sizes.iter().map(|size| size.seconds / 3600.0).sum();
    let mut speeds = Vec::new();
    for encoder in &experiment.encoders {
        let cost = ExtractCost::of(home, &experiment, encoder, machine);
        let core_seconds: f64 = sizes.iter().map(|size| cost.core_seconds(*size)).sum();
        speeds.push(EncoderSpeed {
            encoder: encoder.name.clone(),
            source: cost.source,
            audio_hours: hours,
            core_hours: core_seconds / 3600.0,
            hours: core_seconds / 3600.0 / machine.cores as f64,
        });
        let weights: Vec<f64> = sizes.iter().map(|size| size.seconds / 3600.0).collect();
        let limit = slurm
            .audio_hours
            .unwrap_or((hours / TASKS_PER_ENCODER).max(LEAST_HOURS));
        for (at, parts) in (1..).zip(pack(&experiment.corpora, &weights, limit, |_| usize::MAX)) {
            let seconds = |cost: &dyn Fn(usize) -> f64| total(&experiment, &parts, cost);
            jobs.0.push(Job {
                name: format!("extract-{}-{at}", encoder.name),
                stage: JobStage::Extract,
                needs: jobs.prepares(&parts),
                inputs: names(&parts, |part| format!("manifest of {}", part.corpus)),
                outputs: names(&parts, |part| format!("features/{part}/{}", encoder.name)),
                audio_seconds: seconds(&|c| sizes[c].seconds),
                seconds: seconds(&|c| cost.core_seconds(sizes[c])) / cores,
                work: Work::Extract {
                    encoder: encoder.name.clone(),
                    parts,
                },
            });
        }
    }
    for encoder in &experiment.encoders {
        let weights: Vec<f64> = sizes
            .iter()
            .map(|size| size.seconds / 3600.0 * size.folds as f64)
            .collect();
        let all: f64 = weights.iter().sum();
        let floor = slurm.audio_hours.unwrap_or(LEAST_HOURS);
        let limit = (all / TASKS_PER_ENCODER).max(floor);
        let packed = pack(&experiment.corpora, &weights, limit, |c| sizes[c].folds);
        for (at, parts) in (1..).zip(packed) {
            let seconds = |cost: &dyn Fn(usize) -> f64| total(&experiment, &parts, cost);
            let folds = |c: usize| sizes[c].folds as f64;
            let fold = |c: usize| train_cost(&protocol, encoder, sizes[c], machine);
            jobs.0.push(Job {
                name: format!("train-{}-{at}", encoder.name),
                stage: JobStage::Train,
                needs: jobs.extracts(&encoder.name, &parts),
                inputs: names(&parts, |part| {
                    format!("features/{}/{}", part.corpus, encoder.name)
                }),
                outputs: names(&parts, |part| format!("runs/{part}/{}", encoder.name)),
                audio_seconds: seconds(&|c| sizes[c].seconds * folds(c)),
                seconds: seconds(&|c| fold(c) * folds(c)) / cores,
                work: Work::Train {
                    encoder: encoder.name.clone(),
                    parts,
                },
            });
        }
    }
    jobs.finish();
    Ok(Plan {
        schema: 1,
        name,
        home: home.root().to_owned(),
        out,
        experiment,
        from_cards,
        utterances: sizes.iter().map(|size| size.utterances as u64).sum(),
        speeds,
        jobs: jobs.0,
    })
}

struct Jobs(Vec<Job>);

impl Jobs {
    fn prepare(&mut self, home: &Home, choice: &CorpusChoice, size: Size) {
        let raw = choice.raw.as_ref();
        self.0.push(Job {
            name: format!("prepare-{}", choice.name),
            stage: JobStage::Prepare,
            work: Work::Prepare {
                corpus: choice.name.clone(),
            },
            needs: Vec::new(),
            inputs: raw
                .map(|raw| raw.display().to_string())
                .into_iter()
                .collect(),
            outputs: vec![home.manifest(&choice.name).display().to_string()],
            audio_seconds: size.seconds,
            // Headers are read, not audio.
            seconds: size.utterances * 1e-3,
        });
    }

    fn prepares(&self, parts: &[Part]) -> Vec<usize> {
        self.positions(|work| match work {
            Work::Prepare { corpus } => parts.iter().any(|part| part.corpus == *corpus),
            _ => false,
        })
    }

    fn extracts(&self, of: &str, wanted: &[Part]) -> Vec<usize> {
        self.positions(|work| match work {
            Work::Extract { encoder, parts } => {
                let corpora = |a: &Part| wanted.iter().any(|b| a.corpus == b.corpus);
                encoder == of && parts.iter().any(corpora)
            }
            _ => false,
        })
    }

    fn positions(&self, wanted: impl Fn(&Work) -> bool) -> Vec<usize> {
        let jobs = self.0.iter().enumerate();
        jobs.filter(|(_, job)| wanted(&job.work))
            .map(|(at, _)| at)
            .collect()
    }

    fn finish(&mut self) {
        let trains = self.positions(|work| matches!(work, Work::Train { .. }));
        let last = self.0.len();
        let job = |stage, work, needs, inputs: &str, outputs: &[&str]| Job {
            name: format!("{stage}"),
            stage,
            work,
            needs,
            inputs: vec![inputs.to_owned()],
            outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
            audio_seconds: 0.0,
            seconds: 1.0,
        };
        let scores = ["scores.json", "predictions/", "report.json"];
        self.0.push(job(
            JobStage::Evaluate,
            Work::Evaluate,
            trains,
            "the outcome of every fold",
            &scores,
        ));
        self.0.push(job(
            JobStage::Report,
            Work::Report,
            vec![last],
            "report.json",
            &["report.html"],
        ));
    }
}

fn names(parts: &[Part], name: impl Fn(&Part) -> String) -> Vec<String> {
    parts.iter().map(name).collect()
}

/// The sum over parts of a corpus's cost, each part taking its fraction.
fn total(experiment: &Experiment, parts: &[Part], cost: &dyn Fn(usize) -> f64) -> f64 {
    let of_part = |part: &Part| {
        let corpora = experiment.corpora.iter();
        let at = corpora.zip(0..).find(|(c, _)| c.name == part.corpus);
        at.map_or(0.0, |(_, at)| cost(at) / part.of as f64)
    };
    parts.iter().map(of_part).sum()
}

/// Cuts what is larger than `limit` into equal parts, and puts what is smaller together up to it.
fn pack(
    corpora: &[CorpusChoice],
    weights: &[f64],
    limit: f64,
    most: impl Fn(usize) -> usize,
) -> Vec<Vec<Part>> {
    let mut packed = Vec::new();
    let mut bin = Vec::new();
    let mut filled = 0.0;
    for (at, (corpus, &weight)) in corpora.iter().zip(weights).enumerate() {
        // A part is cut off by a hair's breadth rather than into two.
        let wanted = (weight / limit - 1e-6).ceil().max(1.0) as usize;
        let of = wanted.min(most(at).max(1));
        let part = |part| Part {
            corpus: corpus.name.clone(),
            part,
            of,
        };
        if of > 1 {
            packed.extend((1..=of).map(|number| vec![part(number)]));
            continue;
        }
        if filled + weight > limit && !bin.is_empty() {
            packed.push(std::mem::take(&mut bin));
            filled = 0.0;
        }
        bin.push(part(1));
        filled += weight;
    }
    if !bin.is_empty() {
        packed.push(bin);
    }
    packed
}

/// From the manifest where the corpus is prepared, else from its card.
fn size(
    home: &Home,
    experiment: &Experiment,
    choice: &CorpusChoice,
    from_cards: &mut Vec<String>,
) -> Result<Size, BenchError> {
    let card = crate::corpus_card(&choice.name).ok();
    let card_folds = card.map_or(1, |card| card.folds.count().max(1));
    if let Ok(corpus) = open_corpus(home, &choice.name) {
        let utterances = &corpus.manifest.utterances;
        return Ok(Size {
            utterances: utterances.len() as f64,
            seconds: utterances.iter().map(|u| u.length).sum(),
            folds: crate::split::folds(&corpus, experiment).unwrap_or(card_folds),
        });
    }
    let Some(card) = card else {
        // A corpus of one's own that nobody has looked at yet: one job does all of it.
        from_cards.push(choice.name.clone());
        return Ok(Size {
            utterances: 0.0,
            seconds: 0.0,
            folds: 1,
        });
    };
    from_cards.push(choice.name.clone());
    Ok(Size {
        utterances: f64::from(card.table1.utterances),
        seconds: card.table1.hours * 3600.0,
        folds: card_folds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(names: &[&str]) -> Vec<CorpusChoice> {
        let choice = |name: &&str| CorpusChoice {
            name: (*name).to_owned(),
            raw: None,
        };
        names.iter().map(choice).collect()
    }

    #[test]
    fn large_corpora_are_cut_and_small_ones_put_together() {
        let packed = pack(
            &choices(&["a", "b", "c", "d"]),
            &[0.5, 2.5, 0.4, 0.2],
            1.0,
            |_| 99,
        );
        let texts: Vec<Vec<String>> = packed
            .iter()
            .map(|parts| parts.iter().map(Part::to_string).collect())
            .collect();
        let expected = [
            vec!["b 1/3"],
            vec!["b 2/3"],
            vec!["b 3/3"],
            vec!["a", "c"],
            vec!["d"],
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn no_more_parts_than_folds() {
        let packed = pack(&choices(&["a"]), &[100.0], 1.0, |_| 5);
        assert_eq!(packed.len(), 5);
    }
}
