use super::choice;
use clap::Args;
use emobox_bench::Scheme;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A prepared corpus
    pub(crate) name: String,
    /// The format: csv, hf (AudioFolder's metadata.csv), lhotse, kaldi or audformat
    #[arg(long = "as", value_name = "FORM")]
    pub(crate) form: String,
    /// The output folder; audio is not copied, files refer to it by absolute path
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Use the parts of this fold of a partition [default: the release's own parts, if it has them]
    #[arg(long, value_name = "N")]
    pub(crate) fold: Option<u32>,
    /// The partition of the fold
    #[arg(long, value_parser = choice::<Scheme>(), default_value = "paper")]
    pub(crate) scheme: Scheme,
    /// Seed of the partition
    #[arg(
        long = "partition-seed",
        alias = "seed",
        value_name = "SEED",
        default_value_t = 0
    )]
    pub(crate) seed: u64,
}
