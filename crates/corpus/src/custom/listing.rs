use super::{Gathered, folders, unknown_label};
use crate::recipe::PackedRow;
use crate::{CorpusError, Gender, LineProblem, PrepareOptions, RawFile, RawTree, Row};
use emobox_files::join_inside;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Names that win when several tables lie beside the audio.
const PREFERRED: [&str; 4] = ["manifest", "labels", "metadata", "label"];

/// The table of a folder: the only csv, tsv or jsonl at its top, or the one with a telling name.
pub(super) fn choose<'a>(
    name: &str,
    tree: &'a RawTree,
) -> Result<Option<&'a RawFile>, CorpusError> {
    let at_top = |file: &&RawFile| {
        !file.path().contains('/') && ["csv", "tsv", "jsonl"].contains(&file.extension().as_str())
    };
    let tables: Vec<&RawFile> = tree.files().iter().filter(at_top).collect();
    if tables.len() < 2 {
        return Ok(tables.first().copied());
    }
    for preferred in PREFERRED {
        let named: Vec<_> = tables
            .iter()
            .filter(|file| file.stem().eq_ignore_ascii_case(preferred))
            .collect();
        if let [one] = named[..] {
            return Ok(Some(one));
        }
    }
    let names: Vec<&str> = tables.iter().map(|file| file.path()).collect();
    Err(CorpusError::SeveralTables {
        corpus: name.to_owned(),
        root: tree.root().to_owned(),
        tables: names.join(", "),
    })
}

/// One line of a listing, whatever its format.
#[derive(Debug, Default)]
struct Item {
    line: u64,
    path: String,
    emo: String,
    class: Option<String>,
    key: Option<String>,
    speaker: Option<String>,
    gender: Option<String>,
    language: Option<String>,
    text: Option<String>,
    split: Option<String>,
    channel: Option<String>,
    start: Option<String>,
    end: Option<String>,
}

pub(super) fn gather<'a>(
    name: &str,
    tree: &'a RawTree,
    table: &RawFile,
    map: Option<&BTreeMap<String, String>>,
    options: &PrepareOptions,
) -> Result<Gathered<'a>, CorpusError> {
    let path = tree.locate(table);
    let mut problems = Vec::new();
    let items = match table.extension().as_str() {
        "jsonl" => jsonl(&tree.read_text(table)?, &mut problems),
        "tsv" => columns(tree, table, b'\t')?,
        _ => columns(tree, table, b',')?,
    };
    let index = Index::new(tree);
    let mut gathered = Gathered::default();
    let mut keys: HashMap<String, u64> = HashMap::new();
    for item in items {
        let line = item.line;
        let mut bad = |message: String| problems.push(LineProblem { line, message });
        if item.path.is_empty() || item.emo.is_empty() {
            bad(format!(
                "the {} is empty",
                if item.path.is_empty() {
                    "path"
                } else {
                    "label"
                }
            ));
            continue;
        }
        if let Some(map) = map.filter(|map| !map.contains_key(&item.emo)) {
            bad(unknown_label(&item.emo, map));
            continue;
        }
        if let Err(error) = join_inside(tree.root(), &item.path.replace('\\', "/")) {
            bad(error.to_string());
            continue;
        }
        let Some(file) = index.find(&item.path) else {
            if options.allow_missing {
                gathered
                    .missing
                    .push((item.path, format!("{} line {line}", table.path())));
            } else {
                bad(format!(
                    "{} does not exist below {}",
                    item.path,
                    tree.root().display()
                ));
            }
            continue;
        };
        match row(name, file, item, &mut gathered.classes) {
            Err(message) => bad(message),
            Ok(row) => match keys.insert(row.id.clone(), line) {
                Some(first) => bad(format!("key {:?} is already on line {first}", row.id)),
                None => gathered.rows.push((file, PackedRow::new(row))),
            },
        }
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(CorpusError::Lines { path, problems });
    }
    let listed: HashSet<&str> = gathered.rows.iter().map(|(file, _)| file.path()).collect();
    let unlisted = tree.audio().filter(|file| !listed.contains(file.path()));
    gathered.left_out = unlisted
        .map(|file| (file.path().to_owned(), "not listed in the table"))
        .collect();
    Ok(gathered)
}

/// Files by their path as written on disk or with composed accents.
struct Index<'a>(HashMap<&'a str, &'a RawFile>);

impl<'a> Index<'a> {
    fn new(tree: &'a RawTree) -> Self {
        let composed = tree.files().iter().map(|file| (file.composed(), file));
        Self(
            composed
                .chain(tree.files().iter().map(|file| (file.path(), file)))
                .collect(),
        )
    }

