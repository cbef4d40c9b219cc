//! What the room promises to those who use it.

mod dummy;
mod layers;
mod split;
mod train;
