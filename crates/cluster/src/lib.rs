//! A plan on a Slurm cluster: submitted as one job array per stage, followed, joined again, cancelled.
//!
//! Slurm is queried and controlled through its own programs. The receipts of the plan are the truth about
//! its work; the client's own file only records what it has submitted and how often.

use emobox_bench::Plan;
mod follow;
mod slurm;
mod state;
mod trouble;

pub use follow::{cancel, follow, submit};

/// How many tasks of a plan are waiting or running on a cluster; none if nothing was submitted or no Slurm answers.
pub fn tasks_in_queue(plan: &Plan) -> usize {
    if state::State::read(plan).is_none() {
        return 0;
    }
    slurm::queue(plan).map_or(0, |tasks| tasks.len())
}
