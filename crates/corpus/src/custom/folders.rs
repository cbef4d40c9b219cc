use super::emotions::{names_an_emotion, words};
use super::{Gathered, not_custom, parts};
use crate::{CorpusError, Duplicate, RawFile, RawTree, Row};
use emobox_files::{Sha256, sha256_file};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Words in folder names that indicate neither speaker nor emotion.
const OF_NO_ACCOUNT: [&str; 21] = [
    "audio",
    "batch",
    "cd",
    "chunk",
    "clips",
    "data",
    "disc",
    "files",
    "folder",
    "high",
    "intensity",
    "level",
    "low",
    "part",
    "raw",
    "take",
    "text",
    "vol",
    "volume",
    "wav",
    "wavs",
];
/// Words that, with a number, name people or sessions.
const PEOPLE: [&str; 14] = [
    "actor",
    "female",
    "id",
    "male",
    "p",
    "participant",
    "person",
    "s",
    "session",
    "speaker",
    "spk",
    "sub",
    "subject",
    "user",
];
/// How many folder names a message lists.
const SHOWN: usize = 4;

/// A file and the folders above it, without those common to all files.
struct Place<'a> {
    file: &'a RawFile,
    folders: Vec<&'a str>,
    /// The part, if its folder is the outermost.
    split: Option<&'a str>,
}

/// What the folders at each depth stand for.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    label: usize,
    speaker: Option<usize>,
    split: Option<usize>,
}

/// One folder per emotion, above or below one folder per speaker, and optionally below `train`, `valid` and `test`. Names and
/// repetition decide which folders are the emotions; if they do not, this is an error, not a guess. `map` has the raw labels of
/// `label_map.json`, which are then the allowed names of emotions.
pub(super) fn gather<'a>(
    name: &str,
    tree: &'a RawTree,
    map: Option<&BTreeMap<String, String>>,
    custom: bool,
) -> Result<Gathered<'a>, CorpusError> {
    let files: Vec<&RawFile> = tree.audio().collect();
    let mut gathered = Gathered::default();
    let known = |folder: &str| match map {
        Some(map) => map.contains_key(folder),
        None => names_an_emotion(folder),
    };
    let files = without_copies(name, tree, files, &known, &mut gathered)?;
    let top = common_folder(&files);
    let mut places = Vec::new();
    for file in files {
        let mut folders: Vec<&str> = file.composed().split('/').skip(top).collect();
        folders.pop();
        if folders.is_empty() {
            gathered.unmatched.push(file.path().to_owned());
        } else {
            places.push(Place {
                file,
                folders,
                split: None,
            });
        }
    }
    let in_part =
        |place: &Place<'_>| place.folders.len() > 1 && parts::part(place.folders[0]).is_some();
    if places.iter().all(in_part) {
        for place in &mut places {
            place.split = Some(place.folders.remove(0));
        }
    }
    let depths: BTreeSet<usize> = places.iter().map(|place| place.folders.len()).collect();
    let labels: BTreeSet<&str> = places.iter().map(|place| place.folders[0]).collect();
    if places.is_empty() || (depths.len() == 1 && depths.contains(&1) && labels.len() < 2) {
        return Err(not_custom(name, tree));
    }
    let unclear = |problem: String| CorpusError::Unclear {
        corpus: name.to_owned(),
        problem,
        cure: "name the emotions as keys of label_map.json, or list the clips in labels.csv"
            .to_owned(),
    };
    if depths.len() > 1 {
        mixed(name, &places, &known, &mut gathered).map_err(unclear)?;
    } else {
        let reading = uniform(&places, &known).map_err(unclear)?;
        if !custom {
            people_for_emotions(&places, &reading, &known).map_err(unclear)?;
        }
        tell(&places, &reading, &mut gathered);
        for place in &places {
            let folder = |level: Option<usize>| level.map(|level| place.folders[level].to_owned());
            let mut row = Row::new(key(name, place.file.path()), place.folders[reading.label]);
            row.speaker = folder(reading.speaker);
            row.split = place
                .split
                .map(str::to_owned)
                .or_else(|| folder(reading.split));
            gathered.push(place.file, row);
        }
    }
    if gathered.labels.len() < 2 {
        return Err(not_custom(name, tree));
    }
    Ok(gathered)
}

