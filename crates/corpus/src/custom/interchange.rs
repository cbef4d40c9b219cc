//! Corpora in the formats of other programs, read as listings: Kaldi's data folders and Lhotse's manifests.

use super::listing::{Item, Source};
use crate::{CorpusError, DIMENSIONS, LineProblem, RawFile, RawTree};
use emobox_files::FileError;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;

/// Lengths of one recording that differ by less are equal: files give them rounded.
const SAME_LENGTH: f64 = 1e-3;

/// The listing of a folder in one of these formats; `None` if it is in neither.
pub(super) fn read<'a>(
    name: &str,
    tree: &'a RawTree,
) -> Result<Option<(Source<'a>, Vec<Item>)>, CorpusError> {
    let at_top = |wanted: &str| tree.files().iter().find(|file| file.path() == wanted);
    if let Some(scp) = at_top("wav.scp") {
        return Ok(Some((Source::whole(tree, scp), kaldi(name, tree, scp)?)));
    }
    let json_lines = |stem: &str| {
        let plain = at_top(&format!("{stem}.jsonl"));
        plain.or_else(|| at_top(&format!("{stem}.jsonl.gz")))
    };
    if let Some(cuts) = json_lines("cuts") {
        return Ok(Some((Source::whole(tree, cuts), of_cuts(tree, cuts)?)));
    }
    match (json_lines("supervisions"), json_lines("recordings")) {
        (Some(supervisions), Some(recordings)) => {
            let items = of_supervisions(tree, supervisions, recordings)?;
            Ok(Some((Source::whole(tree, supervisions), items)))
        }
        _ => Ok(None),
    }
}

/// The lines of a Kaldi file: an id, a space, the value.
fn pairs(tree: &RawTree, file: &RawFile) -> Result<Vec<(u64, String, String)>, CorpusError> {
    let text = tree.read_text(file)?;
    let pair = |(line, text): (u64, &str)| {
        let (id, rest) = text.trim().split_once(char::is_whitespace)?;
        Some((line, id.to_owned(), rest.trim().to_owned()))
    };
    Ok((1..).zip(text.lines()).filter_map(pair).collect())
}

fn kaldi(name: &str, tree: &RawTree, scp: &RawFile) -> Result<Vec<Item>, CorpusError> {
    let table = |wanted: &str| -> Result<HashMap<String, String>, CorpusError> {
        let Some(file) = tree.files().iter().find(|file| file.path() == wanted) else {
            return Ok(HashMap::new());
        };
        let pairs = pairs(tree, file)?.into_iter();
        Ok(pairs.map(|(_, id, rest)| (id, rest)).collect())
    };
    // Kaldi defines no file for labels; this name is the usual one.
    tree.side_file(name, &["utt2emo"])?;
    let (emotions, speakers) = (table("utt2emo")?, table("utt2spk")?);
    let (genders, texts) = (table("spk2gender")?, table("text")?);
    let parts = table("utt2part")?;
    let mut ratings = Vec::new();
    for dimension in DIMENSIONS {
        ratings.push((dimension, table(&format!("utt2{dimension}"))?));
    }
    let votes = table("utt2votes")?;
    let mut problems = Vec::new();
    let mut paths = HashMap::new();
    let mut lines = Vec::new();
    for (line, id, path) in pairs(tree, scp)? {
        if path.ends_with('|') {
            let message =
                format!("{id} is a pipe, {path:?}; write the audio to a file and name that");
            problems.push(LineProblem { line, message });
        }
        lines.push((line, id.clone(), id.clone(), None));
        paths.insert(id, path);
    }
    if !problems.is_empty() {
        let path = tree.locate(scp);
        return Err(CorpusError::Lines { path, problems });
    }
    if let Some(file) = tree.files().iter().find(|file| file.path() == "segments") {
        lines.clear();
        for (line, id, rest) in pairs(tree, file)? {
            let parts: Vec<&str> = rest.split_whitespace().collect();
            if let [recording, start, end] = parts[..] {
                let times = Some((start.to_owned(), end.to_owned()));
                lines.push((line, id, recording.to_owned(), times));
            } else {
                let message =
                    format!("expected an utterance, a recording, start and end, found {id} {rest}");
                problems.push(LineProblem { line, message });
            }
        }
        if !problems.is_empty() {
            let path = tree.locate(file);
            return Err(CorpusError::Lines { path, problems });
        }
    }
    let item = |(line, id, recording, times): (u64, String, String, Option<(String, String)>)| {
        let mut item = Item::new(line);
        item.set("path", paths.get(&recording).cloned());
        item.set("label", emotions.get(&id).cloned());
        let speaker = speakers.get(&id);
        item.set(
            "gender",
            speaker.and_then(|speaker| genders.get(speaker)).cloned(),
        );
        item.set("speaker", speaker.cloned());
        item.set("text", texts.get(&id).cloned());
        item.set("split", parts.get(&id).cloned());
        if let Some((start, end)) = times {
            item.set("start", Some(start));
            item.set("end", Some(end));
        }
        for (dimension, values) in &ratings {
            item.set(dimension, values.get(&id).cloned());
        }
        // As `Angry=3 Sad=1`.
        for word in votes
            .get(&id)
            .iter()
            .flat_map(|text| text.split_whitespace())
        {
            let (class, count) = word.rsplit_once('=').unwrap_or((word, ""));
            let count = if count.is_empty() {
                "none given"
            } else {
                count
            };
            item.set_votes(class.to_owned(), count.to_owned());
        }
        item.set("key", Some(id));
        item
    };
    Ok(lines.into_iter().map(item).collect())
}

