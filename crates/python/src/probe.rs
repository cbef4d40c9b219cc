use crate::corpus::{json, parse};
use crate::errors::{exception, wrong};
use crate::job::run;
use crate::sound::bytes;
use crate::store::FeatureStore;
use emobox_bench::{BenchError, CallError, Context, Stage};
use emobox_features::{
    ComputePrecision, FeatureNormalisation, HiddenView, SCHEMA, StoreHeader, StorePrecision,
    StoredItem,
};
use emobox_probe::{
    EpochProgress, FeatureSource, Flow, FoldTask, Item, Observer, ProbeError, ProbeOrigin,
    Protocol, Role, StreamSource, TrainOptions, Training, ViewSource, train_fold,
};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes};
use serde::Deserialize;
use std::path::PathBuf;

/// An array of hidden states from Python: bytes of f32, layers, frames, dimensions.
type Array = (PyBackedBytes, usize, usize, usize);

/// A training; the arguments of the call in Python.
#[derive(Deserialize)]
struct Request {
    corpus: String,
    classes: Vec<String>,
    /// Key, class, speaker and part of every utterance, sorted by key.
    items: Vec<(String, usize, Option<String>, Role)>,
    protocol: String,
    head: Option<String>,
    epochs: Option<usize>,
    seed: u64,
    normalisation: FeatureNormalisation,
    threads: usize,
}

impl Request {
    fn protocol(&self, layers: usize) -> Result<Protocol, BenchError> {
        let mut protocol = Protocol::named(&self.protocol)?;
        protocol.seeds = vec![self.seed];
        protocol.order_seed = self.seed;
        protocol.validation.seed = self.seed;
        protocol.layer_sum = layers > 1;
        // There is no test part here.
        protocol.oracle = false;
        if let Some(head) = &self.head {
            protocol = protocol.with_head(head)?;
        }
        if let Some(epochs) = self.epochs {
            protocol.epochs = epochs;
            protocol.warmup_epochs = protocol.warmup_epochs.min(epochs);
        }
        Ok(protocol)
    }

    fn train(
        &self,
        source: &dyn FeatureSource,
        header: &StoreHeader,
        context: Context<'_>,
    ) -> Result<Fitted, BenchError> {
        let items: Vec<Item> = self
            .items
            .iter()
            .map(|(key, label, speaker, role)| Item {
                key: key.clone(),
                label: *label,
                target: Vec::new(),
                speaker: speaker.clone(),
                role: *role,
            })
            .collect();
        let protocol = self.protocol(source.layers())?;
        let task = FoldTask {
            corpus: &self.corpus,
            fold: 1,
            classes: &self.classes,
            items: &items,
            source,
        };
        context.progress.begin(&Stage {
            label: "training".to_owned(),
            total: protocol.epochs as u64,
            unit: "epochs",
            already: 0,
        });
        let options = TrainOptions {
            threads: self.threads,
            ..TrainOptions::default()
        };
        let training = train_fold(&task, &protocol, &options, &mut Watch(context));
        context.progress.end();
        let Training::Done(outcome) = training? else {
            return Err(BenchError::Interrupted);
        };
        let origin = ProbeOrigin {
            classes: &self.classes,
            header,
            corpus: &self.corpus,
            fold: 1,
            protocol: &protocol,
            program_version: env!("CARGO_PKG_VERSION"),
        };
        // One seed gives one result.
        let selected = &outcome.selected[0];
        Ok(Fitted {
            probe: emobox_probe::Probe::new(selected, &origin)?,
            curves: json(&outcome.curves).ok(),
        })
    }
}

struct Fitted {
    probe: emobox_probe::Probe,
    curves: Option<String>,
}

/// Counts epochs; stops after the current batch.
struct Watch<'a>(Context<'a>);

impl Observer for Watch<'_> {
    fn epoch(&mut self, _: &EpochProgress<'_>) -> Flow {
        self.0.progress.advance(1);
        Flow::Continue
    }

    fn keep_going(&mut self) -> bool {
        !self.0.stopped()
    }
}

/// A trained probe.
#[pyclass(frozen, module = "emobox._emobox")]
pub(crate) struct Probe {
    probe: emobox_probe::Probe,
    curves: Option<String>,
}

#[pymethods]
impl Probe {
    /// Trains on hidden states in memory, one array per item of the training.
    #[staticmethod]
    #[pyo3(signature = (training, arrays, progress=None))]
    fn fit_arrays(
        py: Python<'_>,
        training: &str,
        arrays: Vec<Array>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let training: Request = parse(training)?;
        let Some((_, layers, _, dim)) = arrays.first() else {
            return Err(wrong("no features to train on"));
        };
        let header = header(&training, *layers, *dim);
        let fitted = run(py, progress.as_ref(), |context| {
            let items: Vec<StoredItem> = training
                .items
                .iter()
                .zip(&arrays)
                .map(|((key, ..), array)| stored(&header, key, array))
                .collect::<Result<_, _>>()?;
            let source = ViewSource::new(items.iter().map(StoredItem::view).collect())?;
            training.train(&source, &header, context)
        })?;
        Ok(Self::from(fitted))
    }

