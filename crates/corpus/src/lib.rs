//! Raw corpora to manifests, partitions, audits and balanced sets.
//!
//! [`prepare`] reads a raw release through its recipe; a corpus is one file below `recipes/` and one line in the registry. A
//! [`Card`] holds the facts on a corpus. Everything here is deterministic: no result depends on the order of a folder or the
//! number of threads.

mod assemble;
mod audio_notes;
mod audit;
mod balanced;
mod card;
mod card_text;
mod custom;
mod error;
mod fitting;
mod header;
mod leakage;
mod names;
mod options;
mod partition;
pub mod path_text;
mod prepare;
mod ratings;
mod recipe;
mod recipes;
mod release;
mod report;
mod side_file;
mod tree;
mod utterance;
mod words;

pub use audit::{
    Absent, AudioAudit, Audit, Flagged, FoldAudit, LabelConflict, Overlap, Shared, Sound, Twins,
    scan_audio,
};
pub use balanced::{
    Balance, BalanceOptions, BalancedItem, BalancedSet, Joined, PUBLISHED_SETS, PublishedItem,
    PublishedSet, SpeakerChoice, balanced_set, largest_balance, published_classes,
    read_pseudo_labels,
};
pub use card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
pub use card_text::cards_markdown;
pub use error::{CorpusError, LineProblem, WrongCorpus};
pub use fitting::looks_like;
pub use header::{AudioHeader, HeaderProblem, HeaderReader};
pub use leakage::audit;
pub use names::{corpus_name, entry, entry_meant};
pub use options::{ChannelChoice, PrepareOptions};
pub use partition::{
    Assignment, GroupBy, Partition, PartitionInfo, PartitionOptions, Role, Rule, Scheme, partition,
    seeded_test_keys, whole_corpus,
};
pub use prepare::{Prepared, prepare, prepare_any_with, prepare_to, prepare_with};
pub use recipe::{
    Channel, Entry, Fields, Gender, Harvest, PackedRow, PathOutcome, Presence, Recipe, Row,
};
pub use recipes::registry;
pub use report::{Duplicate, LeftOut, MissingFolder, Noted, PrepareReport};
pub use side_file::{Table, TableRow};
pub use tree::{RawFile, RawTree};
pub use utterance::{DIMENSIONS, Manifest, Utterance};
pub use words::class_of;
