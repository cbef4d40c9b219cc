//! Tables and JSON lines that list clips.

use super::columns::{self, Mapping};
use super::objects::{Lines, objects};
use super::{Gathered, folders, parts, unknown_label};
use crate::side_file::delimiter_of;
use crate::side_file::is_nothing;
use crate::{
    Channel, ChannelChoice, CorpusError, DIMENSIONS, Gender, LineProblem, PrepareOptions, RawFile,
    RawTree, Row, ratings,
};
use emobox_audio::MIX;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names that take precedence if several tables are in the folder.
const PREFERRED: [&str; 4] = ["manifest", "labels", "metadata", "label"];

/// A table of the corpus: its paths are relative to `folder`, and its rows belong to `part` unless they name another.
pub(super) struct Source<'a> {
    pub(super) table: &'a RawFile,
    /// Path of the table itself; its audio may be elsewhere.
    path: PathBuf,
    folder: String,
    part: Option<String>,
}

impl<'a> Source<'a> {
    /// A table whose paths are relative to the root.
    pub(super) fn whole(tree: &RawTree, table: &'a RawFile) -> Self {
        Self::of_part(tree, table, None)
    }

    /// The same, with rows that belong to `part`.
    pub(super) fn of_part(tree: &RawTree, table: &'a RawFile, part: Option<String>) -> Self {
        Self {
            table,
            path: tree.locate(table),
            folder: String::new(),
            part,
        }
    }
}

fn is_table(file: &RawFile) -> bool {
    ["csv", "tsv", "jsonl"].contains(&file.extension().as_str())
}

/// The tables of a folder: the only one at its top, or the one with a preferred name, or one for each part (`train.tsv`,
/// `train/metadata.csv`). Also returns the names of tables that are not read.
pub(super) fn choose<'a>(
    name: &str,
    tree: &'a RawTree,
) -> Result<(Vec<Source<'a>>, Vec<String>), CorpusError> {
    let tables = || tree.files().iter().filter(|file| is_table(file));
    let at_top: Vec<&RawFile> = tables().filter(|file| !file.path().contains('/')).collect();
    if let [one] = at_top[..] {
        return Ok((vec![Source::whole(tree, one)], Vec::new()));
    }
    for preferred in PREFERRED {
        let named: Vec<_> = at_top
            .iter()
            .filter(|file| file.stem().eq_ignore_ascii_case(preferred))
            .collect();
        if let [one] = named[..] {
            return Ok((vec![Source::whole(tree, one)], Vec::new()));
        }
    }
    let of_parts: Vec<Source<'a>> = if at_top.is_empty() {
        let is_metadata = |file: &&RawFile| file.stem().eq_ignore_ascii_case("metadata");
        tables()
            .filter(is_metadata)
            .filter_map(|table| in_part_folder(tree, table))
            .collect()
    } else {
        at_top
            .iter()
            .filter_map(|table| {
                let part = parts::part(table.stem())?;
                Some(Source::of_part(tree, table, Some(part)))
            })
            .collect()
    };
    let distinct: BTreeSet<&Option<String>> = of_parts.iter().map(|source| &source.part).collect();
    if distinct.len() == of_parts.len() && of_parts.len() > 1 {
        let read: HashSet<&str> = of_parts.iter().map(|source| source.table.path()).collect();
        let others = at_top.iter().filter(|file| !read.contains(file.path()));
        let others = others.map(|file| file.path().to_owned()).collect();
        return Ok((of_parts, others));
    }
    if at_top.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let names: Vec<&str> = at_top.iter().map(|file| file.path()).collect();
    Err(CorpusError::SeveralTables {
        corpus: name.to_owned(),
        root: tree.root().to_owned(),
        tables: names.join(", "),
    })
}

/// `train/metadata.csv`, with paths relative to its own folder.
fn in_part_folder<'a>(tree: &RawTree, table: &'a RawFile) -> Option<Source<'a>> {
    let part = parts::part(table.folder().rsplit('/').next()?)?;
    let folder = table
        .path()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    Some(Source {
        folder: format!("{folder}/"),
        ..Source::of_part(tree, table, Some(part))
    })
}

