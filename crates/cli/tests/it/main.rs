//! One integration binary: the invariants of ARCHITECTURE.md, and whole transcripts of the program.

mod bad_input;
mod demo;
mod plan;
mod program;
mod real_speech;
mod resume;
mod tidy;
mod transcripts;
