//! One integration binary: the invariants of ARCHITECTURE.md, and whole transcripts of the program.

mod bad_input;
mod cross;
mod demo;
mod lists;
mod program;
mod real_speech;
mod resume;
mod submission;
mod tidy;
mod transcripts;
