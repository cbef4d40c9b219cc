//! Errors for a folder that does not fit its corpus.

use crate::error::WrongCorpus;
use crate::recipe::{self, Entry, Harvest};
use crate::{CorpusError, RawFile, RawTree, registry};

/// The error for a folder from which a recipe made no rows: audio of another corpus, or the corpus's own without its side file.
pub(crate) fn nothing_read(entry: &Entry, tree: &RawTree, harvest: &Harvest<'_>) -> CorpusError {
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

pub(crate) fn nothing_fits(entry: &Entry, tree: &RawTree) -> CorpusError {
    fits_nothing(entry.card.name, tree, entry.card.layout)
}

/// The error for a folder in which nothing belongs to a corpus: no audio at all, or that of another one.
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
