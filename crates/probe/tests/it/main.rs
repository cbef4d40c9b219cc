//! Tests of the crate through its public interface.

mod card;
mod card_speed;
mod dummy;
mod layers;
mod protocol_page;
mod saved;
mod split;
mod targets;
mod train;
