//! The command line: what can be asked, in one place.

mod ask;
mod exchange;
mod export;
mod listen;
mod model;
mod perturb;
mod submission;

pub(crate) use ask::{EvaluateArgs, PredictArgs};
pub(crate) use exchange::ExchangeArgs;
pub(crate) use export::ExportArgs;
pub(crate) use listen::ListenArgs;
pub(crate) use model::ExportModelArgs;
pub(crate) use perturb::PerturbArgs;
pub(crate) use submission::{AgainstArgs, LeaderboardArgs, SealArgs, SubmitArgs, VerifyArgs};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use emobox_bench::{
    Choice, ClassWeighting, ComputePrecision, Device, Devices, FeatureNormalisation, KeepFeatures,
    LayerHead, LayerSelection, Maps, ProtocolName, Schemes, StorePrecision, Target,
};
use std::path::PathBuf;

/// Speech emotion recognition made measurable.
///
/// Raw emotion corpora and frozen pre-trained encoders in, benchmark scores that can be trusted out.
/// Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong call,
/// 3 done but some inputs were skipped, 130 stopped by Ctrl-C or SIGTERM (the same command goes on).
#[derive(Debug, Parser)]
#[command(name = "emobox", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A choice by its name, with every name and what it means in the help.
fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter();
    let values = values.map(|(_, name, about)| PossibleValue::new(*name).help(*about));
    PossibleValuesParser::new(values)
        .map(|name| T::named(&name).expect("clap lets known names alone through"))
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Working folder: manifests, features and runs [default: $EMOBOX_HOME, else ./emobox-home]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print no progress; results and skipped inputs are still printed
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Worker threads [default: all cores]; results do not depend on it
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the corpora that emobox knows, or show one card
    Corpora(ListArgs),
    /// Fetch and unpack a corpus whose release is open, or say where to request it
    Download(DownloadArgs),
    /// Turn a raw corpus into a manifest, and list missing, extra, broken and duplicate files
    Prepare(PrepareArgs),
    /// Split a prepared corpus into training, validation and test parts
    Split(SplitArgs),
    /// Write a prepared corpus, with its parts, in a format that other programs read
    Export(ExportArgs),
    /// List the encoders that emobox knows, show one, or check a local checkpoint
    Encoders(EncodersArgs),
    /// Encode a prepared corpus into a feature store; resumes
    Extract(ExtractArgs),
    /// Train probes on stored features and predict the test parts; resumes by fold
    Train(ExperimentHow),
    /// Score a predictions file of any origin
    Evaluate(EvaluateArgs),
    /// Run corpora × encoders from raw audio to the table; resumes
    Bench(BenchArgs),
    /// Train on each corpus, test on the balanced sets of the others: the matrix and its average
    Cross(CrossArgs),
    /// Show which jobs of the experiments in the home are done, running, failed or open
    Status(StatusArgs),
    /// Show this machine's cores, memory, NVIDIA driver, cards and libraries
    Doctor,
    /// Show how much disk space the home takes
    Du,
    /// List what can be deleted from the home without loss; with --yes delete it
    Clean(CleanArgs),
    /// Compare two systems by their predictions on the same items
    Compare(CompareArgs),
    /// Print a finished run again: tables, page, figures, with the paper's scores beside it
    Report(ReportArgs),
    /// Make a test set without labels, and the key file that scores answers to it
    Seal(SealArgs),
    /// Pack a finished run into one file that every score can be recomputed from
    Submit(SubmitArgs),
    /// Recompute the scores of a submission and check them against your own manifests and partitions, or score the answers to
    /// a sealed set
    Verify(VerifyArgs),
    /// Make a leaderboard page from submissions; what cannot be verified is left out
    Leaderboard(LeaderboardArgs),
    /// Benchmark an encoder on a corpus, then train on the whole corpus: a model for predict, with a card
    Fit(FitArgs),
    /// Recognise the emotion of recordings with a model or a trained probe
    Predict(PredictArgs),
    /// Serve a page on this machine that shows the emotion over the course of a clip, dropped or recorded
    Listen(ListenArgs),
    /// Copy a model and its encoder into one folder for use on any machine, with the probe as ONNX
    ExportModel(ExportModelArgs),
    /// Run the whole pipeline on a small synthetic corpus; nothing is downloaded
    Demo(DemoArgs),
    /// Run one task of a plan that `bench --plan` shows, as cluster jobs do
    #[command(hide = true)]
    Job(JobArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ListArgs {
    /// Show one entry in full, as `show NAME` does [default: list all]
    pub(crate) name: Option<String>,
    #[command(subcommand)]
    pub(crate) action: Option<ShowAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShowAction {
    /// Show one entry in full
    Show {
        /// Its name in the list
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EncodersArgs {
    /// Show one encoder in full, as `show NAME` does [default: list all]
    pub(crate) name: Option<String>,
    #[command(subcommand)]
    pub(crate) action: Option<EncodersAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EncodersAction {
    /// Show one encoder in full
    Show {
        /// Its name in the list
        name: String,
    },
    /// Fetch a checkpoint into the ordinary hub cache (HF_HOME, HF_ENDPOINT, HF_TOKEN are honoured)
    Pull {
        /// Its name in the list, or `organisation/name`
        name: String,
    },
    /// Time an encoder on this machine: real-time factor, GFLOP/s, share of the measured peak
    Bench {
        /// Its name in the list, or NAME=DIR with a local checkpoint
        name: String,
        /// Seconds of audio of each utterance; every thread encodes one at the same time
        #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
        seconds: f64,
        /// Number of rounds; the median is reported
        #[arg(long, value_name = "N", default_value_t = 5)]
        rounds: usize,
        /// Arithmetic of the encoder's products [default: f32, on a GPU bf16]
        #[arg(long, value_parser = choice::<ComputePrecision>())]
        precision: Option<ComputePrecision>,
        /// Where it computes: cpu, cuda or cuda:N
        #[arg(long, value_name = "DEVICE", default_value = "cpu")]
        device: Device,
        /// Also print the time of every kind of operation
        #[arg(long)]
        timings: bool,
    },
    /// Show what a local checkpoint holds, its architecture, and what is missing
    Check {
        /// The folder or file
        path: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// A registered corpus, or `published-metadata` for the fold lists of the scheme `published`
    pub(crate) name: String,
    /// Accept the licence that is shown, without being asked
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where it goes [default: downloads/NAME in the working folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Fetch the files, under the same names, from this mirror instead
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// Keep the archives beside the unpacked folder, in DIR.incoming
    #[arg(long)]
    pub(crate) keep_archives: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// A registered corpus, or any other name for a corpus of your own
    pub(crate) name: String,
    /// The raw release: the unpacked folder; for a corpus of your own also a CSV or JSONL
    #[arg(long, value_name = "DIR")]
    pub(crate) raw: PathBuf,
    #[command(flatten)]
    pub(crate) how: PrepareHow,
    #[command(flatten)]
    pub(crate) reading: ReadingHow,
}

/// How a raw corpus is read where its files leave it open; in an experiment file a corpus has these by the same names.
#[derive(Debug, Args)]
pub(crate) struct ReadingHow {
    /// The channel of every file: mix, or a number from 1 [default: the corpus's own, else 1]
    #[arg(long, value_name = "mix|N")]
    pub(crate) channel: Option<String>,
    /// The columns of your own table by content, as path=file,label=emotion
    #[arg(long, value_name = "FIELD=COLUMN,…")]
    pub(crate) columns: Option<String>,
    /// It is a corpus of your own even if it resembles a registered one; labels and speakers are used as written
    #[arg(long)]
    pub(crate) custom: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareHow {
    /// Continue with the files that exist if some are missing
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Take published labels and speakers even where they are known to be wrong
    #[arg(long)]
    pub(crate) as_published: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PartitionHow {
    /// How to split: paper (the paper's four rules), published (its lists) or speaker (no speaker on both sides), or several,
    /// as paper,speaker [default: the experiment's, else paper]
    #[arg(long, value_name = "SCHEME,…")]
    pub(crate) scheme: Option<Schemes>,
    /// A copy of the published metadata (its `data/` folder), for the scheme `published`
    #[arg(long, value_name = "DIR")]
    pub(crate) metadata: Option<PathBuf>,
    /// Seed of the partition, its validation parts and the order of the batches [default: the experiment's, else 0]
    #[arg(long, alias = "seed", value_name = "SEED")]
    pub(crate) partition_seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// A prepared corpus
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) how: PartitionHow,
    /// Also read all audio and look for identical and near-identical clips, clipping and silence
    #[arg(long)]
    pub(crate) audio: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Grid {
    /// A corpus: NAME when prepared, or NAME=DIR with its raw release; repeatable
    #[arg(long = "corpus", value_name = "NAME[=DIR]")]
    pub(crate) corpora: Vec<String>,
    /// An encoder: NAME, or NAME=DIR with a local checkpoint; repeatable
    #[arg(long = "encoder", value_name = "NAME[=DIR]")]
    pub(crate) encoders: Vec<String>,
    /// Arithmetic of the encoder's products: f32 (default), bf16 (default on a GPU), or on a GPU f16
    #[arg(long, value_parser = choice::<ComputePrecision>())]
    pub(crate) precision: Option<ComputePrecision>,
    /// Numbers of stored features: f16 (default), or f32 for encoders whose numbers exceed 65504
    #[arg(long, value_parser = choice::<StorePrecision>())]
    pub(crate) store_precision: Option<StorePrecision>,
    /// Where encoders compute: cpu (default), cuda, cuda:N, or several GPUs as cuda:0,1
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<Devices>,
    /// The GPUs that encode, as 0,1: each opens the encoder, and they share the utterances
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        conflicts_with = "device"
    )]
    pub(crate) gpus: Vec<usize>,
    /// Hidden states that the probe reads: last (default), all (summed with learnt weights), or 0,4,7-9
    #[arg(long, value_name = "LAYERS")]
    pub(crate) layers: Option<LayerSelection>,
    /// Layer normalisation of features over the whole utterance (default), each frame, or none
    #[arg(long, value_parser = choice::<FeatureNormalisation>())]
    pub(crate) norm: Option<FeatureNormalisation>,
    /// Continue with the files that exist if some of a corpus are missing
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Take published labels and speakers even where they are known to be wrong
    #[arg(long)]
    pub(crate) as_published: bool,
    /// Leave out corpora whose raw folder is not there
    #[arg(long)]
    pub(crate) skip_absent: bool,
    #[command(flatten)]
    pub(crate) reading: ReadingHow,
}

#[derive(Debug, Args)]
pub(crate) struct ExtractArgs {
    /// An experiment file; what it names comes before what the options name
    pub(crate) experiment: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) grid: Grid,
    /// Do only part I of N of the work, for several machines on one home (I from 1)
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Memory for the utterances being processed, in addition to the encoder's weights, as 512M or 8G [default: half of what is
    /// free]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

/// What is trained and scored.
#[derive(Debug, Args)]
pub(crate) struct ExperimentHow {
    /// An experiment file; what it names comes before what the options name
    pub(crate) experiment: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) grid: Grid,
    #[command(flatten)]
    pub(crate) partition: PartitionHow,
    #[command(flatten)]
    pub(crate) probe: ProbeHow,
}

/// How probes are trained and selected.
#[derive(Debug, Args)]
pub(crate) struct ProbeHow {
    /// How probes are trained and selected [default: the experiment's, else strict]
    #[arg(long, value_parser = choice::<ProtocolName>())]
    pub(crate) protocol: Option<ProtocolName>,
    /// The probe's head, by name [default: the experiment's, else the paper's]
    #[arg(long, value_name = "NAME")]
    pub(crate) head: Option<String>,
    /// Number of passes over the training part, a tenth of them warm-up; part of the protocol [default: the experiment's, else
    /// 100]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) epochs: Option<usize>,
    /// What probes learn; part of the protocol [default: the experiment's, else classes]
    #[arg(long, value_parser = choice::<Target>(), value_name = "WHAT")]
    pub(crate) target: Option<Target>,
    /// Weights of the classes in the training loss [default: the experiment's, else none]
    #[arg(long, value_parser = choice::<ClassWeighting>(), value_name = "HOW")]
    pub(crate) class_weighting: Option<ClassWeighting>,
    /// Strength of logit adjustment by the classes' shares in training; 1 is the usual [default: the experiment's, else 0]
    #[arg(long, value_name = "TAU")]
    pub(crate) logit_adjustment: Option<f64>,
    /// Number of trainings of each fold, from different initial weights; scores are their means [default: the experiment's,
    /// else 3]
    #[arg(long, value_name = "N")]
    pub(crate) training_seeds: Option<usize>,
    /// Where probes are trained: cpu, cuda, cuda:N, or several GPUs as cuda:0,1 [default: the experiment's, else where encoders
    /// compute]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) train_device: Option<Devices>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) how: ExperimentHow,
    /// Also train a small probe on every layer and plot its score by layer
    #[arg(long)]
    pub(crate) layer_curve: bool,
    /// The same with this head of the probe [default: the experiment's, else pooled]
    #[arg(long, value_parser = choice::<LayerHead>(), value_name = "HEAD")]
    pub(crate) layer_curve_head: Option<LayerHead>,
    /// Whether the features of a corpus and encoder are kept once their folds are trained [default: the experiment's, else
    /// keep]
    #[arg(long, value_parser = choice::<KeepFeatures>())]
    pub(crate) features: Option<KeepFeatures>,
    /// Maps of the utterances on the page [default: the experiment's, else pca]
    #[arg(long, value_parser = choice::<Maps>())]
    pub(crate) maps: Option<Maps>,
    #[command(flatten)]
    pub(crate) perturb: PerturbArgs,
    /// Where scores.json, predictions/ and report.html go
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

/// How the plan is run: here, at once, without any of these.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Print the tasks, what they need, and what they will take in hours and gigabytes; run nothing
    #[arg(long, conflicts_with_all = ["attach", "cancel"])]
    pub(crate) plan: bool,
    /// Check that everything is in place: raw folders, partitions, checkpoints, helper programs, disk space; encode nothing
    #[arg(long, conflicts_with_all = ["plan", "attach", "cancel"])]
    pub(crate) check: bool,
    /// Where the jobs run: in this process (default), or on a Slurm cluster, set up by the table `slurm` of the experiment
    #[arg(long, value_enum, default_value_t = Executor::Local, hide_default_value = true)]
    pub(crate) executor: Executor,
    /// Follow the jobs that an earlier call submitted to the cluster
    #[arg(long, conflicts_with = "cancel")]
    pub(crate) attach: bool,
    /// Cancel the experiment's jobs on the cluster; finished work is kept
    #[arg(long)]
    pub(crate) cancel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    /// This process
    Local,
    /// A Slurm cluster
    Slurm,
}

#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The plan's folder below the home
    pub(crate) plan: PathBuf,
    /// The task's number in the plan
    pub(crate) task: usize,
}

#[derive(Debug, Args)]
pub(crate) struct CrossArgs {
    /// An experiment file; what it names comes before what the options name
    pub(crate) experiment: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) grid: Grid,
    /// A shared class and the corpora's classes in it; repeatable [default: every class that all have]
    #[arg(long = "class", value_name = "SHARED=CLASS,CLASS")]
    pub(crate) classes: Vec<String>,
    /// What labels the utterances that balanced sets are drawn from: an encoder (its own emotion head, else probes trained
    /// without the speaker), a saved probe, or none [default: the first encoder]
    #[arg(long, value_name = "NAME[=DIR]")]
    pub(crate) labeller: Option<String>,
    /// Pseudo-labels of a corpus from a predictions file; repeatable
    #[arg(long, value_name = "CORPUS=FILE")]
    pub(crate) pseudo_labels: Vec<String>,
    /// A balanced set that exists already: key, label, speaker; repeatable
    #[arg(long = "balanced-set", value_name = "CORPUS=FILE")]
    pub(crate) balanced_sets: Vec<String>,
    /// Utterances of each class from each speaker [default: the number that gives the largest set]
    #[arg(long, value_name = "N")]
    pub(crate) per_cell: Option<usize>,
    /// Speakers of each balanced set [default: the number that gives the largest set]
    #[arg(long, value_name = "N")]
    pub(crate) speakers: Option<usize>,
    /// A copy of the published metadata: its balanced sets are used for the paper's four corpora
    #[arg(long, value_name = "DIR")]
    pub(crate) metadata: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) probe: ProbeHow,
    /// Seed of the sets, the validation parts and the order of the batches [default: the experiment's, else 0]
    #[arg(long, alias = "seed", value_name = "SEED")]
    pub(crate) partition_seed: Option<u64>,
    /// Where scores.json, predictions/, balanced/, pseudo-labels/ and report.html go
    #[arg(long, value_name = "DIR", default_value = "cross-results")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// An output folder of `emobox bench` [default: every experiment of the home]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Delete what is listed
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// Name of the model
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) how: ExperimentHow,
    /// Where the model goes [default: models/NAME in the home, where predict finds it by its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where scores.json, predictions/ and report.html go
    #[arg(long, value_name = "DIR", default_value = "emobox-demo")]
    pub(crate) out: PathBuf,
    /// Seed of the voices and the partition
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// predictions.jsonl of the first system; those of further training seeds are beside it as NAME@seed1.jsonl and so on
    pub(crate) a: PathBuf,
    /// predictions.jsonl of the second system, or of several: then all pairs are compared, with Holm's correction
    #[arg(required = true)]
    pub(crate) b: Vec<PathBuf>,
    /// A manifest, for the speakers that intervals are drawn over
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Seed of the sign flips, which are drawn where there are too many speakers to try all
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Output folders of `emobox bench`, finished or not; several become one table
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) format: ReportFormatArgs,
    /// Show the published scores beside these
    #[arg(long, value_enum)]
    pub(crate) beside: Option<Beside>,
    /// List the N most confident errors of each corpus and encoder instead, with their audio files
    #[arg(long, value_name = "N", conflicts_with = "format")]
    pub(crate) errors: Option<usize>,
    /// Embed the audio of errors in the page, up to this many megabytes
    #[arg(long, value_name = "MB", requires = "html", num_args = 0..=1, default_missing_value = "20")]
    pub(crate) embed_audio: Option<u32>,
    /// Also write every figure as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) figures: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
}

/// At most one of these; tables for a terminal without any.
#[derive(Debug, Args)]
#[group(id = "format", multiple = false)]
pub(crate) struct ReportFormatArgs {
    /// A self-contained HTML page
    #[arg(long)]
    pub(crate) html: bool,
    /// A LaTeX document with booktabs tables
    #[arg(long)]
    pub(crate) latex: bool,
    /// Markdown tables
    #[arg(long)]
    pub(crate) markdown: bool,
    /// CSV: one line per run, with every score
    #[arg(long)]
    pub(crate) csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Beside {
    /// Tables 4 and 5 as in the paper's text, where 40 cells are cut off
    Paper,
    /// The same, completed from the picture in the published repository
    PaperWithSupplement,
}
