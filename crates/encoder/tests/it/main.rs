//! The encoder room, tested through its public face.

mod batch;
mod made;
mod shared;
mod speech_golden;
mod whisper_reference;
