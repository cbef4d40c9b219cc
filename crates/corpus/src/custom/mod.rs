//! A user's own corpus: a table, a jsonl manifest, or one folder an emotion.

mod folders;
mod listing;

use crate::assemble::{Sink, Style, utterances};
use crate::prepare::{by_reason, note};
use crate::recipe::PackedRow;
use crate::{
    CorpusError, HeaderReader, PrepareOptions, PrepareReport, RawFile, RawTree, looks_like,
};
use emobox_files::read_json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a user's own folder should look like, for messages.
pub const CUSTOM_LAYOUT: &str = "one of\n  \
    a table labels.csv or labels.tsv with the columns path,label (and, where known, speaker,gender,language,text,split,start,end,channel,key)\n  \
    a manifest.jsonl, ours or a published one\n  \
    one folder an emotion: angry/x.wav, sad/y.wav, …\n\
    and, if labels are to be renamed, label_map.json: {\"raw label\": \"Class\"}";

/// What a listing or a folder tree says, before audio headers are read.
#[derive(Debug, Default)]
struct Gathered<'a> {
    rows: Vec<(&'a RawFile, PackedRow)>,
    /// Harmonised classes that rows name themselves, by raw label.
    classes: BTreeMap<String, String>,
    left_out: Vec<(String, &'static str)>,
    unmatched: Vec<String>,
    missing: Vec<(String, String)>,
}

/// Reads the user's own corpus, as [`prepare_any`](crate::prepare_any) says.
pub(crate) fn prepare_own(
    name: &str,
    source: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
    sink: &mut Sink<'_>,
) -> Result<(PathBuf, PrepareReport), CorpusError> {
    let named = source.is_file();
    let root = if named {
        source
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    } else {
        source
    };
    let tree = RawTree::scan(name, root)?;
    let map = match tree
        .files()
        .iter()
        .find(|file| file.path().eq_ignore_ascii_case("label_map.json"))
    {
        Some(file) => Some(read_json::<BTreeMap<String, String>>(tree.locate(file))?),
        None => None,
    };
    let table = if named {
        tree.files()
            .iter()
            .find(|file| tree.locate(file) == *source)
    } else {
        listing::choose(name, &tree)?
    };
    let gathered = match table {
        Some(table) => listing::gather(name, &tree, table, map.as_ref(), options)?,
        None => folders::gather(name, &tree)?,
    };
    let mut report = PrepareReport {
        corpus: name.to_owned(),
        ..PrepareReport::default()
    };
    report.unreadable = tree
        .unreadable()
        .iter()
        .map(|(path, message)| note(path, message))
        .collect();
    report.missing_files = gathered
        .missing
        .iter()
        .map(|(path, source)| note(path, &format!("named in {source}")))
        .collect();
    report.unmatched = gathered.unmatched;
    report.left_out = by_reason(gathered.left_out);
    let classes = gathered.classes;
    let class_of = |emo: &str| match &map {
        Some(map) => map.get(emo).cloned().ok_or_else(|| unknown_label(emo, map)),
        None => Ok(classes.get(emo).cloned().unwrap_or_else(|| emo.to_owned())),
    };
    let style = Style {
        corpus: name,
        prefix: "",
        language: None,
        class_of: &class_of,
        as_published: options.as_published,
    };
    utterances(&style, &tree, gathered.rows, read_header, &mut report, sink)?;
    Ok((tree.root().to_owned(), report))
}

/// The name becomes part of keys and of folder names.
pub(crate) fn check_name(name: &str) -> Result<(), CorpusError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
        && name.len() <= 64
    {
        return Ok(());
    }
    Err(CorpusError::BadName {
        name: name.to_owned(),
    })
}

fn unknown_label(emo: &str, map: &BTreeMap<String, String>) -> String {
    let known: Vec<&str> = map.keys().map(String::as_str).collect();
    format!(
        "label {emo:?} is not in label_map.json, which has {}",
        known.join(", ")
    )
}

/// The error for a folder that is no custom corpus, with a hint at a registered one.
fn not_custom(name: &str, tree: &RawTree) -> CorpusError {
    let layout = CUSTOM_LAYOUT.to_owned();
    let (corpus, root) = (name.to_owned(), tree.root().to_owned());
    let Some(example) = tree.audio().next() else {
        return CorpusError::NoAudio {
            corpus,
            root,
            other_files: tree.files().len(),
            layout,
        };
    };
    CorpusError::WrongCorpus(Box::new(crate::WrongCorpus {
        corpus,
        root,
        audio_files: tree.audio().count(),
        example: example.path().to_owned(),
        looks_like_corpora: looks_like(tree),
        layout,
    }))
}