/// The reading of folders that all have the same depth.
fn uniform(places: &[Place<'_>], known: &dyn Fn(&str) -> bool) -> Result<Reading, String> {
    let depth = places[0].folders.len();
    let names = |level: usize| -> BTreeSet<&str> {
        places.iter().map(|place| place.folders[level]).collect()
    };
    let is_split = |level: &usize| {
        let names = names(*level);
        depth > 1 && names.iter().all(|name| parts::part(name).is_some())
    };
    let split = (0..depth).find(is_split);
    let open: Vec<usize> = (0..depth)
        .filter(|level| Some(*level) != split && (names(*level).len() > 1 || depth == 1))
        .collect();
    let mostly_known = |level: &usize| {
        let names = names(*level);
        2 * names.iter().filter(|name| known(name)).count() >= names.len()
    };
    let telling: Vec<usize> = open.iter().copied().filter(mostly_known).collect();
    let says_something = |level: &usize| !is_of_no_account(&names(*level));
    let label = match (&telling[..], &open[..]) {
        ([one], _) | ([], [one]) => *one,
        ([], []) => 0,
        (several @ [_, _, ..], _) => {
            return Err(two_readings(
                several.iter().map(|level| (*level, names(*level))),
            ));
        }
        ([], [first, deeper @ ..]) => {
            let crossed =
                |level: &&usize| says_something(level) && repeats(places, **level, *first);
            if deeper.iter().any(|level| crossed(&level)) {
                return Err(two_readings(
                    open.iter().map(|level| (*level, names(*level))),
                ));
            }
            *first
        }
    };
    let speakers: Vec<usize> = open
        .iter()
        .copied()
        .filter(|level| *level != label && says_something(level) && repeats(places, *level, label))
        .collect();
    let speaker = match speakers[..] {
        [one] => Some(one),
        _ => None,
    };
    Ok(Reading {
        label,
        speaker,
        split,
    })
}

/// Whether most folders of one depth occur with several folders of another.
fn repeats(places: &[Place<'_>], level: usize, other: usize) -> bool {
    let mut with: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for place in places {
        let others = with.entry(place.folders[level]).or_default();
        others.insert(place.folders[other]);
    }
    let several = with.values().filter(|others| others.len() > 1).count();
    2 * several >= with.len()
}

fn is_of_no_account(names: &BTreeSet<&str>) -> bool {
    let is = |name: &&str| words(name).any(|word| OF_NO_ACCOUNT.contains(&word.as_str()));
    names.iter().all(is)
}

fn two_readings<'a>(levels: impl Iterator<Item = (usize, BTreeSet<&'a str>)>) -> String {
    let readings: Vec<String> = levels
        .map(|(level, names)| {
            let count = names.len();
            format!(
                "folders at depth {}: {count} classes ({})",
                level + 1,
                some(names)
            )
        })
        .collect();
    format!(
        "which folders are the emotions is open: {}",
        readings.join(", or ")
    )
}

fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let dots = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + dots
}

