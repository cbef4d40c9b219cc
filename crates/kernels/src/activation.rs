//! Pointwise non-linearities.

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};
use crate::exp::exp;

/// The function applied to a product before the residual is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x * Φ(x)` with the exact normal distribution function (PyTorch's `gelu(approximate="none")`). See [`gelu`] for its error.
    Gelu,
    /// `x / (1 + e^-x)`, also called swish. See [`silu`] for its error.
    Silu,
}

/// Applies [`Activation::Gelu`] in place.
///
/// Largest error against double precision for |x| < 14, on every path: 2.5e-7 absolute, 1.2e-7 of the larger of 1 and |x|; in
/// the negative tail, down to -13, 5e-6 relative (`tests/kernels/functions.rs`).
pub fn gelu(x: &mut [f32]) {
    dispatch::<false, _>(Apply {
        activation: Activation::Gelu,
        x,
    });
}

/// Applies [`Activation::Relu`] in place.
pub fn relu(x: &mut [f32]) {
    dispatch::<false, _>(Apply {
        activation: Activation::Relu,
        x,
    });
}

/// Applies [`Activation::Silu`] in place.
///
/// Largest error against double precision for |x| < 80, on every path: 3e-7 relative (`tests/kernels/functions.rs`).
pub fn silu(x: &mut [f32]) {
    dispatch::<false, _>(Apply {
        activation: Activation::Silu,
        x,
    });
}

/// Applies any activation in place.
pub(crate) fn apply(activation: Activation, x: &mut [f32]) {
    if activation != Activation::None {
        dispatch::<false, _>(Apply { activation, x });
    }
}

struct Apply<'a> {
    activation: Activation,
    x: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for x in self.x.chunks_mut(LANES) {
            let v = load_upto(simd, x);
            store_upto(simd, activate(simd, self.activation, v), x);
        }
    }
}

/// One vector of activations.
#[inline(always)]
pub(crate) fn activate<S: Simd>(simd: S, activation: Activation, v: S::V) -> S::V {
    match activation {
        Activation::None => v,
        Activation::Relu => simd.max(simd.splat(0.0), v),
        Activation::Gelu => gelu_vector(simd, v),
        Activation::Silu => silu_vector(simd, v),
    }
}

/// `Φ(-z) = exp(-z²/2) t p(t)` with `t = 1 / (1 + 0.3 z)`, relative error 1.5e-7 on 0..=14: parity/kernels/fit_polynomials.py.
const TAIL: [f32; 8] = [
    0.119_629_3,
    0.120_753_966,
    0.099_913_396,
    0.128_562_05,
    -0.053_684_66,
    0.206_354_83,
    -0.157_203_96,
    0.035_675_008,
];
const TAIL_SLOPE: f32 = 0.3;

/// `x Φ(x) = max(x, 0) - |x| Φ(-|x|)`: the tail is multiplied, never subtracted from one, so nothing cancels.
#[inline(always)]
fn gelu_vector<S: Simd>(simd: S, x: S::V) -> S::V {
    let z = simd.abs(x);
    let one = simd.splat(1.0);
    let t = simd.div(one, simd.fma(z, simd.splat(TAIL_SLOPE), one));
    let mut p = simd.splat(-TAIL[7]);
    p = simd.fma(p, t, simd.splat(-TAIL[6]));
    p = simd.fma(p, t, simd.splat(-TAIL[5]));
    p = simd.fma(p, t, simd.splat(-TAIL[4]));
    p = simd.fma(p, t, simd.splat(-TAIL[3]));
    p = simd.fma(p, t, simd.splat(-TAIL[2]));
    p = simd.fma(p, t, simd.splat(-TAIL[1]));
    p = simd.fma(p, t, simd.splat(-TAIL[0]));
    // Beyond 14 the tail is below 1e-44; without the limit infinity times zero would be NaN.
    let z = simd.min(simd.splat(14.0), z);
    let minus_tail = simd.mul(
        simd.mul(p, t),
        exp(simd, simd.mul(simd.mul(z, simd.splat(-0.5)), z)),
    );
    simd.fma(z, minus_tail, simd.max(simd.splat(0.0), x))
}

/// `(max(x, 0) + min(x, 0) e^-|x|) / (1 + e^-|x|)`: the exponential never has a positive argument.
#[inline(always)]
fn silu_vector<S: Simd>(simd: S, x: S::V) -> S::V {
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let e = exp(simd, simd.sub(zero, simd.abs(x)));
    // Below -100 the exponential is zero; without the limit infinity times zero would be NaN.
    let below = simd.max(simd.splat(-100.0), simd.min(zero, x));
    let above = simd.fma(below, e, simd.max(zero, x));
    simd.div(above, simd.add(one, e))
}
