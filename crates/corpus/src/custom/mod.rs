//! A user's own corpus: a table, a jsonl manifest, or one folder per emotion.

mod audformat;
mod columns;
mod emotions;
mod folders;
mod interchange;
mod listing;
mod objects;
mod packed;
mod parquet;
mod parts;
mod spelling;
mod unpacked;
mod votes;
mod webdataset;

use crate::assemble::{Sink, Style, utterances};
use crate::recipe::{Harvest, PackedRow};
use crate::report::by_reason;
use crate::{
    CorpusError, Duplicate, HeaderReader, PrepareOptions, PrepareReport, RawFile, RawTree, Row,
    looks_like, registry,
};
use emobox_files::read_json;
use spelling::several_spellings;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The layouts that a user's own folder may have, for messages.
pub(crate) const CUSTOM_LAYOUT: &str = "one of\n  \
    a table labels.csv or labels.tsv with the columns path,label (and, where known, speaker,gender,language,text,split,start,end,channel,key)\n  \
    a manifest.jsonl, ours or a published one\n  \
    a table or shards with the audio inside: Parquet of Hugging Face datasets, WebDataset's tar of audio with json or cls\n  \
    an audformat database: db.yaml with its tables\n  \
    a Kaldi data folder with utt2emo, or Lhotse's recordings and supervisions, or cuts\n  \
    one folder an emotion: angry/x.wav, sad/y.wav, …\n\
    and, if labels are to be renamed, label_map.json: {\"raw label\": \"Class\"}\n\
    a table may have valence,arousal,dominance and votes_Class; dimensions.json states their scale: {\"scale\": [1, 7]}";

