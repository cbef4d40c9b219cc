use super::{Job, JobAction, JobFailure, JobStage, Plan, Receipt};
use serde::Serialize;

/// The state of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Its receipt exists and is valid, or no job needs it any more.
    Done,
    /// It was tried at this start and failed.
    Failed(JobFailure),
    /// A job that it needs, at this position, failed.
    Blocked(usize),
    /// It has yet to run.
    Open,
}

impl JobState {
    /// Whether it will not change without a new start.
    pub fn is_settled(&self) -> bool {
        *self != Self::Open
    }
}

/// The states of all jobs of a plan, from what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct States {
    jobs: Vec<JobState>,
    /// The jobs that need each.
    #[serde(skip)]
    users: Vec<Vec<usize>>,
}

impl States {
    /// Reads the receipts of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut users = vec![Vec::new(); plan.jobs.len()];
        for (at, job) in plan.jobs.iter().enumerate() {
            for &need in &job.needs {
                users[need].push(at);
            }
        }
        let jobs = plan.jobs.iter().map(|job| of_receipt(plan, job));
        let mut states = Self {
            jobs: jobs.collect(),
            users,
        };
        states.settle(plan);
        states
    }

    /// Checks the open jobs again.
    pub fn refresh(&mut self, plan: &Plan) {
        for at in 0..plan.jobs.len() {
            if self.jobs[at] == JobState::Open {
                self.jobs[at] = of_receipt(plan, &plan.jobs[at]);
            }
        }
        self.settle(plan);
    }

    /// The state of a job.
    pub fn get(&self, at: usize) -> &JobState {
        &self.jobs[at]
    }

    /// The jobs that need a job.
    pub(crate) fn users(&self, at: usize) -> &[usize] {
        &self.users[at]
    }

    /// An input of a done or blocked job has changed.
    pub(crate) fn reopen(&mut self, at: usize) {
        self.jobs[at] = JobState::Open;
    }

    /// Sets the state of a job, and of what it blocks.
    pub fn set(&mut self, plan: &Plan, at: usize, state: JobState) {
        self.jobs[at] = state;
        self.settle(plan);
    }

    /// Whether a task will not change any more.
    pub fn task_is_settled(&self, plan: &Plan, task: usize) -> bool {
        let mut jobs = plan.tasks[task].jobs.iter();
        jobs.all(|&at| self.jobs[at].is_settled())
    }

    /// The failure that ended a job, its own or that of a job that it needs, and the stage where it happened.
    pub fn failure<'a>(&'a self, plan: &Plan, at: usize) -> Option<(JobStage, &'a JobFailure)> {
        match &self.jobs[at] {
            JobState::Failed(failure) => Some((plan.jobs[at].stage, failure)),
            JobState::Blocked(need) => self.failure(plan, *need),
            _ => None,
        }
    }

    /// Propagates states: a job whose dependency failed is blocked, one that no open job needs is done.
    fn settle(&mut self, plan: &Plan) {
        for (at, job) in plan.jobs.iter().enumerate() {
            // The report is made from whatever exists.
            if self.jobs[at] != JobState::Open || job.work == JobAction::Report {
                continue;
            }
            let stuck = |need: &usize| {
                matches!(self.jobs[*need], JobState::Failed(_) | JobState::Blocked(_))
            };
            if let Some(&need) = job.needs.iter().find(|need| stuck(need)) {
                self.jobs[at] = JobState::Blocked(need);
            }
        }
        for at in (0..plan.jobs.len()).rev() {
            let is_means = matches!(plan.jobs[at].stage, JobStage::Extract);
            if self.jobs[at] == JobState::Open && is_means {
                let users = &self.users[at];
                let settled = |&user: &usize| self.jobs[user].is_settled();
                if !users.is_empty() && users.iter().all(settled) {
                    self.jobs[at] = JobState::Done;
                }
            }
        }
    }
}

fn of_receipt(plan: &Plan, job: &Job) -> JobState {
    match Receipt::read(plan, job) {
        Some(Receipt {
            failure: Some(failure),
            ..
        }) => JobState::Failed(failure),
        Some(receipt) if receipt.holds() => JobState::Done,
        _ => JobState::Open,
    }
}
