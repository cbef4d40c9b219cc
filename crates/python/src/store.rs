use crate::corpus::{json, manifest, parse};
use crate::encoder::Encoder;
use crate::errors::exception;
use crate::job::run;
use emobox_bench::{Corpus, ExtractOptions};
use emobox_features::{FeatureNormalisation, Store, StorePrecision};
use pyo3::prelude::*;
use serde::Deserialize;
use std::path::PathBuf;

/// Location of an array: file, offset in bytes, type, layers, frames, dimensions.
type Place = (PathBuf, usize, &'static str, usize, usize, usize);

/// A complete feature store, open for reading.
#[pyclass(frozen, module = "emobox._emobox")]
pub(crate) struct FeatureStore(Store);

impl FeatureStore {
    pub(crate) fn inner(&self) -> &Store {
        &self.0
    }
}

#[pymethods]
impl FeatureStore {
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        Store::open_any(&path).map(Self).map_err(exception)
    }

    /// How it was made, as JSON.
    fn header(&self) -> PyResult<String> {
        json(self.0.header())
    }

    /// The utterances that have features, sorted.
    fn keys(&self) -> Vec<String> {
        self.0.keys().map(str::to_owned).collect()
    }

    /// Whether an utterance has features.
    fn contains(&self, key: &str) -> bool {
        self.0.contains(key)
    }

    /// The utterances whose extraction failed, and why.
    fn failures(&self) -> Vec<(String, String)> {
        let failures = self.0.failures().iter();
        failures
            .map(|f| (f.key.clone(), f.reason.clone()))
            .collect()
    }

    /// The location of an utterance's frames.
    fn place(&self, key: &str) -> PyResult<Place> {
        let place = self.0.location(key).map_err(exception)?;
        let kind = match place.precision {
            StorePrecision::F16 => "<f2",
            StorePrecision::F32 => "<f4",
        };
        let path = place.path.to_owned();
        Ok((
            path,
            place.offset,
            kind,
            place.layers,
            place.frames,
            place.dim,
        ))
    }

    /// All damage found by reading every byte.
    fn verify(&self, py: Python<'_>) -> Vec<String> {
        let damage = py.detach(|| self.0.verify());
        damage.iter().map(ToString::to_string).collect()
    }
}

/// How features are made; the arguments of the call in Python.
#[derive(Deserialize)]
struct How {
    layers: String,
    precision: StorePrecision,
    normalisation: FeatureNormalisation,
}

/// Encodes the utterances below `root` into the store at `path`; returns a summary as JSON.
#[pyfunction]
#[pyo3(signature = (corpus, utterances, root, encoder, path, how, progress=None))]
pub(crate) fn extract(
    py: Python<'_>,
    corpus: String,
    utterances: &str,
    root: PathBuf,
    encoder: &Bound<'_, Encoder>,
    path: PathBuf,
    how: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let corpus = Corpus::of(manifest(corpus, utterances)?, root);
    let how: How = parse(how)?;
    let options = ExtractOptions {
        layers: how.layers.parse().map_err(crate::errors::wrong)?,
        precision: how.precision,
        normalisation: how.normalisation,
        ..ExtractOptions::default()
    };
    let encoder = encoder.get().inner();
    let extracted = run(py, progress.as_ref(), |context| {
        emobox_bench::extract(&corpus, encoder, &path, &options, context)
    })?;
    json(&extracted)
}
