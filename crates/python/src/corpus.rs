use crate::errors::{exception, wrong};
use crate::job::run;
use emobox_bench::{BenchError, CallError, Home, PrepareHow, Stage};
use emobox_corpus::{
    Assignment, CorpusError, GroupBy, Manifest, Partition, PartitionInfo, PartitionOptions, Role,
    Utterance, scan_audio,
};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The cards of all registered corpora, as a JSON list.
#[pyfunction]
pub(crate) fn corpora() -> PyResult<String> {
    let cards: Vec<_> = emobox_bench::corpora()
        .into_iter()
        .map(|card| (card, card.classes()))
        .collect();
    json(&cards)
}

/// Makes the manifest of a raw release in `home`: (folder of the audio, manifest, record), the last
/// two as JSON.
#[pyfunction]
#[pyo3(signature = (name, raw, home=None, allow_missing=false, as_published=false, progress=None))]
pub(crate) fn prepare(
    py: Python<'_>,
    name: String,
    raw: PathBuf,
    home: Option<PathBuf>,
    allow_missing: bool,
    as_published: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<(PathBuf, String, String)> {
    let home = Home::resolve(home.as_deref());
    let how = PrepareHow {
        allow_missing,
        as_published,
    };
    let (corpus, record) = run(py, progress.as_ref(), |context| {
        emobox_bench::check_name(&name)?;
        let record = emobox_bench::prepare(&home, &name, &raw, how, context)?;
        Ok((emobox_bench::Corpus::prepared(&home, &record)?, record))
    })?;
    Ok((
        corpus.root,
        json(&corpus.manifest.utterances)?,
        json(&record)?,
    ))
}

/// The utterances of a jsonl manifest, ours or a published one, as a JSON list.
#[pyfunction]
pub(crate) fn read_manifest(path: PathBuf) -> PyResult<String> {
    let manifest = Manifest::read(&path).map_err(exception)?;
    json(&manifest.utterances)
}

/// How to partition a manifest; the arguments of the call in Python.
#[derive(Deserialize)]
struct Cut {
    scheme: String,
    seed: u64,
    metadata: Option<PathBuf>,
    folds: Option<u32>,
    group_by: GroupBy,
}

/// A partition as exchanged with Python.
#[derive(Serialize, Deserialize)]
struct Crossing {
    info: PartitionInfo,
    /// Key, fold, role.
    assignments: Vec<(String, u32, String)>,
}

/// Partitions a manifest; returns the partition as JSON.
#[pyfunction]
pub(crate) fn partition(
    py: Python<'_>,
    corpus: String,
    utterances: &str,
    cut: &str,
) -> PyResult<String> {
    let manifest = manifest(corpus, utterances)?;
    let cut: Cut = parse(cut)?;
    let options = PartitionOptions {
        scheme: cut.scheme.parse().map_err(wrong)?,
        seed: cut.seed,
        metadata: cut.metadata,
        folds: cut.folds,
        group_by: cut.group_by,
    };
    let made = py.detach(|| emobox_corpus::partition(&manifest, &options));
    let made = made.map_err(exception)?;
    let assignments = made.assignments.into_iter();
    json(&Crossing {
        info: made.info,
        assignments: assignments
            .map(|a| (a.key, a.fold, a.role.name().to_owned()))
            .collect(),
    })
}

/// Audits a partition and, if `root` is given, its audio; returns (the audit as JSON, as text).
#[pyfunction]
#[pyo3(signature = (corpus, utterances, partition, root=None, progress=None))]
pub(crate) fn audit(
    py: Python<'_>,
    corpus: String,
    utterances: &str,
    partition: &str,
    root: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, String)> {
    let manifest = manifest(corpus, utterances)?;
    let crossing: Crossing = parse(partition)?;
    let mut partition = Partition {
        assignments: crossing
            .assignments
            .into_iter()
            .map(|(key, fold, role)| Assignment {
                fold,
                key,
                role: Role::from(role.as_str()),
            })
            .collect(),
        info: crossing.info,
    };
    partition.assignments.sort_unstable();
    partition.check(&manifest).map_err(exception)?;
    let audit = run(py, progress.as_ref(), |context| {
        let sound = root.map(|root| {
            context.progress.begin(&Stage {
                label: format!("listening to {}", manifest.corpus),
                total: manifest.utterances.len() as u64,
                unit: "utterances",
                already: 0,
            });
            let sound = scan_audio(&manifest, &root, None, &|| context.progress.advance(1));
            context.progress.end();
            sound
        });
        Ok(emobox_corpus::audit(
            &manifest,
            &partition,
            sound.as_deref(),
        ))
    })?;
    Ok((json(&audit)?, audit.to_string()))
}

/// The manifest with the utterances of a JSON list.
pub(crate) fn manifest(corpus: String, utterances: &str) -> PyResult<Manifest> {
    let utterances: Vec<Utterance> = serde_json::from_str(utterances)
        .map_err(|e| exception(CorpusError::from(lines(&corpus, e))))?;
    Ok(Manifest { corpus, utterances })
}

fn lines(corpus: &str, source: serde_json::Error) -> emobox_files::FileError {
    emobox_files::FileError::Json {
        path: PathBuf::from(format!("manifest of {corpus}")),
        source,
    }
}

/// Serialises to JSON.
pub(crate) fn json(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(wrong)
}

/// Parses JSON that our own Python code wrote.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> PyResult<T> {
    serde_json::from_str(text)
        .map_err(|e| exception(BenchError::Call(CallError::value("JSON", "of the call", e))))
}
