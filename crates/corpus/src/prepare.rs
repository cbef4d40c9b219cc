use crate::assemble::{Sink, Style, utterances};
use crate::custom::{check_name, prepare_own};
use crate::fitting::{nothing_fits, nothing_read};
use crate::header::in_pool;
use crate::recipe::PackedRow;
use crate::report::{by_reason, note};
use crate::utterance::write_lines;
use crate::{
    CorpusError, Entry, Harvest, HeaderReader, Manifest, PrepareOptions, PrepareReport, Presence,
    RawFile, RawTree, Utterance, corpus_name, entry, recipe, release,
};
use emobox_files::{FileError, try_write_atomic};
use std::path::{Path, PathBuf};

/// A manifest and the report on how it was made.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The folder that every `wav` is relative to.
    pub root: PathBuf,
    /// The utterances, sorted by key. The published order cannot be derived from a folder, so it is never imitated.
    pub manifest: Manifest,
    /// Missing, unmatched, broken, duplicated, left out.
    pub report: PrepareReport,
}

/// Reads the raw release of a registered corpus.
///
/// The result depends on the content of the folder alone, not on its order or the number of threads.
pub fn prepare(name: &str, raw: &Path, options: &PrepareOptions) -> Result<Prepared, CorpusError> {
    prepare_with(name, raw, options, &crate::header::probe)
}

/// As [`prepare`] with another reader for audio headers.
pub fn prepare_with(
    name: &str,
    raw: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
) -> Result<Prepared, CorpusError> {
    entry(name)?;
    prepare_any_with(name, raw, options, read_header)
}

/// Reads a registered corpus if `name` is one, otherwise the user's own corpus in `source`: a folder with a layout of
/// `CUSTOM_LAYOUT`, or a table whose paths are relative to its own folder.
///
/// Labels are used as written, or through `label_map.json` beside the table, which must then have every label. A row that
/// cannot be used (missing file, path outside the root, unknown label, duplicate key) is an error with its line number; with
/// `allow_missing`, missing files alone become entries of the report. `read_header` reads the headers of audio files.
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

/// As [`prepare_any_with`], but writes a manifest to `path`: only a part of the utterances is in memory at a time. Returns the
/// folder that every `wav` is relative to. After an error `path` is unchanged.
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
    let name = &corpus_name(name, options.custom)?;
    let entry = entry(name);
    if entry.is_err() {
        check_name(name)?;
    }
    let (root, report) = in_pool(options.threads, || match entry {
        Ok(entry) => prepare_entry(entry, source, options, read_header, sink),
        Err(_) => prepare_own(name, source, options, read_header, sink),
    })?;
    if report.utterances == 0 {
        return Err(CorpusError::NothingUsable {
            corpus: name.clone(),
            root,
            cause: report.cause_of_nothing(),
        });
    }
    Ok((root, report))
}

fn prepare_entry(
    entry: &Entry,
    raw: &Path,
    options: &PrepareOptions,
    read_header: &HeaderReader<'_>,
    sink: &mut Sink<'_>,
) -> Result<(PathBuf, PrepareReport), CorpusError> {
    let name = entry.card.name;
    let scanned = RawTree::scan(name, raw)?;
    let (tree, of_others) = release::set_apart(entry, scanned);
    let harvest = match Harvest::gather(entry, &tree) {
        Ok(harvest) if harvest.rows.is_empty() => {
            return Err(nothing_read(entry, &tree, &harvest));
        }
        // If the folder is another corpus's, that explains the missing side file best.
        Err(CorpusError::SideFileMissing { .. })
            if recipe::fitting_files(entry, tree.audio()) == 0 =>
        {
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
    let (missing_folders, surplus) = release::count(&entry.card, &harvest);
    report.missing_folders = missing_folders;
    report.notes.extend(surplus);
    if let Some(first) = harvest.unrated.first() {
        let count = harvest.unrated.len();
        report.notes.push(format!(
            "values of dimensions that cannot be used and are left out: {count}, the first: {first}"
        ));
    }
    report.contradictions = harvest
        .contradictions
        .iter()
        .map(|(path, message)| note(path, message))
        .collect();
    let mut left_out = harvest.left_out;
    left_out.extend(of_others);
    let rows = present_rows(harvest.rows, options, &mut left_out);
    report.left_out = by_reason(left_out);
    if !report.is_complete() && !options.allow_missing {
        let mut summary = report.missing_summary();
        let causes = report.likely_causes();
        if !causes.is_empty() {
            summary.push_str("\nand this is there, which may be why:\n");
            summary.push_str(&causes);
        }
        return Err(CorpusError::Incomplete {
            corpus: name.to_owned(),
            summary,
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
        vote_class: &|word| class_of(word).unwrap_or_else(|_| word.to_owned()),
        as_published: options.as_published,
        channel: options.channel,
        scale: card.scale,
    };
    let facts = utterances(&style, &tree, rows, read_header, &mut report, sink)?;
    report.notes.extend(facts.notes(tree.root()));
    report.notes.extend(release::altered(card, &facts, &report));
    Ok((tree.root().to_owned(), report))
}

/// Removes the rows that the chosen style leaves out, and records why.
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
