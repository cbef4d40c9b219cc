//! Tests of reports through the public interface.

mod common;
mod compact;
mod empty_cells;
mod large;
mod leaderboard;
mod merging;
mod names;
mod page;
mod tables;
