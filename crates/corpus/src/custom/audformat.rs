//! audformat: a header `db.yaml` with tables of files and of segments.

use super::columns::{Mapping, seconds};
use super::listing::{Item, Source};
use super::objects::Lines;
use super::parquet;
use crate::side_file::is_nothing;
use crate::{CorpusError, PrepareOptions, RawFile, RawTree};
use emobox_files::FileError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Names of the field of a scheme's label that holds the class.
const CLASS: [&str; 5] = ["emotion", "label", "class", "category", "name"];

/// A row's file, start and end; the times are only set for a segment.
type Place = (String, Option<String>, Option<String>);

/// One table, with its entry in the header.
struct Table<'a> {
    file: &'a RawFile,
    part: Option<String>,
    /// The scheme of each column.
    schemes: BTreeMap<String, String>,
    mapping: Mapping,
    lines: Lines,
}

/// The labelled rows of all tables, with facts on their files from the other tables.
pub(super) fn read<'a>(
    name: &str,
    tree: &'a RawTree,
    options: &PrepareOptions,
    notes: &mut Vec<String>,
) -> Result<Option<(Source<'a>, Vec<Item>)>, CorpusError> {
    let Some(header_file) = tree.files().iter().find(|file| file.path() == "db.yaml") else {
        return Ok(None);
    };
    let path = tree.locate(header_file);
    let text = tree.read_text(header_file)?;
    let header = emobox_files::parse_yaml(&text).map_err(|problem| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, problem);
        FileError::io("read", &path, source)
    })?;
    let unclear = |problem: String, cure: &str| CorpusError::Unclear {
        corpus: name.to_owned(),
        problem: format!("{}: {problem}", path.display()),
        cure: cure.to_owned(),
    };
    let mut tables = Vec::new();
    let mut asked = BTreeSet::new();
    for (id, about) in header["tables"].as_object().into_iter().flatten() {
        let (file, columns, lines) = content(tree, id)?;
        let of_here = options
            .columns
            .iter()
            .filter(|(_, column)| columns.contains(column));
        let of_here: BTreeMap<String, String> =
            of_here.map(|(a, b)| (a.clone(), b.clone())).collect();
        asked.extend(of_here.keys().cloned());
        let mapping = Mapping::of(&columns, &of_here)
            .map_err(|problem| unclear(format!("table {id}: {problem}"), "as said"))?;
        let scheme = |(column, about): (&String, &Value)| {
            Some((column.clone(), about["scheme_id"].as_str()?.to_owned()))
        };
        tables.push(Table {
            file,
            part: about["split_id"]
                .as_str()
                .map(|split| part_of(&header, split)),
            schemes: about["columns"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(scheme)
                .collect(),
            mapping,
            lines,
        });
    }
    if let Some((field, column)) = options
        .columns
        .iter()
        .find(|(field, _)| !asked.contains(*field))
    {
        return Err(unclear(
            format!("--columns wants {field} from a column {column:?}, which no table has"),
            "name one that is there",
        ));
    }
    let (labelled, others): (Vec<Table<'_>>, Vec<Table<'_>>) = tables
        .into_iter()
        .partition(|table| table.mapping.get("label").is_some());
    let Some(first) = labelled.first() else {
        return Err(unclear(
            "no table has a column of emotions".to_owned(),
            "say which column it is with --columns label=COLUMN",
        ));
    };
    let source = Source::whole(tree, first.file);
    let votes = votes(labelled.iter().chain(&others));
    let facts = facts(&others);
    let classes = classes(&header);
    let mut people = HashMap::new();
    let mut merged: Vec<(Place, u64, BTreeMap<&'static str, String>)> = Vec::new();
    let mut known: HashMap<Place, usize> = HashMap::new();
    for table in &labelled {
        if !table.mapping.unused.is_empty() {
            notes.push(format!(
                "{}: columns that are not used: {} (--columns FIELD=COLUMN says what one holds)",
                table.file.path(),
                table.mapping.unused.join(", ")
            ));
        }
        for (line, cells) in &table.lines {
            let mut values = values(&table.mapping, cells);
            // Annotators leave the label empty if they did not rate the segment.
            let Some(label) = values
                .get("label")
                .filter(|label| !is_nothing(label))
                .cloned()
            else {
                continue;
            };
            let Some(place) = place(&mut values) else {
                continue;
            };
            if let Some(part) = &table.part {
                values.insert("split", part.clone());
            }
            let of_file = (place.0.clone(), None, None);
            for more in [facts.get(&place), facts.get(&of_file)]
                .into_iter()
                .flatten()
            {
                for (field, value) in more {
                    values.entry(field).or_insert_with(|| value.clone());
                }
            }
            let column = table.mapping.get("label").unwrap_or_default();
            let class = table
                .schemes
                .get(column)
                .and_then(|scheme| classes.get(scheme)?.get(&label));
            if let Some(class) = class {
                values.insert("class", class.clone());
            }
            speaker_facts(tree, &header, table, &mut people, &mut values)?;
            match known.get(&place) {
                None => {
                    known.insert(place.clone(), merged.len());
                    merged.push((place, *line, values));
                }
                Some(&at) => {
                    let (_, _, before) = &mut merged[at];
                    let other = before.get("label").cloned().unwrap_or_default();
                    if other != label {
                        return Err(unclear(
                            format!(
                                "{} is {other:?} in one table and {label:?} in {}",
                                place.0,
                                table.file.path()
                            ),
                            "name the table to use as --raw in place of the folder",
                        ));
                    }
                    for (field, value) in values {
                        before.entry(field).or_insert(value);
                    }
                }
            }
        }
    }
    let item =
        |((file, start, end), line, values): (Place, u64, BTreeMap<&'static str, String>)| {
            let mut item = Item::new(line);
            for (field, value) in values {
                item.set(field, Some(value));
            }
            let place = (file, start, end);
            for (class, count) in votes.get(&place).into_iter().flatten() {
                item.set_votes(class.clone(), count.clone());
            }
            let (file, start, end) = place;
            item.set("path", Some(file));
            item.set("start", start);
            item.set("end", end);
            item
        };
    Ok(Some((source, merged.into_iter().map(item).collect())))
}

/// The file of a table with its columns and rows.
fn content<'a>(
    tree: &'a RawTree,
    id: &str,
) -> Result<(&'a RawFile, Vec<String>, Lines), CorpusError> {
    let find = |extension: &str| {
        let wanted = format!("db.{id}.{extension}");
        tree.files().iter().find(move |file| file.path() == wanted)
    };
    if let Some(file) = find("csv") {
        let text = tree.read_text(file)?;
        let table = crate::Table::parse(tree.locate(file), &text, b',', &[])?;
        let lines = table.rows().map(|row| {
            let cells = table.columns().iter().zip(row.cells());
            (
                row.line(),
                cells
                    .map(|(column, cell)| (column.clone(), cell.to_owned()))
                    .collect(),
            )
        });
        return Ok((file, table.columns().to_vec(), lines.collect()));
    }
    let Some(file) = find("parquet") else {
        let found = if find("pkl").is_some() {
            "it is there as a pickle, which is not read: "
        } else {
            ""
        };
        let missing = tree.root().join(format!("db.{id}.csv"));
        let advice = format!("{found}save the database with storage_format=\"csv\"");
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, advice);
        return Err(FileError::io("read", missing, source).into());
    };
    let (columns, mut lines) = parquet::table(&tree.locate(file))?;
    for (_, cells) in &mut lines {
        for column in ["start", "end"] {
            // audformat gives time spans in nanoseconds.
            if let Some(cell) = cells.get_mut(column)
                && let Ok(nanoseconds) = cell.parse::<i64>()
            {
                *cell = (nanoseconds as f64 / 1e9).to_string();
            }
        }
    }
    Ok((file, columns, lines))
}

