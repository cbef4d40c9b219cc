//! Everything the program does besides the benchmark: fetch corpora, score predictions from elsewhere, share
//! and verify submissions, seal test sets, listen, and measure this machine.
//!
//! Stages, plans and results are in the room `bench`; this room uses it and `bench` does not know this one.

mod doctor;
mod download;
mod interchange;
mod report;
mod rerun;
mod seal;
mod serve;
mod speed;
mod status;
mod submission;
mod zero_shot;

pub use doctor::{Doctor, doctor};
pub use download::{
    DownloadHow, Downloaded, Offer, PUBLISHED_METADATA, Release, ReleaseFile, download, offer,
};
pub use interchange::{ExportParts, Form, export};
pub use report::{
    ReportFormat, compare_files, compare_items, comparison_text, errors_text, render, worst_errors,
    write_exchange, write_figures,
};
pub use seal::{SealRequest, open_sealed, seal_corpus};
pub use serve::ListenPage;
pub use speed::{Speed, SpeedRequest, encoder_speed};
pub use status::{PlanStatus, status};
pub use submission::{
    Verifier, read_submission, submission_of, verified_run, write_leaderboard, write_submission,
};
pub use zero_shot::{ZeroShot, zero_shot};
