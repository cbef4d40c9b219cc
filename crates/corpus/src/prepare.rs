use crate::assemble::{Sink, Style, utterances};
use crate::custom::{check_name, prepare_own};
use crate::header::in_pool;
use crate::recipe::PackedRow;
use crate::utterance::write_lines;
use crate::{
    Card, CorpusError, Entry, Harvest, HeaderReader, LeftOut, Manifest, MissingFolder, Noted,
    PrepareReport, Presence, RawFile, RawTree, Utterance, WrongCorpus, entry, recipe, registry,
};
use emobox_files::{FileError, try_write_atomic};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a raw folder is read.
#[derive(Debug, Clone, Default)]
pub struct PrepareOptions {
    /// Give the published value where the published metadata differ from what is right (speakers, labels, rows).
    pub as_published: bool,
    /// Go on when files of the release are missing, and report them.
    pub allow_missing: bool,
    /// Threads that read audio headers; none means all cores.
    pub threads: Option<usize>,
}

/// A manifest and what was found on the way to it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The folder that every `wav` is relative to.
    pub root: PathBuf,
    /// The utterances, sorted by key. The published order is not known from a folder, so it is never imitated.
    pub manifest: Manifest,
    /// Missing, unmatched, broken, duplicated, left out.
    pub report: PrepareReport,
}

/// Reads the raw release of a registered corpus.
///
/// The result depends on the content of the folder alone: not on its order, nor on the number of threads.
pub fn prepare(name: &str, raw: &Path, options: &PrepareOptions) -> Result<Prepared, CorpusError> {
    prepare_with(name, raw, options, &crate::header::probe)
}

/// As [`prepare`] with another way to read audio headers.
pub fn prepare_with(
    name: &str,
    raw: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
) -> Result<Prepared, CorpusError> {
    entry(name)?;
    prepare_any_with(name, raw, options, read_header)
}

/// Reads a registered corpus when `name` is one, else the user's own corpus in `source`: a folder as
/// [`CUSTOM_LAYOUT`](crate::CUSTOM_LAYOUT) says, or a table whose paths are relative to its own folder.
///
/// Labels are taken as written, or through `label_map.json` beside the table, in which every label must then occur. A row
/// that cannot be used (file missing, path that climbs out, unknown label, key twice) fails with its line number;
/// `allow_missing` turns missing files alone into an entry of the report.
pub fn prepare_any(
    name: &str,
    source: &Path,
    options: &PrepareOptions,
) -> Result<Prepared, CorpusError> {
    prepare_any_with(name, source, options, &crate::header::probe)
}

/// As [`prepare_any`] with another way to read audio headers.
pub fn prepare_any_with(
    name: &str,
    source: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
) -> Result<Prepared, CorpusError> {
    let mut utterances = Vec::new();
    let mut sink = |part: Vec<Utterance>| {
        utterances.extend(part);
        Ok(())
    };
    let (root, report) = stream(name, source, options, read_header, &mut sink)?;
    let corpus = report.corpus.clone();
    Ok(Prepared {
        root,
        manifest: Manifest { corpus, utterances },
        report,
    })
}

/// As [`prepare_any`] straight into a manifest at `path`: only a part of the utterances is in memory at
/// a time. Returns the folder that every `wav` is relative to. After an error `path` is as it was before.
pub fn prepare_to(
    name: &str,
    source: &Path,
    options: &PrepareOptions,
    path: &Path,
) -> Result<(PathBuf, PrepareReport), CorpusError> {
    try_write_atomic(path, |out| {
        let mut sink = |part: Vec<Utterance>| {
            write_lines(out, &part).map_err(|e| FileError::io("write", path, e).into())
        };
        stream(name, source, options, &crate::header::probe, &mut sink)
    })
}

/// The utterances of a registered corpus or of the user's own, part by part.
fn stream(
    name: &str,
    source: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
    sink: &mut Sink<'_>,
) -> Result<(PathBuf, PrepareReport), CorpusError> {
    let entry = entry(name);
    if entry.is_err() {
        check_name(name)?;
    }
    in_pool(options.threads, || match entry {
        Ok(entry) => prepare_entry(entry, source, options, read_header, sink),
        Err(_) => prepare_own(name, source, options, read_header, sink),
    })
}

