use crate::target::{outputs, rated};
use crate::{BenchError, Context, Corpus, Experiment, Home, Stage, Target};
use emobox_corpus::{
    Audit, CorpusError, Partition, PartitionOptions, Scheme, Sound, audit, partition, scan_audio,
};
use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// How a corpus is partitioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitRequest<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// Seed of the draws.
    pub seed: u64,
    /// A copy of the published metadata.
    pub metadata: Option<&'a Path>,
    /// What probes learn: utterances without it are in no fold.
    pub target: Target,
    /// Whether all audio is read, to find duplicates, clipping, silence and odd lengths.
    pub listen: bool,
}

impl<'a> SplitRequest<'a> {
    /// The partition settings of an experiment under one of its schemes.
    pub(crate) fn of(experiment: &'a Experiment, scheme: Scheme) -> Self {
        Self {
            scheme,
            seed: experiment.partition_seed,
            metadata: experiment.metadata.as_deref(),
            target: experiment.target,
            listen: false,
        }
    }

    /// Whether the partition is made from lists that may change: the published metadata.
    pub(crate) fn is_listed(&self) -> bool {
        self.scheme == Scheme::Published && self.metadata.is_some()
    }

    /// The file of a partition that is made from such lists.
    pub(crate) fn lists(&self, home: &Home, corpus: &str) -> Option<PathBuf> {
        let path = || self.folder(home, corpus, false).join("partition.tsv");
        self.is_listed().then(path)
    }

    /// The folder of the partition; that of some utterances is another one, and lies beside that of all.
    fn folder(&self, home: &Home, corpus: &str, is_of_some: bool) -> PathBuf {
        let part = match is_of_some {
            false => String::new(),
            true => format!("-{}", self.target.name()),
        };
        let name = format!("{}{part}", self.scheme.name());
        home.partition(corpus, &name, self.seed)
    }

    /// The utterances that are divided: those that probes can learn from, so that no fold is empty for want of ratings. Published
    /// lists are taken as they are.
    fn used<'c>(&self, corpus: &'c Corpus) -> Cow<'c, Corpus> {
        match self.scheme {
            Scheme::Published => Cow::Borrowed(corpus),
            _ => rated(corpus, self.target).map_or(Cow::Borrowed(corpus), |manifest| {
                Cow::Owned(corpus.with_manifest(manifest))
            }),
        }
    }
}

/// A partition and the findings of its audit.
#[derive(Debug, Clone)]
pub struct Split {
    /// The assignment, with the audit in its description.
    pub partition: Partition,
    /// Speakers and texts in both train and test, empty classes.
    pub audit: Audit,
}

impl Split {
    /// The rule that applied, the sizes of every fold, and the audit.
    pub fn text(&self) -> String {
        let info = &self.partition.info;
        let mut text = format!(
            "{}: scheme {}, {} ({}), {}, seed {}\n",
            info.corpus,
            info.scheme,
            info.rule.describe(),
            info.reason,
            emobox_files::counted(info.folds as usize, "fold"),
            info.seed
        );
        for (fold, sizes) in (1..).zip(self.partition.sizes()) {
            let sizes: Vec<String> = sizes
                .iter()
                .map(|(role, n)| format!("{role} {n}"))
                .collect();
            let _ = writeln!(text, "fold {fold}: {}", sizes.join(", "));
        }
        if info.in_no_fold > 0 {
            let _ = writeln!(text, "in no fold: {}", info.in_no_fold);
        }
        if let Some(first) = info.not_in_manifest.first() {
            let _ = writeln!(
                text,
                "published but not in the manifest: {} (the first is {first})",
                info.not_in_manifest.len()
            );
        }
        let _ = write!(text, "{}", self.audit);
        text
    }

    /// Utterances that the published lists name and the manifest lacks.
    pub fn skipped(&self) -> usize {
        self.partition.info.not_in_manifest.len()
    }
}

/// Partitions a corpus and audits the result; writes `partition.tsv` and `partition.json` into the home.
pub fn split(
    home: &Home,
    corpus: &Corpus,
    request: &SplitRequest<'_>,
    context: Context<'_>,
) -> Result<Split, BenchError> {
    let used = request.used(corpus);
    let mut partition = cut(&used, request)?;
    let sound = request.listen.then(|| listen(corpus, context));
    let audit = audit(&used.manifest, &partition, sound.as_deref());
    partition.info.audit = Some(audit.clone());
    let is_of_some = matches!(used, Cow::Owned(_));
    partition.write(request.folder(home, &corpus.name, is_of_some))?;
    Ok(Split { partition, audit })
}

/// Partitions a corpus and audits the result with its acoustic measurements; writes nothing.
pub(crate) fn split_as_heard(
    corpus: &Corpus,
    request: &SplitRequest<'_>,
    sounds: Option<&[Sound]>,
) -> Result<Split, BenchError> {
    let used = request.used(corpus);
    let partition = cut(&used, request)?;
    let audit = audit(&used.manifest, &partition, sounds);
    Ok(Split { partition, audit })
}

/// Why the probes of an experiment cannot be trained on a corpus: it lacks what they learn, or a scheme cannot divide it.
pub(crate) fn obstacles(corpus: &Corpus, experiment: &Experiment) -> Vec<BenchError> {
    if let Err(error) = outputs(corpus, experiment.target) {
        return vec![error];
    }
    let cut = |scheme| {
        let request = SplitRequest::of(experiment, scheme);
        cut(&request.used(corpus), &request).err()
    };
    let schemes = experiment.schemes.iter();
    schemes
        .filter(|_| experiment.cross.is_none())
        .filter_map(cut)
        .collect()
}

/// Of a corpus that [`SplitRequest::used`] made.
fn cut(corpus: &Corpus, request: &SplitRequest<'_>) -> Result<Partition, BenchError> {
    let options = PartitionOptions {
        scheme: request.scheme,
        seed: request.seed,
        metadata: request.metadata.map(Path::to_owned),
        ..PartitionOptions::default()
    };
    partition(&corpus.manifest, &options).map_err(|error| match error {
        CorpusError::NoPartition {
            corpus: name,
            scheme,
            reason,
        } if request.target == Target::Dimensions => {
            let used = corpus.manifest.utterances.len();
            CorpusError::NoPartition {
                corpus: name,
                scheme,
                reason: format!("{reason} (of the {used} utterances with every dimension)"),
            }
            .into()
        }
        error => error.into(),
    })
}

/// The number of folds of a corpus in an experiment; with several schemes, the largest number.
pub(crate) fn folds(corpus: &Corpus, experiment: &Experiment) -> Result<usize, BenchError> {
    let of_scheme = |scheme: Scheme| -> Result<usize, BenchError> {
        let request = SplitRequest::of(experiment, scheme);
        Ok(cut(&request.used(corpus), &request)?.info.folds as usize)
    };
    let mut most = of_scheme(experiment.schemes.first());
    for folds in experiment
        .schemes
        .iter()
        .skip(1)
        .filter_map(|s| of_scheme(s).ok())
    {
        most = Ok(most.map_or(folds, |most| most.max(folds)));
    }
    most
}

pub(crate) fn listen(corpus: &Corpus, context: Context<'_>) -> Vec<Sound> {
    context.progress.begin(&Stage {
        label: format!("listening to {}", corpus.name),
        total: corpus.manifest.utterances.len() as u64,
        unit: "utterances",
        already: 0,
    });
    let threads = Some(rayon::current_num_threads());
    let sound = scan_audio(&corpus.manifest, &corpus.root, threads, &|| {
        context.progress.advance(1);
    });
    context.progress.end();
    sound
}
