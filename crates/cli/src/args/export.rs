use super::choice;
use clap::Args;
use emobox_bench::Scheme;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A prepared corpus
    pub(crate) name: String,
    /// The form: csv, hf (AudioFolder's metadata.csv), lhotse, kaldi or audformat
    #[arg(long = "as", value_name = "FORM")]
    pub(crate) form: String,
    /// Where the files go; audio stays where it is and is named by its absolute path
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Take the parts from this fold of a partition [default: the release's own parts, if it has them]
    #[arg(long, value_name = "N")]
    pub(crate) fold: Option<u32>,
    /// The partition that the fold is of
    #[arg(long, value_parser = choice::<Scheme>(), default_value = "paper")]
    pub(crate) scheme: Scheme,
    /// Its seed
    #[arg(
        long = "partition-seed",
        alias = "seed",
        value_name = "SEED",
        default_value_t = 0
    )]
    pub(crate) seed: u64,
}