/// The contents of a listing or a folder tree, before audio headers are read.
#[derive(Debug, Default)]
struct Gathered<'a> {
    rows: Vec<(&'a RawFile, PackedRow)>,
    /// Harmonised classes given by the rows themselves, by raw label.
    classes: BTreeMap<String, String>,
    left_out: Vec<(String, &'static str)>,
    unmatched: Vec<String>,
    missing: Vec<(String, String)>,
    duplicated: Vec<Duplicate>,
    notes: Vec<String>,
    /// The lowest and the highest value of a dimension, where stated.
    scale: Option<(f64, f64)>,
    /// Number of rows with each label, speaker and part.
    labels: BTreeMap<String, usize>,
    speakers: BTreeMap<String, usize>,
    splits: BTreeMap<Option<String>, usize>,
    /// The words that columns of votes are named for.
    voted: BTreeSet<String>,
    /// Line and file of each key of a listing.
    keys: HashMap<String, (u64, usize)>,
}

impl<'a> Gathered<'a> {
    fn push(&mut self, file: &'a RawFile, row: Row) {
        *self.labels.entry(row.emo.clone()).or_default() += 1;
        if let Some(speaker) = &row.speaker {
            *self.speakers.entry(speaker.clone()).or_default() += 1;
        }
        *self.splits.entry(row.split.clone()).or_default() += 1;
        self.rows.push((file, PackedRow::new(row)));
    }

    /// Applies `change` to all rows and counts their parts again.
    fn change_rows(&mut self, change: impl Fn(&RawFile, &mut Row)) {
        self.splits.clear();
        for (file, packed) in &mut self.rows {
            let mut row = packed.unpack();
            change(file, &mut row);
            *self.splits.entry(row.split.clone()).or_default() += 1;
            *packed = PackedRow::new(row);
        }
    }

    /// Maps the parts to the standard vocabulary.
    fn read_splits(&mut self) -> Result<(), String> {
        let words = parts::vocabulary(&self.splits)?;
        if words.iter().any(|(word, part)| word != part) {
            self.change_rows(|_, row| {
                row.split = row.split.take().and_then(|word| words.get(&word).cloned());
            });
        }
        Ok(())
    }

    /// Keys join folders with `-`; if two files get the same key (`a/b.wav`, `a-b.wav`), theirs keep the path.
    fn part_keys(&mut self, name: &str) {
        let mut files: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (file, row) in &self.rows {
            files.entry(row.id()).or_default().insert(file.index());
        }
        let shared: BTreeSet<String> = files
            .into_iter()
            .filter(|(_, files)| files.len() > 1)
            .map(|(key, _)| key.to_owned())
            .collect();
        if !shared.is_empty() {
            self.change_rows(|file, row| {
                if shared.contains(&row.id) {
                    let joined = folders::key(name, file.path());
                    let rest = row.id.strip_prefix(&joined).unwrap_or_default().to_owned();
                    row.id = format!(
                        "{name}-{}{rest}",
                        file.path().replace(['\t', '\n', '\r'], "-")
                    );
                }
            });
        }
    }
}

/// Reads the user's own corpus, as described for [`prepare_any_with`](crate::prepare_any_with).
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
    let mut notes = Vec::new();
    let is_it = |file: &&RawFile| tree.locate(file) == *source;
    let one = tree.files().iter().find(is_it).filter(|_| named);
    let passed_on = match named {
        true => None,
        false => match audformat::read(name, &tree, options, &mut notes)? {
            Some(found) => Some(found),
            None => interchange::read(name, &tree)?,
        },
    };
    let (sources, unread) = match (&passed_on, one) {
        (None, None) => listing::choose(name, &tree)?,
        (None, Some(table)) if !packed::is_packed(table) => {
            (vec![listing::Source::whole(&tree, table)], Vec::new())
        }
        _ => (Vec::new(), Vec::new()),
    };
    let packed_files: Vec<&RawFile> = match (&passed_on, one) {
        (None, None) if sources.is_empty() => tree
            .files()
            .iter()
            .filter(|f| packed::is_packed(f))
            .collect(),
        (None, Some(table)) if packed::is_packed(table) => vec![table],
        _ => Vec::new(),
    };
    let packed = match packed_files.is_empty() {
        true => None,
        false => packed::read(name, &tree, &packed_files, options.unpack.as_deref())?,
    };
    // If the audio was inside the tables, the unpacked files are read from here on.
    let unpacked = packed.as_ref().and_then(|packed| packed.audio.as_ref());
    let unpacked = unpacked
        .map(|folder| RawTree::scan(name, folder))
        .transpose()?;
    let raw = &tree;
    let tree = unpacked.as_ref().unwrap_or(raw);
    let scale = scale(raw)?;
    let mut gathered = Gathered {
        notes,
        scale,
        ..Gathered::default()
    };
    gathered = if let Some((source, items)) = passed_on {
        let (map, read) = (map.as_ref(), vec![(&source, items)]);
        listing::gather_items(name, tree, read, map, options, gathered)?
    } else if let Some(packed) = packed {
        let mut read = Vec::new();
        for table in packed.tables {
            let source = listing::Source::of_part(raw, table.file, table.part);
            let items =
                listing::items_of(&source, table.columns, table.lines, options, &mut gathered)?;
            read.push((source, items));
        }
        if let Some(folder) = packed.audio {
            let note = format!(
                "the audio inside the tables was unpacked to {}",
                folder.display()
            );
            gathered.notes.push(note);
        }
        let read = read
            .iter_mut()
            .map(|(source, items)| (&*source, std::mem::take(items)))
            .collect();
        listing::gather_items(name, tree, read, map.as_ref(), options, gathered)?
    } else if sources.is_empty() {
        let gathered = folders::gather(name, tree, map.as_ref(), options.custom)?;
        if !options.custom {
            not_a_registered_one(name, tree, &gathered)?;
        }
        gathered
    } else {
        listing::gather(name, tree, &sources, map.as_ref(), options, gathered)?
    };
    if !unread.is_empty() {
        let tables: Vec<&str> = sources.iter().map(|source| source.table.path()).collect();
        gathered.notes.push(format!(
            "read are the tables {}, not {}",
            tables.join(", "),
            unread.join(", ")
        ));
    }
    check_spellings(name, &gathered, map.as_ref(), options)?;
    gathered
        .read_splits()
        .map_err(|problem| CorpusError::Unclear {
            corpus: name.to_owned(),
            problem,
            cure: "the parts are those of the column split or of the folders".to_owned(),
        })?;
    gathered.part_keys(name);
    let votes = votes::Classes::of(&gathered, map.as_ref());
    gathered.notes.extend(votes.notes());
    let mut report = PrepareReport::of(name, tree, &gathered.missing);
    report.notes = gathered.notes;
    report.duplicated = gathered.duplicated;
    report.unmatched = gathered.unmatched;
    report.left_out = by_reason(gathered.left_out);
    if let Some(map) = &map {
        let used: BTreeSet<&String> = gathered
            .labels
            .keys()
            .filter_map(|raw| map.get(raw))
            .collect();
        let unused: BTreeSet<&str> = map
            .values()
            .filter(|class| !used.contains(class))
            .map(String::as_str)
            .collect();
        if !unused.is_empty() {
            let list: Vec<&str> = unused.into_iter().collect();
            report.notes.push(format!(
                "label_map.json has classes that no utterance has: {}",
                list.join(", ")
            ));
        }
    }
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
        vote_class: &|word| votes.class_of(word),
        as_published: options.as_published,
        channel: options.channel,
        scale,
    };
    let facts = utterances(&style, tree, gathered.rows, read_header, &mut report, sink)?;
    report.notes.extend(facts.notes(tree.root()));
    Ok((tree.root().to_owned(), report))
}

