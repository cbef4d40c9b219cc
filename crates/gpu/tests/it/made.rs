//! Generated numbers, references in double precision, and error measures.

use emobox_gpu::{Array, Gpu, Host, Numbers};
use std::sync::{Arc, OnceLock};

pub(crate) const ALL: [Numbers; 3] = [Numbers::F32, Numbers::Bf16, Numbers::F16];

/// The device under test: the host's kernels, or the card of the index in `EMOBOX_TEST_CARD`, opened once.
pub(crate) fn gpu(numbers: Numbers) -> Gpu {
    static CARD: OnceLock<Option<Gpu>> = OnceLock::new();
    let card = CARD.get_or_init(|| {
        let index = std::env::var("EMOBOX_TEST_CARD").ok()?;
        Some(Gpu::cuda(index.parse().unwrap(), numbers).unwrap())
    });
    match card {
        Some(card) => card.with_operands(numbers),
        None => Gpu::host(numbers, 8 << 30).unwrap(),
    }
}

pub(crate) fn on(host: &Arc<Host>, numbers: Numbers) -> Gpu {
    let host: Arc<Host> = Arc::clone(host);
    Gpu::on(host, numbers)
}

/// Seeded numbers, approximately normal: the sum of twelve uniform ones.
pub(crate) fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..count)
        .map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
        .collect()
}

pub(crate) fn scaled(values: Vec<f32>, factor: f32) -> Vec<f32> {
    values.into_iter().map(|x| x * factor).collect()
}

/// An array on the device in the operands' number type, and its rounded values.
pub(crate) fn operand(gpu: &Gpu, values: &[f32]) -> (Array, Vec<f64>) {
    let array = gpu
        .cast(&gpu.upload(values).unwrap(), gpu.operands())
        .unwrap();
    let rounded = read(gpu, &array);
    (array, rounded)
}

pub(crate) fn read(gpu: &Gpu, array: &Array) -> Vec<f64> {
    let values = gpu.download(array, 0, array.len()).unwrap();
    values.into_iter().map(f64::from).collect()
}

/// The largest difference in units of the larger of 1 and the expected number.
pub(crate) fn worst(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let errors = found.iter().zip(expected).map(|(found, expected)| {
        assert!(found.is_finite(), "{found} for {expected}");
        (found - expected).abs() / expected.abs().max(1.0)
    });
    errors.fold(0.0, f64::max)
}

/// The tolerance for a result in this number type, when `narrow` is that of 16-bit ones (bf16's; f16 has three more bits).
pub(crate) fn tolerance(numbers: Numbers, narrow: f64) -> f64 {
    match numbers {
        Numbers::F32 => 1e-5,
        Numbers::Bf16 => narrow,
        Numbers::F16 => narrow / 8.0,
    }
}

pub(crate) fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// By its series, or by its continued fraction for large arguments; better than 1e-12.
fn erf(x: f64) -> f64 {
    if x.abs() > 3.0 {
        let mut fraction = 0.0;
        for n in (1..60).rev() {
            fraction = f64::from(n) / 2.0 / (x.abs() + fraction);
        }
        let rest = (-x * x).exp() / (x.abs() + fraction) / std::f64::consts::PI.sqrt();
        return x.signum() * (1.0 - rest);
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}
