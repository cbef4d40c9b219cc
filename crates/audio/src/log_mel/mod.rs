//! Log-mel spectra: [`whisper`] as the Whisper checkpoints expect them, [`fbank`] as a baseline
//! that needs no weights.

mod delta;
mod fbank;
mod mel;
mod spectrum;
mod whisper;

pub use delta::deltas;
pub use fbank::{FBANK_HOP, Fbank, FbankOptions, fbank};
pub use whisper::{WHISPER_FRAMES, WHISPER_SAMPLES, whisper};
