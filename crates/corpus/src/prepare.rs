use crate::assemble::{Sink, Style, utterances};
use crate::custom::{check_name, prepare_own};
use crate::header::in_pool;
use crate::recipe::PackedRow;
use crate::utterance::write_lines;
use crate::{
    CorpusError, Entry, Harvest, HeaderReader, LeftOut, Manifest, Noted, PrepareReport, Presence,
    RawFile, RawTree, Utterance, WrongCorpus, corpus_name, entry, recipe, registry, release,
};
use emobox_files::{FileError, try_write_atomic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How a raw folder is read.
#[derive(Debug, Clone, Default)]
pub struct PrepareOptions {
    /// Give the published value where the published metadata differ from what is right (speakers, labels, rows).
    pub as_published: bool,
    /// Go on when files of the release are missing, and report them.
    pub allow_missing: bool,
    /// Threads that read audio headers; none means all cores.
    pub threads: Option<usize>,
    /// The channel taken of every file; none means what the corpus says, else the first.
    pub channel: Option<ChannelChoice>,
    /// The column of a table for each of path, label, speaker and so on, where its name does not tell.
    pub columns: BTreeMap<String, String>,
    /// It is a corpus of the user's own, whatever its name and its files look like, and its labels and speakers are
    /// right as they are written.
    pub custom: bool,
    /// Where audio that lies inside Parquet tables or tar shards is unpacked to; what is there is replaced.
    pub unpack: Option<PathBuf>,
}

/// Which channel of every file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelChoice {
    /// The mean of all.
    Mix,
    /// This one, from 1.
    Number(u16),
}

impl FromStr for ChannelChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("mix", _) => Ok(Self::Mix),
            (_, Ok(number)) if number > 0 => Ok(Self::Number(number)),
            _ => Err(format!(
                "channel {text:?}; known are mix and the numbers from 1"
            )),
        }
    }
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
/// `CUSTOM_LAYOUT` says, or a table whose paths are relative to its own folder.
///
/// Labels are taken as written, or through `label_map.json` beside the table, in which every label must then occur. A row
/// that cannot be used (file missing, path that climbs out, unknown label, key twice) fails with its line number;
/// `allow_missing` turns missing files alone into an entry of the report. `read_header` reads the headers of audio files.
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

/// As [`prepare_any_with`] straight into a manifest at `path`: only a part of the utterances is in memory at
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
        // A side file that is absent from a folder of another corpus is best explained by the other corpus.
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

pub(crate) fn note(path: &str, message: &str) -> Noted {
    Noted {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

/// The error for a folder of which a recipe has made nothing: another corpus's audio, or the corpus's own without the
/// side file that belongs to it.
fn nothing_read(entry: &Entry, tree: &RawTree, harvest: &Harvest<'_>) -> CorpusError {
    let fitting = recipe::fitting_files(entry, tree.audio());
    if fitting == 0 || !harvest.left_out.is_empty() {
        return nothing_fits(entry, tree);
    }
    let first = harvest.contradictions.first();
    let cause = match first {
        Some((path, message)) => format!("{path}: {message}"),
        None => {
            "the release's own list does not have them; it is most likely that of another edition"
                .to_owned()
        }
    };
    CorpusError::NothingUsable {
        corpus: entry.card.name.to_owned(),
        root: tree.root().to_owned(),
        cause: format!("{fitting} audio files are named as the corpus names them, but {cause}"),
    }
}

fn nothing_fits(entry: &Entry, tree: &RawTree) -> CorpusError {
    fits_nothing(entry.card.name, tree, entry.card.layout)
}

/// The error for a folder in which nothing fits a corpus: no audio at all, or that of another one.
pub(crate) fn fits_nothing(corpus: &str, tree: &RawTree, layout: &str) -> CorpusError {
    let (corpus, layout) = (corpus.to_owned(), layout.to_owned());
    let root = tree.root().to_owned();
    let Some(example) = tree.audio().next() else {
        let is_archive = |file: &&RawFile| {
            let known = ["zip", "tar", "gz", "tgz", "xz", "bz2", "rar", "7z"];
            known.contains(&file.extension().as_str())
        };
        let archives = tree.files().iter().filter(is_archive);
        return CorpusError::NoAudio {
            corpus,
            root,
            other_files: tree.files().len(),
            archives: archives.map(|file| file.path().to_owned()).collect(),
            layout,
        };
    };
    let others = looks_like(tree)
        .into_iter()
        .filter(|(name, _)| *name != corpus);
    CorpusError::WrongCorpus(Box::new(WrongCorpus {
        root,
        audio_files: tree.audio().count(),
        example: example.path().to_owned(),
        looks_like_corpora: others.collect(),
        corpus,
        layout,
    }))
}

/// The registered corpora whose grammar fits files of the tree, best first.
pub fn looks_like(tree: &RawTree) -> Vec<(String, usize)> {
    let counts = registry().iter().map(|entry| {
        (
            entry.card.name.to_owned(),
            recipe::fitting_files(entry, tree.audio()),
        )
    });
    let mut found: Vec<(String, usize)> = counts.filter(|(_, n)| *n > 0).collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
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
