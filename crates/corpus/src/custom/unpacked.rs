//! Unpacks audio inside tables to files.

use crate::{CorpusError, LineProblem, RawTree};
use emobox_files::{FileError, write_atomic};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The column that gets the path of unpacked audio.
pub(super) const PATH: &str = "path";

/// Writes unpacked audio to a temporary folder beside its destination until it is complete.
pub(super) struct Out<'a> {
    place: Option<&'a Path>,
    beside: Option<tempfile::TempDir>,
    pub(super) folder: String,
    names: HashSet<String>,
}

impl<'a> Out<'a> {
    pub(super) fn new(tree: &RawTree, place: Option<&'a Path>) -> Result<Self, CorpusError> {
        // Otherwise the unpacked files would be read as raw files the next time.
        if let Some(inside) = place.filter(|place| place.starts_with(tree.root())) {
            let problem = "the folder that audio would be unpacked to lies inside the raw one";
            return Err(packed(inside, problem));
        }
        Ok(Self {
            place,
            beside: None,
            folder: String::new(),
            names: HashSet::new(),
        })
    }

    /// Writes the audio of a row and returns its path: `wanted` if it is free and stays inside the folder, otherwise one with
    /// the row's number.
    pub(super) fn write(
        &mut self,
        table: &Path,
        row: u64,
        wanted: Option<&str>,
        bytes: &[u8],
    ) -> Result<String, CorpusError> {
        let Some(place) = self.place else {
            let problem = "its audio lies inside, and no folder is named to unpack it to";
            return Err(packed(table, problem));
        };
        if self.beside.is_none() {
            let parent = place.parent().unwrap_or(Path::new("."));
            let made = std::fs::create_dir_all(parent).and_then(|()| {
                tempfile::Builder::new()
                    .prefix(".unpacked")
                    .tempdir_in(parent)
            });
            self.beside = Some(made.map_err(|e| FileError::io("create folder", parent, e))?);
        }
        let wanted = wanted.map(|wanted| wanted.replace('\\', "/"));
        let plain = wanted.as_deref().and_then(inside);
        let extension = extension_of(bytes);
        let named = plain.map(|plain| match crate::tree::has_audio_extension(plain) {
            true => plain.to_owned(),
            false => format!("{plain}.{extension}"),
        });
        let below = |name: &str| match self.folder.as_str() {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        // Names that differ only in case are one file on some systems.
        let free = named.map(|name| below(&name));
        let free = free.filter(|name| !self.names.contains(&name.to_lowercase()));
        let stem = table.file_stem().unwrap_or_default().to_string_lossy();
        let path = free.unwrap_or_else(|| below(&format!("{stem}-{row:06}.{extension}")));
        self.names.insert(path.to_lowercase());
        if let Some(beside) = &self.beside {
            write_atomic(beside.path().join(&path), bytes)?;
        }
        Ok(path)
    }

    /// Moves the written files to their destination; `None` if there are none.
    pub(super) fn finish(mut self) -> Result<Option<PathBuf>, CorpusError> {
        let (Some(beside), Some(place)) = (self.beside.take(), self.place) else {
            return Ok(None);
        };
        if place.exists() {
            std::fs::remove_dir_all(place).map_err(|e| FileError::io("replace", place, e))?;
        }
        let written = beside.keep();
        std::fs::rename(&written, place).map_err(|e| FileError::io("rename", &written, e))?;
        Ok(Some(place.to_owned()))
    }
}

/// A path that stays below its folder and is a valid file name on any system.
fn inside(path: &str) -> Option<&str> {
    let part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains([':', '\0', '\n', '\r', '\t'])
    };
    (path.len() < 200 && path.split('/').all(part)).then_some(path)
}

fn extension_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [b'I', b'D', b'3', ..] | [0xFF, 0xE0..=0xFF, ..] => "mp3",
        [b'F', b'O', b'R', b'M', ..] => "aiff",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "m4a",
        _ => "wav",
    }
}

/// The error for a file in these formats that cannot be read.
pub(super) fn packed(path: &Path, problem: impl Into<String>) -> CorpusError {
    let problem = problem.into();
    CorpusError::Packed {
        path: path.to_owned(),
        problem,
    }
}

/// The same for one row.
pub(super) fn row_problem(path: &Path, line: u64, message: impl Into<String>) -> CorpusError {
    let message = message.into();
    CorpusError::Lines {
        path: path.to_owned(),
        problems: vec![LineProblem { line, message }],
    }
}
