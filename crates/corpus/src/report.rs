use crate::Utterance;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How many examples a printed section shows. The JSON form lists all.
const SHOWN: usize = 8;

/// The result of `prepare` for a raw folder, besides the manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PrepareReport {
    /// The corpus.
    pub corpus: String,
    /// Utterances in the manifest.
    pub utterances: usize,
    /// Their total length in seconds.
    pub seconds: f64,
    /// Their distinct speakers.
    pub speakers: usize,
    /// Utterances by harmonised class.
    pub classes: BTreeMap<String, usize>,
    /// Folders with fewer audio files than a complete release has.
    pub missing_folders: Vec<MissingFolder>,
    /// Audio files that a side file names and the tree lacks.
    pub missing_files: Vec<Noted>,
    /// Audio files that fit no rule of the corpus.
    pub unmatched: Vec<String>,
    /// Files that fit the rules but contradict themselves.
    pub contradictions: Vec<Noted>,
    /// Files whose audio cannot be used.
    pub broken: Vec<Noted>,
    /// Files that cannot be read for a reason outside them: a missing program, a permission, a disk that is not mounted.
    pub not_now: Vec<Noted>,
    /// Keys that several files claim; the first file by path is kept.
    pub duplicated: Vec<Duplicate>,
    /// What the corpus leaves out by rule, by reason.
    pub left_out: Vec<LeftOut>,
    /// Folders or links that could not be listed.
    pub unreadable: Vec<Noted>,
    /// Choices between several ways to read the input, and differences from the release: valid, not skipped, but worth knowing.
    pub notes: Vec<String>,
}

/// A folder with too few files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingFolder {
    /// The folder; empty for the whole corpus.
    pub folder: String,
    /// Audio files in a complete release.
    pub expected: usize,
    /// Audio files there.
    pub found: usize,
}

/// A path and a message about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noted {
    /// The path, relative to the corpus root.
    pub path: String,
    /// The message.
    pub message: String,
}

/// A key that several files claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// The file in the manifest.
    pub kept: String,
    /// The files that are not in the manifest.
    pub dropped: Vec<String>,
}

/// Items left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The items, in order.
    pub items: Vec<String>,
}

impl PrepareReport {
    /// Counts an utterance of the manifest; its speaker is counted elsewhere.
    pub(crate) fn count(&mut self, utterance: &Utterance) {
        self.utterances += 1;
        self.seconds += utterance.length;
        match self.classes.get_mut(&utterance.label) {
            Some(count) => *count += 1,
            None => drop(self.classes.insert(utterance.label.clone(), 1)),
        }
    }

    /// Whether all files of a complete release are there.
    pub fn is_complete(&self) -> bool {
        self.missing_folders.is_empty() && self.missing_files.is_empty()
    }

    /// Number of skipped items that a user should know of: missing, unmatched, contradictory, broken, duplicated or unreadable.
    /// Items left out by rule are not counted.
    pub fn skipped(&self) -> usize {
        let missing: usize = self
            .missing_folders
            .iter()
            .map(|m| m.expected - m.found)
            .sum();
        let duplicated: usize = self.duplicated.iter().map(|d| d.dropped.len()).sum();
        // A missing file that a side file names is also missing from its folder's count.
        missing.max(self.missing_files.len())
            + self.unmatched.len()
            + self.contradictions.len()
            + self.broken.len()
            + self.not_now.len()
            + duplicated
            + self.unreadable.len()
    }

    /// Whether [`PrepareReport::skipped`] is above zero.
    pub fn has_skipped(&self) -> bool {
        self.skipped() > 0
    }

