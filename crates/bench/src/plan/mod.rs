//! The plan of an experiment as data: jobs with their inputs, outputs and costs, and the tasks that a cluster bundles them
//! into.
//!
//! Any executor may run any job any number of times: a job writes whole files by renaming them into place, the same
//! bytes whoever runs it, and finally its [`Receipt`]. A job is done when its receipt exists and all files that
//! the receipt lists are unchanged. A job that fails leaves a receipt with the reason; the cell stays
//! empty, and everything else continues. Receipts are named by what the job computes, so plans of one home share them.

mod cost;
mod estimate;
mod make;
mod receipt;
mod state;
mod training;

use cost::Machine;
pub use cost::Measured;
pub use cost::{Assumed, EncoderSpeed, SpeedSource};
pub(crate) use estimate::Sizes;
pub(crate) use receipt::Done;
pub use receipt::{FileStamp, JobFailure, Receipt};
pub use state::{JobState, States};
pub(crate) use training::{TrainSpeed, train_operations};

use crate::job_stage::JobStage;
use crate::{BenchError, Experiment, Home, Share};
use emobox_corpus::Scheme;
use emobox_files::{read_json, sha256_bytes, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file of a plan in its folder.
const PLAN: &str = "plan.json";

/// All the work of an experiment, as jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Format version, 2.
    pub schema: u32,
    /// The plan's name: a digest of the experiment, the output folder and the program's version.
    pub name: String,
    /// The working folder, absolute.
    pub home: PathBuf,
    /// Where the scores and the report go, absolute.
    pub out: PathBuf,
    /// What is computed.
    pub experiment: Experiment,
    /// Whether sizes were taken from the cards because a corpus is not prepared yet.
    pub from_cards: Vec<String>,
    /// Why prepared corpora cannot be trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<String>,
    /// Utterances of all corpora.
    pub utterances: u64,
    /// The cost of extraction, by encoder.
    pub speeds: Vec<EncoderSpeed>,
    /// The basis of the estimated speeds.
    #[serde(default)]
    pub assumed: Option<Assumed>,
    /// The source of the training speed: the CPU's peak, or a measurement on a GPU.
    #[serde(default = "estimated")]
    pub training: SpeedSource,
    /// All jobs; a job needs earlier ones only.
    pub jobs: Vec<Job>,
    /// The jobs in bundles of one stage, as a cluster runs them.
    pub tasks: Vec<Task>,
}

fn estimated() -> SpeedSource {
    SpeedSource::Estimated
}

/// A unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Unique in the plan: `extract emodb fbank`.
    pub name: String,
    /// The stage it belongs to.
    pub stage: JobStage,
    /// What it does.
    pub work: JobAction,
    /// Digest of the work and every setting that determines its output; names the receipt.
    pub key: String,
    /// The jobs whose outputs it reads, as positions in the plan.
    pub needs: Vec<usize>,
    /// Seconds of audio that it encodes or trains on.
    pub audio_seconds: f64,
    /// Estimated seconds on this machine.
    pub seconds: f64,
    /// Estimated bytes of features that it writes.
    pub bytes: f64,
}

/// Jobs of one stage that one process runs one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the plan, and a file name: `extract-fbank-3`.
    pub name: String,
    /// The stage of its jobs.
    pub stage: JobStage,
    /// Positions in the plan.
    pub jobs: Vec<usize>,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum JobAction {
    /// Makes the manifest of a corpus.
    Prepare {
        /// The corpus.
        corpus: String,
    },
    /// Encodes a share of the shards of a corpus.
    Extract {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// Which share.
        #[serde(rename = "part")]
        share: Share,
    },
    /// Trains a share of the folds of a corpus: of `of` shares, fold k is in number 1 + (k - 1) mod `of`.
    Train {
        /// The corpus.
        corpus: String,
        /// The encoder whose features are read.
        encoder: String,
        /// How the corpus is partitioned.
        #[serde(default)]
        scheme: Scheme,
        /// Which share.
        #[serde(rename = "part")]
        share: Share,
    },
    /// Scores a corpus with an encoder.
    Score {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// How the corpus is partitioned.
        #[serde(default)]
        scheme: Scheme,
    },
    /// Encodes the test parts under a perturbation, and scores the trained probes on them.
    Perturb {
        /// The corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// How the corpus is partitioned.
        #[serde(default)]
        scheme: Scheme,
        /// The name of the perturbation.
        perturbation: String,
    },
    /// Labels a corpus and draws its balanced set.
    Draw {
        /// The corpus.
        corpus: String,
    },
    /// Trains on all of a corpus, for testing on others.
    TrainAll {
        /// The corpus.
        corpus: String,
        /// The encoder whose features are read.
        encoder: String,
    },
    /// Tests the probe of one corpus on the balanced set of another.
    Test {
        /// The training corpus.
        corpus: String,
        /// The encoder.
        encoder: String,
        /// The corpus whose balanced set is the test set.
        on: String,
    },
    /// Writes the tables and the page.
    Report,
}

impl JobAction {
    /// The corpus it is about.
    pub fn corpus(&self) -> Option<&str> {
        match self {
            Self::Prepare { corpus }
            | Self::Extract { corpus, .. }
            | Self::Train { corpus, .. }
            | Self::Score { corpus, .. }
            | Self::Perturb { corpus, .. }
            | Self::Draw { corpus }
            | Self::TrainAll { corpus, .. }
            | Self::Test { corpus, .. } => Some(corpus),
            Self::Report => None,
        }
    }

