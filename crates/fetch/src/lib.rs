//! From an address to a verified file, from an archive to a folder.
//!
//! One resumable GET serves the model hub and the corpora: [`fetch_file`] requests what is still missing, resumes
//! after broken connections and between runs, and gives a file its name only when size and checksum are right. [`unpack`]
//! opens zip and tar archives without letting them write outside one folder.

mod checksum;
mod client;
mod error;
mod file;
mod git_tree;
mod transfer;
mod unpack;

pub use checksum::Checksum;
pub use client::{Answer, Client, Credential, Method, Settings, origin, percent, without_query};
pub use error::FetchError;
pub use file::fetch_file;
pub use git_tree::git_tree;
pub use transfer::{Continue, Transfer, Wanted};
pub use unpack::{Limits, Skipped, UnpackError, Unpacked, has_archive_name, stem_folder, unpack};
