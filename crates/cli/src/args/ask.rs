//! What `evaluate` and `predict` take.

use clap::Args;
use emobox_bench::{Device, RawFormat};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// predictions.jsonl: key, fold, label, prediction, scores
    #[arg(required_unless_present = "encoder", conflicts_with = "encoder")]
    pub(crate) predictions: Option<PathBuf>,
    /// A checkpoint with a head of its own, NAME or NAME=DIR: the head is tested as it is, nothing is trained
    #[arg(long, value_name = "NAME[=DIR]", requires = "corpus", conflicts_with_all = ["labels", "manifest"])]
    pub(crate) encoder: Option<String>,
    /// The corpus that the head is tested on, NAME or NAME=DIR
    #[arg(
        long,
        value_name = "NAME[=DIR]",
        requires = "encoder",
        conflicts_with = "predictions"
    )]
    pub(crate) corpus: Option<String>,
    /// A class of the head and the class of the corpus that it stands for, where their names differ; repeatable
    #[arg(
        long = "class",
        value_name = "HEAD=CORPUS",
        requires = "encoder",
        conflicts_with = "predictions"
    )]
    pub(crate) classes: Vec<String>,
    /// The file for the head's predictions, as predictions.jsonl
    #[arg(
        long,
        value_name = "FILE",
        requires = "encoder",
        conflicts_with = "predictions"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Where the encoder computes: cpu, cuda or cuda:N
    #[arg(
        long,
        default_value = "cpu",
        value_name = "DEVICE",
        requires = "encoder",
        conflicts_with = "predictions"
    )]
    pub(crate) device: Device,
    /// The second list of the published toolkit (key, label); PREDICTIONS is then the first (key, pred)
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// A manifest, for the speakers that intervals are drawn over
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Changes nothing: nothing is drawn at random
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model by its name, or the folder of a saved probe (probe.json and probe.safetensors); left out if a checkpoint's own
    /// head predicts (--encoder)
    pub(crate) probe: PathBuf,
    /// Audio files of any format and folders of them; `-` reads one from standard input
    #[arg(required_unless_present = "encoder")]
    pub(crate) files: Vec<PathBuf>,
    /// The input is samples of one channel without a header, as from a recorder's pipe; they are processed as they arrive
    #[arg(long, value_name = "s16le|f32le")]
    pub(crate) raw: Option<RawFormat>,
    /// Sampling rate of a raw stream
    #[arg(long, value_name = "HZ", default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1_000..=768_000), requires = "raw")]
    pub(crate) rate: u32,
    /// Print CSV: file, seconds, prediction and a column for the probability of each class
    #[arg(long)]
    pub(crate) csv: bool,
    /// Predict for each window of this length; with --json one line each
    #[arg(long, value_name = "SECONDS")]
    pub(crate) window: Option<f64>,
    /// Seconds from the start of a window to the start of the next [default: half a window]
    #[arg(long, value_name = "SECONDS", requires = "window")]
    pub(crate) hop: Option<f64>,
    /// The encoder's checkpoint, if it has moved since training; without a probe, the checkpoint whose own head predicts: NAME,
    /// NAME=DIR or DIR
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) encoder: Option<PathBuf>,
    /// Where the encoder computes: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: Device,
}
