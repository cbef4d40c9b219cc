//! A plan on a Slurm cluster: submitted as one job array a stage, followed, joined again, cancelled.
//!
//! Slurm is asked and told through its own programs. The truth about work is in the receipts of the
//! plan; the client's own file only remembers what it has submitted and how often.

use emobox_bench::Plan;
mod follow;
mod slurm;
mod state;
mod trouble;

pub use follow::{cancel, follow, submit};

/// How many tasks of a plan wait or run on a cluster; none where nothing was submitted or no Slurm answers.
pub fn tasks_in_queue(plan: &Plan) -> usize {
    if state::State::read(plan).is_none() {
        return 0;
    }
    slurm::queue(plan).map_or(0, |tasks| tasks.len())
}
