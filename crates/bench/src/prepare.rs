use crate::named::Reading;
use crate::{BenchError, CallError, Context, CorpusChoice, Home, Stage};
use emobox_corpus::{Manifest, PrepareOptions, Utterance, corpus_name, prepare_to};
use emobox_files::{FileError, Sha256, read_json, sha256_file, sha256_parts, write_json};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A prepared corpus: the location of its audio, and its utterances.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Its name.
    pub name: String,
    /// The folder that the manifest's paths are relative to.
    pub root: PathBuf,
    /// Its utterances.
    pub manifest: Manifest,
    /// The digest of the manifest.
    pub digest: Sha256,
    /// Utterances or files that were skipped while preparing.
    pub skipped: usize,
    by_key: HashMap<String, usize>,
}

impl Corpus {
    fn new(name: &str, root: impl Into<PathBuf>, manifest: Manifest, skipped: usize) -> Self {
        let keys = manifest.utterances.iter().map(|u| u.key.clone());
        Self {
            name: name.to_owned(),
            root: root.into(),
            digest: manifest.digest(),
            skipped,
            by_key: keys.zip(0..).collect(),
            manifest,
        }
    }

    /// The corpus that [`prepare`] reported.
    pub fn prepared(home: &Home, record: &PrepareRecord) -> Result<Self, BenchError> {
        let manifest = Manifest::read(home.manifest(&record.corpus))?;
        let (name, root) = (&record.corpus, &record.root);
        Ok(Self::new(name, root, manifest, record.skipped))
    }

    /// Utterances from elsewhere, below `root`: a part of a prepared corpus, a manifest of another program.
    pub fn of(manifest: Manifest, root: impl Into<PathBuf>) -> Self {
        let name = manifest.corpus.clone();
        Self::new(&name, root, manifest, 0)
    }

    /// The same recordings with another manifest: fewer of them, or other classes.
    pub(crate) fn with_manifest(&self, manifest: Manifest) -> Self {
        Self::new(&self.name, &self.root, manifest, self.skipped)
    }

    /// Seconds of audio.
    pub(crate) fn seconds(&self) -> f64 {
        self.manifest.utterances.iter().map(|u| u.length).sum()
    }

    /// The utterance of a key.
    pub fn utterance(&self, key: &str) -> Option<&Utterance> {
        self.by_key
            .get(key)
            .map(|&index| &self.manifest.utterances[index])
    }
}

/// `prepare.json`: the origin of a manifest, so that the same call need not make it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrepareRecord {
    /// Format version, 1.
    pub schema: u32,
    /// The corpus.
    pub corpus: String,
    /// The folder that the manifest's paths are relative to.
    pub root: PathBuf,
    /// Whether published values were used where they differ from the correct ones.
    pub as_published: bool,
    /// Whether an incomplete release was accepted.
    pub allow_missing: bool,
    /// The other settings with which the folder was read.
    #[serde(default)]
    pub reading: Reading,
    /// Digest of the list of files (path, size, modification time) that was read.
    pub listing: Sha256,
    /// The program that made it: another version may have better rules.
    pub program_version: String,
    /// Digest of the manifest.
    pub manifest: Sha256,
    /// Files or rows that were skipped unexpectedly, or expected and missing.
    pub skipped: usize,
    /// The report as JSON.
    pub report: serde_json::Value,
    /// The report for people.
    pub summary: String,
}

/// How raw corpora are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrepareHow {
    /// Go on when files of the release are missing.
    pub allow_missing: bool,
    /// Use published values where they differ from the correct ones.
    pub as_published: bool,
}

/// Makes the manifest of a corpus in `home`, replacing an existing one. [`Corpus::prepared`] reads it.
///
/// A name that is not registered is a custom corpus: a folder for each emotion, a CSV or a JSONL.
pub fn prepare(
    home: &Home,
    name: &str,
    raw: &Path,
    how: PrepareHow,
    context: Context<'_>,
) -> Result<PrepareRecord, BenchError> {
    prepare_as(home, name, raw, how, &Reading::default(), context)
}

/// Like [`prepare`], with settings for this corpus.
pub fn prepare_as(
    home: &Home,
    name: &str,
    raw: &Path,
    how: PrepareHow,
    reading: &Reading,
    context: Context<'_>,
) -> Result<PrepareRecord, BenchError> {
    let name = &corpus_name(name, reading.custom)?;
    let parse = |text: &str| {
        let wrong = |_| CallError::value("channel", text, "mix or a number from 1");
        text.parse().map_err(wrong)
    };
    let channel = reading.channel.as_deref().map(parse).transpose()?;
    let raw = std::fs::canonicalize(raw).map_err(|e| FileError::io("open", raw, e))?;
    let listing = listing_digest(&raw)?;
    let (record_path, manifest) = (home.prepare_report(name), home.manifest(name));
    context.progress.begin(&Stage {
        label: format!("reading {name}"),
        total: 1,
        unit: "corpora",
        already: 0,
    });
    let options = PrepareOptions {
        as_published: how.as_published,
        allow_missing: how.allow_missing,
        threads: Some(rayon::current_num_threads()),
        channel,
        columns: reading.columns.clone(),
        custom: reading.custom,
        unpack: manifest.parent().map(|folder| folder.join("audio")),
    };
    let prepared = prepare_to(name, &raw, &options, &manifest);
    context.progress.advance(1);
    context.progress.end();
    let (root, report) = prepared?;
    let record = PrepareRecord {
        schema: 1,
        corpus: name.to_owned(),
        root,
        as_published: how.as_published,
        allow_missing: how.allow_missing,
        reading: reading.clone(),
        listing,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        // The lines are sorted by key, so this is also the digest of the manifest.
        manifest: sha256_file(&manifest)?,
        skipped: report.skipped(),
        summary: report.to_string(),
        report: serde_json::to_value(report).unwrap_or_default(),
    };
    write_json(&record_path, &record)?;
    Ok(record)
}

