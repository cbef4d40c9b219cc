//! Corpora and encoders as a call or an experiment file names them.

use crate::home::is_plain_name;
use crate::{BenchError, CallError};
use emobox_encoder::{BUILT_IN, ZooEntry, hub, zoo_meant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A corpus of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusChoice {
    /// A registered corpus, or any other name for your own corpus.
    pub name: String,
    /// The raw release (or your own table or folders); absent if it is already prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<PathBuf>,
    /// The channel of every file: `mix`, or a number from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Columns of your own table by content: `{ path = "file", label = "emotion" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// Your own corpus, whatever its name and files look like, with labels and speakers correct as written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub custom: bool,
}

impl CorpusChoice {
    /// How to read it, where its files leave that open.
    pub fn reading(&self) -> Reading {
        Reading {
            channel: self.channel.clone(),
            columns: self.columns.clone(),
            custom: self.custom,
        }
    }
}

/// How to read one corpus, where its files leave that open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The channel of every file: `mix`, or a number from 1.
    pub channel: Option<String>,
    /// Columns of your own table by content: `{ path = "file", label = "emotion" }`.
    pub columns: BTreeMap<String, String>,
    /// Your own corpus, whatever its name and files look like, with labels and speakers correct as written.
    pub custom: bool,
}

impl Reading {
    /// Reads `path=file,label=emotion`.
    pub fn parse_columns(text: &str) -> Result<BTreeMap<String, String>, BenchError> {
        let pair = |part: &str| {
            let (field, column) = part.split_once('=')?;
            Some((field.trim().to_owned(), column.trim().to_owned()))
        };
        let refused =
            |expected: String| BenchError::Call(CallError::value("--columns", text, expected));
        let mut columns = BTreeMap::new();
        for part in text.split(',') {
            let Some((field, column)) = pair(part) else {
                let expected = "FIELD=COLUMN,…, as in path=file,label=emotion";
                return Err(refused(expected.to_owned()));
            };
            if columns.insert(field.clone(), column).is_some() {
                return Err(refused(format!("one column for {field}")));
            }
        }
        Ok(columns)
    }
}

/// An encoder of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderChoice {
    /// A row of the zoo, or any other name for a local checkpoint.
    pub name: String,
    /// A local checkpoint folder or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

impl EncoderChoice {
    /// The encoder that a text names: a name of the zoo or the hub's name of its repository, in any case; `NAME=PATH`; the path of a
    /// checkpoint; or any `organisation/name` of the hub, optionally with `@revision`. A checkpoint in the hub's cache is found
    /// there; any other keeps its slash, and [`Experiment::fetch_encoders`](crate::Experiment::fetch_encoders) fetches it.
    pub fn named(words: &str) -> Self {
        if let Some((name, path)) = words.split_once('=') {
            return Self {
                name: name.to_owned(),
                path: Some(PathBuf::from(path)),
            };
        }
        let plain = |name: &str, path| Self {
            name: name.to_owned(),
            path,
        };
        let path = Path::new(words);
        let is_path = words.contains(['/', std::path::MAIN_SEPARATOR]);
        if is_path && path.exists() {
            let name = path.canonicalize().ok();
            let name = name.as_deref().and_then(Path::file_stem);
            let name = name.map_or_else(|| words.into(), std::ffi::OsStr::to_string_lossy);
            return plain(&name, Some(path.to_owned()));
        }
        let mut built_in = BUILT_IN.into_iter();
        if let Some(name) = built_in.find(|name| words.eq_ignore_ascii_case(name)) {
            return plain(name, None);
        }
        match zoo_meant(words) {
            Some(entry) if !words.contains('/') || is_here(entry) => plain(entry.name, None),
            Some(_) => plain(words, None),
            None => match on_the_hub(words) {
                Some(request) => {
                    let name = request.repository.rsplit('/').next().unwrap_or(words);
                    let found = hub::cached(&request);
                    let name = if found.is_some() { name } else { words };
                    plain(name, found)
                }
                None => plain(words, None),
            },
        }
    }

    /// Whether it is the folder of a saved probe.
    pub(crate) fn is_probe(&self) -> bool {
        let path = self.path.as_ref();
        path.is_some_and(|path| path.join("probe.json").exists())
    }

    /// Whether it is named as on the hub and not fetched yet.
    pub(crate) fn is_away(&self) -> bool {
        self.path.is_none() && on_the_hub(&self.name).is_some()
    }
}

fn is_here(entry: &ZooEntry) -> bool {
    let request = entry.hub_request();
    request.is_some_and(|request| hub::cached(&request).is_some())
}

/// `organisation/name` or `organisation/name@revision`.
pub(crate) fn on_the_hub(words: &str) -> Option<hub::HubRequest> {
    let (repository, revision) = match words.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (words, None),
    };
    let (organisation, name) = repository.split_once('/')?;
    let plain = |part: &str| crate::check_name(part).is_ok();
    if !plain(organisation) || !plain(name) {
        return None;
    }
    let mut request = hub::HubRequest::new(repository);
    if let Some(revision) = revision {
        request.revision = revision.to_owned();
    }
    Some(request)
}

/// Refuses a corpus or encoder name that cannot be the name of a folder.
pub fn check_name(name: &str) -> Result<(), BenchError> {
    if is_plain_name(name) {
        return Ok(());
    }
    Err(BenchError::Call(CallError::Name(name.to_owned())))
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
