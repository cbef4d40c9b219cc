use clap::Args;
use emobox_bench::Perturbations;

/// What is done to the audio of the test parts once the probes are trained.
#[derive(Debug, Args)]
pub(crate) struct PerturbArgs {
    /// Also test on perturbed audio, and report the loss of score under each: noise:10dB, white:10dB, reverb:small (medium,
    /// large, 0.5s), telephone, codec:mp3@32k (aac, opus, vorbis; by ffmpeg), gain, gain:-20dB. Added to the command of a
    /// finished run, it trains nothing again [default: the experiment's]
    #[arg(long, value_name = "WHAT,…")]
    pub(crate) perturb: Option<Perturbations>,
}
