//! Parts that several families share.

mod block;
mod front_end;
mod positional;
mod stack;

pub(crate) use block::{Block, BlockBias, BlockConfig, BlockNames, GateOf, NormOrder};
pub(crate) use front_end::{ConvLayer, FrontEnd, FrontEndConfig, FrontNorm};
pub(crate) use positional::{Positional, PositionalConfig, batch_norm_affine};
pub(crate) use stack::{Kept, Stack};
