//! Fourier transforms of real samples.
//!
//! The transforms of `realfft` are generic: every crate that plans one compiles all of its algorithms, a minute and more of processor time.
//! Plans are therefore made here alone, and handed out as objects.

use realfft::RealFftPlanner;
pub use realfft::num_complex::Complex;
pub use realfft::{ComplexToReal, RealToComplex};
use std::sync::Arc;

/// A transform of `length` samples to `length / 2 + 1` bins, not scaled.
pub fn forward(length: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(length)
}

/// A transform of `length / 2 + 1` bins to `length` samples; after [`forward`] they are `length` times as large.
pub fn backward(length: usize) -> Arc<dyn ComplexToReal<f64>> {
    RealFftPlanner::new().plan_fft_inverse(length)
}

/// [`forward`] in single precision.
pub fn forward_f32(length: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::new().plan_fft_forward(length)
}
