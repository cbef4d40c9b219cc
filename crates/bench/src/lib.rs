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
mod devices;
mod disk;
mod encoders;
mod error;
mod errors;
mod evaluate;
mod experiment;
mod extract;
mod finished;
mod fit;
mod heard;
mod held;
mod home;
mod layers;
mod listen;
mod lists;
mod maps;
mod memory;
mod pairs;
mod perturb;
mod plan;
mod predict;
mod prepare;
mod progress;
mod results;
mod run;
mod schemes;
mod slurm_options;
mod sound;
mod split;
mod target;
mod train;
mod workshop;

pub use bench::{bench, demo, extract_all, train_all};
pub use call::CallError;
pub use cell::TRAINED_ON;
pub use check::{Checked, Finding, check};
pub use choice::{Choice, KeepFeatures, LayerHead, Maps, ProtocolName};
pub use cross::{CrossOptions, Labeller, SetShape};
pub use devices::Devices;
pub use disk::{DiskForecast, Removable, Usage, disk_usage, removable, removable_text, remove};
pub use emobox_audio::{Perturbation, SampleRate};
pub use emobox_corpus::Scheme;
pub use emobox_encoder::{Device, LayerSelection};
pub use emobox_features::{ComputePrecision, Normalisation, Share, StorePrecision};
pub use emobox_files::counted;
pub use emobox_probe::{ClassWeighting, Target};
pub use emobox_report::{Exchange, PaperSource};
pub use emobox_score::{Verdict, Verified, repeated};
pub use encoders::{check_encoder, open_encoder, pull_encoder, usual_precision};
pub use encoders::{kernel_precision, open_encoder_timed, warn_of_emulation};
pub use error::{BenchError, ErrorKind};
pub use errors::embed_audio;
pub use evaluate::{add_speakers, predictions_in, scores_file};
pub use evaluate::{evaluate, evaluate_items, evaluate_lists};
pub use experiment::{CorpusChoice, EncoderChoice, Experiment, check_name};
pub use extract::load_utterance;
pub use extract::{DeviceUse, ExtractOptions, Extracted, Perturbed, extract};
pub use finished::{read_run, read_runs};
pub use fit::{Fitted, MODEL_CARD, ONNX, export_model, fit};
pub use heard::heard;
pub use home::Home;
pub use listen::{Listening, RawFormat, RawSamples, Windows};
pub use lists::align;
pub use lists::{
    EncoderRow, corpora, corpora_table, corpus_card, encoder_card, encoders, encoders_table,
};
pub use memory::half_of_free;
pub use memory::parse_memory;
pub use pairs::each_pair;
pub use perturb::Perturbations;
pub use plan::{
    Assumed, EncoderSpeed, FileStamp, Job, JobFailure, JobStage, JobState, Measured, Part, Plan,
    Receipt, SpeedSource, States, Task, Work, ranges, report_here, run_task,
};
pub use predict::head_of;
pub use predict::{Answer, Predictor};
pub use prepare::prepare_choice;
pub use prepare::{Corpus, PrepareHow, PrepareRecord, Reading, open_corpus, prepare, prepare_as};
pub use progress::{Context, Progress, Silent, Stage};
pub use results::{absent, machine, mark_in_progress, predictions_path, protocol_facts, seed_file};
pub use run::{BenchRun, PredictionSet};
pub use schemes::Schemes;
pub use slurm_options::{Resources, SlurmOptions};
pub use split::{Split, SplitRequest, split};

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
