//! Versioned, memory-mapped stores of hidden states.
//!
//! A store is a folder:
//!
//! ```text
//! store.json                       header and list of shards, a pure function of the work list
//! frames/00000-<digest>.safetensors   one tensor an utterance, named by its key:
//!                                  [frame, dim], or [layer, frame, dim] when several layers are kept
//! pooled/00000-<digest>.safetensors   one tensor [layer, 2, dim] an utterance: mean and standard
//!                                  deviation over frames of every hidden state, f32, un-normalised;
//!                                  made where a layer curve is asked for
//! audio/00000-<digest>.json        ledger: from which audio files the shard was made
//! begun/00000-<digest>-….safetensors  finished utterances of a shard that is not complete; deleted with its completion
//! ```
//!
//! **One job is one shard.** [`StorePlan`] divides the sorted work list into small shards before
//! anything is encoded, so the file of each utterance, and every byte of every file, depends
//! on the work alone: not on interruptions, the number of processes, or who was faster. A run that is
//! stopped saves the finished utterances of its current shards ([`save_begun`]); one that is killed has
//! saved them a few seconds before. Two processes on one folder share the work through [`ShardClaim`]s, and
//! where they collide (a network disk without locks) they write the same bytes twice.
//!
//! **Frames are normalised in f32 before they are narrowed.** Hidden states reach hundreds in some
//! encoders and have a few huge dimensions; after layer normalisation they fit f16 with room to
//! spare. The header says which [`FeatureNormalisation`] was applied, and a reader that requests another one
//! is refused. The pooled statistics stay un-normalised: the utterance-normalised ones follow from
//! them exactly ([`PooledView::normalised`]), but not vice versa.

#[cfg(target_endian = "big")]
compile_error!("feature stores are little-endian and read without conversion");

mod begun;
mod bytes;
mod claim;
mod error;
mod folder;
mod header;
mod held;
mod item;
mod layout;
mod ledger;
mod normalise;
mod plan;
mod pooled;
mod shard;
mod store;
mod view;

pub use begun::{read_begun, remove_begun, save_begun};
pub use claim::{Claim, ShardClaim};
pub use error::FeatureError;
pub use folder::ShardState;
pub use header::{ComputePrecision, FeatureNormalisation, SCHEMA, StoreHeader, StorePrecision};
pub use held::HeldShards;
pub use item::{HiddenView, StoredItem, UtteranceOutcome};
pub use ledger::{Ledger, LedgerItem, Ledgers};
pub use normalise::{EPSILON, normalise};
pub use plan::{Shard, Share, StorePlan, WorkItem};
pub use pooled::{PooledView, pool_frames};
pub use shard::{Failure, write_shard};
pub use store::{FrameLocation, Store};
pub use view::{FrameData, FrameView};