/// The part of a split: its type if that is one of the fixed list, otherwise its name.
fn part_of(header: &Value, split: &str) -> String {
    let kind = header["splits"][split]["type"].as_str();
    kind.filter(|kind| matches!(*kind, "train" | "dev" | "test"))
        .map_or_else(|| split.to_owned(), str::to_owned)
}

fn values(mapping: &Mapping, cells: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    let fields = super::columns::FIELDS.iter().map(|(field, _)| *field);
    let value = |field: &'static str| Some((field, cells.get(mapping.get(field)?)?.clone()));
    fields.filter_map(value).collect()
}

/// Removes the place from a row: a segment from 0 without an end is the whole file.
fn place(values: &mut BTreeMap<&'static str, String>) -> Option<Place> {
    let file = values.remove("path")?;
    let time = |text: Option<String>| text.filter(|text| !is_nothing(text));
    let (start, end) = (time(values.remove("start")), time(values.remove("end")));
    let start = start.filter(|start| end.is_some() || seconds(start) != Some(0.0));
    Some((file, start, end))
}

/// The votes of all tables, by file or segment.
fn votes<'a>(
    tables: impl Iterator<Item = &'a Table<'a>>,
) -> HashMap<Place, BTreeMap<String, String>> {
    let mut votes: HashMap<Place, BTreeMap<String, String>> = HashMap::new();
    for table in tables.filter(|table| !table.mapping.votes.is_empty()) {
        for (_, cells) in &table.lines {
            let Some(place) = place(&mut values(&table.mapping, cells)) else {
                continue;
            };
            let known = votes.entry(place).or_default();
            for (column, class) in &table.mapping.votes {
                if let Some(count) = cells.get(column) {
                    known.insert(class.clone(), count.clone());
                }
            }
        }
    }
    votes
}

