//! Measures the errors stated in the documentation.

use emobox_kernels::{Path, gelu, silu, softmax_rows};

use crate::support;
use crate::support::on_each_path;

/// Stated in the documentation of `gelu`.
const GELU_ABSOLUTE: f64 = 2.5e-7;
const GELU_RELATIVE: f64 = 1.2e-7;
const GELU_TAIL: f64 = 5e-6;
/// Stated in the documentation of `softmax_rows`, for two columns, where it is the exponential's own error and two roundings.
const SOFTMAX_RELATIVE: f64 = 2e-7;

#[test]
fn gelu_is_as_exact_as_stated() {
    let x: Vec<f32> = (-1_300_000..1_300_000)
        .map(|i| i as f32 * 1e-5)
        .chain([-1e30, 1e30, 0.0])
        .collect();
    let expected: Vec<f64> = x.iter().map(|&v| support::gelu(f64::from(v))).collect();
    on_each_path(|path| {
        let mut got = x.clone();
        gelu(&mut got);
        let (mut absolute, mut relative, mut tail) = (0.0f64, 0.0f64, 0.0f64);
        for ((&x, &g), &e) in x.iter().zip(&got).zip(&expected) {
            let error = (f64::from(g) - e).abs();
            if x.abs() < 14.0 {
                absolute = absolute.max(error);
            }
            relative = relative.max(error / f64::from(x.abs().max(1.0)));
            if (-13.0..0.0).contains(&x) && e != 0.0 {
                tail = tail.max(error / e.abs());
            }
        }
        assert!(
            absolute < GELU_ABSOLUTE && relative < GELU_RELATIVE && tail < GELU_TAIL,
            "{path}"
        );
    });
    on_each_path(|_| {
        let mut x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e30];
        gelu(&mut x);
        assert!(x[0].is_nan());
        assert_eq!((x[1], x[2].abs(), x[3].abs()), (f32::INFINITY, 0.0, 0.0));
    });
}

/// Stated in the documentation of `silu`.
const SILU_RELATIVE: f64 = 3e-7;

#[test]
fn silu_is_as_exact_as_stated() {
    let x: Vec<f32> = (-800_000..800_000).map(|i| i as f32 * 1e-4).collect();
    on_each_path(|path: Path| {
        let mut got = x.clone();
        silu(&mut got);
        let mut worst = 0.0f64;
        for (&x, &got) in x.iter().zip(&got) {
            let expected = f64::from(x) / (1.0 + f64::from(-x).exp());
            if expected != 0.0 {
                worst = worst.max((f64::from(got) - expected).abs() / expected.abs());
            }
        }
        assert!(worst < SILU_RELATIVE, "{path}: {worst:e}");
        let mut x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e30];
        silu(&mut x);
        assert!(x[0].is_nan());
        assert_eq!((x[1], x[2].abs(), x[3].abs()), (f32::INFINITY, 0.0, 0.0));
    });
}

#[test]
fn softmax_is_as_exact_as_stated() {
    // With a first column of zero the second is 1 / (1 + e^-x).
    let x: Vec<f32> = (0..870_000).map(|i| i as f32 * -1e-4).collect();
    on_each_path(|path: Path| {
        let mut worst = 0.0f64;
        let mut rows: Vec<f32> = x.iter().flat_map(|&x| [0.0, x]).collect();
        softmax_rows(&mut rows, 2);
        for (&x, row) in x.iter().zip(rows.chunks(2)) {
            let e = f64::from(x).exp();
            let expected = e / (1.0 + e);
            worst = worst.max((f64::from(row[1]) - expected).abs() / expected);
        }
        assert!(worst < SOFTMAX_RELATIVE, "{path}: {worst:e}");
    });
}
