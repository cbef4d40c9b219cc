//! Everything about reports that can be said from outside.

mod common;
mod compact;
mod empty_cells;
mod large;
mod leaderboard;
mod merging;
mod names;
mod page;
mod tables;