/// The facts in tables without a label, by file or segment.
fn facts(tables: &[Table<'_>]) -> HashMap<Place, BTreeMap<&'static str, String>> {
    let mut facts: HashMap<Place, BTreeMap<&'static str, String>> = HashMap::new();
    for table in tables {
        for (_, cells) in &table.lines {
            let mut values = values(&table.mapping, cells);
            values.remove("duration");
            values.retain(|_, value| !is_nothing(value));
            if let Some(place) = place(&mut values) {
                let known = facts.entry(place).or_default();
                for (field, value) in values {
                    known.entry(field).or_insert(value);
                }
                if let Some(part) = &table.part {
                    known.entry("split").or_insert_with(|| part.clone());
                }
            }
        }
    }
    facts
}

/// The class of each label of a scheme, where the header gives it.
fn classes(header: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut classes = BTreeMap::new();
    for (scheme, about) in header["schemes"].as_object().into_iter().flatten() {
        let labels = about["labels"].as_object().into_iter().flatten();
        let class = |(label, about): (&String, &Value)| {
            let named = about
                .as_str()
                .or_else(|| CLASS.iter().find_map(|word| about[*word].as_str()))?;
            Some((label.clone(), named.to_owned()))
        };
        let of: BTreeMap<String, String> = labels.filter_map(class).collect();
        classes.insert(scheme.clone(), of);
    }
    classes
}

/// Gender and language of a speaker, from the labels of its scheme or the table that holds these.
fn speaker_facts(
    tree: &RawTree,
    header: &Value,
    table: &Table<'_>,
    people: &mut HashMap<String, HashMap<String, BTreeMap<String, String>>>,
    values: &mut BTreeMap<&'static str, String>,
) -> Result<(), CorpusError> {
    let Some(speaker) = values.get("speaker").cloned() else {
        return Ok(());
    };
    let column = table.mapping.get("speaker").unwrap_or("speaker");
    let scheme = table.schemes.get(column).map_or(column, String::as_str);
    if !people.contains_key(scheme) {
        let found = match &header["schemes"][scheme]["labels"] {
            Value::Object(labels) => labels
                .iter()
                .map(|(id, about)| (id.clone(), words(about)))
                .collect(),
            Value::String(table) => {
                let (_, columns, lines) = content(tree, table)?;
                let id = columns.first().cloned().unwrap_or_default();
                lines
                    .into_iter()
                    .filter_map(|(_, cells)| Some((cells.get(&id)?.clone(), cells)))
                    .collect()
            }
            _ => HashMap::new(),
        };
        people.insert(scheme.to_owned(), found);
    }
    let about = people.get(scheme).and_then(|people| people.get(&speaker));
    for (field, names) in [
        ("gender", &["gender", "sex"][..]),
        ("language", &["language"]),
    ] {
        let value = names.iter().find_map(|name| about?.get(*name));
        if let Some(value) = value.filter(|value| !is_nothing(value)) {
            values.entry(field).or_insert_with(|| value.clone());
        }
    }
    Ok(())
}

fn words(about: &Value) -> BTreeMap<String, String> {
    let members = about.as_object().into_iter().flatten();
    members
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