/// One line of a listing in any format: the value of each field that is set.
#[derive(Default)]
pub(super) struct Item {
    line: u64,
    values: BTreeMap<&'static str, String>,
    /// Votes as written, by class.
    votes: BTreeMap<String, String>,
    /// The columns that fields were read from, where these have columns.
    columns: Arc<BTreeMap<&'static str, String>>,
}

impl Item {
    pub(super) fn new(line: u64) -> Self {
        Self {
            line,
            ..Self::default()
        }
    }

    pub(super) fn set(&mut self, field: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.values.insert(field, value);
        }
    }

    /// Sets how many voted for a class, as written.
    pub(super) fn set_votes(&mut self, class: String, count: String) {
        self.votes.insert(class, count);
    }

    /// The field with its column, where that has another name.
    fn name_of(&self, field: &str) -> String {
        match self.columns.get(field) {
            Some(column) if columns::plain(column) != field => format!("{field} ({column})"),
            _ => field.to_owned(),
        }
    }

    fn take(&mut self, field: &str) -> Option<String> {
        self.values.remove(field).filter(|text| !is_nothing(text))
    }
}

pub(super) fn gather<'a>(
    name: &str,
    tree: &'a RawTree,
    sources: &[Source<'a>],
    map: Option<&BTreeMap<String, String>>,
    options: &PrepareOptions,
    mut gathered: Gathered<'a>,
) -> Result<Gathered<'a>, CorpusError> {
    let mut read = Vec::new();
    for source in sources {
        read.push((source, items(tree, source, options, &mut gathered)?));
    }
    gather_items(name, tree, read, map, options, gathered)
}

/// As [`gather`], from lines that were read before.
pub(super) fn gather_items<'a>(
    name: &str,
    tree: &'a RawTree,
    read: Vec<(&Source<'a>, Vec<Item>)>,
    map: Option<&BTreeMap<String, String>>,
    options: &PrepareOptions,
    mut gathered: Gathered<'a>,
) -> Result<Gathered<'a>, CorpusError> {
    let index = Index::new(tree);
    let asked = Asked {
        name,
        map,
        options,
        scale: gathered.scale,
    };
    for (source, items) in read {
        let mut problems = Vec::new();
        for item in items {
            let line = item.line;
            if let Err(message) = take(&asked, source, item, &index, &mut gathered) {
                problems.push(LineProblem { line, message });
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.line);
            let path = source.path.clone();
            return Err(CorpusError::Lines { path, problems });
        }
    }
    parts_of_folders(&mut gathered);
    let listed: HashSet<usize> = gathered.rows.iter().map(|(file, _)| file.index()).collect();
    let unlisted = tree.audio().filter(|file| !listed.contains(&file.index()));
    gathered.left_out = unlisted
        .map(|file| (file.path().to_owned(), "not listed in the table"))
        .collect();
    Ok(gathered)
}

/// If no row names its part and the files of all are in folders named for parts, takes the parts from the folders.
fn parts_of_folders(gathered: &mut Gathered<'_>) {
    let part_of = |file: &RawFile| -> Option<String> {
        let (first, rest) = file.path().split_once('/')?;
        let first = if first.eq_ignore_ascii_case("data") {
            rest.split_once('/')?.0
        } else {
            first
        };
        parts::part(first).map(|_| first.to_owned())
    };
    let silent = gathered.splits.keys().all(Option::is_none);
    if silent
        && gathered
            .rows
            .iter()
            .all(|(file, _)| part_of(file).is_some())
    {
        gathered.splits.clear();
        gathered.change_rows(|file, row| row.split = part_of(file));
    }
}

/// Settings for reading every line.
struct Asked<'a> {
    name: &'a str,
    map: Option<&'a BTreeMap<String, String>>,
    options: &'a PrepareOptions,
    scale: Option<(f64, f64)>,
}

