//! The `emobox` command line.
fn main() {}
