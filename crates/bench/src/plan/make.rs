use super::cost::Size;
use super::{Job, JobStage, Part, Work};
use crate::{CorpusChoice, Experiment, Home};

/// No encoder gets more extraction tasks than this, and none more training tasks, when the experiment
/// does not say how large a task is: ten encoders then stay at a few hundred tasks.
const TASKS_PER_ENCODER: f64 = 12.0;

/// Without an experiment's word, no task is smaller than this many hours of audio.
const LEAST_HOURS: f64 = 1.0;

/// The jobs of a checked experiment with absolute paths, before anybody has estimated them.
pub(super) fn cut(home: &Home, experiment: &Experiment, sizes: &[Size]) -> Vec<Job> {
    let slurm = experiment.slurm.clone().unwrap_or_default();
    let mut jobs = Jobs(Vec::new());
    for choice in &experiment.corpora {
        jobs.prepare(home, choice);
    }
    let weights: Vec<f64> = sizes.iter().map(|size| size.seconds / 3600.0).collect();
    let all: f64 = weights.iter().sum();
    let limit = slurm
        .audio_hours
        .unwrap_or((all / TASKS_PER_ENCODER).max(LEAST_HOURS));
    let packed = pack(&experiment.corpora, &weights, limit, |_| usize::MAX);
    for encoder in &experiment.encoders {
        for (at, parts) in (1..).zip(&packed) {
            jobs.extract(&encoder.name, at, parts);
        }
    }
    let weights: Vec<f64> = weights
        .iter()
        .zip(sizes)
        .map(|(hours, size)| hours * size.folds as f64)
        .collect();
    let all: f64 = weights.iter().sum();
    let floor = slurm.audio_hours.unwrap_or(LEAST_HOURS);
    let limit = (all / TASKS_PER_ENCODER).max(floor);
    let packed = pack(&experiment.corpora, &weights, limit, |c| sizes[c].folds);
    for encoder in &experiment.encoders {
        for (at, parts) in (1..).zip(&packed) {
            jobs.train(&encoder.name, at, parts);
        }
    }
    jobs.finish();
    jobs.0
}

struct Jobs(Vec<Job>);

impl Jobs {
    /// Adds a job that nobody has estimated yet.
    fn push(
        &mut self,
        name: String,
        work: (JobStage, Work),
        needs: Vec<usize>,
        (inputs, outputs): (Vec<String>, Vec<String>),
    ) {
        let (stage, work) = work;
        self.0.push(Job {
            name,
            stage,
            work,
            needs,
            inputs,
            outputs,
            audio_seconds: 0.0,
            seconds: 0.0,
        });
    }

    fn prepare(&mut self, home: &Home, choice: &CorpusChoice) {
        let corpus = choice.name.clone();
        let raw = choice.raw.iter().map(|raw| raw.display().to_string());
        let manifest = home.manifest(&corpus).display().to_string();
        self.push(
            format!("prepare-{corpus}"),
            (JobStage::Prepare, Work::Prepare { corpus }),
            Vec::new(),
            (raw.collect(), vec![manifest]),
        );
    }

    fn extract(&mut self, encoder: &str, at: usize, parts: &[Part]) {
        let work = Work::Extract {
            encoder: encoder.to_owned(),
            parts: parts.to_vec(),
        };
        self.push(
            format!("extract-{encoder}-{at}"),
            (JobStage::Extract, work),
            self.prepares(parts),
            (
                names(parts, |part| format!("manifest of {}", part.corpus)),
                names(parts, |part| format!("features/{part}/{encoder}")),
            ),
        );
    }

    fn train(&mut self, encoder: &str, at: usize, parts: &[Part]) {
        let work = Work::Train {
            encoder: encoder.to_owned(),
            parts: parts.to_vec(),
        };
        self.push(
            format!("train-{encoder}-{at}"),
            (JobStage::Train, work),
            self.extracts(encoder, parts),
            (
                names(parts, |part| format!("features/{}/{encoder}", part.corpus)),
                names(parts, |part| format!("runs/{part}/{encoder}")),
            ),
        );
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
        let evaluation = self.0.len();
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        self.push(
            JobStage::Evaluate.to_string(),
            (JobStage::Evaluate, Work::Evaluate),
            trains,
            (
                texts(&["the outcome of every fold"]),
                texts(&["scores.json", "predictions/", "report.json"]),
            ),
        );
        self.push(
            JobStage::Report.to_string(),
            (JobStage::Report, Work::Report),
            vec![evaluation],
            (texts(&["report.json"]), texts(&["report.html"])),
        );
    }
}

fn names(parts: &[Part], name: impl Fn(&Part) -> String) -> Vec<String> {
    parts.iter().map(name).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(names: &[&str]) -> Vec<CorpusChoice> {
        let choice = |name: &&str| CorpusChoice {
            name: (*name).to_owned(),
            raw: None,
            ..CorpusChoice::default()
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