    /// A published manifest begins its paths with `downloads/<corpus>/`, which our corpus root stands for.
    fn find(&self, path: &str) -> Option<&'a RawFile> {
        use unicode_normalization::UnicodeNormalization;
        let slashes = path.replace('\\', "/");
        let path = slashes.trim_start_matches("./");
        let below_downloads = path
            .strip_prefix("downloads/")
            .and_then(|rest| rest.split_once('/'))
            .map(|(_, rest)| rest);
        let find = |path: &str| {
            self.0
                .get(path)
                .or_else(|| self.0.get(path.nfc().collect::<String>().as_str()))
                .copied()
        };
        find(path).or_else(|| below_downloads.and_then(find))
    }
}

fn row(
    name: &str,
    file: &RawFile,
    item: Item,
    classes: &mut BTreeMap<String, String>,
) -> Result<Row, String> {
    let number = |field: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(format!("{field} {text:?} is no number")),
        },
    };
    let segment = match (number("start", item.start)?, number("end", item.end)?) {
        (None, None) => None,
        (Some(start), Some(end)) if start >= 0.0 && end > start => Some((start, end)),
        (Some(start), Some(end)) => {
            return Err(format!("segment {start}..{end} s is empty or negative"));
        }
        _ => return Err("a segment needs both start and end".to_owned()),
    };
    let channel = match item.channel {
        None => 1,
        Some(text) => match text.parse::<u16>() {
            Ok(channel) if channel > 0 => channel,
            _ => return Err(format!("channel {text:?} is no number from 1")),
        },
    };
    if let Some(class) = item.class.filter(|class| *class != item.emo) {
        match classes
            .entry(item.emo.clone())
            .or_insert_with(|| class.clone())
        {
            known if *known == class => {}
            known => {
                return Err(format!(
                    "emo {:?} has the label {class:?} here and {known:?} above",
                    item.emo
                ));
            }
        }
    }
    let key = item.key.unwrap_or_else(|| match segment {
        Some((start, end)) => format!("{}-{start}-{end}", folders::key(name, file.path())),
        None => folders::key(name, file.path()),
    });
    if key.contains(['\t', '\n', '\r']) {
        return Err(format!("key {key:?} holds a tab or a line break"));
    }
    let mut row = Row::new(key, item.emo).channel(crate::Channel::Number(channel));
    row.segment = segment;
    row.speaker = item.speaker;
    row.gender = item
        .gender
        .map(|text| Gender::parse(&text).map_or(text, |gender| gender.word().to_owned()));
    row.language = item.language;
    row.text = item.text;
    row.split = item.split;
    Ok(row)
}

fn columns(tree: &RawTree, table: &RawFile, delimiter: u8) -> Result<Vec<Item>, CorpusError> {
    let table = tree.read_table(table, delimiter, &["path", "label"])?;
    let item = |row: crate::TableRow<'_>| {
        let some = |column: &str| row.some(column).map(str::to_owned);
        Item {
            line: row.line(),
            path: row.get("path").to_owned(),
            emo: row.get("label").to_owned(),
            class: None,
            key: some("key"),
            speaker: some("speaker"),
            gender: some("gender"),
            language: some("language"),
            text: some("text"),
            split: some("split"),
            channel: some("channel"),
            start: some("start"),
            end: some("end"),
        }
    };
    Ok(table.rows().map(item).collect())
}

/// Ours (`wav`, `emo`, `label`), the published form (`wav`, `emo`) and its older one (`audio`, `label`).
fn jsonl(text: &str, problems: &mut Vec<LineProblem>) -> Vec<Item> {
    let mut items = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(text) {
            Ok(object) => object,
            Err(error) => {
                problems.push(LineProblem {
                    line,
                    message: format!("not a JSON object: {error}"),
                });
                continue;
            }
        };
        let some = |names: &[&str]| {
            let value = names.iter().find_map(|name| object.get(*name))?;
            match value {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        };
        items.push(Item {
            line,
            path: some(&["wav", "audio", "path"]).unwrap_or_default(),
            emo: some(&["emo", "label"]).unwrap_or_default(),
            class: some(&["label"]),
            key: some(&["key"]),
            speaker: some(&["speaker"]),
            gender: some(&["gender"]),
            language: some(&["language"]),
            text: some(&["text"]),
            split: some(&["split"]),
            channel: some(&["channel"]),
            start: some(&["start_time", "start"]),
            end: some(&["end_time", "end"]),
        });
    }
    items
}