    /// The partition scheme it is about.
    pub fn scheme(&self) -> Option<Scheme> {
        match self {
            Self::Train { scheme, .. }
            | Self::Score { scheme, .. }
            | Self::Perturb { scheme, .. } => Some(*scheme),
            _ => None,
        }
    }

    /// The corpus that a probe of another corpus is tested on.
    pub fn tested_on(&self) -> Option<&str> {
        match self {
            Self::Test { on, .. } => Some(on),
            _ => None,
        }
    }

    /// The encoder it is about.
    pub fn encoder(&self) -> Option<&str> {
        match self {
            Self::Extract { encoder, .. }
            | Self::Train { encoder, .. }
            | Self::Score { encoder, .. }
            | Self::Perturb { encoder, .. }
            | Self::TrainAll { encoder, .. }
            | Self::Test { encoder, .. } => Some(encoder),
            Self::Prepare { .. } | Self::Draw { .. } | Self::Report => None,
        }
    }
}

impl Plan {
    /// The plan of an experiment: the one saved by an earlier call, else a new one, from the
    /// manifests if corpora are prepared and from the cards if they are not. Writes nothing.
    pub fn of(home: &Home, experiment: &Experiment, out: &Path) -> Result<Self, BenchError> {
        Ok(Self::find(home, experiment, out)?.0)
    }

    /// The same with current knowledge of sizes and speeds, if the plan was saved before.
    pub fn forecast(home: &Home, experiment: &Experiment, out: &Path) -> Result<Self, BenchError> {
        match Self::find(home, experiment, out)? {
            (plan, true) => Ok(plan),
            (plan, false) => plan.sized(),
        }
    }

    /// The same plan with current knowledge of sizes and speeds.
    pub(crate) fn sized(&self) -> Result<Self, BenchError> {
        let mut plan = self.clone();
        let sizes = Sizes::read(&Home::new(&self.home), &self.experiment);
        plan.estimate(sizes, &Machine::measure())?;
        Ok(plan)
    }

    /// The plan, and whether it is new.
    fn find(home: &Home, experiment: &Experiment, out: &Path) -> Result<(Self, bool), BenchError> {
        experiment.check()?;
        let experiment = experiment.absolute()?;
        let home = Home::new(emobox_files::absolute(home.root())?);
        let out = emobox_files::absolute(out)?;
        let name = name(&experiment, &out);
        let path = folder(home.root(), &name).join(PLAN);
        if path.exists() {
            let plan: Self = read_json(&path)?;
            // How a cluster runs the plan may change from call to call; what it computes is part of the name.
            return Ok((Self { experiment, ..plan }, false));
        }
        let sizes = Sizes::read(&home, &experiment);
        let (jobs, tasks) = make::cut(&experiment, &out, &sizes.corpora);
        let mut plan = Self {
            schema: 2,
            name,
            jobs,
            tasks,
            home: home.root().to_owned(),
            out,
            experiment,
            from_cards: Vec::new(),
            obstacles: Vec::new(),
            utterances: 0,
            speeds: Vec::new(),
            assumed: None,
            training: SpeedSource::Estimated,
        };
        plan.estimate(sizes, &Machine::measure())?;
        Ok((plan, true))
    }

    /// Reads the plan in a folder.
    pub fn read(folder: &Path) -> Result<Self, BenchError> {
        Ok(read_json(folder.join(PLAN))?)
    }

    /// Writes the plan into its folder, where every executor finds it.
    pub fn write(&self) -> Result<(), BenchError> {
        Ok(write_json(self.folder().join(PLAN), self)?)
    }

    /// Where the plan and the logs lie.
    pub fn folder(&self) -> PathBuf {
        folder(&self.home, &self.name)
    }

    /// The jobs of a stage with their positions.
    pub fn stage(&self, stage: JobStage) -> impl Iterator<Item = (usize, &Job)> {
        let jobs = self.jobs.iter().enumerate();
        jobs.filter(move |(_, job)| job.stage == stage)
    }

    /// The tasks whose jobs the jobs of a task need.
    pub fn task_needs(&self, task: usize) -> Vec<usize> {
        let jobs = self.tasks[task].jobs.iter();
        let needs: Vec<usize> = jobs.flat_map(|&at| self.jobs[at].needs.clone()).collect();
        let tasks = self.tasks.iter().enumerate();
        tasks
            .filter(|(at, other)| *at != task && other.jobs.iter().any(|job| needs.contains(job)))
            .map(|(at, _)| at)
            .collect()
    }
}

fn folder(home: &Path, name: &str) -> PathBuf {
    home.join("plans").join(name)
}

/// The estimate, the cluster's settings and the number of jobs do not change what is computed.
fn name(experiment: &Experiment, out: &Path) -> String {
    let computed = Experiment {
        slurm: None,
        ..experiment.clone()
    };
    // Where the work is split.
    let hours = experiment.slurm.as_ref().and_then(|s| s.audio_hours);
    let text = format!(
        "2\n{}\n{}\n{}\n{hours:?}",
        env!("CARGO_PKG_VERSION"),
        serde_json::to_string(&computed).unwrap_or_default(),
        out.display(),
    );
    sha256_bytes(text.as_bytes()).short().to_owned()
}
