use emobox_bench::BenchError;
use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError, PyValueError,
};
use pyo3::prelude::*;
use std::error::Error;
use std::io::ErrorKind;

/// The Python exception of an error, with the error's own message.
///
/// What the operating system refused is an `OSError` of the right kind wherever it happened; the
/// rest are the classes of `emobox.errors`, one a room, and `ValueError` for a wrong call.
pub(crate) fn exception(error: impl Into<BenchError>) -> PyErr {
    let error = error.into();
    let message = error.to_string();
    match system_error(&error) {
        Some(ErrorKind::NotFound) => return PyFileNotFoundError::new_err(message),
        Some(ErrorKind::PermissionDenied) => return PyPermissionError::new_err(message),
        Some(_) => return PyOSError::new_err(message),
        None => {}
    }
    let class = match error {
        BenchError::Call(_) | BenchError::Experiment { .. } | BenchError::File(_) => {
            return PyValueError::new_err(message);
        }
        BenchError::Interrupted => return PyKeyboardInterrupt::new_err(message),
        BenchError::NotPrepared { .. } | BenchError::Corpus(_) => "CorpusError",
        BenchError::Audio(_) => "AudioError",
        BenchError::Encoder { .. } | BenchError::Hub(_) => "EncoderError",
        BenchError::Feature(_) => "FeatureError",
        BenchError::Probe(_) => "ProbeError",
        BenchError::Score(_) => "ScoreError",
        _ => "EmoboxError",
    };
    of_class(class, message)
}

/// A wrong argument.
pub(crate) fn wrong(message: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(message.to_string())
}

/// The kind of the system's error at the bottom of an error, if there is one.
fn system_error(error: &BenchError) -> Option<ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(system) = error.downcast_ref::<std::io::Error>() {
            // `io::Error`s that wrap something else are made by libraries, not by the system.
            return system.raw_os_error().map(|_| system.kind());
        }
        next = error.source();
    }
    None
}

fn of_class(class: &str, message: String) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("emobox.errors")
            .and_then(|module| module.getattr(class))
            .and_then(|class| class.call1((message,)));
        match made {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        }
    })
}
