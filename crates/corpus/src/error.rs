use emobox_files::FileError;
use std::fmt;
use std::path::PathBuf;

/// Errors on the way from a raw folder to a partition. Messages read after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file could not be read, written or parsed.
    #[error(transparent)]
    File(#[from] FileError),

    /// A recording could not be decoded.
    #[error(transparent)]
    Audio(#[from] emobox_audio::AudioError),

    /// No corpus of that name is registered.
    #[error(
        "unknown corpus {name:?}{near}; registered are {known} (a corpus of your own has a name of your own)"
    )]
    UnknownCorpus {
        /// The name requested.
        name: String,
        /// ` (did you mean emodb?)`, or nothing.
        near: String,
        /// The registered names.
        known: String,
    },

    /// A name that is most likely a misspelled registered one.
    #[error(
        "corpus {name}: no corpus has this name; did you mean {near}? (--custom makes it a corpus of your own)"
    )]
    NearName {
        /// The name given.
        name: String,
        /// The registered one.
        near: &'static str,
    },

    /// A name for the user's own corpus that is not valid in keys and folder names.
    #[error(
        "corpus name {name:?}: use letters, digits, '-', '_' and '.', beginning with a letter or digit, at most 64"
    )]
    BadName {
        /// The name given.
        name: String,
    },

    /// Input that can be read in several ways, or that is most likely a mistake: the user is asked instead of guessing.
    #[error("corpus {corpus}: {problem}; {cure}")]
    Unclear {
        /// The corpus.
        corpus: String,
        /// What was found.
        problem: String,
        /// How to resolve it.
        cure: String,
    },

    /// No utterance is usable.
    #[error("corpus {corpus}: no utterance of {} can be used: {cause}", root.display())]
    NothingUsable {
        /// The corpus.
        corpus: String,
        /// The folder.
        root: PathBuf,
        /// The most frequent cause, and what to do.
        cause: String,
    },

    /// A table that is not a text file.
    #[error("{}: {found}, expected a table or JSON lines as text; {cure}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
        /// What to do.
        cure: &'static str,
    },

    /// A file of audio or rows that cannot be read.
    #[error("{}: {problem}", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// Several tables are beside the audio of a user's own corpus and none has a preferred name.
    #[error("corpus {corpus}: several tables in {}: {tables}; name the one to use, {}/FILE, in place of the folder", root.display(), root.display())]
    SeveralTables {
        /// The corpus.
        corpus: String,
        /// The folder.
        root: PathBuf,
        /// The tables.
        tables: String,
    },

    /// The raw folder does not exist or is not a folder.
    #[error("corpus {corpus}: {} is not a folder{}", root.display(), found.as_deref().map(|f| format!(" ({f})")).unwrap_or_default())]
    NotAFolder {
        /// The corpus.
        corpus: String,
        /// The path given.
        root: PathBuf,
        /// What the path is instead.
        found: Option<String>,
    },

    /// The raw folder has no audio at all.
    #[error("corpus {corpus}: no audio file below {} ({other_files} other files{}); expected\n{layout}", root.display(), packed(archives))]
    NoAudio {
        /// The corpus.
        corpus: String,
        /// The folder searched.
        root: PathBuf,
        /// Number of files of other kinds.
        other_files: usize,
        /// Archives among them.
        archives: Vec<String>,
        /// The expected layout, from the card.
        layout: String,
    },

    /// There is audio, but none of it belongs to the corpus.
    #[error(transparent)]
    WrongCorpus(Box<WrongCorpus>),

    /// Files that a complete release has are missing, and leaving them out was not requested.
    #[error(
        "corpus {corpus} is incomplete:\n{summary}\nfetch what is missing, or use --allow-missing to go on without it"
    )]
    Incomplete {
        /// The corpus.
        corpus: String,
        /// What is missing, by folder.
        summary: String,
    },

    /// A side file with labels is missing.
    #[error("corpus {corpus}: side file {wanted} not found below {}{}", root.display(), also(candidates))]
    SideFileMissing {
        /// The corpus.
        corpus: String,
        /// The relative path (or alternatives) searched for.
        wanted: String,
        /// The folder searched.
        root: PathBuf,
        /// Existing files with the same extension.
        candidates: Vec<String>,
    },

    /// A side table lacks columns that the recipe needs.
    #[error("{}: columns expected: {}; found: {}; missing: {}", path.display(), expected.join(", "), found.join(", "), missing.join(", "))]
    Columns {
        /// The table.
        path: PathBuf,
        /// Column names required.
        expected: Vec<String>,
        /// Column names found.
        found: Vec<String>,
        /// The difference.
        missing: Vec<String>,
    },

    /// Lines of a file that cannot be used, each with what was expected.
    #[error("{}: {}", path.display(), line_list(problems))]
    Lines {
        /// The file.
        path: PathBuf,
        /// Line numbers from 1, with the problem of each.
        problems: Vec<LineProblem>,
    },

    /// A partition that cannot be made as requested.
    #[error("corpus {corpus}: no {scheme} partition: {reason}")]
    NoPartition {
        /// The corpus.
        corpus: String,
        /// The scheme requested.
        scheme: String,
        /// Why, and what to do instead.
        reason: String,
    },

    /// A partition that was not made for the manifest.
    #[error("the partition does not fit the manifest of {corpus}: {reason}")]
    PartitionMismatch {
        /// The corpus.
        corpus: String,
        /// The first difference.
        reason: String,
    },

    /// A balanced test set whose cells cannot be filled.
    #[error("corpus {corpus}: {} cells cannot be filled with {wanted} utterances each: {}", shortfalls.len(), shortfalls.join("; "))]
    Shortfall {
        /// The corpus.
        corpus: String,
        /// Utterances wanted in a cell.
        wanted: usize,
        /// Each cell that falls short, with what it has.
        shortfalls: Vec<String>,
    },
}

