//! Experiment to plan to jobs to results.
//!
//! Everything that the program can do is a function here; the command line (and the Python wheel)
//! parse, show and print. Stages write into a [`Home`] and find there the results of earlier runs.

mod as_published;
mod bench;
mod call;
mod cards;
mod cell;
mod check;
mod choice;
mod cross;
mod cross_options;
mod devices;
mod disk;
mod encoders;
mod error;
mod errors;
mod evaluate;
mod execute;
mod experiment;
mod extract;
mod finished;
mod fit;
mod heard;
mod held;
mod home;
mod job_stage;
mod layers;
mod listen;
mod lists;
mod maps;
mod memory;
mod named;
mod pairs;
mod perturb;
mod plan;
mod plan_text;
mod predict;
mod predictions;
mod prepare;
mod progress;
mod record;
mod results;
mod run;
mod schemes;
mod slurm_options;
mod sound;
mod split;
mod target;
#[cfg(test)]
mod tiny;
mod train;
mod workshop;

pub use bench::{bench, check, demo, extract_all, train_all};
pub use call::CallError;
pub use cell::TRAINED_ON;
pub use check::{Checked, Finding};
pub use choice::{Choice, KeepFeatures, LayerHead, Maps, ProtocolName};
pub use cross_options::{CrossOptions, Labeller, SetShape};
pub use devices::Devices;
pub use disk::{DiskForecast, Removable, Usage, disk_usage, removable, removable_text, remove};
pub use emobox_audio::{Perturbation, SampleRate};
pub use emobox_corpus::Scheme;
pub use emobox_encoder::{Device, LayerSelection};
pub use emobox_features::{ComputePrecision, FeatureNormalisation, Share, StorePrecision};
pub use emobox_files::counted;
pub use emobox_probe::{ClassWeighting, Target};
pub use emobox_report::{Exchange, PaperSource};
pub use emobox_score::{Verdict, Verified, repeated};
pub use encoders::{check_encoder, open_encoder, pull_encoder, usual_precision};
pub use encoders::{kernel_precision, open_encoder_timed, warn_of_emulation};
pub use error::{BenchError, ErrorKind};
pub use errors::embed_audio;
pub use evaluate::add_speakers;
pub use evaluate::{evaluate, evaluate_items, evaluate_lists};
pub use execute::{report_here, run_task};
pub use experiment::Experiment;
pub use extract::load_utterance;
pub use extract::{DeviceUse, ExtractOptions, Extracted, Perturbed, extract};
pub use finished::{read_run, read_runs};
pub use fit::{Fitted, MODEL_CARD, ONNX, export_model, fit};
pub use heard::heard;
pub use home::Home;
pub use job_stage::JobStage;
pub use listen::{Listening, RawFormat, RawSamples, Windows};
pub use lists::align;
pub use lists::{
    EncoderRow, corpora, corpora_table, corpus_card, encoder_card, encoders, encoders_table,
};
pub use memory::half_of_free;
pub use memory::parse_memory;
pub use named::{CorpusChoice, EncoderChoice, Reading, check_name};
pub use pairs::each_pair;
pub use perturb::Perturbations;
pub use plan::{
    Assumed, EncoderSpeed, FileStamp, Job, JobAction, JobFailure, JobState, Measured, Plan,
    Receipt, SpeedSource, States, Task,
};
pub use plan_text::ranges;
pub use predict::head_of;
pub use predict::{Answer, Predictor};
pub use predictions::predictions_in;
pub use prepare::prepare_choice;
pub use prepare::{Corpus, PrepareHow, PrepareRecord, open_corpus, prepare, prepare_as};
pub use progress::{Context, Progress, Silent, Stage};
pub use rayon::ThreadPool;
pub use record::{absent, seed_file};
pub use results::{machine, mark_in_progress, predictions_path, protocol_facts};
pub use run::{BenchRun, PredictionSet, scores_file};
pub use schemes::Schemes;
pub use slurm_options::{Resources, SlurmOptions};
pub use split::{Split, SplitRequest, split};

/// Bytes of stack of a worker: a program runs in one as it does in its main thread.
const STACK: usize = 8 << 20;

/// Worker threads, as many as all cores without a number. Whatever runs inside [`ThreadPool::install`] uses these.
pub fn thread_pool(threads: Option<std::num::NonZeroUsize>) -> Result<ThreadPool, BenchError> {
    let threads = threads.map_or(0, std::num::NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK)
        .build()
        .map_err(|e| BenchError::Threads {
            threads,
            reason: e.to_string(),
        })
}