/// The corpus of an earlier [`prepare`].
pub fn open_corpus(home: &Home, name: &str) -> Result<Corpus, BenchError> {
    // A custom corpus may have been prepared under a name that looks like a registered one.
    let written = home.prepare_report(name);
    let path = match corpus_name(name, false) {
        Ok(name) if !written.exists() => home.prepare_report(&name),
        _ => written,
    };
    if !path.exists() {
        return Err(BenchError::NotPrepared {
            corpus: name.to_owned(),
            home: home.root().to_owned(),
        });
    }
    Corpus::prepared(home, &read_json(&path)?)
}

/// The record of a corpus that is prepared from these raw files in their current state, if reading them again could
/// not improve it.
fn current(
    home: &Home,
    choice: &CorpusChoice,
    how: PrepareHow,
) -> Result<Option<PrepareRecord>, BenchError> {
    let path = home.prepare_report(&choice.name);
    let Ok(record) = read_json::<PrepareRecord>(&path) else {
        return Ok(None);
    };
    let manifest = home.manifest(&choice.name);
    let is_same = record.as_published == how.as_published
        && record.allow_missing == how.allow_missing
        && record.reading == choice.reading()
        && record.program_version == env!("CARGO_PKG_VERSION")
        && sha256_file(&manifest).is_ok_and(|digest| digest == record.manifest);
    let Some(raw) = choice.raw.as_ref().filter(|_| is_same) else {
        return Ok((is_same || choice.raw.is_none()).then_some(record));
    };
    if !raw.exists() {
        // Finished work stays finished without its raw files.
        return Ok(Some(record));
    }
    let raw = std::fs::canonicalize(raw).map_err(|e| FileError::io("open", raw, e))?;
    let is_current = record.listing == listing_digest(&raw)? && !record.has_trouble();
    Ok(is_current.then_some(record))
}

/// Whether a corpus need not be prepared again.
pub(crate) fn is_current(home: &Home, choice: &CorpusChoice, how: PrepareHow) -> bool {
    matches!(current(home, choice, how), Ok(Some(_)))
}

/// Prepares a corpus of an experiment, unless it is prepared from the same files.
///
/// # Errors
/// [`BenchError::RawAbsent`] without its raw folder, [`BenchError::NotPrepared`] if none is named,
/// [`BenchError::NotNow`] if files cannot be read for a reason that may pass, and [`BenchError::MostBroken`] if
/// most cannot be used.
pub fn prepare_choice(
    home: &Home,
    choice: &CorpusChoice,
    how: PrepareHow,
    skip_absent: bool,
    context: Context<'_>,
) -> Result<PrepareRecord, BenchError> {
    let corpus = &choice.name;
    if let Some(record) = current(home, choice, how)? {
        return record.judged();
    }
    let Some(raw) = &choice.raw else {
        return Err(BenchError::NotPrepared {
            corpus: corpus.clone(),
            home: home.root().to_owned(),
        });
    };
    if !raw.exists() {
        return Err(BenchError::RawAbsent {
            corpus: corpus.clone(),
            raw: raw.clone(),
            skipped: skip_absent,
        });
    }
    prepare_as(home, corpus, raw, how, &choice.reading(), context)?.judged()
}

impl PrepareRecord {
    /// Whether files were left out that another reading may be able to use.
    fn has_trouble(&self) -> bool {
        ["not_now", "unreadable"]
            .iter()
            .any(|section| !self.noted(section).is_empty())
    }

    /// A benchmark on whatever happened to be usable would be one on another corpus.
    fn judged(self) -> Result<Self, BenchError> {
        let unread = self.noted("not_now");
        if let Some(first) = unread.first() {
            return Err(BenchError::NotNow {
                corpus: self.corpus,
                files: unread.len(),
                first: first.clone(),
            });
        }
        let broken = self.noted("broken");
        let usable = self.report["utterances"].as_u64().unwrap_or(0);
        let usable = usize::try_from(usable).unwrap_or(0);
        match broken.first() {
            Some(first) if broken.len() > usable => Err(BenchError::MostBroken {
                corpus: self.corpus,
                broken: broken.len(),
                of: broken.len() + usable,
                first: first.clone(),
            }),
            _ => Ok(self),
        }
    }

    /// The messages of a section of the report.
    fn noted(&self, section: &str) -> Vec<String> {
        let notes = self.report[section].as_array().into_iter().flatten();
        notes
            .map(|note| format!("{}: {}", text(&note["path"]), text(&note["message"])))
            .collect()
    }
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Digest of what is below `raw`: names, sizes and modification times, not contents.
fn listing_digest(raw: &Path) -> Result<Sha256, BenchError> {
    let root = if raw.is_dir() {
        raw
    } else {
        raw.parent().unwrap_or(raw)
    };
    let walk = walkdir::WalkDir::new(root).follow_links(true);
    let lines = walk.sort_by_file_name().into_iter().filter_map(|entry| {
        // The recipe reports what cannot be listed now; here it only must not look unchanged later.
        let Ok(entry) = entry else {
            return Some("unreadable\n".to_owned());
        };
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |duration| duration.as_nanos());
        let path = entry.path().display();
        Some(format!("{path}\t{}\t{changed}\n", metadata.len()))
    });
    let first = std::iter::once(format!("{}\n", raw.display()));
    Ok(sha256_parts(first.chain(lines)))
}
