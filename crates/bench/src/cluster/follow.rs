use super::slurm::{self, Queued};
use super::state::{State, Submission, is_cancelled, mark_cancelled};
use super::trouble;
use crate::plan::{JobStage, Plan};
use crate::{BenchError, BenchRun, Context, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many looks at the queue may fail in a row: controllers restart.
const LOST_LOOKS: u32 = 30;

/// Gives a plan to the cluster and follows it to its end. What is finished is not submitted; what an
/// earlier client has submitted is joined; what had failed too often gets new tries.
pub fn submit(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    slurm::check()?;
    plan.write()?;
    let mut state = State::read(plan).unwrap_or_default();
    state.failures.clear();
    state.given_up.clear();
    state.write(plan)?;
    mark_cancelled(plan, false)?;
    Client::new(plan, state, context)?.run()
}

/// Joins a plan that an earlier client has given to the cluster.
pub fn follow(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    let Some(state) = State::read(plan) else {
        return Err(BenchError::Call(format!(
            "nothing of this experiment was given to a cluster (plan {} in {}): start it with --executor slurm",
            plan.name,
            plan.home.display()
        )));
    };
    if is_cancelled(plan) {
        return Err(BenchError::Call(
            "this experiment was cancelled: start it again with --executor slurm".to_owned(),
        ));
    }
    Client::new(plan, state, context)?.run()
}

/// Takes a plan off the cluster, and returns how many tasks that were. What is finished stays.
pub fn cancel(plan: &Plan) -> Result<usize, BenchError> {
    // First the mark, lest a client that still follows takes the end of the tasks for failures.
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
    finished: BTreeSet<usize>,
    /// Since when a job is neither finished nor in the queue, though it was submitted.
    gone: BTreeMap<usize, Instant>,
    told: BTreeSet<String>,
}

impl<'a> Client<'a> {
    fn new(plan: &'a Plan, state: State, context: Context<'a>) -> Result<Self, BenchError> {
        let mut client = Self {
            plan,
            state,
            context,
            finished: BTreeSet::new(),
            gone: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        client.look_for_receipts();
        Ok(client)
    }

    fn run(mut self) -> Result<BenchRun, BenchError> {
        self.context.progress.begin(&Stage {
            label: "on the cluster".to_owned(),
            total: self.plan.jobs.len() as u64,
            unit: "tasks",
            already: self.finished.len() as u64,
        });
        let followed = self.follow();
        self.context.progress.end();
        followed?;
        self.plan.finished_run()
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
            // The queue first: a task that ends between the two looks is then still taken for running.
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
            let fresh = self.look_for_receipts();
            self.context.progress.advance(fresh);
            if self.finished.len() == self.plan.jobs.len() {
                return Ok(());
            }
            if is_cancelled(self.plan) {
                return Err(BenchError::Cluster(
                    "this experiment was cancelled; --executor slurm starts it again".to_owned(),
                ));
            }
            self.judge_the_gone(&queue)?;
            self.drop_the_hopeless(&queue)?;
            self.warn_of_the_stuck(&queue);
            self.submit_the_open(&queue)?;
            if self.nothing_can_come(&queue) {
                return Err(BenchError::Cluster(self.farewell()));
            }
            self.pause(poll)?;
        }
    }

    fn look_for_receipts(&mut self) -> u64 {
        let mut fresh = 0;
        for (at, job) in self.plan.jobs.iter().enumerate() {
            // In the order of the plan: what has unfinished needs is not finished either.
            let needs_are_there = job.needs.iter().all(|need| self.finished.contains(need));
            if !self.finished.contains(&at) && needs_are_there && self.plan.is_finished(job) {
                self.finished.insert(at);
                fresh += 1;
            }
        }
        fresh
    }

    /// A job that was submitted, is not in the queue and has no receipt has failed, once the shared
    /// disk has had its time to show the receipt.
    fn judge_the_gone(&mut self, queue: &BTreeMap<usize, Queued>) -> Result<(), BenchError> {
        let options = self.plan.experiment.slurm.clone().unwrap_or_default();
        for at in 0..self.plan.jobs.len() {
            let is_gone = !self.finished.contains(&at)
                && !queue.contains_key(&at)
                && !self.state.given_up.contains_key(&at)
                && self.state.last(at).is_some();
            if !is_gone {
                self.gone.remove(&at);
                continue;
            }
            let since = *self.gone.entry(at).or_insert_with(Instant::now);
            if since.elapsed() < options.settle() {
                continue;
            }
            self.gone.remove(&at);
            if self.needs(at).any(|need| !self.finished.contains(&need)) {
                // It found its needs missing and left; that is no failure of its own.
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
                self.state.given_up.insert(at, why);
            } else {
                let (now, all) = (*failures, options.retries);
                self.tell(format!("{why}\n  submitted again ({now} of {all} times)"));
            }
            self.state.forget(at);
            self.state.write(self.plan)?;
        }
        Ok(())
    }

    /// Submits, stage by stage, what is neither finished, in the queue, being judged nor hopeless.
    fn submit_the_open(&mut self, queue: &BTreeMap<usize, Queued>) -> Result<(), BenchError> {
        let hopeless = self.hopeless();
        let mut arrays: BTreeMap<usize, u64> =
            queue.iter().map(|(&at, task)| (at, task.slurm)).collect();
        for stage in JobStage::ALL {
            let open: Vec<usize> = self
                .plan
                .stage(stage)
                .map(|(at, _)| at)
                .filter(|at| {
                    !self.finished.contains(at)
                        && !arrays.contains_key(at)
                        && !hopeless.contains(at)
                        && self.state.last(*at).is_none()
                })
                // A need that is being judged has no array to wait for yet.
                .filter(|&at| {
                    let mut needs = self.needs(at);
                    needs.all(|need| self.finished.contains(&need) || arrays.contains_key(&need))
                })
                .collect();
            if open.is_empty() {
                continue;
            }
            let mut after: Vec<u64> = open
                .iter()
                .flat_map(|&at| self.needs(at))
                .filter(|need| !self.finished.contains(need))
                .filter_map(|need| arrays.get(&need).copied())
                .collect();
            after.sort_unstable();
            after.dedup();
            let slurm = slurm::submit_array(self.plan, stage, &open, &after)?;
            self.context.progress.note(&format!(
                "{stage}: {} tasks submitted as job array {slurm}",
                open.len()
            ));
            arrays.extend(open.iter().map(|&at| (at, slurm)));
            self.state.submissions.push(Submission {
                slurm,
                stage,
                jobs: open,
            });
            self.state.write(self.plan)?;
        }
        Ok(())
    }

    fn needs(&self, job: usize) -> impl Iterator<Item = usize> + 'a {
        let plan = self.plan;
        plan.jobs[job].needs.iter().copied()
    }

    /// Jobs that are given up, and jobs that need one of these.
    fn hopeless(&self) -> BTreeSet<usize> {
        let mut hopeless: BTreeSet<usize> = self.state.given_up.keys().copied().collect();
        for at in 0..self.plan.jobs.len() {
            if self.needs(at).any(|need| hopeless.contains(&need)) {
                hopeless.insert(at);
            }
        }
        hopeless
    }

    /// Whether all that is not finished is hopeless.
    fn nothing_can_come(&self, queue: &BTreeMap<usize, Queued>) -> bool {
        let hopeless = self.hopeless();
        let mut open = (0..self.plan.jobs.len()).filter(|at| !self.finished.contains(at));
        open.all(|at| hopeless.contains(&at) && !queue.contains_key(&at))
    }

    /// Tasks that would find their needs missing do not wait for a place on a node first.
    fn drop_the_hopeless(&self, queue: &BTreeMap<usize, Queued>) -> Result<(), BenchError> {
        let hopeless = self.hopeless();
        let tasks = queue.iter().filter(|(at, _)| hopeless.contains(at));
        slurm::cancel_tasks(tasks.map(|(at, task)| format!("{}_{at}", task.slurm)))
    }

    fn farewell(&self) -> String {
        let mut text = format!(
            "{} of {} tasks are finished; the same command goes on from here once this is put right:",
            self.finished.len(),
            self.plan.jobs.len()
        );
        for why in self.state.given_up.values() {
            text.push('\n');
            text.push_str(why);
        }
        text
    }

    fn warn_of_the_stuck(&mut self, queue: &BTreeMap<usize, Queued>) {
        for task in queue.values() {
            if let Some(advice) = trouble::stuck(&task.reason) {
                self.tell(format!(
                    "job array {} waits for ever ({}): {advice}",
                    task.slurm, task.reason
                ));
            }
        }
    }

    /// Tells something once.
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
