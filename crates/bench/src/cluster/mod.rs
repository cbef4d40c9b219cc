//! A plan on a Slurm cluster: submitted as one job array a stage, followed, joined again, cancelled.
//!
//! Slurm is asked and told through its own programs. The truth about work is in the receipts of the
//! plan; the client's own file only remembers what it has submitted and how often.

mod follow;
mod options;
mod slurm;
mod state;
mod trouble;

pub use follow::{cancel, follow, submit};
pub use options::{Resources, SlurmOptions};
