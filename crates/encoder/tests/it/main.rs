//! The encoder room, tested through its public face.

mod bad_input;
mod batch;
#[cfg(feature = "candle")]
mod candle;
mod check;
mod data2vec2_golden;
mod made;
mod shared;
mod speech_golden;
mod whisper_golden;
mod whisper_reference;
