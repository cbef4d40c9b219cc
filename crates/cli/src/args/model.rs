//! Arguments of `export-model`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportModelArgs {
    /// A model by its name, or the folder of a saved probe
    pub(crate) model: PathBuf,
    /// The output folder
    pub(crate) out: PathBuf,
    /// Leave the checkpoint out: predict then finds it by its name, or at --encoder
    #[arg(long)]
    pub(crate) without_encoder: bool,
    /// The encoder's checkpoint, if it has moved since training
    #[arg(long, value_name = "DIR", conflicts_with = "without_encoder")]
    pub(crate) encoder: Option<PathBuf>,
}
