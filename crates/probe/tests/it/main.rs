//! What the room promises to those who use it.

mod card;
mod card_speed;
mod dummy;
mod layers;
mod protocol_page;
mod split;
mod targets;
mod train;
