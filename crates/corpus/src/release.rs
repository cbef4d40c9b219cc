//! Whether a folder has the whole release of a registered corpus, and only that.

use crate::assemble::AudioFacts;
use crate::recipe::{PackedRow, fitting_files};
use crate::{
    Card, Entry, Harvest, MissingFolder, PrepareReport, Presence, RawFile, RawTree, registry,
};
use rayon::prelude::*;
use regex::Regex;
use std::collections::BTreeMap;

/// Why a file that fits the corpus is skipped.
const OF_ANOTHER: &str = "lies in a folder whose files are those of another corpus";

/// The tree without the folders of other registered corpora, if several are side by side below one root: some names of one
/// (`10a02Na.wav`) fit the grammar of another. Also returns the audio files left out.
pub(crate) fn set_apart(entry: &Entry, tree: RawTree) -> (RawTree, Vec<(String, &'static str)>) {
    let mut folders: BTreeMap<&str, Vec<&RawFile>> = BTreeMap::new();
    for file in tree.audio() {
        if let Some((folder, _)) = file.composed().split_once('/') {
            folders.entry(folder).or_default().push(file);
        }
    }
    if folders.len() < 2 {
        return (tree, Vec::new());
    }
    let is_foreign = |files: &[&RawFile]| {
        let own = fitting_files(entry, files.iter().copied());
        // A folder whose files mostly fit belongs to the corpus; one without fitting files does not matter.
        own > 0
            && 2 * own < files.len()
            && registry()
                .iter()
                .any(|other| 10 * fitting_files(other, files.iter().copied()) >= 9 * files.len())
    };
    let foreign: Vec<String> = folders
        .iter()
        .filter(|(_, files)| is_foreign(files))
        .map(|(folder, _)| format!("{folder}/"))
        .collect();
    if foreign.is_empty() {
        return (tree, Vec::new());
    }
    let is_in = |file: &RawFile| {
        foreign
            .iter()
            .any(|folder| file.composed().starts_with(folder))
    };
    let left_out = tree.audio().filter(|file| is_in(file));
    let left_out = left_out
        .map(|file| (file.path().to_owned(), OF_ANOTHER))
        .collect();
    (tree.without(is_in), left_out)
}

/// Folders with fewer files than the card expects; and, as a note, files in excess.
///
/// If a folder of the card is absent, files that are in none of its folders count for it: copies of a release may have other
/// folder names, or none.
pub(crate) fn count(card: &Card, harvest: &Harvest<'_>) -> (Vec<MissingFolder>, Option<String>) {
    // A duplicate file counts no more than a second segment of a file, and rows that were never published are not expected.
    let published = |row: &PackedRow| !matches!(row.presence, Presence::NotAsPublished(_));
    let rows = harvest.rows.iter().filter(|(_, row)| published(row));
    let mut ids: Vec<(&str, &RawFile)> = rows.map(|(file, row)| (row.id(), *file)).collect();
    ids.par_sort_by(|a, b| a.0.cmp(b.0));
    ids.dedup_by(|a, b| a.0 == b.0);
    let mut known: Vec<&RawFile> = ids.into_iter().map(|(_, file)| file).collect();
    known.extend(&harvest.expected_left_out);
    known.sort_unstable_by_key(|file| file.index());
    known.dedup_by_key(|file| file.index());
    // Files of one folder are adjacent, and are below the same folders.
    let folders: Vec<&[&RawFile]> = known.chunk_by(|a, b| a.folder() == b.folder()).collect();
    let below = |folder: &str| -> usize {
        let below = folders.iter().filter(|files| files[0].is_below(folder));
        below.map(|files| files.len()).sum()
    };
    let outside = folders.iter().filter(|files| {
        let inside = card
            .expected
            .iter()
            .any(|(folder, _)| files[0].is_below(folder));
        !inside
    });
    let mut outside: usize = outside.map(|files| files.len()).sum();
    let mut missing = Vec::new();
    let mut absent = Vec::new();
    for &(folder, expected) in card.expected {
        let (found, expected) = (below(folder), expected as usize);
        let folder = folder.to_owned();
        match found {
            0 if outside > 0 => absent.push((folder, expected)),
            _ if found < expected => missing.push(MissingFolder {
                folder,
                expected,
                found,
            }),
            _ => {}
        }
    }
    let expected: usize = absent.iter().map(|(_, n)| n).sum();
    if outside < expected {
        let names: Vec<&str> = absent.iter().map(|(folder, _)| folder.as_str()).collect();
        let all = absent.len() == card.expected.len();
        missing.push(MissingFolder {
            folder: if all { String::new() } else { names.join(", ") },
            expected,
            found: outside,
        });
    }
    outside = outside.saturating_sub(expected);
    (missing, surplus(card, known.len(), outside))
}

fn surplus(card: &Card, found: usize, outside: usize) -> Option<String> {
    let expected: usize = card.expected.iter().map(|(_, n)| *n as usize).sum();
    let beyond = found.saturating_sub(expected);
    (expected > 0 && beyond > 0).then(|| {
        let where_ = match outside {
            0 => "",
            _ => ", some of them outside of its folders",
        };
        format!("{found} audio files are of the corpus where the release has {expected}{where_}")
    })
}

/// Table 1 gives hours to one decimal, and releases differ from it by a tenth or two.
const HOURS: f64 = 0.1;
/// Long corpora differ by several per cent.
const SHARE: f64 = 0.12;

/// Signs that the audio is not as released: other sample rates, another total length.
pub(crate) fn altered(card: &Card, facts: &AudioFacts, report: &PrepareReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(rate) = released_rate(card.audio) {
        let others = facts.rates.iter().filter(|(found, _)| **found != rate);
        let others: Vec<String> = others
            .map(|(rate, n)| format!("{n} files at {rate} Hz"))
            .collect();
        if !others.is_empty() {
            notes.push(format!(
                "the audio is not as released: the release is at {rate} Hz, here are {}",
                others.join(", ")
            ));
        }
    }
    let (hours, released) = (report.seconds / 3600.0, card.table1.hours);
    let whole = report.is_complete()
        && report.broken.is_empty()
        && report.not_now.is_empty()
        && report.left_out.is_empty();
    if whole && (hours - released).abs() > HOURS.max(SHARE * released) && released > 0.0 {
        notes.push(format!(
            "the audio is not as released: {hours:.2} h in all where the release has {released:.1} h"
        ));
    }
    notes
}

/// The sample rate in a card's `audio`, if it gives one.
fn released_rate(audio: &str) -> Option<u32> {
    // The pattern is constant and compiles.
    let pattern = Regex::new(r"(\d+(?:\.\d+)?) kHz").ok()?;
    let mut rates = pattern.captures_iter(audio);
    let first: f64 = rates.next()?[1].parse().ok()?;
    rates
        .next()
        .is_none()
        .then_some((first * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_a_release_is_read_from_its_card() {
        assert_eq!(released_rate("wav, 16 kHz, 16 bit, mono"), Some(16_000));
        assert_eq!(released_rate("wav, 22.05 kHz"), Some(22_050));
        assert_eq!(released_rate("mp4; 44.1 kHz, some 48 kHz"), None);
    }
}
