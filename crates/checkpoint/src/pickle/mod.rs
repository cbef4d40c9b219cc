//! Pickles as values, without running anything.
//!
//! A pickle is a program for a stack machine whose instructions may import and call any Python object.
//! Here the instructions build only plain data: a requested class becomes the *name* of a class,
//! a call becomes a [`Record`] of that name and its arguments, and storages and tensors become
//! descriptions of where their bytes are. No module is imported and no code exists that could be called.
//!
//! In addition, a name that no checkpoint of tensors and configuration has a reason to contain is refused
//! (see [`classes`]): such a file was made to harm whoever opens it with Python, or it is not a checkpoint.
//!
//! Values are stored in one arena and refer to each other by index, so that cycles (`_parent` links of
//! configurations) and deep nesting need neither recursion nor reference counts.

mod calls;
mod classes;
mod machine;
mod reader;
mod value;

pub(super) use machine::{Pickle, load};
pub(super) use value::{Arena, Id, Node, Record, StoredTensor};

/// Why a pickle was not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PickleError {
    #[error("the pickle ends in the middle of an instruction, at byte {at}")]
    Truncated { at: usize },
    #[error("{detail}, at byte {at} of the pickle")]
    Malformed { detail: String, at: usize },
    #[error("{class}")]
    Refused { class: String },
    #[error("{what} is above {limit}")]
    Limit { what: &'static str, limit: usize },
}
