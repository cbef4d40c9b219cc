use crate::slurm::{self, Queued};
use crate::state::{State, Submission, is_cancelled, mark_cancelled};
use crate::trouble;
use emobox_bench::{
    BenchError, BenchRun, CallError, Context, JobFailure, JobStage, JobState, Plan, Receipt, Stage,
    States, mark_in_progress, report_here,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many queries of the queue may fail in a row: controllers restart.
const LOST_LOOKS: u32 = 30;

/// Submits a plan to the cluster and follows it to its end. Finished work is not submitted; tasks that an
/// earlier client submitted are joined; tasks that failed too often get new tries.
pub fn submit(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    slurm::check()?;
    slurm::warn_of_no_gpus(plan, context);
    plan.begin()?;
    mark_in_progress(plan)?;
    let mut state = State::read(plan).unwrap_or_default();
    state.failures.clear();
    state.write(plan)?;
    mark_cancelled(plan, false)?;
    Client::new(plan, state, context)?.run()
}

/// Joins a plan that an earlier client submitted to the cluster.
pub fn follow(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    let Some(state) = State::read(plan) else {
        return Err(BenchError::Call(CallError::NotOnCluster(format!(
            "nothing of this experiment was given to a cluster (plan {} in {})",
            plan.name,
            plan.home.display()
        ))));
    };
    if is_cancelled(plan) {
        return Err(BenchError::Call(CallError::NotOnCluster(
            "this experiment was cancelled".to_owned(),
        )));
    }
    Client::new(plan, state, context)?.run()
}

/// Cancels a plan on the cluster, and returns the number of its tasks. Finished work is kept.
pub fn cancel(plan: &Plan) -> Result<usize, BenchError> {
    // First the mark, so that a client that still follows does not take the end of the tasks for failures.
    mark_cancelled(plan, true)?;
    let tasks = slurm::queue(plan)?;
    // Whole arrays: their tasks that start between the two calls end too.
    slurm::cancel_tasks(tasks.values().map(|task| task.slurm.to_string()))?;
    if let Some(mut state) = State::read(plan) {
        state.submissions.clear();
        state.write(plan)?;
    }
    Ok(tasks.len())
}

struct Client<'a> {
    plan: &'a Plan,
    state: State,
    context: Context<'a>,
    states: States,
    finished: BTreeSet<usize>,
    /// Since when a task has been neither finished nor in the queue, though it was submitted.
    gone: BTreeMap<usize, Instant>,
    told: BTreeSet<String>,
}

