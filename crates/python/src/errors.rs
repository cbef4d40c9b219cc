use emobox_bench::BenchError;
use emobox_encoder::EncoderError;
use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError, PyValueError,
};
use pyo3::prelude::*;
use std::error::Error;
use std::io::ErrorKind;

/// The Python exception of an error, with the error's own message.
///
/// Errors of the operating system are an `OSError` of the right kind wherever they occurred; the others are the classes of
/// `emobox.errors`, one per crate, and `ValueError` for a wrong call.
pub(crate) fn exception(error: impl Into<BenchError>) -> PyErr {
    let error = error.into();
    let message = in_python(&error.to_string());
    match system_error(&error) {
        Some(ErrorKind::NotFound) => return PyFileNotFoundError::new_err(message),
        Some(ErrorKind::PermissionDenied) => return PyPermissionError::new_err(message),
        Some(_) => return PyOSError::new_err(message),
        None => {}
    }
    let class = match error {
        BenchError::Call(_)
        | BenchError::Experiment { .. }
        | BenchError::ExperimentFile(_)
        | BenchError::File(_) => {
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

/// Rewrites options of the command line in a message as Python arguments: `--allow-missing` as `allow_missing=True`,
/// `--metadata DIR` as `metadata=DIR`.
fn in_python(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find("--") {
        let (before, option) = rest.split_at(at);
        let begins = before
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && c != '-');
        let option = &option[2..];
        let end = option
            .find(|c: char| !c.is_ascii_lowercase() && c != '-')
            .unwrap_or(option.len());
        let (name, behind) = option.split_at(end);
        text.push_str(before);
        rest = behind;
        if !begins || name.is_empty() || name.starts_with('-') {
            text.push_str("--");
            text.push_str(name);
            continue;
        }
        text.push_str(&name.replace('-', "_"));
        text.push('=');
        // Values are in capitals, or numbers.
        let value = behind
            .strip_prefix(' ')
            .or_else(|| behind.strip_prefix('='));
        let is_value = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        match value.filter(|value| value.starts_with(is_value)) {
            Some(value) => rest = value,
            None => text.push_str("True"),
        }
    }
    text.push_str(rest);
    text
}

/// A wrong argument.
pub(crate) fn wrong(message: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(message.to_string())
}

/// The kind of the system error at the root of an error, if there is one.
fn system_error(error: &BenchError) -> Option<ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(EncoderError::NoSuchPath { .. }) = error.downcast_ref() {
            return Some(ErrorKind::NotFound);
        }
        if let Some(system) = error.downcast_ref::<std::io::Error>() {
            // `io::Error`s with an inner error come from libraries, not from the system.
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
