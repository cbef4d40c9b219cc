//! The extension module `emobox._emobox`: the functions that the Python package calls.
//!
//! This crate makes no decisions. Structures are exchanged as JSON in the formats of the files (a manifest as its jsonl),
//! arrays as bytes of little-endian f32; the package in `python/emobox` makes Python classes and NumPy arrays of them. Long
//! work runs with the interpreter released, see `job.rs`.

#![expect(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "PyO3 hands converted arguments over by value, and Python calls by name"
)]

mod bench;
mod corpus;
mod encoder;
mod errors;
mod job;
mod model;
mod probe;
mod share;
mod sound;
mod store;

use pyo3::prelude::*;

/// The compiled part of `emobox`.
#[pymodule]
mod _emobox {
    #[pymodule_export]
    use super::bench::{
        Run, bench, compare, confusion, demo_corpus, evaluate, read_run, set_threads,
    };
    #[pymodule_export]
    use super::corpus::{audit, corpora, partition, prepare, read_manifest};
    #[pymodule_export]
    use super::encoder::{Encoder, encoders, pull_encoder};
    #[pymodule_export]
    use super::model::{Model, fit};
    #[pymodule_export]
    use super::probe::Probe;
    #[pymodule_export]
    use super::share::{submit, verify};
    #[pymodule_export]
    use super::sound::{load_audio, probe_audio, resample};
    #[pymodule_export]
    use super::store::{FeatureStore, extract};
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
