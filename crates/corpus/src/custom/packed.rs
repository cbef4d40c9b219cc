//! Corpora whose audio is inside their tables: Parquet of Hugging Face's `datasets`, tar shards of WebDataset.
//!
//! The audio is unpacked to files, and the rows become a listing of them.

use super::objects::Lines;
use super::unpacked::Out;
use super::{parquet, parts, webdataset};
use crate::{CorpusError, RawFile, RawTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