    /// Trains on the frames of a store, which are read when needed.
    #[staticmethod]
    #[pyo3(signature = (training, store, progress=None))]
    fn fit_store(
        py: Python<'_>,
        training: &str,
        store: &Bound<'_, FeatureStore>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let training: Request = parse(training)?;
        let store = store.get().inner();
        let fitted = run(py, progress.as_ref(), |context| {
            let keys = training.items.iter().map(|(key, ..)| key.as_str());
            let source = StreamSource::new(store, keys)?;
            training.train(&source, store.header(), context)
        })?;
        Ok(Self::from(fitted))
    }

    /// Reads a probe written by `save`, `emobox bench` or `emobox train`.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        let probe = emobox_probe::Probe::load(&path).map_err(exception)?;
        Ok(Self {
            probe,
            curves: None,
        })
    }

    /// The probe as an ONNX model.
    fn onnx<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let model = self.probe.to_onnx();
        Ok(PyBytes::new(
            py,
            &model.map_err(|e| exception(BenchError::Probe(e)))?,
        ))
    }

    /// Writes `probe.safetensors` and `probe.json` into a folder.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        self.probe.save(&path).map_err(exception)
    }

    /// Everything but its weights, as JSON.
    fn description(&self) -> PyResult<String> {
        json(self.probe.description())
    }

    /// Training and validation of every sweep point by epoch, as JSON; `None` for a loaded probe.
    fn curves(&self) -> Option<String> {
        self.curves.clone()
    }

    /// Log-probabilities `[item, class]` (f64) for hidden states directly from the encoder.
    fn predict_arrays(&self, py: Python<'_>, arrays: Vec<Array>) -> PyResult<Py<PyByteArray>> {
        let scores = run(py, None, |context| {
            self.all(arrays.iter().enumerate(), context, |(at, array)| {
                let (data, layers, frames, dim) = array;
                let data: Vec<f32> = bytemuck::pod_collect_to_vec(data);
                let wanted = &self.probe.description().features.layers;
                if *layers != wanted.len() {
                    return Err(BenchError::Call(CallError::value(
                        format!("array {at}"),
                        format!("of {layers} layers"),
                        format!("the {} that the probe reads: {wanted:?}", wanted.len()),
                    )));
                }
                let view = HiddenView {
                    layers: wanted,
                    frames: *frames,
                    dim: *dim,
                    data: &data,
                };
                Ok(self.probe.predict_hidden(&format!("array {at}"), &view)?)
            })
        })?;
        Ok(bytes(py, &scores))
    }

    /// The same for utterances of a store.
    fn predict_store(
        &self,
        py: Python<'_>,
        store: &Bound<'_, FeatureStore>,
        keys: Vec<String>,
    ) -> PyResult<Py<PyByteArray>> {
        let store = store.get().inner();
        let scores = run(py, None, |context| {
            self.all(keys.iter(), context, |key| {
                Ok(self.probe.predict(&store.get(key)?)?)
            })
        })?;
        Ok(bytes(py, &scores))
    }
}

impl Probe {
    fn all<T>(
        &self,
        items: impl Iterator<Item = T>,
        context: Context<'_>,
        one: impl Fn(T) -> Result<Vec<f64>, BenchError>,
    ) -> Result<Vec<f64>, BenchError> {
        let mut scores = Vec::new();
        for item in items {
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            scores.extend(one(item)?);
        }
        Ok(scores)
    }
}

impl From<Fitted> for Probe {
    fn from(fitted: Fitted) -> Self {
        Self {
            probe: fitted.probe,
            curves: fitted.curves,
        }
    }
}

/// The header that a store of such arrays would have.
fn header(training: &Request, layers: usize, dim: usize) -> StoreHeader {
    StoreHeader {
        schema: SCHEMA,
        corpus: training.corpus.clone(),
        encoder: "arrays".to_owned(),
        weights_digest: String::new(),
        layers: (0..layers).collect(),
        pooled_layers: 0,
        perturbation: None,
        dim,
        hop: 320,
        precision: StorePrecision::F16,
        compute: ComputePrecision::F32,
        normalisation: training.normalisation,
        revision: 1,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// An array normalised and rounded as a store would do.
fn stored(header: &StoreHeader, key: &str, array: &Array) -> Result<StoredItem, ProbeError> {
    let (data, _, frames, dim) = array;
    let data: Vec<f32> = bytemuck::pod_collect_to_vec(data);
    let view = HiddenView {
        layers: &header.layers,
        frames: *frames,
        dim: *dim,
        data: &data,
    };
    Ok(StoredItem::new(header, key, &view)?)
}
