//! Everything about reports that can be said from outside.

mod common;

mod leaderboard;
mod merging;

mod page;
mod tables;
