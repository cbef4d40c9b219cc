use super::{Gathered, not_custom};
use crate::recipe::PackedRow;
use crate::{CorpusError, RawFile, RawTree, Row};
use std::collections::BTreeSet;

/// Folder names that are parts of a corpus, not emotions.
const PARTS: [(&str, &str); 6] = [
    ("train", "train"),
    ("valid", "valid"),
    ("validation", "valid"),
    ("dev", "valid"),
    ("val", "valid"),
    ("test", "test"),
];

/// One folder an emotion, below a common top folder or not, and below `train`, `valid` and `test` or not. Folders
/// inside an emotion mean nothing. A file beside the emotion folders is unmatched.
pub(super) fn gather<'a>(name: &str, tree: &'a RawTree) -> Result<Gathered<'a>, CorpusError> {
    let files: Vec<&RawFile> = tree.audio().collect();
    let top = common_folder(&files);
    let inner =
        |file: &&'a RawFile| -> Vec<&'a str> { file.composed().split('/').skip(top).collect() };
    let in_parts = !files.is_empty()
        && files
            .iter()
            .all(|file| matches!(inner(file)[..], [first, _, _, ..] if part(first).is_some()));
    let mut gathered = Gathered::default();
    let mut labels = BTreeSet::new();
    for file in files {
        let (split, rest) = match (&inner(&file)[..], in_parts) {
            ([first, rest @ ..], true) => (part(first), rest.to_vec()),
            (all, _) => (None, all.to_vec()),
        };
        let [label, _, ..] = rest[..] else {
            gathered.unmatched.push(file.path().to_owned());
            continue;
        };
        labels.insert(label.to_owned());
        let mut row = Row::new(key(name, file.path()), label);
        row.split = split.map(str::to_owned);
        gathered.rows.push((file, PackedRow::new(row)));
    }
    if labels.len() < 2 {
        Err(not_custom(name, tree))
    } else {
        Ok(gathered)
    }
}

/// A key from a path: the parts joined by `-`, without the extension.
pub(super) fn key(name: &str, path: &str) -> String {
    let stem = match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => path,
    };
    format!("{name}-{}", stem.replace(['/', '\t', '\n', '\r'], "-"))
}

fn part(folder: &str) -> Option<&'static str> {
    PARTS
        .iter()
        .find(|(word, _)| folder.eq_ignore_ascii_case(word))
        .map(|&(_, part)| part)
}

/// How many folders all files have in common above the emotions: a common folder is skipped only while every file lies
/// at least two folders deep, so that a lone emotion folder stays an emotion.
fn common_folder(files: &[&RawFile]) -> usize {
    let mut depth = 0;
    loop {
        let mut parts = files
            .iter()
            .map(|file| file.composed().split('/').nth(depth));
        let Some(first) = parts.next() else { return 0 };
        let deep = files
            .iter()
            .all(|file| file.composed().matches('/').count() >= depth + 2);
        if first.is_none() || !deep || !parts.all(|part| part == first) {
            return depth;
        }
        depth += 1;
    }
}