impl<'a> Client<'a> {
    fn new(plan: &'a Plan, state: State, context: Context<'a>) -> Result<Self, BenchError> {
        let mut client = Self {
            plan,
            state,
            context,
            states: States::of(plan),
            finished: BTreeSet::new(),
            gone: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        client.look_for_receipts()?;
        Ok(client)
    }

    fn run(mut self) -> Result<BenchRun, BenchError> {
        self.context.progress.begin(&Stage {
            label: "on the cluster".to_owned(),
            total: self.plan.tasks.len() as u64,
            unit: "tasks",
            already: self.finished.len() as u64,
        });
        let followed = self.follow();
        self.context.progress.end();
        followed?;
        report_here(self.plan, &mut self.states, self.context)?.unless_empty()
    }

    fn follow(&mut self) -> Result<(), BenchError> {
        let poll = self
            .plan
            .experiment
            .slurm
            .clone()
            .unwrap_or_default()
            .poll();
        let mut lost = 0;
        loop {
            // The queue first: a task that ends between the two checks then still counts as running.
            let queue = match slurm::queue(self.plan) {
                Ok(queue) => queue,
                Err(error) if lost < LOST_LOOKS && !self.state.submissions.is_empty() => {
                    lost += 1;
                    self.tell(format!("{error}\n  looking again"));
                    self.pause(poll)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            lost = 0;
            let fresh = self.look_for_receipts()?;
            self.context.progress.advance(fresh);
            if self.only_the_report_is_left() {
                return self.take_the_report_over(&queue);
            }
            if is_cancelled(self.plan) {
                return Err(BenchError::Cluster(
                    "this experiment was cancelled; --executor slurm starts it again".to_owned(),
                ));
            }
            if self.judge_the_gone(&queue)? {
                // What depended on it is settled too, and must not be submitted.
                continue;
            }
            self.warn_of_the_stuck(&queue);
            self.submit_the_open(&queue)?;
            self.pause(poll)?;
        }
    }

    /// Checks which tasks have ended, and returns how many have since the last check. Jobs that another node may be able to do, and that
    /// have tries left, are opened again.
    fn look_for_receipts(&mut self) -> Result<u64, BenchError> {
        self.states.refresh(self.plan);
        let mut fresh = 0;
        for at in 0..self.plan.tasks.len() {
            if self.finished.contains(&at) || !self.states.task_is_settled(self.plan, at) {
                continue;
            }
            if self.open_again(at)? {
                continue;
            }
            self.finished.insert(at);
            fresh += 1;
        }
        Ok(fresh)
    }

    /// Whether an ended task has failures that may pass, and tries left: these jobs are then open again.
    fn open_again(&mut self, task: usize) -> Result<bool, BenchError> {
        let jobs = self.plan.tasks[task].jobs.iter().copied();
        let passing = |at: &usize| {
            matches!(
                self.states.get(*at),
                JobState::Failed(JobFailure { may_pass: true, .. })
            )
        };
        let passing: Vec<usize> = jobs.filter(passing).collect();
        // What an earlier client has not submitted is not tried by this one either.
        if passing.is_empty() || self.state.last(task).is_none() {
            return Ok(false);
        }
        let retries = self
            .plan
            .experiment
            .slurm
            .clone()
            .unwrap_or_default()
            .retries;
        let failures = self.state.failures.entry(task).or_default();
        if *failures >= retries {
            return Ok(false);
        }
        *failures += 1;
        let now = *failures;
        for at in passing {
            let job = &self.plan.jobs[at];
            let reason = self.states.failure(self.plan, at);
            let reason = reason.map_or_else(String::new, |(_, failure)| failure.reason.clone());
            self.tell(format!(
                "{}: {reason}\n  submitted again ({now} of {retries} times)",
                job.name
            ));
            Receipt::drop(self.plan, job)?;
        }
        self.state.forget(task);
        self.state.write(self.plan)?;
        self.states = States::of(self.plan);
        Ok(true)
    }

    fn only_the_report_is_left(&self) -> bool {
        let mut tasks = self.plan.tasks.iter().enumerate();
        tasks.all(|(at, task)| task.stage == JobStage::Report || self.finished.contains(&at))
    }

    /// The report task is for clients that have disconnected: one that is still here makes the report itself.
    fn take_the_report_over(&self, queue: &BTreeMap<usize, Queued>) -> Result<(), BenchError> {
        let waiting = queue
            .iter()
            .filter(|(at, _)| self.plan.tasks[**at].stage == JobStage::Report);
        slurm::cancel_tasks(waiting.map(|(at, task)| format!("{}_{at}", task.slurm)))
    }

    /// A submitted task that is not in the queue and has no receipts has failed, once the shared
    /// disk has had time to show the receipts. Returns whether any was given up.
    fn judge_the_gone(&mut self, queue: &BTreeMap<usize, Queued>) -> Result<bool, BenchError> {
        let mut given_up = false;
        let options = self.plan.experiment.slurm.clone().unwrap_or_default();
        let mut overdue = Vec::new();
        for at in 0..self.plan.tasks.len() {
            let is_gone = !self.finished.contains(&at)
                && !queue.contains_key(&at)
                && self.state.last(at).is_some();
            if !is_gone {
                self.gone.remove(&at);
                continue;
            }
            let since = *self.gone.entry(at).or_insert_with(Instant::now);
            if since.elapsed() >= options.settle() {
                self.gone.remove(&at);
                overdue.push(at);
            }
        }
        if overdue.is_empty() {
            return Ok(false);
        }
        // A job that was done is open again if what it was made from has been made anew.
        self.states = States::of(self.plan);
        self.finished
            .retain(|task| self.states.task_is_settled(self.plan, *task));
        for at in overdue {
            let needs = self.plan.task_needs(at);
            if needs.iter().any(|need| !self.finished.contains(need)) {
                // It found its inputs missing and exited; that is not a failure of its own.
                self.state.forget(at);
                continue;
            }
            let why = trouble::explain(self.plan, &self.state, at);
            let failures = self.state.failures.entry(at).or_default();
            *failures += 1;
            if *failures > options.retries {
                let tries = *failures;
                self.tell(format!(
                    "{why}\n  given up after {tries} tries; the others go on"
                ));
                self.give_up(at, &why)?;
                given_up = true;
            } else {
                let (now, all) = (*failures, options.retries);
                self.tell(format!("{why}\n  submitted again ({now} of {all} times)"));
            }
            self.state.forget(at);
            self.state.write(self.plan)?;
        }
        Ok(given_up)
    }

    /// The cells of a task without results stay empty, for this reason.
    fn give_up(&mut self, task: usize, why: &str) -> Result<(), BenchError> {
        for &at in &self.plan.tasks[task].jobs {
            if !self.states.get(at).is_settled() {
                let failure = JobFailure {
                    reason: trouble::without_log(why).to_owned(),
                    wrong_call: false,
                    left_out: false,
                    may_pass: false,
                };
                Receipt::failed(self.plan, &self.plan.jobs[at], failure.clone())?;
                self.states.set(self.plan, at, JobState::Failed(failure));
            }
        }
        Ok(())
    }

    /// Submits, stage by stage, what is neither finished, in the queue nor being checked.
    fn submit_the_open(&mut self, queue: &BTreeMap<usize, Queued>) -> Result<(), BenchError> {
        let mut arrays: BTreeMap<usize, u64> =
            queue.iter().map(|(&at, task)| (at, task.slurm)).collect();
        for stage in JobStage::ALL {
            let tasks = self.plan.tasks.iter().enumerate();
            let open: Vec<usize> = tasks
                .filter(|(at, task)| {
                    task.stage == stage
                        && !self.finished.contains(at)
                        && !arrays.contains_key(at)
                        && self.state.last(*at).is_none()
                })
                // A dependency that is being checked has no array to wait for yet.
                .filter(|(at, _)| {
                    let needs = self.plan.task_needs(*at);
                    needs
                        .iter()
                        .all(|need| self.finished.contains(need) || arrays.contains_key(need))
                })
                .map(|(at, _)| at)
                .collect();
            if open.is_empty() {
                continue;
            }
            let mut after: Vec<u64> = open
                .iter()
                .flat_map(|&at| self.plan.task_needs(at))
                .filter(|need| !self.finished.contains(need))
                .filter_map(|need| arrays.get(&need).copied())
                .collect();
            after.sort_unstable();
            after.dedup();
            let slurm = slurm::submit_array(self.plan, stage, &open, &after)?;
            self.context.progress.note(&format!(
                "{stage}: {} submitted as job array {slurm}",
                emobox_files::counted(open.len(), "task")
            ));
            arrays.extend(open.iter().map(|&at| (at, slurm)));
            self.state.submissions.push(Submission {
                slurm,
                stage,
                tasks: open,
            });
            self.state.write(self.plan)?;
        }
        Ok(())
    }

    fn warn_of_the_stuck(&mut self, queue: &BTreeMap<usize, Queued>) {
        for task in queue.values() {
            if let Some(advice) = trouble::stuck(&task.reason) {
                self.tell(format!(
                    "job array {} cannot start ({}): {advice}",
                    task.slurm, task.reason
                ));
            }
        }
    }

    /// Reports something once.
    fn tell(&mut self, text: String) {
        if !self.told.contains(&text) {
            self.context.progress.note(&text);
            self.told.insert(text);
        }
    }

    fn pause(&self, time: Duration) -> Result<(), BenchError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.context.stopped() {
                return Err(BenchError::Left);
            }
            std::thread::sleep(Duration::from_millis(100).min(time));
        }
        Ok(())
    }
}
