//! One integration binary: the invariants of ARCHITECTURE.md, and whole transcripts of the program.

mod bad_input;
mod beside;
mod cells;
mod cross;
mod demo;
mod device;
mod dimensions;
mod discard;
mod documents;
mod download;
mod exchange;
mod extraction;
mod gpu;
mod heads;
mod listen;
mod lists;
mod names;
mod own_data;
mod perturb;
mod plan;
mod predict;
mod program;
mod rated;
mod raw_releases;
mod real_speech;
mod resume;
mod seal;
#[path = "../../../fetch/tests/fetch/server.rs"]
mod server;
mod stopped;
mod submission;
mod tidy;
mod trained_on;
mod transcripts;
