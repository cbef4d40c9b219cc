//! The encoder room, tested through its public face.

mod bad_input;
mod batch;
mod check;
mod data2vec2_golden;
mod device_memory;
mod full_size;
mod gpu;
mod made;
mod shared;
mod speech_golden;
mod whisper_golden;
mod whisper_reference;
