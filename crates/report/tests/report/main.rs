//! Everything about reports that can be said from outside.

mod common;
mod page;
mod tables;