fn prepare_entry(
    entry: &Entry,
    raw: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
    sink: &mut Sink<'_>,
) -> Result<(PathBuf, PrepareReport), CorpusError> {
    let name = entry.card.name;
    let tree = RawTree::scan(name, raw)?;
    let harvest = match Harvest::gather(entry, &tree) {
        Ok(harvest) if harvest.rows.is_empty() => return Err(nothing_fits(entry, &tree)),
        // A side file that is absent from a folder of another corpus is best explained by the other corpus.
        Err(CorpusError::SideFileMissing { .. }) if recipe::fitting_files(entry, &tree) == 0 => {
            return Err(nothing_fits(entry, &tree));
        }
        result => result?,
    };
    let mut report = PrepareReport {
        corpus: name.to_owned(),
        ..PrepareReport::default()
    };
    report.unmatched = harvest
        .unmatched()
        .iter()
        .map(|file| file.path().to_owned())
        .collect();
    report.unreadable = tree
        .unreadable()
        .iter()
        .map(|(path, message)| note(path, message))
        .collect();
    report.missing_files = harvest
        .missing
        .iter()
        .map(|(path, source)| note(path, &format!("named in {source}")))
        .collect();
    report.missing_folders = missing_folders(&entry.card, &harvest);
    report.contradictions = harvest
        .contradictions
        .iter()
        .map(|(path, message)| note(path, message))
        .collect();
    let mut left_out = harvest.left_out;
    let rows = present_rows(harvest.rows, options, &mut left_out);
    report.left_out = by_reason(left_out);
    if !report.is_complete() && !options.allow_missing {
        let summary = report.missing_summary();
        return Err(CorpusError::Incomplete {
            corpus: name.to_owned(),
            summary,
            report: Box::new(report),
        });
    }
    let card = &entry.card;
    let class_of = |emo: &str| {
        let known = || {
            card.labels
                .iter()
                .map(|(raw, _)| *raw)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let class = card.class_of(emo).map(str::to_owned);
        class.ok_or_else(|| format!("label {emo:?} is none of {}", known()))
    };
    let style = Style {
        corpus: name,
        prefix: &format!("{name}-"),
        language: if let [language] = card.languages {
            Some(language)
        } else {
            None
        },
        class_of: &class_of,
        as_published: options.as_published,
    };
    utterances(&style, &tree, rows, read_header, &mut report, sink)?;
    Ok((tree.root().to_owned(), report))
}

pub(crate) fn note(path: &str, message: &str) -> Noted {
    Noted {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

fn nothing_fits(entry: &Entry, tree: &RawTree) -> CorpusError {
    let corpus = entry.card.name.to_owned();
    let root = tree.root().to_owned();
    let layout = entry.card.layout.to_owned();
    let Some(example) = tree.audio().next() else {
        return CorpusError::NoAudio {
            corpus,
            root,
            other_files: tree.files().len(),
            layout,
        };
    };
    CorpusError::WrongCorpus(Box::new(WrongCorpus {
        corpus,
        root,
        audio_files: tree.audio().count(),
        example: example.path().to_owned(),
        looks_like_corpora: looks_like(tree),
        layout,
    }))
}

/// The registered corpora whose grammar fits files of the tree, best first.
pub fn looks_like(tree: &RawTree) -> Vec<(String, usize)> {
    let counts = registry().iter().map(|entry| {
        (
            entry.card.name.to_owned(),
            recipe::fitting_files(entry, tree),
        )
    });
    let mut found: Vec<(String, usize)> = counts.filter(|(_, n)| *n > 0).collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

fn missing_folders(card: &Card, harvest: &Harvest<'_>) -> Vec<MissingFolder> {
    // A copy of a file counts no more than a second segment of one, and what was never published is not expected.
    let published = |row: &PackedRow| !matches!(row.presence, Presence::NotAsPublished(_));
    let rows = harvest.rows.iter().filter(|(_, row)| published(row));
    let mut ids: Vec<(&str, &RawFile)> = rows.map(|(file, row)| (row.id(), *file)).collect();
    ids.par_sort_by(|a, b| a.0.cmp(b.0));
    ids.dedup_by(|a, b| a.0 == b.0);
    let mut known: Vec<&RawFile> = ids.into_iter().map(|(_, file)| file).collect();
    known.extend(&harvest.expected_left_out);
    known.sort_unstable_by_key(|file| file.index());
    known.dedup_by_key(|file| file.index());
    // Files of one folder lie together, and are below the same folders.
    let folders: Vec<&[&RawFile]> = known.chunk_by(|a, b| a.folder() == b.folder()).collect();
    let mut missing = Vec::new();
    for &(folder, expected) in card.expected {
        let below = folders.iter().filter(|files| files[0].is_below(folder));
        let found = below.map(|files| files.len()).sum();
        let expected = expected as usize;
        if found < expected {
            missing.push(MissingFolder {
                folder: folder.to_owned(),
                expected,
                found,
            });
        }
    }
    missing
}

/// Drops the rows that the chosen style leaves out, and notes why.
fn present_rows<'a>(
    rows: Vec<(&'a RawFile, PackedRow)>,
    options: &PrepareOptions,
    left_out: &mut Vec<(String, &'static str)>,
) -> Vec<(&'a RawFile, PackedRow)> {
    let mut kept = Vec::with_capacity(rows.len());
    for (file, row) in rows {
        match row.presence {
            Presence::OnlyAsPublished(reason) if !options.as_published => {
                left_out.push((row_name(file, &row), reason));
            }
            Presence::NotAsPublished(reason) if options.as_published => {
                left_out.push((row_name(file, &row), reason));
            }
            _ => kept.push((file, row)),
        }
    }
    kept
}

fn row_name(file: &RawFile, row: &PackedRow) -> String {
    match row.segment() {
        Some((start, end)) => format!("{} {start}..{end} s", file.path()),
        None => file.path().to_owned(),
    }
}

pub(crate) fn by_reason(left_out: Vec<(String, &'static str)>) -> Vec<LeftOut> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (item, reason) in left_out {
        reasons.entry(reason).or_default().push(item);
    }
    let mut list = Vec::new();
    for (reason, mut items) in reasons {
        items.sort();
        list.push(LeftOut {
            reason: reason.to_owned(),
            count: items.len(),
            items,
        });
    }
    list
}
