//! Arguments of `export-model`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportModelArgs {
    /// A model by the name that fit gave it, or the folder of a saved probe
    pub(crate) model: PathBuf,
    /// The folder to make
    pub(crate) out: PathBuf,
    /// Leave the checkpoint out: predict then looks for it by its name, or where --encoder says
    #[arg(long)]
    pub(crate) without_encoder: bool,
    /// Where the checkpoint lies, when it is not where it was at training
    #[arg(long, value_name = "DIR", conflicts_with = "without_encoder")]
    pub(crate) encoder: Option<PathBuf>,
}
