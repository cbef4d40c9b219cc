use emobox_bench::{BenchError, Context, JobStage, Plan, SlurmOptions, ranges};
use emobox_files::write_atomic;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A task in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queued {
    /// The array that it belongs to.
    pub(crate) slurm: u64,
    /// `PENDING`, `RUNNING`, …
    pub(crate) state: String,
    /// Why it waits.
    pub(crate) reason: String,
}

/// Whether Slurm is available, checked before anything is written.
pub(crate) fn check() -> Result<(), BenchError> {
    let mut command = Command::new("sbatch");
    command.arg("--version");
    output(command).map(drop)
}

/// The tasks of a plan that are waiting or running, by their number.
pub(crate) fn queue(plan: &Plan) -> Result<BTreeMap<usize, Queued>, BenchError> {
    let mut command = Command::new("squeue");
    command.args(["--me", "--array", "--noheader", "--format=%F|%K|%T|%r|%j"]);
    let text = output(command)?;
    Ok(parse_queue(&text, &array_name(plan, None)))
}

fn parse_queue(text: &str, prefix: &str) -> BTreeMap<usize, Queued> {
    let mut tasks = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim().splitn(5, '|').collect();
        let [slurm, index, state, reason, name] = fields[..] else {
            continue;
        };
        if !name.starts_with(prefix) {
            continue;
        }
        if let (Ok(slurm), Ok(index)) = (slurm.parse(), index.parse()) {
            let queued = Queued {
                slurm,
                state: state.to_owned(),
                reason: reason.to_owned(),
            };
            tasks.insert(index, queued);
        }
    }
    tasks
}

/// Submits jobs of one stage as an array that starts when the arrays `after` have ended, and returns
/// its number.
/// It waits for their end, not for their success: a job whose inputs are missing says so and exits at
/// once, and all others continue even while no client follows them.
pub(crate) fn submit_array(
    plan: &Plan,
    stage: JobStage,
    tasks: &[usize],
    after: &[u64],
) -> Result<u64, BenchError> {
    let options = plan.experiment.slurm.clone().unwrap_or_default();
    let folder = plan.folder();
    let logs = logs(plan);
    std::fs::create_dir_all(&logs)
        .map_err(|e| emobox_files::FileError::io("create folder", &logs, e))?;
    let script = folder.join(format!("{stage}.sh"));
    write_atomic(&script, script_text(&options, stage, &folder)?.as_bytes())?;
    let mut command = Command::new("sbatch");
    command.arg("--parsable");
    command.arg(format!("--job-name={}", array_name(plan, Some(stage))));
    let throttle = options.throttle.map_or(String::new(), |n| format!("%{n}"));
    command.arg(format!("--array={}{throttle}", ranges(tasks)));
    command.arg(format!("--output={}/{stage}-%a-%A.log", logs.display()));
    if !after.is_empty() {
        let ids: Vec<String> = after.iter().map(u64::to_string).collect();
        command.arg(format!("--dependency=afterany:{}", ids.join(":")));
    }
    command.args(wishes(&options, stage));
    command.arg(&script);
    let text = output(command)?;
    // `number` or `number;cluster`.
    let number = text.trim().split(';').next().unwrap_or_default();
    number.parse().map_err(|_| {
        BenchError::Cluster(format!(
            "`sbatch --parsable` printed {text:?} instead of a job's number"
        ))
    })
}

/// The resources of a task of a stage, as options of `sbatch`.
fn wishes(options: &SlurmOptions, stage: JobStage) -> Vec<String> {
    let resources = options.resources(stage);
    let wishes = [
        ("partition", resources.partition),
        ("account", options.account.clone()),
        ("time", resources.time),
        ("mem", resources.memory),
        ("cpus-per-task", resources.cpus.map(|n| n.to_string())),
        ("gres", resources.gpus.map(|n| format!("gpu:{n}"))),
    ];
    let wishes = wishes.into_iter();
    wishes
        .filter_map(|(name, value)| Some(format!("--{name}={}", value?)))
        .collect()
}