/// Adds one line of a listing.
fn take<'a>(
    asked: &Asked<'_>,
    source: &Source<'_>,
    mut item: Item,
    index: &Index<'a>,
    gathered: &mut Gathered<'a>,
) -> Result<(), String> {
    let line = item.line;
    let path = item.take("path").ok_or("the path is empty")?;
    let written = item.values.get("label").cloned().unwrap_or_default();
    let Some(emo) = item.take("label") else {
        return Err(match written.as_str() {
            "" => "the label is empty".to_owned(),
            word => format!("the label is {word:?}, with which programs say that they have none"),
        });
    };
    if let Some(map) = asked.map.filter(|map| !map.contains_key(&emo)) {
        return Err(unknown_label(&emo, map));
    }
    let Some(file) = index.find(&source.folder, &path)? else {
        if asked.options.allow_missing {
            let place = format!("{} line {line}", source.table.path());
            gathered.missing.push((path, place));
            return Ok(());
        }
        return Err(format!(
            "{path} does not exist below {}",
            index.tree.root().display()
        ));
    };
    let class = item.take("class").filter(|class| *class != emo);
    if let Some(class) = class {
        let known = gathered.classes.entry(emo.clone());
        let known = known.or_insert_with(|| class.clone());
        if *known != class {
            return Err(format!(
                "emo {emo:?} has the label {class:?} here and {known:?} above"
            ));
        }
    }
    gathered.voted.extend(item.votes.keys().cloned());
    let row = row(asked, file, emo, item, source)?;
    match gathered.keys.get(&row.id) {
        Some((first, _)) if row.named => {
            Err(format!("key {:?} is already on line {first}", row.id))
        }
        Some((first, other)) if *other == file.index() => {
            Err(format!("key {:?} is already on line {first}", row.id))
        }
        _ => {
            gathered.keys.insert(row.id.clone(), (line, file.index()));
            gathered.push(file, row.row);
            Ok(())
        }
    }
}

/// Files by their path as written on disk or with composed accents, and by the end of it.
struct Index<'a> {
    tree: &'a RawTree,
    by_path: HashMap<&'a str, &'a RawFile>,
    by_name: HashMap<&'a str, Vec<&'a RawFile>>,
    real_root: Option<std::path::PathBuf>,
}

impl<'a> Index<'a> {
    fn new(tree: &'a RawTree) -> Self {
        let composed = tree.files().iter().map(|file| (file.composed(), file));
        let written = tree.files().iter().map(|file| (file.path(), file));
        let mut by_name: HashMap<&str, Vec<&RawFile>> = HashMap::new();
        for file in tree.audio() {
            by_name.entry(file.name()).or_default().push(file);
        }
        Self {
            tree,
            by_path: composed.chain(written).collect(),
            by_name,
            real_root: std::fs::canonicalize(tree.root()).ok(),
        }
    }