/// Rejects folders named after people, such as `Actor_01`, at the level of emotions.
fn people_for_emotions(
    places: &[Place<'_>],
    reading: &Reading,
    known: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let names: BTreeSet<&str> = places
        .iter()
        .map(|place| place.folders[reading.label])
        .collect();
    let person = |name: &str| {
        let mut words = words(name);
        name.ends_with(|c: char| c.is_ascii_digit())
            && words
                .next()
                .is_some_and(|word| PEOPLE.contains(&word.as_str()))
            && words.next().is_none()
            && !known(name)
    };
    if names.iter().all(|name| person(name)) {
        return Err(format!(
            "the folders {} are named as people or sittings are, and no folder as an emotion",
            some(names)
        ));
    }
    Ok(())
}

/// Folders of several depths: a file's class is the only folder above it that is a class elsewhere too.
fn mixed<'a>(
    name: &str,
    places: &[Place<'a>],
    known: &dyn Fn(&str) -> bool,
    gathered: &mut Gathered<'a>,
) -> Result<(), String> {
    let shallow = places
        .iter()
        .map(|place| place.folders.len())
        .min()
        .unwrap_or(1);
    let firsts: BTreeSet<&str> = places
        .iter()
        .filter(|place| place.folders.len() == shallow)
        .map(|place| place.folders[0])
        .collect();
    let words_tell = 2 * firsts.iter().filter(|name| known(name)).count() >= firsts.len();
    let is_class = |folder: &str| firsts.contains(folder) || (words_tell && known(folder));
    let mut passed_over = BTreeSet::new();
    for place in places {
        let classes: Vec<usize> = (0..place.folders.len())
            .filter(|level| is_class(place.folders[*level]))
            .collect();
        let path = place.folders.join("/");
        let label = match classes[..] {
            [one] if one == 0 || words_tell => one,
            [] if !words_tell => 0,
            [one] => {
                return Err(format!(
                    "{path} may be of the class {} or of the class {}",
                    place.folders[0], place.folders[one]
                ));
            }
            _ => {
                let classes = some(classes.iter().map(|level| place.folders[*level]));
                let found = if classes.is_empty() {
                    "none"
                } else {
                    &*classes
                };
                return Err(format!(
                    "{path} holds one class nowhere ({found}), while other folders are classes: {}",
                    some(firsts)
                ));
            }
        };
        passed_over.extend(place.folders[..label].iter().copied());
        let mut row = Row::new(key(name, place.file.path()), place.folders[label]);
        row.split = place.split.map(str::to_owned);
        gathered.push(place.file, row);
    }
    if !passed_over.is_empty() {
        gathered.notes.push(format!(
            "the folders {} are passed over: below them are folders of classes",
            some(passed_over)
        ));
    }
    Ok(())
}

/// Notes how folders were read, if there is more than the class.
fn tell(places: &[Place<'_>], reading: &Reading, gathered: &mut Gathered<'_>) {
    let depth = places[0].folders.len();
    if depth > 1 {
        let word = |level| match level {
            level if level == reading.label => "emotion",
            level if Some(level) == reading.speaker => "speaker",
            level if Some(level) == reading.split => "part",
            _ => "(not used)",
        };
        let words: Vec<&str> = (0..depth).map(word).collect();
        gathered
            .notes
            .push(format!("folders are read as {}", words.join("/")));
    }
}

/// Leaves out duplicate files: the same bytes under the same name in folders of the same name, as when a folder was copied into
/// or beside itself. The folders that differ must not name an emotion.
fn without_copies<'a>(
    name: &str,
    tree: &RawTree,
    files: Vec<&'a RawFile>,
    known: &dyn Fn(&str) -> bool,
    gathered: &mut Gathered<'a>,
) -> Result<Vec<&'a RawFile>, CorpusError> {
    let mut alike: HashMap<(&str, &str), Vec<&RawFile>> = HashMap::new();
    for file in &files {
        let folder = file.folder().rsplit('/').next().unwrap_or_default();
        alike.entry((folder, file.name())).or_default().push(file);
    }
    let mut copies: BTreeSet<usize> = BTreeSet::new();
    for mut group in alike.into_values().filter(|group| group.len() > 1) {
        group.sort_by_key(|file| (file.path().matches('/').count(), file.path()));
        let mut seen: Vec<(Sha256, &RawFile, Vec<String>)> = Vec::new();
        for file in group {
            let digest = sha256_file(tree.locate(file))?;
            let first = seen.iter_mut().find(|(known_digest, first, _)| {
                *known_digest == digest && differ_idly(first, file, known)
            });
            match first {
                Some((_, _, dropped)) => {
                    dropped.push(file.path().to_owned());
                    copies.insert(file.index());
                }
                None => seen.push((digest, file, Vec::new())),
            }
        }
        for (_, first, dropped) in seen.into_iter().filter(|(.., dropped)| !dropped.is_empty()) {
            gathered.duplicated.push(Duplicate {
                key: key(name, first.path()),
                kept: first.path().to_owned(),
                dropped,
            });
        }
    }
    gathered.duplicated.sort_by(|a, b| a.kept.cmp(&b.kept));
    Ok(files
        .into_iter()
        .filter(|file| !copies.contains(&file.index()))
        .collect())
}

/// Whether none of the folders in which two paths differ names an emotion.
fn differ_idly(a: &RawFile, b: &RawFile, known: &dyn Fn(&str) -> bool) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (
        a.folder().split('/').collect(),
        b.folder().split('/').collect(),
    );
    let ends = a.iter().rev().zip(b.iter().rev());
    let same = ends.take_while(|(a, b)| a == b).count();
    let heads = a[..a.len() - same].iter().chain(&b[..b.len() - same]);
    !heads.into_iter().any(|folder| known(folder))
}

/// A key from a path: the parts joined by `-`, without the extension.
pub(super) fn key(name: &str, path: &str) -> String {
    let stem = match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => path,
    };
    format!("{name}-{}", stem.replace(['/', '\t', '\n', '\r'], "-"))
}

/// Number of folders above the emotions that all files have in common: a common folder is skipped only while every file is at
/// least two folders deep, so that a single emotion folder remains an emotion.
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
