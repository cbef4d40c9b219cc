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
        let mut states = Self {
            jobs: vec![JobState::Open; plan.jobs.len()],
            users,
        };
        states.refresh(plan);
        states
    }

    /// Checks the open jobs again.
    pub fn refresh(&mut self, plan: &Plan) {
        // Whether a manifest that a job depends on is about to be made: what was made from an earlier one may not hold then,
        // though the receipts know only the files that are there now.
        let mut awaits = vec![false; plan.jobs.len()];
        for (at, job) in plan.jobs.iter().enumerate() {
            if job.needs.iter().any(|&need| awaits[need]) {
                awaits[at] = true;
            } else if self.jobs[at] == JobState::Open {
                self.jobs[at] = of_receipt(plan, job);
                awaits[at] = job.stage == JobStage::Prepare && self.jobs[at] == JobState::Open;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BenchError;
    use crate::plan::Done;
    use crate::tiny::{Tiny, at};

    fn failure() -> JobFailure {
        JobFailure::of(&BenchError::Internal("for a test"))
    }

    /// The jobs in this state.
    fn in_state(plan: &Plan, states: &States, wanted: &JobState) -> Vec<String> {
        let jobs = plan.jobs.iter().enumerate();
        let found = jobs.filter(|(at, _)| states.get(*at) == wanted);
        found.map(|(_, job)| job.name.clone()).collect()
    }

    #[test]
    fn a_failure_blocks_the_jobs_of_its_cell_and_neither_others_nor_the_report() {
        let plan = Tiny::new(&["a", "b"]).plan();
        let mut states = States::of(&plan);
        let open = in_state(&plan, &states, &JobState::Open);
        assert_eq!(open.len(), plan.jobs.len());
        let [prepare, extract, train] =
            ["prepare a", "extract a fbank", "train a fbank"].map(|name| at(&plan, name));
        states.set(&plan, prepare, JobState::Failed(failure()));
        let open = in_state(&plan, &states, &JobState::Open);
        let others = [
            "prepare b",
            "extract b fbank",
            "train b fbank",
            "score b fbank",
            "report",
        ];
        assert_eq!(open, others);
        assert_eq!(*states.get(extract), JobState::Blocked(prepare));
        assert_eq!(*states.get(train), JobState::Blocked(extract));
        let found = states.failure(&plan, at(&plan, "score a fbank"));
        assert_eq!(found, Some((JobStage::Prepare, &failure())));
        assert_eq!(states.failure(&plan, at(&plan, "score b fbank")), None);
    }

    #[test]
    fn features_that_no_open_job_needs_count_as_done_and_failed_ones_as_failed() {
        let plan = Tiny::new(&["a", "b"]).plan();
        let mut states = States::of(&plan);
        // Of a whole cell only the score is there.
        states.set(&plan, at(&plan, "score a fbank"), JobState::Done);
        assert_eq!(*states.get(at(&plan, "train a fbank")), JobState::Open);
        assert_eq!(*states.get(at(&plan, "extract a fbank")), JobState::Open);
        states.set(&plan, at(&plan, "train a fbank"), JobState::Done);
        assert_eq!(*states.get(at(&plan, "extract a fbank")), JobState::Done);
        assert_eq!(*states.get(at(&plan, "prepare a")), JobState::Open);
        let failed = JobState::Failed(failure());
        states.set(&plan, at(&plan, "extract b fbank"), failed.clone());
        assert_eq!(in_state(&plan, &states, &failed), ["extract b fbank"]);
    }

    #[test]
    fn users_are_the_jobs_that_need_one() {
        let plan = Tiny::new(&["a", "b"]).plan();
        let states = States::of(&plan);
        let users = states.users(at(&plan, "extract b fbank"));
        assert_eq!(users, [at(&plan, "train b fbank")]);
        assert_eq!(states.users(at(&plan, "report")), [0; 0]);
    }

    #[test]
    fn states_are_those_of_the_receipts_and_other_processes_write_them_too() {
        let tiny = Tiny::new(&["a"]);
        let plan = tiny.plan();
        let prepare = at(&plan, "prepare a");
        let task = plan.tasks.iter().position(|t| t.jobs == [prepare]).unwrap();
        let mut states = States::of(&plan);
        assert!(!states.task_is_settled(&plan, task));
        let output = tiny.path("a/labels.csv");
        let done = Done {
            inputs: Vec::new(),
            outputs: vec![output.clone()],
        };
        Receipt::done(&plan, &plan.jobs[prepare], &done).unwrap();
        assert_eq!(*states.get(prepare), JobState::Open);
        states.refresh(&plan);
        assert_eq!(*states.get(prepare), JobState::Done);
        assert!(states.task_is_settled(&plan, task));
        // A state that is settled is not read again; only another call finds the file changed.
        tiny.write("a/labels.csv", "another");
        states.refresh(&plan);
        assert_eq!(*states.get(prepare), JobState::Done);
        assert_eq!(*States::of(&plan).get(prepare), JobState::Open);
        states.reopen(prepare);
        assert!(!states.get(prepare).is_settled());
        Receipt::failed(&plan, &plan.jobs[prepare], failure()).unwrap();
        let failed = JobState::Failed(failure());
        assert_eq!(*States::of(&plan).get(prepare), failed);
        assert!(failed.is_settled());
    }

    #[test]
    fn what_was_made_from_a_manifest_is_open_until_the_manifest_is_made_again() {
        let tiny = Tiny::new(&["a", "b"]);
        let plan = tiny.plan();
        for job in &plan.jobs {
            Receipt::done(&plan, job, &Done::default()).unwrap();
        }
        let open = |states: &States| in_state(&plan, states, &JobState::Open);
        assert_eq!(open(&States::of(&plan)), [""; 0]);
        let prepare = at(&plan, "prepare a");
        Receipt::drop(&plan, &plan.jobs[prepare]).unwrap();
        let mut states = States::of(&plan);
        let cell = [
            "prepare a",
            "extract a fbank",
            "train a fbank",
            "score a fbank",
            "report",
        ];
        assert_eq!(open(&states), cell);
        states.refresh(&plan);
        assert_eq!(open(&states), cell);
        Receipt::done(&plan, &plan.jobs[prepare], &Done::default()).unwrap();
        states.refresh(&plan);
        assert_eq!(open(&states), [""; 0]);
    }
}
