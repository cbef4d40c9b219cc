//! The plan of an experiment as data: jobs with what they need, make and cost.
//!
//! Any executor may run any job any number of times: a job writes whole files by renaming them into
//! place, the same bytes whoever runs it, and last of all its [`Receipt`]. A job is finished when its
//! receipt is there and everything that the receipt lists is still as it was.

mod cost;
mod estimate;
mod make;
mod receipt;
mod run;
mod text;

use cost::Machine;
pub(crate) use cost::Measured;
pub use cost::{Assumed, EncoderSpeed, SpeedSource};
use estimate::Sizes;
pub use receipt::{FileStamp, Receipt};
pub(crate) use run::run_here;
pub use run::run_job;
pub(crate) use text::ranges;

use crate::{BenchError, Experiment, Home};
use emobox_files::{read_json, sha256_bytes, write_json};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The file of a plan in its folder.
const PLAN: &str = "plan.json";

/// Everything that an experiment takes, as jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Format version, 1.
    pub schema: u32,
    /// Names the plan: a digest of the experiment, the output folder and the program's version.
    pub name: String,
    /// The working folder, absolute.
    pub home: PathBuf,
    /// Where the scores and the report go, absolute.
    pub out: PathBuf,
    /// What is computed.
    pub experiment: Experiment,
    /// Where sizes were taken from the cards because a corpus is not prepared yet.
    pub from_cards: Vec<String>,
    /// Utterances of all corpora.
    pub utterances: u64,
    /// What extraction takes, by encoder.
    pub speeds: Vec<EncoderSpeed>,
    /// What the estimated speeds rest on.
    #[serde(default)]
    pub assumed: Option<Assumed>,
    /// All jobs; a job needs earlier ones only.
    pub jobs: Vec<Job>,
}

/// A unit of work that one process does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Unique in the plan, and a file name: `extract-fbank-3`.
    pub name: String,
    /// The stage it belongs to.
    pub stage: JobStage,
    /// What it does.
    pub work: Work,
    /// The jobs whose outputs it reads, as positions in the plan.
    pub needs: Vec<usize>,
    /// What it reads, for people.
    pub inputs: Vec<String>,
    /// What it writes, for people; the receipt lists every file.
    pub outputs: Vec<String>,
    /// Seconds of audio that it encodes or trains on.
    pub audio_seconds: f64,
    /// Estimated seconds on the machine at hand.
    pub seconds: f64,
}

/// The stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStage {
    /// Raw corpora to manifests.
    Prepare,
    /// Audio to features.
    Extract,
    /// Features to probes and predictions.
    Train,
    /// Predictions to scores.
    Evaluate,
    /// Scores to the page.
    Report,
}

impl JobStage {
    /// All stages in their order.
    pub const ALL: [Self; 5] = [
        Self::Prepare,
        Self::Extract,
        Self::Train,
        Self::Evaluate,
        Self::Report,
    ];
}

impl fmt::Display for JobStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Extract => "extract",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Report => "report",
        })
    }
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum Work {
    /// Makes the manifest of a corpus.
    Prepare {
        /// The corpus.
        corpus: String,
    },
    /// Encodes parts of corpora.
    Extract {
        /// The encoder.
        encoder: String,
        /// Which parts.
        parts: Vec<Part>,
    },
    /// Trains folds of corpora.
    Train {
        /// The encoder whose features are read.
        encoder: String,
        /// Which folds: fold k is in part 1 + (k - 1) mod `of`.
        parts: Vec<Part>,
    },
    /// Scores everything.
    Evaluate,
    /// Draws the page.
    Report,
}

/// One of `of` equal parts of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The corpus.
    pub corpus: String,
    /// Which part, from 1.
    pub part: usize,
    /// How many parts there are.
    pub of: usize,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of == 1 {
            f.write_str(&self.corpus)
        } else {
            write!(f, "{} {}/{}", self.corpus, self.part, self.of)
        }
    }
}

impl Plan {
    /// The plan of an experiment: the one written down by an earlier call, else a new one, from the
    /// manifests where corpora are prepared and from the cards where they are not. Writes nothing.
    pub fn of(home: &Home, experiment: &Experiment, out: &Path) -> Result<Self, BenchError> {
        Ok(Self::find(home, experiment, out)?.0)
    }

    /// The same with what is known by now about sizes and speeds, for one that was written down before.
    pub fn forecast(home: &Home, experiment: &Experiment, out: &Path) -> Result<Self, BenchError> {
        let (mut plan, is_new) = Self::find(home, experiment, out)?;
        if !is_new {
            let sizes = Sizes::read(home, &plan.experiment);
            plan.estimate(sizes, &Machine::measure())?;
        }
        Ok(plan)
    }

    /// The plan, and whether it was made now.
    fn find(home: &Home, experiment: &Experiment, out: &Path) -> Result<(Self, bool), BenchError> {
        experiment.check()?;
        let experiment = experiment.absolute()?;
        let home = Home::new(absolute(home.root())?);
        let out = absolute(out)?;
        let name = name(&experiment, &out);
        let path = folder(home.root(), &name).join(PLAN);
        if path.exists() {
            let plan: Self = read_json(&path)?;
            // How a cluster runs the plan may change from call to call; what it computes is in the name.
            return Ok((Self { experiment, ..plan }, false));
        }
        let sizes = Sizes::read(&home, &experiment);
        let mut plan = Self {
            schema: 1,
            name,
            jobs: make::cut(&home, &experiment, &sizes.corpora),
            home: home.root().to_owned(),
            out,
            experiment,
            from_cards: Vec::new(),
            utterances: 0,
            speeds: Vec::new(),
            assumed: None,
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

    /// Where the plan, the receipts and the logs lie.
    pub fn folder(&self) -> PathBuf {
        folder(&self.home, &self.name)
    }

    /// The jobs of a stage with their positions.
    pub fn stage(&self, stage: JobStage) -> impl Iterator<Item = (usize, &Job)> {
        let jobs = self.jobs.iter().enumerate();
        jobs.filter(move |(_, job)| job.stage == stage)
    }

    /// Whether a job need not be run.
    pub fn is_finished(&self, job: &Job) -> bool {
        Receipt::read(self, job).is_some_and(|receipt| receipt.holds())
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
    let text = format!(
        "{}\n{}\n{}\n{:?}",
        env!("CARGO_PKG_VERSION"),
        serde_json::to_string(&computed).unwrap_or_default(),
        out.display(),
        // Where the work is cut.
        experiment
            .slurm
            .as_ref()
            .and_then(|slurm| slurm.audio_hours)
    );
    sha256_bytes(text.as_bytes()).short().to_owned()
}

fn absolute(path: &Path) -> Result<PathBuf, BenchError> {
    Ok(std::path::absolute(path)
        .map_err(|e| emobox_files::FileError::io("find the place of", path, e))?)
}
