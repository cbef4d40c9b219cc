use crate::bench::Run;
use crate::corpus::parse;
use crate::errors::exception;
use crate::job::run;
use emobox_app::Verifier;
use emobox_bench::{EncoderChoice, Home};
use pyo3::prelude::*;
use std::path::PathBuf;

/// Writes a finished run as a submission; returns its digest.
#[pyfunction]
pub(crate) fn submit(
    out: PathBuf,
    system: &str,
    description: &str,
    file: PathBuf,
) -> PyResult<String> {
    let made = emobox_app::submission_of(&out, system, description).map_err(exception)?;
    emobox_app::write_submission(&made, &file).map_err(exception)?;
    Ok(made.digest.to_string())
}

/// Recomputes a submission's scores; with encoders (a JSON list of choices) reproduces them. Returns system, verdict, scores.
#[pyfunction]
#[pyo3(signature = (file, partition_seed, training_seeds, home=None, metadata=None, encoders=None, progress=None))]
pub(crate) fn verify(
    py: Python<'_>,
    file: PathBuf,
    partition_seed: u64,
    training_seeds: usize,
    home: Option<PathBuf>,
    metadata: Option<PathBuf>,
    encoders: Option<&str>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, String, Run)> {
    let home = Home::resolve(home.as_deref());
    let encoders: Option<Vec<EncoderChoice>> = encoders.map(parse).transpose()?;
    let verified = run(py, progress.as_ref(), |context| {
        let verifier = Verifier {
            home: &home,
            partition_seed,
            training_seeds,
            metadata: metadata.as_deref(),
        };
        match &encoders {
            None => verifier.check(&file, context),
            Some(encoders) => verifier.rerun(&file, encoders, context),
        }
    })?;
    let scores = Run(emobox_app::verified_run(&verified));
    Ok((
        verified.system().to_owned(),
        verified.verdict().to_string(),
        scores,
    ))
}