    /// The file of a path below `folder`, or below the root, or the only file whose path ends with it (Common Voice lists the
    /// contents of `clips/`). Paths in a published manifest begin with `downloads/<corpus>/`, which corresponds to our corpus
    /// root; an absolute path must be inside the root.
    fn find(&self, folder: &str, path: &str) -> Result<Option<&'a RawFile>, String> {
        use unicode_normalization::UnicodeNormalization;
        let slashes = path.replace('\\', "/");
        let inside = self.below_root(&slashes)?;
        let plain: Vec<&str> = inside
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        if plain.contains(&"..") {
            let root = self.tree.root().display();
            return Err(format!(
                "path {path:?} climbs out of {root}: only paths below that folder are allowed"
            ));
        }
        let plain = plain.join("/");
        let find = |path: &str| {
            let composed = || path.nfc().collect::<String>();
            self.by_path
                .get(path)
                .or_else(|| self.by_path.get(composed().as_str()))
                .copied()
        };
        let downloaded = plain
            .strip_prefix("downloads/")
            .and_then(|rest| rest.split_once('/'));
        let found = find(&format!("{folder}{plain}"))
            .or_else(|| find(&plain))
            .or_else(|| downloaded.and_then(|(_, rest)| find(rest)));
        if found.is_some() {
            return Ok(found);
        }
        let name: String = plain.rsplit('/').next().unwrap_or_default().nfc().collect();
        let same_name = self.by_name.get(name.as_str()).into_iter().flatten();
        let ends: Vec<&&RawFile> = same_name.filter(|file| file.ends_with(&plain)).collect();
        match ends[..] {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            [first, second, ..] => Err(format!(
                "{path} may be {} or {}: write the path from {}",
                first.path(),
                second.path(),
                self.tree.root().display()
            )),
        }
    }

    /// A path relative to the root.
    fn below_root<'p>(&self, path: &'p str) -> Result<Cow<'p, str>, String> {
        let path_of_disk = Path::new(path);
        let drive =
            path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
        if !path_of_disk.is_absolute() && !drive {
            return Ok(Cow::Borrowed(path));
        }
        let roots = [Some(self.tree.root()), self.real_root.as_deref()];
        let below = roots
            .into_iter()
            .flatten()
            .find_map(|root| path_of_disk.strip_prefix(root).ok());
        match below {
            Some(below) => Ok(Cow::Owned(below.to_string_lossy().into_owned())),
            None => Err(format!(
                "{path} lies outside of {}: put the table into a folder that holds all its audio, or write paths relative \
                 to the table",
                self.tree.root().display()
            )),
        }
    }
}

/// A row, its key, and whether the listing gave the key.
struct KeyedRow {
    row: Row,
    id: String,
    named: bool,
}

fn row(
    asked: &Asked<'_>,
    file: &RawFile,
    emo: String,
    mut item: Item,
    source: &Source<'_>,
) -> Result<KeyedRow, String> {
    let mut time = |field: &str| match item.take(field) {
        None => Ok(None),
        Some(text) => columns::seconds(&text)
            .map(Some)
            .ok_or_else(|| format!("{field} {text:?} is no time in seconds")),
    };
    let name = asked.name;
    let (start, end, duration) = (time("start")?, time("end")?, time("duration")?);
    let end = end.or_else(|| Some(start? + duration?));
    let segment = match (start, end) {
        (None, None) => None,
        // A segment without an end extends to the end of the file.
        (start, end) => Some((start.unwrap_or(0.0), end.unwrap_or(f64::INFINITY))),
    };
    if let Some((start, end)) = segment
        && !(start >= 0.0 && end > start)
    {
        return Err(format!("segment {start}..{end} s is empty or negative"));
    }
    let channel = match item.take("channel") {
        None => None,
        Some(text) => match text.parse::<ChannelChoice>() {
            Ok(ChannelChoice::Mix) => Some(Channel::Number(MIX)),
            Ok(ChannelChoice::Number(number)) => Some(Channel::Number(number)),
            Err(problem) => return Err(problem),
        },
    };
    let key = item.take("key");
    let named = key.is_some();
    let id = key.unwrap_or_else(|| match segment {
        Some((start, end)) if end.is_finite() => {
            format!("{}-{start}-{end}", folders::key(name, file.path()))
        }
        Some((start, _)) => format!("{}-{start}", folders::key(name, file.path())),
        None => folders::key(name, file.path()),
    });
    if id.contains(['\t', '\n', '\r']) {
        return Err(format!("key {id:?} holds a tab or a line break"));
    }
    let mut row = Row::new(id.clone(), emo);
    if let Some(channel) = channel {
        row.channel = channel;
    }
    row.segment = segment;
    row.speaker = item.take("speaker");
    row.gender = item
        .take("gender")
        .map(|text| Gender::parse(&text).map_or(text, |gender| gender.word().to_owned()));
    row.language = item.take("language");
    row.text = item.take("text");
    for (dimension, value) in DIMENSIONS.iter().zip(&mut row.dimensions) {
        let text = item.take(dimension).unwrap_or_default();
        *value = ratings::value(&text, asked.scale)
            .map_err(|e| format!("{} {e}", item.name_of(dimension)))?;
    }
    for (class, text) in std::mem::take(&mut item.votes) {
        // Some programs write counts as `2.0` in columns with empty cells.
        let count = text.trim();
        let count = count.strip_suffix(".0").unwrap_or(count);
        match count.parse() {
            _ if ratings::is_unrated(count) => {}
            Ok(0) => {}
            Ok(count) => drop(row.votes.insert(class, count)),
            Err(_) => return Err(format!("votes of {class}: {text:?} is no count")),
        }
    }
    row.split = item.take("split").or_else(|| source.part.clone());
    Ok(KeyedRow { row, id, named })
}

