//! What the room promises to those who use it.

mod dummy;
mod layers;
mod protocol_page;
mod split;
mod train;
