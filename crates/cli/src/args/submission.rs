use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// An output folder of `emobox bench`
    pub(crate) run: PathBuf,
    /// Name of the system on a leaderboard
    #[arg(long, value_name = "NAME")]
    pub(crate) system: String,
    /// A sentence about it
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
    /// How many training seeds there must be
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) training_seeds: usize,
    /// Extract and train again from your own audio and checkpoints, and compare the predictions: what comes out is
    /// "reproduced", no longer only "consistent"
    #[arg(long)]
    pub(crate) rerun: bool,
    /// Where the checkpoint of an encoder lies, for --rerun; repeatable
    #[arg(long = "encoder", value_name = "NAME=DIR", requires = "rerun")]
    pub(crate) encoders: Vec<String>,
    /// A copy of the published metadata (its `data/` folder), for the scheme `published`
    #[arg(long, value_name = "DIR")]
    pub(crate) metadata: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What `emobox submit` has written
    pub(crate) submission: PathBuf,
    #[command(flatten)]
    pub(crate) against: AgainstArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeaderboardArgs {
    /// Files of `emobox submit`
    #[arg(required = true)]
    pub(crate) submissions: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) against: AgainstArgs,
    /// Its heading
    #[arg(long, default_value = "emobox leaderboard", value_name = "TEXT")]
    pub(crate) title: String,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "leaderboard.html")]
    pub(crate) out: PathBuf,
}