/// A folder whose audio belongs to another corpus, or to none.
#[derive(Debug, thiserror::Error)]
#[error(
    "corpus {corpus}: none of the {audio_files} audio files below {} fits its layout (the first is {example:?}); {}; expected\n{layout}",
    root.display(),
    looks_like(looks_like_corpora)
)]
pub struct WrongCorpus {
    /// The corpus requested.
    pub corpus: String,
    /// The folder searched.
    pub root: PathBuf,
    /// Number of audio files in it.
    pub audio_files: usize,
    /// One of them.
    pub example: String,
    /// Registered corpora whose layout fits, best first, with the number of files that fit.
    pub looks_like_corpora: Vec<(String, usize)>,
    /// The expected layout, from the card.
    pub layout: String,
}

/// One line of a table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LineProblem {
    /// Line number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// How many problems of one kind a message lists.
pub(crate) const SHOWN: usize = 10;

fn line_list(problems: &[LineProblem]) -> String {
    let mut shown: Vec<_> = problems
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if problems.len() > SHOWN {
        shown.push(format!("and {} more lines", problems.len() - SHOWN));
    }
    shown.join("; ")
}

fn looks_like(found: &[(String, usize)]) -> String {
    match found {
        [] => "it looks like no registered corpus".to_owned(),
        [(name, n), rest @ ..] => {
            let mut text = format!("it looks like {name} ({n} files fit)");
            for (name, n) in rest.iter().take(2) {
                text.push_str(&format!(" or {name} ({n})"));
            }
            text
        }
    }
}

fn packed(archives: &[String]) -> String {
    match archives {
        [] => String::new(),
        _ => format!(", among them {}: unpack it first", archives.join(", ")),
    }
}

fn also(candidates: &[String]) -> String {
    if candidates.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = candidates.iter().take(SHOWN).cloned().collect();
    format!(" (files of that kind there: {})", shown.join(", "))
}