/// `dimensions.json` beside the table: `{"scale": [1, 7]}`.
fn scale(tree: &RawTree) -> Result<Option<(f64, f64)>, CorpusError> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Stated {
        scale: (f64, f64),
    }
    let is_it = |file: &&RawFile| file.path().eq_ignore_ascii_case("dimensions.json");
    let Some(file) = tree.files().iter().find(is_it) else {
        return Ok(None);
    };
    let (low, high) = read_json::<Stated>(tree.locate(file))?.scale;
    if low < high {
        return Ok(Some((low, high)));
    }
    let message =
        format!("the scale from {low} to {high} has no room; write the lowest value first");
    Err(CorpusError::Lines {
        path: tree.locate(file),
        problems: vec![crate::LineProblem { line: 1, message }],
    })
}

/// Rejects classes and speakers that differ only in spelling.
fn check_spellings(
    name: &str,
    gathered: &Gathered<'_>,
    map: Option<&BTreeMap<String, String>>,
    options: &PrepareOptions,
) -> Result<(), CorpusError> {
    if options.custom {
        return Ok(());
    }
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for (raw, n) in &gathered.labels {
        let class = map.and_then(|map| map.get(raw));
        let class = class.or_else(|| gathered.classes.get(raw)).unwrap_or(raw);
        *classes.entry(class.clone()).or_default() += n;
    }
    let ask = |what: &str, cure: &str, groups: String| CorpusError::Unclear {
        corpus: name.to_owned(),
        problem: format!("{what} that differ only in case, space or leading zeros: {groups}"),
        cure: format!("{cure}; or, if they are different, insist with --custom"),
    };
    if let Some(groups) = several_spellings(&classes) {
        let cure = "write them in one way, or give each the same class in label_map.json";
        return Err(ask("labels", cure, groups));
    }
    match several_spellings(&gathered.speakers) {
        Some(groups) => Err(ask("speakers", "write them in one way", groups)),
        None => Ok(()),
    }
}

/// Rejects the folders of a registered corpus if its recipe reads them differently: nearly all file names fit the recipe, and a
/// class here is not a class there.
fn not_a_registered_one(
    name: &str,
    tree: &RawTree,
    gathered: &Gathered<'_>,
) -> Result<(), CorpusError> {
    let audio = tree.audio().count();
    let Some((best, fitting)) = looks_like(tree).into_iter().next() else {
        return Ok(());
    };
    let entry = registry().iter().find(|entry| entry.card.name == best);
    let (true, Some(entry)) = (10 * fitting >= 9 * audio, entry) else {
        return Ok(());
    };
    // If the recipe fails for want of a side file, there is nothing to compare.
    let Ok(harvest) = Harvest::gather(entry, tree) else {
        return Ok(());
    };
    let labels: HashMap<usize, String> = gathered
        .rows
        .iter()
        .map(|(file, row)| (file.index(), row.unpack().emo))
        .collect();
    let mut classes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, row) in &harvest.rows {
        if let Some(label) = labels.get(&file.index()) {
            classes.entry(label).or_default().insert(row.unpack().emo);
        }
    }
    if classes.values().all(|classes| classes.len() == 1) {
        return Ok(());
    }
    Err(CorpusError::Unclear {
        corpus: name.to_owned(),
        problem: format!(
            "{fitting} of the {audio} audio files below {} are named as those of {best}, and their folders are not its emotions",
            tree.root().display()
        ),
        cure: format!(
            "use the name {best}, or insist with --custom that it is a corpus of your own"
        ),
    })
}

/// The name is used in keys and folder names, which limits its characters.
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

/// The error for a folder that is not a custom corpus, with a hint at a registered one.
fn not_custom(name: &str, tree: &RawTree) -> CorpusError {
    crate::fitting::fits_nothing(name, tree, CUSTOM_LAYOUT)
}
