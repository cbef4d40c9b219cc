use clap::Args;
use std::path::PathBuf;

/// Forms of other programs that finished scores are also written in.
#[derive(Debug, Args)]
pub(crate) struct ExchangeArgs {
    /// Also write the scores into this folder in MTEB's format of results: MODEL/REVISION/TASK.json
    #[arg(long, value_name = "DIR")]
    pub(crate) mteb: Option<PathBuf>,
    /// Also write them as flat JSON with the names of Hugging Face's evaluate, one file per cell
    #[arg(long, value_name = "DIR")]
    pub(crate) hf: Option<PathBuf>,
    /// Also write them as MLflow's file store, for `mlflow ui --backend-store-uri DIR`
    #[arg(long, value_name = "DIR")]
    pub(crate) mlflow: Option<PathBuf>,
    /// Also write them as offline runs of Weights & Biases, for `wandb sync DIR/offline-run-*`
    #[arg(long, value_name = "DIR")]
    pub(crate) wandb: Option<PathBuf>,
}