/// The JSON objects of a manifest, compressed or not, with their line numbers.
fn objects(tree: &RawTree, file: &RawFile) -> Result<Vec<(u64, Value)>, CorpusError> {
    let path = tree.locate(file);
    let text = if file.extension() == "gz" {
        let bytes = std::fs::read(&path).map_err(|e| FileError::io("read", &path, e))?;
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .map_err(|e| FileError::io("unpack", &path, e))?;
        text
    } else {
        tree.read_text(file)?
    };
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    for (line, text) in (1..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty())
    {
        match serde_json::from_str(text) {
            Ok(object) => objects.push((line, object)),
            Err(error) => {
                let message = format!("not a JSON object: {error}");
                problems.push(LineProblem { line, message });
            }
        }
    }
    if problems.is_empty() {
        Ok(objects)
    } else {
        Err(CorpusError::Lines { path, problems })
    }
}

/// Path and length of a recording; no path if its audio is not a single file.
fn recording(value: &Value) -> (Option<String>, f64) {
    let sources = value["sources"].as_array().map_or(&[][..], Vec::as_slice);
    let path = match sources {
        [source] if source["type"] == "file" => source["source"].as_str(),
        _ => None,
    };
    (
        path.map(str::to_owned),
        value["duration"].as_f64().unwrap_or(0.0),
    )
}

fn of_supervisions(
    tree: &RawTree,
    supervisions: &RawFile,
    recordings: &RawFile,
) -> Result<Vec<Item>, CorpusError> {
    let recordings: BTreeMap<String, (Option<String>, f64)> = objects(tree, recordings)?
        .iter()
        .filter_map(|(_, value)| Some((value["id"].as_str()?.to_owned(), recording(value))))
        .collect();
    let item = |(line, value): &(u64, Value)| {
        let of = value["recording_id"]
            .as_str()
            .and_then(|id| recordings.get(id));
        let (path, length) = of.cloned().unwrap_or_default();
        supervision(*line, value, path, length, 0.0)
    };
    Ok(objects(tree, supervisions)?.iter().map(item).collect())
}

fn of_cuts(tree: &RawTree, cuts: &RawFile) -> Result<Vec<Item>, CorpusError> {
    let mut items = Vec::new();
    for (line, cut) in objects(tree, cuts)? {
        let (path, length) = recording(&cut["recording"]);
        let start = cut["start"].as_f64().unwrap_or(0.0);
        for value in cut["supervisions"].as_array().into_iter().flatten() {
            items.push(supervision(line, value, path.clone(), length, start));
        }
    }
    Ok(items)
}

/// A supervision of a recording of this length; its times are relative to `offset`.
fn supervision(line: u64, value: &Value, path: Option<String>, length: f64, offset: f64) -> Item {
    let mut item = Item::new(line);
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let custom = &value["custom"];
    item.set("path", path);
    item.set(
        "label",
        text(&custom["emotion"]).or_else(|| text(&custom["label"])),
    );
    for dimension in DIMENSIONS {
        item.set(dimension, text(&custom[dimension]));
    }
    for (class, count) in custom["votes"].as_object().into_iter().flatten() {
        item.set_votes(class.clone(), text(count).unwrap_or_default());
    }
    item.set("split", text(&custom["split"]));
    item.set("key", text(&value["id"]));
    for field in ["speaker", "gender", "language", "text"] {
        item.set(field, text(&value[field]));
    }
    // Lhotse counts channels from 0.
    let channel = value["channel"]
        .as_u64()
        .map(|channel| (channel + 1).to_string());
    item.set("channel", channel);
    let start = value["start"].as_f64().unwrap_or(0.0) + offset;
    let duration = value["duration"].as_f64().unwrap_or(length);
    if start > 0.0 || (duration - length).abs() > SAME_LENGTH {
        item.set("start", Some(start.to_string()));
        item.set("end", Some((start + duration).to_string()));
    }
    item
}
