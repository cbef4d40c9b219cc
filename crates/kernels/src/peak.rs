//! The peak arithmetic rate of a core, measured, so that a speed can be given as a share of it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::arch::{Kernel, Simd, dispatch};
use crate::linear::Precision;

/// Floating-point operations per second of one core on the current path: multiply-adds on registers alone, the best of many
/// short runs within `time`.
#[must_use]
pub fn measured_peak(precision: Precision, time: Duration) -> f64 {
    let begin = Instant::now();
    let mut best = 0.0f64;
    loop {
        let start = Instant::now();
        let operations = match precision {
            Precision::F32 => dispatch::<false, _>(Chains::<false>),
            Precision::Bf16 => dispatch::<true, _>(Chains::<true>),
        };
        best = best.max(operations / start.elapsed().as_secs_f64());
        if begin.elapsed() >= time {
            return best;
        }
    }
}

/// Independent chains of multiply-adds.
struct Chains<const PAIRS: bool>;

impl<const PAIRS: bool> Kernel for Chains<PAIRS> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        // Enough chains to hide the latency, few enough to stay in registers.
        if S::TILE_PANELS > 1 {
            chains::<S, PAIRS, 12>(simd)
        } else {
            chains::<S, PAIRS, 5>(simd)
        }
    }
}

#[inline(always)]
fn chains<S: Simd, const PAIRS: bool, const N: usize>(simd: S) -> f64 {
    const STEPS: usize = 20_000;
    let (a, b) = (simd.splat(black_box(1e-3)), simd.splat(black_box(1e-3)));
    let mut sums = [simd.splat(black_box(0.5)); N];
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = if PAIRS {
                simd.dot_pairs(a, b, *sum)
            } else {
                simd.fma(a, b, *sum)
            };
        }
    }
    let mut total = simd.splat(0.0);
    for sum in sums {
        total = simd.add(total, sum);
    }
    black_box(simd.sum(total));
    let a_step = if PAIRS { 64 } else { 32 };
    (a_step * STEPS * N) as f64
}
