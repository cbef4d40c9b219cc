use clap::Args;
use emobox_bench::Device;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// A model by its name, or the folder of a saved probe; left out if a checkpoint's own head predicts (--encoder)
    #[arg(required_unless_present = "encoder")]
    pub(crate) model: Option<PathBuf>,
    /// The encoder's checkpoint, if it has moved since training; without a model, the checkpoint whose own head predicts: NAME
    /// or DIR
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) encoder: Option<PathBuf>,
    /// Where the encoder computes: cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: Device,
    /// Length of a window of the time line in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub(crate) window: f64,
    /// Seconds from the start of a window to the start of the next [default: a quarter of the window]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) hop: Option<f64>,
    /// The port of the page on this machine; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8765)]
    pub(crate) port: u16,
}
