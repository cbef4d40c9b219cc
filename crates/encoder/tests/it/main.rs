//! The encoder crate, tested through its public interface.

mod bad_input;
mod batch;
mod check;
mod conformer_golden;
mod data2vec2_golden;
mod device_memory;
mod full_size;
mod gpu;
mod heads_golden;
mod made;
mod more_golden;
mod newer_gpu;
mod shared;
mod speech_golden;
mod towers_golden;
mod whisper_golden;
mod whisper_reference;
