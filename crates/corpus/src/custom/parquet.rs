//! Parquet, as Hugging Face's `datasets` and audformat write it.

use super::objects::Lines;
use super::unpacked::{Out, PATH, packed};
use crate::CorpusError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use emobox_files::{FileError, guarded};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Rows of a table: called with the row's number from 1 and its columns.
type Take<'a> = dyn FnMut(u64, Vec<(String, Field)>) -> Result<(), CorpusError> + 'a;

/// What a table's metadata say.
#[derive(Default)]
struct About {
    columns: Vec<String>,
    /// Names of classes by column, from the schema that `datasets` stores in the metadata.
    classes: BTreeMap<String, Vec<String>>,
}

/// The columns and rows of a table of audio; audio in its cells is written to files. `None` if the table has no audio.
pub(super) fn read(
    path: &Path,
    out: &mut Out<'_>,
) -> Result<Option<(Vec<String>, Lines)>, CorpusError> {
    let mut lines = Lines::new();
    let mut audio: Option<String> = None;
    let about = each_row(path, &mut |row, columns| {
        let mut cells = BTreeMap::new();
        for (column, field) in columns {
            match field {
                Field::Group(group) if is_audio(&group) => {
                    let (bytes, inside) = sound(group);
                    let place = match bytes {
                        Some(bytes) => {
                            let name = inside
                                .as_deref()
                                .map(|p| p.rsplit(['/', '\\']).next().unwrap_or(p));
                            Some(out.write(path, row, name, &bytes)?)
                        }
                        None => inside,
                    };
                    if let Some(place) = place {
                        cells.insert(PATH.to_owned(), place);
                    }
                    audio = Some(column);
                }
                field => {
                    // Another column of that name would overwrite the path of the audio.
                    if let Some(text) = text(&field)
                        && !(audio.is_some() && column == PATH)
                    {
                        cells.entry(column).or_insert(text);
                    }
                }
            }
        }
        lines.push((row, cells));
        Ok(())
    })?;
    let mut columns = about.columns;
    match audio {
        Some(audio) => {
            columns.retain(|column| *column != audio && column != PATH);
            columns.insert(0, PATH.to_owned());
        }
        None => {
            let found = super::columns::Mapping::of(&columns, &BTreeMap::new());
            let is_listing = found
                .is_ok_and(|found| found.get("path").is_some() && found.get("label").is_some());
            if !is_listing {
                return Ok(None);
            }
        }
    }
    for (column, names) in &about.classes {
        for (_, cells) in &mut lines {
            if let Some(cell) = cells.get_mut(column) {
                let number = cell.parse::<usize>().ok();
                // -1 means an item without a class.
                *cell = number
                    .and_then(|n| names.get(n).cloned())
                    .unwrap_or_default();
            }
        }
    }
    Ok(Some((columns, lines)))
}

/// The columns and rows of a table without audio, as text.
pub(super) fn table(path: &Path) -> Result<(Vec<String>, Lines), CorpusError> {
    let mut lines = Lines::new();
    let about = each_row(path, &mut |row, columns| {
        let cells = columns
            .iter()
            .filter_map(|(column, field)| Some((column.clone(), text(field)?)));
        lines.push((row, cells.collect()));
        Ok(())
    })?;
    Ok((about.columns, lines))
}

fn each_row(path: &Path, take: &mut Take<'_>) -> Result<About, CorpusError> {
    let file = File::open(path).map_err(|e| FileError::io("open", path, e))?;
    // The Parquet reader panics on some damaged files.
    let read = guarded(|| rows(path, file, take));
    read.unwrap_or_else(|| Err(packed(path, "the Parquet file is damaged")))
}

fn rows(path: &Path, file: File, take: &mut Take<'_>) -> Result<About, CorpusError> {
    let damaged =
        |error: ::parquet::errors::ParquetError| packed(path, unreadable(&error.to_string()));
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let metadata = reader.metadata().file_metadata();
    let fields = metadata.schema().get_fields();
    let mut about = About {
        columns: fields.iter().map(|field| field.name().to_owned()).collect(),
        ..About::default()
    };
    for pair in metadata.key_value_metadata().into_iter().flatten() {
        if let ("huggingface", Some(text)) = (pair.key.as_str(), &pair.value) {
            about.classes = classes(text);
        }
    }
    for (row, columns) in (1..).zip(reader.get_row_iter(None).map_err(damaged)?) {
        take(row, columns.map_err(damaged)?.into_columns())?;
    }
    Ok(about)
}

fn unreadable(message: &str) -> String {
    if message.contains("compress") || message.contains("codec") || message.contains("feature") {
        format!(
            "{message}; snappy, gzip and no compression are read: write it again with one of them"
        )
    } else {
        format!("the Parquet file cannot be read: {message}")
    }
}

/// The class names of each `ClassLabel` column.
fn classes(text: &str) -> BTreeMap<String, Vec<String>> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let features = value["info"]["features"].as_object().into_iter().flatten();
    let names = |feature: &Value| -> Option<Vec<String>> {
        let names = feature["names"]
            .as_array()
            .filter(|_| feature["_type"] == "ClassLabel")?;
        names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    features
        .filter_map(|(column, feature)| Some((column.clone(), names(feature)?)))
        .collect()
}

/// Whether a column is audio: bytes, or the path of a file, or both.
fn is_audio(group: &Row) -> bool {
    group.get_column_iter().any(|(name, _)| name == "bytes")
}

fn sound(group: Row) -> (Option<Vec<u8>>, Option<String>) {
    let (mut bytes, mut path) = (None, None);
    for (name, field) in group.into_columns() {
        match (name.as_str(), field) {
            ("bytes", Field::Bytes(found)) => bytes = Some(found.data().to_vec()),
            ("path", field) => path = text(&field),
            _ => {}
        }
    }
    (bytes, path)
}

fn text(field: &Field) -> Option<String> {
    Some(match field {
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok()?.to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        Field::Float(value) => value.to_string(),
        Field::Double(value) => value.to_string(),
        _ => return None,
    })
}
