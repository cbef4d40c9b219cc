//! Corpora whose audio is inside their tables: Parquet of Hugging Face's `datasets`, tar shards of WebDataset.
//!
//! The audio is unpacked to files, and the rows become a listing of them.

use super::listing::Lines;
use super::{parquet, parts, webdataset};
use crate::{CorpusError, LineProblem, RawFile, RawTree};
use emobox_files::{FileError, write_atomic};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// The column that gets the path of unpacked audio.
pub(super) const PATH: &str = "path";

/// A table as read: its file, the part it belongs to, the names of its columns and its rows.
pub(super) struct PackedTable<'a> {
    pub(super) file: &'a RawFile,
    pub(super) part: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) lines: Lines,
}

/// The tables of a folder, and the folder of their unpacked audio, if there was any.
pub(super) struct Packed<'a> {
    pub(super) tables: Vec<PackedTable<'a>>,
    pub(super) audio: Option<PathBuf>,
}

/// Whether a file is a table in one of these formats, by its name.
pub(super) fn is_packed(file: &RawFile) -> bool {
    file.extension() == "parquet" || is_shard(file)
}

fn is_shard(file: &RawFile) -> bool {
    let name = file.name().to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Reads these files, which [`is_packed`] chose. `None` if they are not a corpus: tables of other data, archives.
pub(super) fn read<'a>(
    name: &str,
    tree: &'a RawTree,
    files: &[&'a RawFile],
    unpack: Option<&Path>,
) -> Result<Option<Packed<'a>>, CorpusError> {
    let tables: Vec<&RawFile> = files.iter().copied().filter(|f| !is_shard(f)).collect();
    let shards = tables.is_empty();
    let read: Vec<&RawFile> = if shards { files.to_vec() } else { tables };
    let parts = parts_of(name, tree, &read)?;
    let mut out = Out::new(tree, unpack)?;
    let mut found = Vec::new();
    for (file, part) in read.into_iter().zip(parts) {
        out.folder = part.clone().unwrap_or_default();
        let path = tree.locate(file);
        let table = if shards {
            webdataset::read(&path, &mut out)?
        } else {
            parquet::read(&path, &mut out)?
        };
        if let Some((columns, lines)) = table {
            found.push(PackedTable {
                file,
                part,
                columns,
                lines,
            });
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let audio = out.finish()?;
    Ok(Some(Packed {
        tables: found,
        audio,
    }))
}

/// The part in each file's name or folder; none if the files do not differ in it.
fn parts_of(
    name: &str,
    tree: &RawTree,
    files: &[&RawFile],
) -> Result<Vec<Option<String>>, CorpusError> {
    let part = |file: &&RawFile| {
        let words = |text: &str| -> BTreeSet<String> {
            let words = text.split(['-', '_', '.']);
            words.filter_map(parts::part).collect()
        };
        let of_name = words(file.stem());
        let folder = file.folder().rsplit('/').next().unwrap_or_default();
        let of = if of_name.is_empty() {
            words(folder)
        } else {
            of_name
        };
        (of.len() == 1).then(|| of.into_iter().next()).flatten()
    };
    let parts: Vec<Option<String>> = files.iter().map(part).collect();
    let mut folders: BTreeMap<&Option<String>, BTreeSet<&str>> = BTreeMap::new();
    for (file, part) in files.iter().zip(&parts) {
        folders.entry(part).or_default().insert(file.folder());
    }
    if let Some(several) = folders.values().find(|folders| folders.len() > 1) {
        let list: Vec<&str> = several.iter().copied().collect();
        return Err(CorpusError::Unclear {
            corpus: name.to_owned(),
            problem: format!(
                "tables of the same part lie in several folders of {}: {}",
                tree.root().display(),
                list.join(", ")
            ),
            cure: "name the one that is meant with --raw".to_owned(),
        });
    }
    let distinct: BTreeSet<&Option<String>> = parts.iter().collect();
    if distinct.len() < 2 {
        return Ok(vec![None; parts.len()]);
    }
    Ok(parts)
}

/// Writes unpacked audio to a temporary folder beside its destination until it is complete.
pub(super) struct Out<'a> {
    place: Option<&'a Path>,
    beside: Option<tempfile::TempDir>,
    folder: String,
    names: HashSet<String>,
}

impl<'a> Out<'a> {
    fn new(tree: &RawTree, place: Option<&'a Path>) -> Result<Self, CorpusError> {
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
    fn finish(mut self) -> Result<Option<PathBuf>, CorpusError> {
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
