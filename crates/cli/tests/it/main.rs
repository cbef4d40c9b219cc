//! One integration binary: the invariants of ARCHITECTURE.md, and whole transcripts of the program.

mod tidy;