/// Warns if tasks are to compute on cards that the settings do not request from the cluster.
pub(crate) fn warn_of_no_gpus(plan: &Plan, context: Context<'_>) {
    let options = plan.experiment.slurm.clone().unwrap_or_default();
    let resources = options.resources(JobStage::Extract);
    let asked = resources.gpus.is_some_and(|gpus| gpus > 0)
        || resources.sbatch.iter().any(|line| line.contains("gpu"));
    let device = &plan.experiment.device;
    if device.are_gpus() && !asked {
        context.progress.note(&format!(
            "the encoders shall compute on {device}, but extraction asks the cluster for no GPU: set `gpus` in [slurm.extract]"
        ));
    }
}

/// The script of an array: the user's `#SBATCH` lines and setup, the program.
fn script_text(
    options: &SlurmOptions,
    stage: JobStage,
    folder: &Path,
) -> Result<String, BenchError> {
    let program = std::env::current_exe()
        .map_err(|e| emobox_files::FileError::io("find", "the running program", e))?;
    let mut text = String::from(
        "#!/bin/bash\n#SBATCH --ntasks=1\n#SBATCH --requeue\n#SBATCH --open-mode=append\n",
    );
    for line in options.resources(stage).sbatch {
        let _ = writeln!(text, "#SBATCH {line}");
    }
    text.push_str("set -e\n");
    for line in &options.setup {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(
        text,
        "exec {} job {} \"$SLURM_ARRAY_TASK_ID\" --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"",
        quoted(&program),
        quoted(folder)
    );
    Ok(text)
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Removes arrays (`12`) or tasks (`12_3`) from the queue.
pub(crate) fn cancel_tasks(names: impl Iterator<Item = String>) -> Result<(), BenchError> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let mut command = Command::new("scancel");
    command.args(names);
    output(command).map(drop)
}

/// Slurm's reason for the end of a task, if still known: `TIMEOUT`, `OUT_OF_MEMORY`, …
pub(crate) fn end_of(slurm: u64, task: usize) -> Option<String> {
    let mut command = Command::new("scontrol");
    command.args(["--oneliner", "show", "job", &format!("{slurm}_{task}")]);
    if let Ok(text) = output(command) {
        let mut words = text.split_whitespace();
        if let Some(state) = words.find_map(|word| word.strip_prefix("JobState=")) {
            return Some(state.to_owned());
        }
    }
    // The controller forgets after minutes; accounting, if enabled, does not.
    let mut command = Command::new("sacct");
    command.args(["-X", "-n", "-P", "-o", "State", "-j"]);
    command.arg(format!("{slurm}_{task}"));
    let text = output(command).ok()?;
    let state = text.lines().last()?.split_whitespace().next()?;
    Some(state.to_owned())
}

/// The partitions that this cluster has.
pub(crate) fn partitions() -> Option<String> {
    let mut command = Command::new("sinfo");
    command.args(["--noheader", "--format=%R"]);
    let text = output(command).ok()?;
    let mut names: Vec<&str> = text.lines().map(str::trim).collect();
    names.sort_unstable();
    names.dedup();
    Some(names.join(", "))
}

/// The path of the logs of a plan's tasks: `<stage>-<job>-<array>.log`.
pub(crate) fn logs(plan: &Plan) -> PathBuf {
    plan.folder().join("logs")
}

fn array_name(plan: &Plan, stage: Option<JobStage>) -> String {
    let stage = stage.map_or(String::new(), |stage| stage.to_string());
    format!("emobox-{}-{stage}", plan.name)
}

fn output(mut command: Command) -> Result<String, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| match e.kind() {
        ErrorKind::NotFound => no_slurm(&program),
        _ => BenchError::Cluster(format!("{program} could not be started: {e}")),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(refused(&program, said.trim()))
}

/// A program of Slurm does not exist.
fn no_slurm(program: &str) -> BenchError {
    BenchError::Cluster(format!(
        "there is no `{program}` on the path: run this on a login node of the Slurm cluster (perhaps after \
         `module load slurm`), or leave out `--executor slurm` to compute on this machine"
    ))
}

/// A program of Slurm that refused.
fn refused(program: &str, said: &str) -> BenchError {
    let has = |text: &str| said.to_lowercase().contains(text);
    let advice = if has("invalid partition") {
        let names = partitions().unwrap_or_else(|| "see `sinfo`".to_owned());
        format!("change `partition` in [slurm]; this cluster has: {names}")
    } else if has("account") && has("invalid") {
        "change `account` in [slurm]; `sacctmgr show associations user=$USER` lists yours"
            .to_owned()
    } else if has("time limit") {
        "change `time` in [slurm]; `sinfo -o '%R %l'` lists what each partition allows".to_owned()
    } else if has("node configuration") || has("memory") || has("cpu count") || has("gres") {
        "no node of the partition has what a task asks for: change `cpus`, `memory` or `gpus` in [slurm]; \
         `sinfo -o '%R %c %m %G'` lists what there is"
            .to_owned()
    } else if has("array") {
        "the cluster takes smaller arrays only: raise `audio_hours` in [slurm]".to_owned()
    } else {
        format!("see `man {program}`; options of `sbatch` come from [slurm] in the experiment file")
    };
    BenchError::Cluster(format!("{program} refused: {said}\n  {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_read_and_other_plans_are_left_alone() {
        let text = "12|3|RUNNING|None|emobox-abc-extract\n\
                    12|4|PENDING|Dependency|emobox-abc-train\n\
                    13|5|PENDING|Priority|emobox-def-train\n\
                    14|N/A|RUNNING|None|shell\n";
        let tasks = parse_queue(text, "emobox-abc-");
        assert_eq!(tasks.keys().copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(tasks[&4].reason, "Dependency");
    }

    /// The options and the script that a cluster gets for extraction on two cards a task and for training on none.
    #[test]
    fn gpus_are_asked_for_where_they_are_wanted() {
        let text = r#"
            partition = "batch"
            account = "speech"
            cpus = 8
            sbatch = ["--constraint=a100"]
            setup = ["module load cuda"]
            [extract]
            partition = "gpu"
            cpus = 32
            gpus = 2
            sbatch = ["--exclusive"]
        "#;
        let options: SlurmOptions = toml::from_str(text).unwrap();
        let all = "--partition=gpu --account=speech --cpus-per-task=32 --gres=gpu:2";
        assert_eq!(wishes(&options, JobStage::Extract).join(" "), all);
        let all = "--partition=batch --account=speech --cpus-per-task=8";
        assert_eq!(wishes(&options, JobStage::Train).join(" "), all);
        let script = script_text(&options, JobStage::Extract, Path::new("/home/plans/p")).unwrap();
        let (head, last) = script.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(
            head,
            "#!/bin/bash\n#SBATCH --ntasks=1\n#SBATCH --requeue\n#SBATCH --open-mode=append\n\
             #SBATCH --constraint=a100\n#SBATCH --exclusive\nset -e\nmodule load cuda"
        );
        assert!(
            last.ends_with("job '/home/plans/p' \"$SLURM_ARRAY_TASK_ID\" --threads \"${SLURM_CPUS_PER_TASK:-1}\""),
            "{last}"
        );
        assert_eq!(options.gpus_of(JobStage::Extract), Some(2));
    }

    #[test]
    fn paths_of_any_spelling_are_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn refusals_say_which_key_to_change() {
        let message =
            refused("sbatch", "sbatch: error: invalid partition specified: x").to_string();
        assert!(
            message.contains("change `partition` in [slurm]"),
            "{message}"
        );
        let message = refused("sbatch", "Requested time limit is invalid").to_string();
        assert!(message.contains("`time`"), "{message}");
    }
}
