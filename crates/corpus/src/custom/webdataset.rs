//! Shards of WebDataset: tar archives in which the files of a sample share their name up to its first dot.

use super::objects::Lines;
use super::unpacked::{Out, PATH, packed, row_problem};
use crate::CorpusError;
use emobox_files::FileError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Size limit for a label, JSON or text of a sample; larger ones are not read.
const LARGEST_NOTE: u64 = 1 << 24;

/// Size limit for a recording of a sample.
const LARGEST_AUDIO: u64 = 1 << 31;

/// The contents of one sample.
#[derive(Default)]
struct Sample {
    name: String,
    path: Option<String>,
    cells: BTreeMap<String, String>,
    is_labelled: bool,
}

/// The columns and rows of a shard, with its audio written to files. `None` for other archives: those without a sample that has
/// audio and a `.json` or `.cls`.
pub(super) fn read(
    path: &Path,
    out: &mut Out<'_>,
) -> Result<Option<(Vec<String>, Lines)>, CorpusError> {
    if !has_labelled_sample(path)? {
        return Ok(None);
    }
    let mut columns = vec![PATH.to_owned()];
    let mut lines = Lines::new();
    let mut sample = Sample::default();
    let mut row = 0;
    let mut end = |sample: Sample, row: u64| -> Result<(), CorpusError> {
        // Samples without audio, such as lists or pictures, are not utterances.
        let Some(place) = sample.path else {
            return Ok(());
        };
        if !sample.is_labelled {
            let message = format!(
                "sample {} has audio and neither .json nor .cls",
                sample.name
            );
            return Err(row_problem(path, row, message));
        }
        let mut cells = sample.cells;
        cells.insert(PATH.to_owned(), place);
        for column in cells
            .keys()
            .filter(|column| !columns.contains(column))
            .cloned()
            .collect::<Vec<_>>()
        {
            columns.push(column);
        }
        lines.push((row, cells));
        Ok(())
    };
    each_entry(path, &mut |name, size, content| {
        let Some((stem, extension)) = split(name) else {
            return Ok(true);
        };
        if stem != sample.name {
            end(std::mem::take(&mut sample), row)?;
            stem.clone_into(&mut sample.name);
            row += 1;
        }
        let is_audio = crate::tree::has_audio_extension(name);
        if size
            > if is_audio {
                LARGEST_AUDIO
            } else {
                LARGEST_NOTE
            }
        {
            return Err(row_problem(
                path,
                row,
                format!("{name} says it has {size} bytes"),
            ));
        }
        if is_audio {
            if sample.path.is_some() {
                return Err(row_problem(
                    path,
                    row,
                    format!("sample {stem} has two recordings"),
                ));
            }
            let bytes = bytes(path, content)?;
            sample.path = Some(out.write(path, row, Some(name), &bytes)?);
        } else if let "json" | "cls" | "txt" = extension {
            let bytes = bytes(path, content)?;
            let text = String::from_utf8(bytes)
                .map_err(|_| row_problem(path, row, format!("{name} is no text")))?;
            note(&mut sample, extension, &text)
                .map_err(|problem| row_problem(path, row, format!("{name}: {problem}")))?;
        }
        Ok(true)
    })?;
    end(sample, row)?;
    Ok(Some((columns, lines)))
}

/// Looks for the first audio with a label of the same name; in most archives a few entries are enough.
fn has_labelled_sample(path: &Path) -> Result<bool, CorpusError> {
    let (mut audio, mut labelled) = (String::new(), String::new());
    let mut found = false;
    each_entry(path, &mut |name, _, _| {
        if let Some((stem, extension)) = split(name) {
            if crate::tree::has_audio_extension(name) {
                stem.clone_into(&mut audio);
            } else if matches!(extension, "json" | "cls") {
                stem.clone_into(&mut labelled);
            }
            found = !audio.is_empty() && audio == labelled;
        }
        Ok(!found)
    })?;
    Ok(found)
}

/// The name up to the first dot of its last part, and the extension.
fn split(name: &str) -> Option<(&str, &str)> {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    let last = &name[start..];
    // Names that start with a dot are an archiver's own files.
    let dot = last.find('.').filter(|dot| *dot > 0)?;
    Some((&name[..start + dot], &last[dot + 1..]))
}

/// Callback for a file: gets name, size and content; returns whether to continue.
type Take<'a> = dyn FnMut(&str, u64, &mut dyn Read) -> Result<bool, CorpusError> + 'a;

/// Calls `take` for every file until it returns false.
fn each_entry(path: &Path, take: &mut Take<'_>) -> Result<(), CorpusError> {
    let damaged = |e: std::io::Error| packed(path, format!("the archive cannot be read: {e}"));
    let file = std::fs::File::open(path).map_err(|e| FileError::io("open", path, e))?;
    let file = std::io::BufReader::new(file);
    let is_plain = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("tar"));
    let stream: Box<dyn Read> = if is_plain {
        Box::new(file)
    } else {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    };
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(&name).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let size = entry.size();
        if !take(name, size, &mut entry)? {
            break;
        }
    }
    Ok(())
}

fn bytes(path: &Path, content: &mut dyn Read) -> Result<Vec<u8>, CorpusError> {
    let mut bytes = Vec::new();
    let read = content.read_to_end(&mut bytes);
    read.map_err(|e| packed(path, format!("the archive cannot be read: {e}")))?;
    Ok(bytes)
}

/// Adds a sample's non-audio file to it.
fn note(sample: &mut Sample, extension: &str, text: &str) -> Result<(), String> {
    match extension {
        "json" => {
            let object: serde_json::Map<String, Value> =
                serde_json::from_str(text).map_err(|e| format!("not a JSON object: {e}"))?;
            for (name, value) in object {
                let text = match value {
                    Value::String(text) => text,
                    Value::Number(number) => number.to_string(),
                    _ => continue,
                };
                sample.cells.insert(name, text);
            }
            sample.is_labelled = true;
        }
        "cls" => {
            sample
                .cells
                .insert("cls".to_owned(), text.trim().to_owned());
            sample.is_labelled = true;
        }
        _ => {
            sample
                .cells
                .entry("text".to_owned())
                .or_insert_with(|| text.trim().to_owned());
        }
    }
    Ok(())
}
