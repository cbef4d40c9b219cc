//! Plain double-precision references and seeded numbers for the tests.

use emobox_kernels::{Path, available_paths, with_path};

/// Numbers in -1..1 from a fixed linear congruential sequence.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
        })
        .collect()
}

/// The largest absolute difference.
pub(crate) fn max_difference(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    got.iter()
        .zip(expected)
        .map(|(&g, &e)| (f64::from(g) - e).abs())
        .fold(0.0, |a, b| {
            if b.is_nan() {
                f64::INFINITY
            } else {
                f64::max(a, b)
            }
        })
}

/// Runs `work` once on every path of this machine.
pub(crate) fn on_each_path(work: impl Fn(Path)) {
    for path in available_paths() {
        with_path(path, || work(path)).unwrap();
    }
}

/// `erf` in double precision by its Maclaurin series (|x| < 3) and its continued fraction (Lentz) beyond.
pub(crate) fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 3.0 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
            if a == 0.0 {
                break;
            }
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        // erfc(a) = exp(-a²) / √π · 1 / (a + (1/2) / (a + 1 / (a + (3/2) / (a + …))))
        let mut f = a;
        for k in (1..200).rev() {
            f = a + f64::from(k) / 2.0 / f;
        }
        1.0 - (-a * a).exp() / std::f64::consts::PI.sqrt() / f
    };
    value.copysign(x)
}

/// The exact GELU. Negative arguments use `erfc` where `1 + erf` would cancel.
pub(crate) fn gelu(x: f64) -> f64 {
    let z = -x / std::f64::consts::SQRT_2;
    if z >= 3.0 {
        let mut f = z;
        for k in (1..200).rev() {
            f = z + f64::from(k) / 2.0 / f;
        }
        return 0.5 * x * (-z * z).exp() / std::f64::consts::PI.sqrt() / f;
    }
    0.5 * x * (1.0 - erf(z))
}

/// `x W^T` with `x` `[rows, inputs]` and `weight` `[outputs, inputs]`.
pub(crate) fn product(
    x: &[f32],
    rows: usize,
    stride: usize,
    weight: &[f32],
    outputs: usize,
) -> Vec<f64> {
    let inputs = weight.len() / outputs;
    let mut out = Vec::with_capacity(rows * outputs);
    for r in 0..rows {
        for o in 0..outputs {
            let row = &x[r * stride..][..inputs];
            let column = &weight[o * inputs..][..inputs];
            out.push(
                row.iter()
                    .zip(column)
                    .map(|(&a, &b)| f64::from(a) * f64::from(b))
                    .sum(),
            );
        }
    }
    out
}
