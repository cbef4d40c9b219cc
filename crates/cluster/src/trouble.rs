//! What went wrong on a cluster, and what to change.

use crate::slurm;
use crate::state::State;
use emobox_bench::Plan;
use std::path::PathBuf;

/// How many lines of a failed task's log are shown.
const LOG_LINES: usize = 5;

/// What to change for a task that can never start, by the reason that Slurm gives.
pub(crate) fn stuck(reason: &str) -> Option<&'static str> {
    match reason {
        "PartitionTimeLimit" => {
            Some("the time asked for is above the partition's limit: change `time` in [slurm]")
        }
        "PartitionNodeLimit" | "BadConstraints" => Some(
            "no node of the partition has what a task asks for: change [slurm], then --cancel and start again",
        ),
        "InvalidAccount" | "AssocNotAllowed" => {
            Some("the account may not run here: change `account` in [slurm]")
        }
        _ => None,
    }
}

/// What the end of a failed task means.
pub(crate) fn explain(plan: &Plan, state: &State, task: usize) -> String {
    let name = &plan.tasks[task].name;
    let end = state
        .last(task)
        .and_then(|submission| slurm::end_of(submission.slurm, task));
    let log = last_log(plan, task);
    let text = log
        .as_ref()
        .and_then(|path| std::fs::read(path).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let slurm = plan.experiment.slurm.clone().unwrap_or_default();
    let resources = slurm.resources(plan.tasks[task].stage);
    let why = match verdict(end.as_deref(), &text) {
        Verdict::Time => {
            let now = resources
                .time
                .unwrap_or_else(|| "the partition's default".to_owned());
            format!(
                "ran over its time limit; raise `time` in [slurm] (now {now}), or make tasks smaller with `audio_hours`"
            )
        }
        Verdict::Memory => {
            let now = resources
                .memory
                .unwrap_or_else(|| "the partition's default".to_owned());
            format!("needed more memory; raise `memory` in [slurm] (now {now})")
        }
        Verdict::Cancelled => "was cancelled".to_owned(),
        Verdict::Preempted => "was preempted".to_owned(),
        Verdict::Node => "lost its node".to_owned(),
        Verdict::Failed => "failed".to_owned(),
    };
    let mut message = format!("task {task} ({name}) {why}");
    if let Some(path) = log {
        message.push_str(&format!("{LOG_FOLLOWS}{}:", path.display()));
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            message.push_str("\n    ");
            message.push_str(line);
        }
    } else {
        message.push_str("; it wrote no log: does every node see the folder of --home?");
    }
    message
}

const LOG_FOLLOWS: &str = "; the end of ";

/// The text of [`explain`], without the end of the log.
pub(crate) fn without_log(explained: &str) -> &str {
    explained
        .split_once(LOG_FOLLOWS)
        .map_or(explained, |(why, _)| why)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Time,
    Memory,
    Cancelled,
    Preempted,
    Node,
    Failed,
}

/// From Slurm's reason, else from what Slurm wrote to the log.
fn verdict(end: Option<&str>, log: &str) -> Verdict {
    let said = end.unwrap_or_default();
    let last = log.lines().rev().take(LOG_LINES).collect::<String>();
    if said.starts_with("TIMEOUT") || last.contains("DUE TO TIME LIMIT") {
        Verdict::Time
    } else if said.starts_with("OUT_OF_ME") || last.to_lowercase().contains("oom") {
        Verdict::Memory
    } else if said.starts_with("PREEMPTED") || last.contains("DUE TO PREEMPTION") {
        Verdict::Preempted
    } else if said.starts_with("NODE_FAIL") || last.contains("DUE TO NODE FAILURE") {
        Verdict::Node
    } else if said.starts_with("CANCELLED") || last.contains("CANCELLED AT") {
        Verdict::Cancelled
    } else {
        Verdict::Failed
    }
}

/// The log of a task's latest try.
fn last_log(plan: &Plan, task: usize) -> Option<PathBuf> {
    let stage = plan.tasks[task].stage;
    let prefix = format!("{stage}-{task}-");
    let number = |path: &PathBuf| -> Option<u64> {
        let stem = path.file_stem()?.to_str()?;
        stem.strip_prefix(&prefix)?.parse().ok()
    };
    std::fs::read_dir(slurm::logs(plan))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| number(path).is_some())
        .max_by_key(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_what_slurm_has_forgotten() {
        let log = "job a begins\nslurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026 DUE TO TIME LIMIT ***\n";
        assert_eq!(verdict(None, log), Verdict::Time);
        assert_eq!(verdict(Some("OUT_OF_MEMORY"), ""), Verdict::Memory);
        assert_eq!(
            verdict(Some("FAILED"), "error: no such file"),
            Verdict::Failed
        );
    }
}
