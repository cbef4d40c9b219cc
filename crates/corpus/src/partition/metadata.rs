//! The published metadata folder: full lists and fold lists, in either of their file-name forms.

use crate::{CorpusError, LineProblem};
use emobox_files::FileError;
use regex::Regex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The lists of one corpus.
#[derive(Debug)]
pub(super) struct Metadata {
    folder: PathBuf,
    corpus: String,
}

/// The fields of a published row that a partition needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedRow {
    pub(super) key: String,
    pub(super) emo: String,
}

impl Metadata {
    /// Finds the folder of a corpus below `root`: the repository, its `data`, or the corpus folder itself.
    pub(super) fn open(root: &Path, corpus: &str) -> Result<Self, CorpusError> {
        let candidates = [
            root.join("data").join(corpus),
            root.join(corpus),
            root.to_owned(),
        ];
        let is_it = |folder: &&PathBuf| {
            folder.is_dir() && folder.file_name().is_some_and(|name| name == corpus)
        };
        match candidates.iter().find(is_it) {
            Some(folder) => Ok(Self {
                folder: folder.clone(),
                corpus: corpus.to_owned(),
            }),
            None => Err(CorpusError::NoPartition {
                corpus: corpus.to_owned(),
                scheme: "published".to_owned(),
                reason: format!(
                    "{} has no folder data/{corpus} or {corpus}; --metadata takes a copy of the EmoBox repository or of its data folder",
                    root.display()
                ),
            }),
        }
    }

    /// Every fold list: (fold, part) to rows. If there are several files for one list, the first in this order is used:
    /// `_fold_1.jsonl`, `_fold_1.json`, `_fold1.jsonl`, `_fold1.json` (EmoDB has both forms with the same keys).
    pub(super) fn fold_lists(
        &self,
    ) -> Result<BTreeMap<(u32, String), Vec<ListedRow>>, CorpusError> {
        let mut files: BTreeMap<(u32, String), (u32, PathBuf)> = BTreeMap::new();
        let pattern = format!(
            r"^{}_(train|valid|test\d*)_fold(_?)(\d{{1,4}})\.(jsonl?)$",
            regex::escape(&self.corpus)
        );
        // The corpus name is escaped and the rest is constant, so the pattern compiles.
        let Ok(pattern) = Regex::new(&pattern) else {
            return Ok(BTreeMap::new());
        };
        let walk = walkdir::WalkDir::new(&self.folder)
            .max_depth(2)
            .sort_by_file_name();
        for item in walk
            .into_iter()
            .filter_map(Result::ok)
            .filter(|item| item.file_type().is_file())
        {
            let name = item.file_name().to_string_lossy();
            let Some(found) = pattern.captures(&name) else {
                continue;
            };
            let Ok(fold) = found[3].parse() else { continue };
            let rank = 2 * u32::from(found[2].is_empty()) + u32::from(&found[4] == "json");
            let place = files
                .entry((fold, found[1].to_owned()))
                .or_insert((u32::MAX, PathBuf::new()));
            if rank < place.0 {
                *place = (rank, item.path().to_owned());
            }
        }
        files
            .into_iter()
            .map(|(list, (_, path))| Ok((list, read(&path)?)))
            .collect()
    }

    /// The full list in published order, if the copy has it.
    pub(super) fn full_list(&self) -> Result<Option<Vec<ListedRow>>, CorpusError> {
        for extension in ["jsonl", "json"] {
            let path = self.folder.join(format!("{}.{extension}", self.corpus));
            if path.is_file() {
                return Ok(Some(read(&path)?));
            }
        }
        Ok(None)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// One list, `jsonl` (one object with `key` per line) or `json` (one object with a member per key).
fn read(path: &Path) -> Result<Vec<ListedRow>, CorpusError> {
    let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
    let fail = |line: u64, message: String| CorpusError::Lines {
        path: path.to_owned(),
        problems: vec![LineProblem { line, message }],
    };
    if text.starts_with("version https://git-lfs") {
        return Err(fail(
            1,
            "this is a Git LFS pointer, not the list; fetch the file itself (git lfs pull)"
                .to_owned(),
        ));
    }
    let emo = |row: &serde_json::Value| {
        let label = row.get("emo").or_else(|| row.get("label"));
        label
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        let rows: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|e| fail(e.line() as u64, e.to_string()))?;
        return Ok(rows
            .iter()
            .map(|(key, row)| ListedRow {
                key: key.clone(),
                emo: emo(row),
            })
            .collect());
    }
    let mut rows = Vec::new();
    for (line, text) in (1..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let row: serde_json::Value =
            serde_json::from_str(text).map_err(|e| fail(line, e.to_string()))?;
        match row.get("key").and_then(serde_json::Value::as_str) {
            Some(key) => rows.push(ListedRow {
                key: key.to_owned(),
                emo: emo(&row),
            }),
            None => return Err(fail(line, "no member `key`".to_owned())),
        }
    }
    Ok(rows)
}
