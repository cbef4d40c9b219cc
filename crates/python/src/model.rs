use crate::bench::{Run, described};
use crate::corpus::json;
use crate::errors::{exception, wrong};
use crate::job::run;
use crate::sound::floats;
use emobox_bench::{Answer, Home, Listening, Predictor, Windows};
use emobox_encoder::Device;
use pyo3::prelude::*;
use std::path::{Path, PathBuf};

/// Benchmarks one corpus and encoder, then trains on the whole corpus; returns the model's folder and the folds' scores.
#[pyfunction]
#[pyo3(signature = (name, experiment=None, path=None, out=None, home=None, progress=None))]
pub(crate) fn fit(
    py: Python<'_>,
    name: &str,
    experiment: Option<&str>,
    path: Option<PathBuf>,
    out: Option<PathBuf>,
    home: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(PathBuf, Run)> {
    emobox_bench::check_name(name).map_err(exception)?;
    let mut experiment = described(experiment, path)?;
    let home = Home::resolve(home.as_deref());
    let out = out.unwrap_or_else(|| home.model(name));
    let fitted = run(py, progress.as_ref(), |context| {
        experiment.fetch_encoders(context)?;
        emobox_bench::fit(&home, &experiment, &out, context)
    })?;
    Ok((fitted.folder, Run(fitted.run)))
}

/// A probe and its encoder.
#[pyclass(frozen, module = "emobox._emobox")]
pub(crate) struct Model {
    predictor: Predictor,
    folder: PathBuf,
    encoder: Option<PathBuf>,
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (named, home=None, encoder=None, device="cpu"))]
    fn new(
        py: Python<'_>,
        named: PathBuf,
        home: Option<PathBuf>,
        encoder: Option<PathBuf>,
        device: &str,
    ) -> PyResult<Self> {
        let device: Device = device.parse().map_err(wrong)?;
        let kept = named
            .to_str()
            .map(|name| Home::resolve(home.as_deref()).model(name));
        let kept = kept.filter(|folder| !named.exists() && folder.exists());
        let folder = kept.unwrap_or(named);
        let predictor = py
            .detach(|| Predictor::open(&folder, encoder.as_deref(), device))
            .map_err(exception)?;
        Ok(Self {
            predictor,
            folder,
            encoder,
        })
    }

    /// Exports a folder that predicts on any machine, with or without the checkpoint in it.
    fn export(&self, py: Python<'_>, out: PathBuf, with_encoder: bool) -> PyResult<()> {
        let encoder = self.encoder.as_deref();
        py.detach(|| emobox_bench::export_model(&self.folder, encoder, with_encoder, &out))
            .map_err(exception)
    }

    /// Its classes.
    fn classes(&self) -> Vec<String> {
        self.predictor.classes().to_vec()
    }

    /// The predictions for recordings and for those below folders, as a JSON list; in windows of this many seconds if given.
    #[pyo3(signature = (recordings, window=None, hop=None, progress=None))]
    fn files(
        &self,
        py: Python<'_>,
        recordings: Vec<PathBuf>,
        window: Option<f64>,
        hop: Option<f64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let windows = window.map(|length| Windows::new(length, hop.unwrap_or(length / 2.0)));
        let how = Listening {
            raw: None,
            windows: windows.transpose().map_err(exception)?,
        };
        let answers = run(py, progress.as_ref(), |context| {
            let mut answers: Vec<Answer> = Vec::new();
            for file in Predictor::recordings(&recordings)? {
                self.predictor.listen(&file, &how, context, &mut |answer| {
                    answers.push(answer.clone());
                })?;
            }
            Ok(answers)
        })?;
        json(&answers)
    }

    /// Sampling rate of its input in samples per second.
    fn sample_rate(&self) -> u32 {
        self.predictor.rate().0
    }

    /// The prediction for a waveform at that rate, as JSON.
    fn samples(&self, py: Python<'_>, samples: &[u8]) -> PyResult<String> {
        let samples = floats(samples)?;
        let answer = py.detach(|| self.predictor.answer(Path::new("waveform"), &samples));
        json(&answer.map_err(exception)?)
    }
}
