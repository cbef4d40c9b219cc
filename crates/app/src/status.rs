//! What is done, running, failed and open in the plans of a home.

use emobox_bench::{BenchError, Home, JobStage, JobState, Plan, States, absent, align};
use emobox_cluster::tasks_in_queue;
use emobox_files::{DirLock, LockOutcome};
use emobox_score::{Absent, AbsentState};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The progress of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanStatus {
    /// The plan's name.
    pub plan: String,
    /// Its output folder.
    pub out: PathBuf,
    /// For each stage: jobs, done, failed, open.
    pub stages: Vec<(JobStage, [usize; 4])>,
    /// Whether another process of this machine works in the home.
    pub working_here: bool,
    /// Tasks that are waiting or running on a cluster.
    pub on_cluster: usize,
    /// Cells that failed, or are not finished.
    pub absent: Vec<Absent>,
}

impl PlanStatus {
    /// The table for people, and every failed cell with its reason.
    pub fn text(&self) -> String {
        let mut text = format!("plan {} for {}: ", self.plan, self.out.display());
        text.push_str(&match (self.working_here, self.on_cluster) {
            (_, tasks) if tasks > 0 => {
                format!("{} on the cluster\n", emobox_files::counted(tasks, "task"))
            }
            (true, _) => "a run is working in this home\n".to_owned(),
            _ => "nothing is running\n".to_owned(),
        });
        let mut rows = vec![["stage", "jobs", "done", "failed", "open"].map(str::to_owned)];
        for (stage, counts) in &self.stages {
            let [jobs, done, failed, open] = counts.map(|count| count.to_string());
            rows.push([stage.to_string(), jobs, done, failed, open]);
        }
        text.push_str(&align(&rows, 1));
        let mut reasons: Vec<(&str, &str, Vec<String>)> = Vec::new();
        for cell in self
            .absent
            .iter()
            .filter(|c| c.state == AbsentState::Failed)
        {
            let name = format!("{} with {}", cell.corpus, cell.encoder);
            let known = reasons
                .iter_mut()
                .find(|(_, reason, _)| *reason == cell.reason);
            match known {
                Some((_, _, cells)) => cells.push(name),
                None => reasons.push((&cell.stage, &cell.reason, vec![name])),
            }
        }
        for (stage, reason, cells) in reasons {
            let shown = &cells[..cells.len().min(3)];
            let more = match cells.len() - shown.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let shown = shown.join(", ");
            text.push_str(&format!("{shown}{more} failed in {stage}: {reason}\n"));
        }
        text
    }
}

/// The most recently written plans of a home; if an output folder is given, only its plans.
pub fn status(home: &Home, out: Option<&Path>) -> Result<Vec<PlanStatus>, BenchError> {
    let out = out.map(emobox_files::absolute).transpose()?;
    let mut plans = Vec::new();
    let folder = home.root().join("plans");
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let Ok(plan) = Plan::read(&entry.path()) else {
            continue;
        };
        if out.as_ref().is_none_or(|out| plan.out == *out) {
            let written = entry.path().join("plan.json").metadata();
            let written = written.and_then(|metadata| metadata.modified()).ok();
            plans.push((written, plan));
        }
    }
    plans.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    let working_here =
        home.root().exists() && matches!(DirLock::try_acquire(home.root()), Ok(LockOutcome::Busy));
    let of_plan = |plan: &Plan| {
        let states = States::of(plan);
        let mut stages = Vec::new();
        for stage in JobStage::ALL {
            let mut counts = [0; 4];
            for (at, _) in plan.stage(stage) {
                counts[0] += 1;
                counts[match states.get(at) {
                    JobState::Done => 1,
                    JobState::Failed(_) | JobState::Blocked(_) => 2,
                    JobState::Open => 3,
                }] += 1;
            }
            if counts[0] > 0 {
                stages.push((stage, counts));
            }
        }
        let cells = plan.stage(JobStage::Score);
        let cells = cells.filter(|(at, _)| *states.get(*at) != JobState::Done);
        PlanStatus {
            plan: plan.name.clone(),
            out: plan.out.clone(),
            stages,
            working_here,
            on_cluster: tasks_in_queue(plan),
            absent: cells.map(|(at, _)| absent(plan, at, &states)).collect(),
        }
    };
    Ok(plans.iter().map(|(_, plan)| of_plan(plan)).collect())
}
