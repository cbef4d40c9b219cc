use emobox_bench::{BenchError, JobStage, Plan};
use emobox_files::{read_json, remove_file, write_json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `cluster.json` beside the plan: what this client has submitted to the cluster. Written atomically, by one
/// client; if it is lost, the queue and the receipts still show everything except the number of tries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// In their order.
    pub(crate) submissions: Vec<Submission>,
    /// How often a task has failed.
    pub(crate) failures: BTreeMap<usize, u32>,
}

/// One job array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// Its number in Slurm.
    pub(crate) slurm: u64,
    /// Its stage.
    pub(crate) stage: JobStage,
    /// The tasks in it, which are also the array's indices.
    pub(crate) tasks: Vec<usize>,
}

impl State {
    pub(crate) fn read(plan: &Plan) -> Option<Self> {
        read_json(path(plan)).ok()
    }

    pub(crate) fn write(&self, plan: &Plan) -> Result<(), BenchError> {
        Ok(write_json(path(plan), self)?)
    }

    /// The last array that a task was in.
    pub(crate) fn last(&self, task: usize) -> Option<&Submission> {
        self.submissions
            .iter()
            .rev()
            .find(|submission| submission.tasks.contains(&task))
    }

    /// A task that left the queue through no fault of its own is treated as if it had never been in it.
    pub(crate) fn forget(&mut self, task: usize) {
        for submission in &mut self.submissions {
            submission.tasks.retain(|&at| at != task);
        }
    }
}

fn path(plan: &Plan) -> PathBuf {
    plan.folder().join("cluster.json")
}

/// Tells every client of a plan that it was cancelled.
pub(crate) fn mark_cancelled(plan: &Plan, cancelled: bool) -> Result<(), BenchError> {
    let path = plan.folder().join("cancelled.json");
    if cancelled {
        return Ok(write_json(path, &true)?);
    }
    Ok(remove_file(path)?)
}

pub(crate) fn is_cancelled(plan: &Plan) -> bool {
    plan.folder().join("cancelled.json").exists()
}
