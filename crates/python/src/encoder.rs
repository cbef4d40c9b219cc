use crate::corpus::json;
use crate::errors::{exception, wrong};
use crate::job::run;
use crate::sound::{bytes, floats};
use emobox_bench::{BenchError, Choice, ComputePrecision, Context, Device, EncoderChoice, Stage};
use emobox_encoder::{EncoderError, HiddenStates, LayerSelection};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyByteArray;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Hidden states as passed to Python: bytes of f32, layers, frames, dimensions.
type States = (Py<PyByteArray>, usize, usize, usize);

/// Every encoder known by name, as a JSON list.
#[pyfunction]
pub(crate) fn encoders() -> PyResult<String> {
    json(&emobox_bench::encoders())
}

/// Downloads a checkpoint into the user's hub cache and returns its folder.
#[pyfunction]
#[pyo3(signature = (name, progress=None))]
pub(crate) fn pull_encoder(
    py: Python<'_>,
    name: String,
    progress: Option<Py<PyAny>>,
) -> PyResult<PathBuf> {
    run(py, progress.as_ref(), |context| {
        emobox_bench::pull_encoder(&name, context)
    })
}

/// An open encoder.
#[pyclass(frozen, module = "emobox._emobox")]
pub(crate) struct Encoder(emobox_encoder::Encoder);

impl Encoder {
    pub(crate) fn inner(&self) -> &emobox_encoder::Encoder {
        &self.0
    }

    fn failed(&self, error: EncoderError) -> BenchError {
        BenchError::Encoder {
            encoder: self.0.info().name.clone(),
            source: error,
        }
    }
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (name, path=None, precision="f32", device="cpu"))]
    fn new(
        py: Python<'_>,
        name: String,
        path: Option<PathBuf>,
        precision: &str,
        device: &str,
    ) -> PyResult<Self> {
        let precision = ComputePrecision::named(precision).map_err(exception)?;
        let device: Device = device.parse().map_err(wrong)?;
        let mut choice = match path {
            None => EncoderChoice::named(&name),
            path => EncoderChoice {
                name: name.clone(),
                path,
            },
        };
        // A name on the hub, not yet on this machine.
        if choice.path.is_none() && choice.name.contains('/') {
            run(py, None, |context| {
                emobox_bench::pull_encoder(&choice.name, context)
            })?;
            choice = EncoderChoice::named(&name);
        }
        py.detach(|| emobox_bench::open_encoder(&choice, precision, device))
            .map(Self)
            .map_err(exception)
    }

    /// Its description, as JSON.
    fn info(&self) -> PyResult<String> {
        json(self.0.info())
    }

    /// The number of frames for `samples` samples at its rate.
    fn frames(&self, samples: usize) -> usize {
        self.0.frames(samples)
    }

    /// The hidden states of one waveform at its rate, computed on the calling thread.
    fn encode(&self, py: Python<'_>, samples: &[u8], layers: &str) -> PyResult<States> {
        let layers = self.layers(layers)?;
        let samples = floats(samples)?;
        let states = py.detach(|| self.0.encode(&samples, &layers));
        let states = states.map_err(|e| exception(self.failed(e)))?;
        Ok(crossing(py, &states))
    }

    /// The same for several waveforms, on `threads` threads; checks for Ctrl-C between waveforms.
    #[pyo3(signature = (waveforms, layers, threads, progress=None))]
    fn encode_batch(
        &self,
        py: Python<'_>,
        waveforms: Vec<PyBackedBytes>,
        layers: &str,
        threads: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<States>> {
        let layers = self.layers(layers)?;
        let all: Vec<Vec<f32>> = waveforms
            .iter()
            .map(|w| floats(w))
            .collect::<PyResult<_>>()?;
        drop(waveforms);
        let batch = Batch {
            encoder: self,
            waveforms: &all,
            layers: &layers,
        };
        let states = run(py, progress.as_ref(), |context| batch.run(threads, context))?;
        Ok(states.iter().map(|states| crossing(py, states)).collect())
    }
}

impl Encoder {
    fn layers(&self, text: &str) -> PyResult<LayerSelection> {
        text.parse().map_err(|e| exception(self.failed(e)))
    }
}

struct Batch<'a> {
    encoder: &'a Encoder,
    waveforms: &'a [Vec<f32>],
    layers: &'a LayerSelection,
}

impl Batch<'_> {
    /// In the order of the waveforms; fails at the first that cannot be encoded, giving its position.
    fn run(&self, threads: usize, context: Context<'_>) -> Result<Vec<HiddenStates>, BenchError> {
        context.progress.begin(&Stage {
            label: format!("encoding with {}", self.encoder.0.info().name),
            total: self.waveforms.len() as u64,
            unit: "utterances",
            already: 0,
        });
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let work = || {
            while !context.stopped() {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(samples) = self.waveforms.get(at) else {
                    return;
                };
                let states = self.encoder.0.encode(samples, self.layers);
                if states.is_err() {
                    next.store(self.waveforms.len(), Ordering::Relaxed);
                }
                if let Ok(mut done) = done.lock() {
                    done.push((at, states));
                }
                context.progress.advance(1);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, self.waveforms.len().max(1)) {
                scope.spawn(work);
            }
        });
        context.progress.end();
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(at, _)| *at);
        done.into_iter()
            .map(|(at, states)| {
                states.map_err(|source| BenchError::Encoder {
                    encoder: format!("{}, waveform {at}", self.encoder.0.info().name),
                    source,
                })
            })
            .collect()
    }
}

fn crossing(py: Python<'_>, states: &HiddenStates) -> States {
    (
        bytes(py, &states.data),
        states.layers.len(),
        states.frames,
        states.dim,
    )
}
