//! The encoder room, tested through its public face.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod shared;
mod whisper_reference;
