use crate::job_stage::JobStage;
use crate::{BenchError, CallError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[slurm]` of an experiment file: how a Slurm cluster runs the plan.
///
/// ```toml
/// [slurm]
/// partition = "batch"
/// account = "speech"
/// time = "4:00:00"        # of one task, as `sbatch --time` takes it
/// memory = "16G"
/// cpus = 8
/// audio_hours = 20        # audio of one extraction task
/// throttle = 50           # tasks of a stage at once
/// retries = 2
/// sbatch = ["--constraint=avx512", "--mail-type=FAIL"]
/// setup = ["module load ffmpeg"]
///
/// [slurm.extract]         # what differs for one stage; also [slurm.train]
/// partition = "gpu"
/// gpus = 1
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmOptions {
    /// The partition; the cluster's default without it.
    pub partition: Option<String>,
    /// The account that is charged.
    pub account: Option<String>,
    /// Time limit of one task: `minutes`, `hours:minutes:seconds`, `days-hours`.
    pub time: Option<String>,
    /// Memory of one task: `16G`.
    pub memory: Option<String>,
    /// Cores of one task, which are also its worker threads.
    pub cpus: Option<u32>,
    /// GPUs of one task; with `device = "cuda"` its process opens the encoder on each and divides the utterances among them.
    pub gpus: Option<u32>,
    /// More options of `sbatch`, one per line of the script.
    pub sbatch: Vec<String>,
    /// Shell lines before the program starts.
    pub setup: Vec<String>,
    /// Hours of audio per extraction task; if not given, a dozen tasks per encoder.
    pub audio_hours: Option<f64>,
    /// Maximum number of tasks of a stage that run at once.
    pub throttle: Option<u32>,
    /// How often a failed task is resubmitted.
    pub retries: u32,
    /// Seconds until a file from another node must be visible.
    pub settle_seconds: f64,
    /// Seconds between two queries of the queue.
    pub poll_seconds: f64,
    /// What differs for extraction.
    pub extract: Option<Resources>,
    /// What differs for training.
    pub train: Option<Resources>,
}

/// What one stage requests from the cluster, replacing the common settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// The partition.
    pub partition: Option<String>,
    /// Time limit of one task.
    pub time: Option<String>,
    /// Memory of one task.
    pub memory: Option<String>,
    /// Cores of one task.
    pub cpus: Option<u32>,
    /// GPUs of one task.
    pub gpus: Option<u32>,
    /// More options of `sbatch`, in addition to the common ones.
    pub sbatch: Vec<String>,
}

impl Default for SlurmOptions {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            time: None,
            memory: None,
            cpus: None,
            gpus: None,
            sbatch: Vec::new(),
            setup: Vec::new(),
            audio_hours: None,
            throttle: None,
            retries: 2,
            settle_seconds: 60.0,
            poll_seconds: 10.0,
            extract: None,
            train: None,
        }
    }
}

impl SlurmOptions {
    /// Refuses settings that cannot be intended.
    pub fn check(&self) -> Result<(), BenchError> {
        let wrong = |what: &str| {
            Err(BenchError::Call(CallError::Contradiction(format!(
                "[slurm] {what}"
            ))))
        };
        if self
            .audio_hours
            .is_some_and(|h| !(h.is_finite() && h > 0.0))
        {
            return wrong("audio_hours must be above 0");
        }
        let times = [self.settle_seconds, self.poll_seconds];
        if times.iter().any(|s| !(0.0..=3600.0).contains(s)) {
            return wrong("settle_seconds and poll_seconds must lie between 0 and 3600");
        }
        if self.throttle == Some(0) || self.cpus == Some(0) {
            return wrong("throttle and cpus must be above 0");
        }
        Ok(())
    }

    /// How long files of a finished task may take to become visible here.
    pub fn settle(&self) -> Duration {
        Duration::from_secs_f64(self.settle_seconds)
    }

    /// The time between two queries of the queue.
    pub fn poll(&self) -> Duration {
        Duration::from_secs_f64(self.poll_seconds.max(0.2))
    }

    /// GPUs of one task of a stage.
    pub fn gpus_of(&self, stage: JobStage) -> Option<u32> {
        self.resources(stage).gpus
    }

    /// The settings of a stage.
    pub fn resources(&self, stage: JobStage) -> Resources {
        let own = match stage {
            JobStage::Extract | JobStage::Perturb => self.extract.clone(),
            JobStage::Train => self.train.clone(),
            _ => None,
        };
        let own = own.unwrap_or_default();
        let mut sbatch = self.sbatch.clone();
        sbatch.extend(own.sbatch);
        Resources {
            partition: own.partition.or_else(|| self.partition.clone()),
            time: own.time.or_else(|| self.time.clone()),
            memory: own.memory.or_else(|| self.memory.clone()),
            cpus: own.cpus.or(self.cpus),
            gpus: own.gpus.or(self.gpus),
            sbatch,
        }
    }
}
