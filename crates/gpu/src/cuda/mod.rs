//! NVIDIA's driver and cuBLASLt, opened when a device is requested.

mod card;
mod driver;
mod graphs;
mod libraries;
mod opened;
mod products;
mod report;
mod tables;

pub use report::{Report, inspect};

pub(crate) use driver::Cuda;