    /// Why no utterance is usable, and what to do.
    pub(crate) fn cause_of_nothing(&self) -> String {
        let mut messages: BTreeMap<&str, usize> = BTreeMap::new();
        let unusable = || {
            let broken = self.broken.iter().chain(&self.not_now);
            broken.chain(&self.contradictions)
        };
        for noted in unusable() {
            *messages.entry(&noted.message).or_default() += 1;
        }
        let most = messages.iter().max_by_key(|(_, n)| **n);
        match most {
            Some((message, _)) if message.contains("Git LFS pointer") => {
                "the files are Git LFS pointers, not the audio; fetch it with `git lfs pull`"
                    .to_owned()
            }
            Some((message, n)) => {
                let all = unusable().count();
                format!("{n} of {all} files: {message}")
            }
            None => "nothing is listed".to_owned(),
        }
    }

    /// What is missing, one line per folder, then the files named by side files.
    pub fn missing_summary(&self) -> String {
        let folder = |m: &MissingFolder| {
            let place = if m.folder.is_empty() {
                "in all".to_owned()
            } else {
                format!("{}/", m.folder)
            };
            format!(
                "  {place}: {} of {} audio files, {} missing",
                m.found,
                m.expected,
                m.expected - m.found
            )
        };
        let mut lines: Vec<String> = self.missing_folders.iter().map(folder).collect();
        for noted in self.missing_files.iter().take(SHOWN) {
            lines.push(format!("  {} ({})", noted.path, noted.message));
        }
        if self.missing_files.len() > SHOWN {
            lines.push(format!(
                "  and {} more files",
                self.missing_files.len() - SHOWN
            ));
        }
        lines.join("\n")
    }

    /// Files and folders that are there but unusable, and may be the missing ones: unreadable folders, files that fit no rule.
    pub fn likely_causes(&self) -> String {
        let mut lines = Vec::new();
        for noted in self.unreadable.iter().take(SHOWN) {
            lines.push(format!(
                "  could not be listed: {}: {}",
                noted.path, noted.message
            ));
        }
        if let Some(first) = self.unmatched.first() {
            let more = self.unmatched.len();
            lines.push(format!(
                "  {more} audio files fit no rule of the corpus, the first is {first}"
            ));
        }
        if let Some(first) = self.contradictions.first() {
            let more = self.contradictions.len();
            lines.push(format!(
                "  {more} contradict themselves, the first is {}: {}",
                first.path, first.message
            ));
        }
        lines.join("\n")
    }
}

impl fmt::Display for PrepareReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: Vec<String> = self
            .classes
            .iter()
            .map(|(class, n)| format!("{class} {n}"))
            .collect();
        writeln!(
            f,
            "{}: {}, {:.2} h, {}; {}",
            self.corpus,
            emobox_files::counted(self.utterances, "utterance"),
            self.seconds / 3600.0,
            emobox_files::counted(self.speakers, "speaker"),
            classes.join(", ")
        )?;
        for left_out in &self.left_out {
            writeln!(
                f,
                "left out by rule: {} ({})",
                left_out.count, left_out.reason
            )?;
        }
        if !self.is_complete() {
            writeln!(f, "missing:\n{}", self.missing_summary())?;
        }
        let plain = |path: &String| path.clone();
        section(f, "broken audio", &self.broken, noted)?;
        section(f, "cannot be read now", &self.not_now, noted)?;
        section(f, "fits no rule of the corpus", &self.unmatched, plain)?;
        section(f, "contradicts itself", &self.contradictions, noted)?;
        section(f, "key claimed by several files", &self.duplicated, |d| {
            format!(
                "{}: kept {}, dropped {}",
                d.key,
                d.kept,
                d.dropped.join(", ")
            )
        })?;
        section(f, "could not be listed", &self.unreadable, noted)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn noted(noted: &Noted) -> String {
    format!("{}: {}", noted.path, noted.message)
}

fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: &[T],
    text: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}: {}", items.len())?;
    for item in items.iter().take(SHOWN) {
        writeln!(f, "  {}", text(item))?;
    }
    if items.len() > SHOWN {
        writeln!(f, "  and {} more", items.len() - SHOWN)?;
    }
    Ok(())
}

pub(crate) fn note(path: &str, message: &str) -> Noted {
    Noted {
        path: path.to_owned(),
        message: message.to_owned(),
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
