//! Log-mel spectra: [`whisper`] as the Whisper checkpoints expect them, [`kaldi_fbank`] as w2v-BERT, BEATs and SenseVoice do, [`decibels`]
//! as Dasheng does, [`fbank`] as a baseline that needs no weights.

mod decibels;
mod delta;
mod fbank;
mod kaldi;
mod mel;
mod spectrum;
mod whisper;

pub use decibels::{DECIBELS_HOP, DECIBELS_SHORTEST, decibels, decibels_frames};
pub use delta::deltas;
pub use fbank::{FBANK_HOP, Fbank, FbankOptions, fbank};
pub use kaldi::{KALDI_HOP, KALDI_WINDOW, KaldiWindow, kaldi_fbank, kaldi_frames};
pub use whisper::{WHISPER_FRAMES, WHISPER_SAMPLES, whisper, whisper_frames};