/// The lines of a listing by field; notes the columns that match none.
fn items(
    tree: &RawTree,
    source: &Source<'_>,
    options: &PrepareOptions,
    gathered: &mut Gathered<'_>,
) -> Result<Vec<Item>, CorpusError> {
    let table = source.table;
    let path = source.path.clone();
    let text = tree.read_text(table)?;
    let (columns, lines) = if table.extension() == "jsonl" {
        objects(&text).map_err(|problems| CorpusError::Lines {
            path: path.clone(),
            problems,
        })?
    } else {
        let known = |columns: &[String]| {
            Mapping::of(columns, &options.columns).map_or(0, |mapping| mapping.len())
        };
        let table = crate::Table::parse(path.clone(), &text, delimiter_of(&text, &known), &[])?;
        let lines = table.rows().map(|row| {
            let cells = table.columns().iter().zip(row.cells());
            let cells = cells.map(|(column, cell)| (column.clone(), cell.to_owned()));
            (row.line(), cells.collect())
        });
        (table.columns().to_vec(), lines.collect())
    };
    items_of(source, columns, lines, options, gathered)
}

/// The lines of a listing by field.
pub(super) fn items_of(
    source: &Source<'_>,
    columns: Vec<String>,
    lines: Lines,
    options: &PrepareOptions,
    gathered: &mut Gathered<'_>,
) -> Result<Vec<Item>, CorpusError> {
    let path = source.path.clone();
    let mapping = Mapping::of(&columns, &options.columns).map_err(|problem| {
        let problems = vec![LineProblem {
            line: 1,
            message: problem,
        }];
        CorpusError::Lines {
            path: path.clone(),
            problems,
        }
    })?;
    let lacks = |field: &&&str| mapping.get(field).is_none();
    let missing: Vec<String> = ["path", "label"]
        .iter()
        .filter(lacks)
        .map(|f| (*f).to_owned())
        .collect();
    let is_empty = columns.is_empty() && lines.is_empty();
    if !is_empty && !missing.is_empty() {
        return Err(CorpusError::Columns {
            path,
            expected: ["path", "label"].map(str::to_owned).to_vec(),
            found: columns,
            missing,
        });
    }
    if !mapping.unused.is_empty() {
        gathered.notes.push(format!(
            "{}: columns that are not used: {} (--columns FIELD=COLUMN says what one holds)",
            source.table.path(),
            mapping.unused.join(", ")
        ));
    }
    let fields = columns::FIELDS.iter().map(|(field, _)| *field);
    let fields: Vec<(&'static str, &str)> = fields
        .filter_map(|field| Some((field, mapping.get(field)?)))
        .collect();
    let of_fields = fields
        .iter()
        .map(|(field, column)| (*field, (*column).to_owned()));
    let of_fields = Arc::new(of_fields.collect());
    let item = |(line, mut cells): (u64, BTreeMap<String, String>)| Item {
        line,
        columns: Arc::clone(&of_fields),
        values: fields
            .iter()
            .filter_map(|(field, column)| Some((*field, cells.remove(*column)?)))
            .collect(),
        votes: mapping
            .votes
            .iter()
            .filter_map(|(column, class)| Some((class.clone(), cells.remove(column)?)))
            .collect(),
    };
    Ok(lines.into_iter().map(item).collect())
}
