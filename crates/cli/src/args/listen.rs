use clap::Args;
use emobox_bench::Device;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// A model by the name that fit gave it, or the folder of a saved probe; left out where a checkpoint's own head answers
    /// (--encoder)
    #[arg(required_unless_present = "encoder")]
    pub(crate) model: Option<PathBuf>,
    /// The encoder's checkpoint, where it was moved; without a model NAME or DIR of a checkpoint with a head of its own
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) encoder: Option<PathBuf>,
    /// Where the encoder computes: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: Device,
    /// Seconds of a window of the time line
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub(crate) window: f64,
    /// Seconds from one window to the next [default: a quarter of the window]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) hop: Option<f64>,
    /// The port of the page on this machine; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8765)]
    pub(crate) port: u16,
}
