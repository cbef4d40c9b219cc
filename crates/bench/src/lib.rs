//! Experiment to plan to jobs to results.
//!
//! Everything that the program can do is a function here; the command line (and the Python wheel)
//! parse, show and print. Stages write into a [`Home`] and find there what an earlier run has left.

mod as_published;
mod bench;
mod cluster;
mod cross;
mod download;
mod encoders;
mod error;
mod evaluate;
mod experiment;
mod extract;
mod grid;
mod grid_parts;
mod home;
mod layers;
mod listen;
mod lists;
mod memory;
mod plan;
mod predict;
mod prepare;
mod progress;
mod report;
mod results;
mod run;
mod speed;
mod split;
mod submission;
mod train;

pub use bench::{bench, demo, extract_all, train_all};
pub use cluster::{Resources, SlurmOptions, cancel, follow, submit};
pub use cross::{CrossRequest, Labeller, cross};
pub use download::{
    DownloadHow, Downloaded, Offer, PUBLISHED_METADATA, Release, ReleaseFile, download, offer,
};
pub use emobox_audio::SampleRate;
pub use emobox_corpus::Scheme;
pub use emobox_features::{Normalisation, Share};
pub use emobox_probe::ClassWeighting;
pub use emobox_report::PaperSource;
pub use emobox_score::repeated;
pub use encoders::{check_encoder, open_encoder, pull_encoder};
pub use error::BenchError;
pub use evaluate::{evaluate, evaluate_items, evaluate_lists};
pub use experiment::{CorpusChoice, EncoderChoice, Experiment, check_name};
pub use extract::{ExtractOptions, Extracted, extract, open_store, plan_extraction};
pub use home::Home;
pub use listen::{Listening, RawFormat, RawSamples, Windows};
pub use lists::{
    EncoderRow, corpora, corpora_table, corpus_card, encoder_card, encoders, encoders_table,
};
pub use memory::parse_memory;
pub use plan::{
    Assumed, EncoderSpeed, FileStamp, Job, JobStage, Part, Plan, Receipt, SpeedSource, Work,
    run_job,
};
pub use predict::{Answer, Predictor};
pub use prepare::{Corpus, PrepareHow, PrepareRecord, open_corpus, prepare};
pub use progress::{Context, Progress, Silent, Stage};
pub use report::{
    ReportFormat, compare_files, compare_items, comparison_text, read_run, render, write_figures,
};
pub use run::{BenchRun, PredictionSet};
pub use speed::{Speed, SpeedRequest, encoder_speed};
pub use split::{Split, SplitRequest, split};
pub use submission::{
    Verifier, read_submission, submission_of, verified_run, write_leaderboard, write_submission,
};

/// Sets how many worker threads all stages use; none means all cores. Call it once, first.
pub fn use_threads(threads: Option<std::num::NonZeroUsize>) -> Result<(), BenchError> {
    let threads = threads.map_or(0, std::num::NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| BenchError::Threads {
            threads,
            reason: e.to_string(),
        })
}
