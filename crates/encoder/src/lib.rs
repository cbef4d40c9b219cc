//! Pre-trained speech encoders: waveform to hidden states `[layer, frame, dim]`.
//!
//! [`Encoder::open`] takes a checkpoint in its published form, determines its architecture from its own configuration, and
//! checks every tensor needed; [`Encoder::encode`] runs it. Model code is written once on a small set of operations (`ops`)
//! that a device implements.

mod batch;
mod built_in;
mod check;
mod config;
mod conv_spec;
mod description;
mod detect;
mod encoder;
mod error;
mod families;
mod head;
mod heard;
mod hidden_states;
pub mod hub;
mod info;
mod layers;
mod meant;
mod model;
mod normalise;
mod ops;
mod options;
mod parts;
mod prepared;
mod weights;
mod zoo;
mod zoo_markdown;

pub use built_in::{BUILT_IN, EGEMAPS, FBANK};
pub use check::{FolderReport, check_dir};
pub use description::Description;
pub use emobox_gpu::{Report as GpuReport, inspect as gpu_report};
pub use encoder::Encoder;
pub use error::EncoderError;
pub use head::EmotionHead;
pub use hidden_states::HiddenStates;
pub use info::EncoderInfo;
pub use layers::LayerSelection;
pub use normalise::WaveformNormalisation;
pub use ops::{BATCHES_AT_ONCE, OpTiming};
pub use options::{Device, EncoderOptions, EncoderSource, Precision};
pub use prepared::Prepared;

/// The instruction set of the CPU's kernels: `avx2`, `avx512`, …; `unknown` if `EMOBOX_KERNELS` requests one that is not
/// available.
pub fn kernels() -> &'static str {
    emobox_kernels::active_path().map_or("unknown", emobox_kernels::Path::name)
}

/// [`emobox_kernels::measured_peak`]; `None` for numbers that the CPU does not compute with.
pub fn measured_peak(precision: Precision, time: std::time::Duration) -> Option<f64> {
    precision
        .of_cpu()
        .map(|precision| emobox_kernels::measured_peak(precision, time))
}

/// Whether the CPU has instructions for bf16 products; otherwise they are emulated, slower than f32.
pub use emobox_kernels::bf16_is_native;
pub use heard::{Heard, TrainingFact, training_facts};
pub use meant::zoo_meant;
pub use zoo::{Published, ZooEntry, zoo, zoo_entry};
pub use zoo_markdown::zoo_markdown;
