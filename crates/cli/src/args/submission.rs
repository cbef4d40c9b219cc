use super::choice;
use clap::Args;
use emobox_bench::Scheme;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// A prepared corpus
    pub(crate) name: String,
    /// The folder to give out: recordings under numbers, and set.json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The file that the organiser keeps: labels, speakers and the secret that the numbers are derived from
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Seal the test part of this partition [default: every utterance of the corpus]
    #[arg(long, value_parser = choice::<Scheme>())]
    pub(crate) scheme: Option<Scheme>,
    /// The fold to seal [default: the only one]
    #[arg(long, value_name = "N", requires = "scheme")]
    pub(crate) fold: Option<u32>,
    /// Seed of the partition
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) partition_seed: u64,
    /// A copy of the published metadata (its `data/` folder), for the scheme `published`
    #[arg(long, value_name = "DIR")]
    pub(crate) metadata: Option<PathBuf>,
    /// Name of the set [default: the corpus's name]
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// An output folder of `emobox bench`
    pub(crate) run: PathBuf,
    /// Name of the system on a leaderboard
    #[arg(long, value_name = "NAME")]
    pub(crate) system: String,
    /// A sentence about the system
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) description: String,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "submission.json")]
    pub(crate) out: PathBuf,
}

/// The partitions that submissions are checked against, made from the manifests in the home.
#[derive(Debug, Args)]
pub(crate) struct AgainstArgs {
    /// Seed of the partitions that scores must come from
    #[arg(long, alias = "seed", value_name = "SEED", default_value_t = 0)]
    pub(crate) partition_seed: u64,
    /// Number of training seeds that a submission must have
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) training_seeds: usize,
    /// Extract and train again from your own audio and checkpoints, and compare the predictions: the verdict is then
    /// "reproduced" instead of "consistent"
    #[arg(long)]
    pub(crate) rerun: bool,
    /// The checkpoint of an encoder, for --rerun; repeatable
    #[arg(long = "encoder", value_name = "NAME=DIR", requires = "rerun")]
    pub(crate) encoders: Vec<String>,
    /// A copy of the published metadata (its `data/` folder), for the scheme `published`
    #[arg(long, value_name = "DIR")]
    pub(crate) metadata: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A file written by `emobox submit`; with --key the answers to a sealed set: lines of id, prediction, scores, or the
    /// output of `emobox predict --json` on its recordings
    pub(crate) submission: PathBuf,
    /// The key file of a sealed set
    #[arg(long, value_name = "FILE", requires = "set", conflicts_with = "rerun")]
    pub(crate) key: Option<PathBuf>,
    /// The sealed set as it was given out: its folder or its set.json
    #[arg(long, value_name = "DIR", requires = "key")]
    pub(crate) set: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) against: AgainstArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeaderboardArgs {
    /// Files written by `emobox submit`
    #[arg(required = true)]
    pub(crate) submissions: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) against: AgainstArgs,
    /// Heading of the page
    #[arg(long, default_value = "emobox leaderboard", value_name = "TEXT")]
    pub(crate) title: String,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "leaderboard.html")]
    pub(crate) out: PathBuf,
}
