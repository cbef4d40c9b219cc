use crate::errors::{exception, wrong};
use emobox_audio::{LoadOptions, SampleRate, Seconds, load};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use std::path::PathBuf;

/// One channel (from 1) of a segment of an audio file, as bytes of f32 at `sample_rate`.
#[pyfunction]
#[pyo3(signature = (path, channel=1, start=None, end=None, sample_rate=16_000))]
pub(crate) fn load_audio(
    py: Python<'_>,
    path: PathBuf,
    channel: u16,
    start: Option<f64>,
    end: Option<f64>,
    sample_rate: u32,
) -> PyResult<Py<PyByteArray>> {
    let options = LoadOptions {
        channel,
        start: start.map(Seconds),
        end: end.map(Seconds),
        sample_rate: rate(sample_rate)?,
        ..LoadOptions::default()
    };
    let samples = py.detach(|| load(&path, &options)).map_err(exception)?;
    Ok(bytes(py, &samples))
}

/// Samples per second and samples of one channel: from a file's header or, if that does not give them, from all of it.
#[pyfunction]
pub(crate) fn probe_audio(py: Python<'_>, path: PathBuf) -> PyResult<(u32, u64)> {
    let found = py.detach(|| {
        let info = emobox_audio::probe(&path)?;
        let frames = match info.frames {
            Some(frames) => frames,
            None => {
                let options = LoadOptions {
                    sample_rate: info.sample_rate,
                    ..LoadOptions::default()
                };
                load(&path, &options)?.len() as u64
            }
        };
        Ok((info.sample_rate.0, frames))
    });
    found.map_err(|e: emobox_audio::AudioError| exception(e))
}

/// A waveform at another rate, by torchaudio's default method.
#[pyfunction]
pub(crate) fn resample(
    py: Python<'_>,
    samples: &[u8],
    from_: u32,
    to: u32,
) -> PyResult<Py<PyByteArray>> {
    let samples = floats(samples)?;
    let (from, to) = (rate(from_)?, rate(to)?);
    let made = py.detach(|| emobox_audio::resample(&samples, from, to));
    Ok(bytes(py, &made))
}

fn rate(rate: u32) -> PyResult<SampleRate> {
    let rate = SampleRate(rate);
    if rate.is_plausible() {
        return Ok(rate);
    }
    Err(wrong(format!(
        "sample rate {}: expected {} to {} samples a second",
        rate.0,
        SampleRate::LOWEST.0,
        SampleRate::HIGHEST.0
    )))
}

/// The values in a NumPy array's `tobytes()`.
pub(crate) fn floats(bytes: &[u8]) -> PyResult<Vec<f32>> {
    if !bytes.len().is_multiple_of(size_of::<f32>()) {
        return Err(wrong(format!(
            "{} bytes are no array of float32",
            bytes.len()
        )));
    }
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

/// Bytes that `numpy.frombuffer` uses without another copy, and may write to.
pub(crate) fn bytes<T: bytemuck::NoUninit>(py: Python<'_>, numbers: &[T]) -> Py<PyByteArray> {
    PyByteArray::new(py, bytemuck::cast_slice(numbers)).unbind()
}
