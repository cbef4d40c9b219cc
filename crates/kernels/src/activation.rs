//! Pointwise non-linearities.

/// What is applied to a product before the residual is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x * Φ(x)` with the exact normal distribution function (PyTorch's `gelu(approximate="none")`).
    Gelu,
}

/// Applies [`Activation::Gelu`] in place.
pub fn gelu(x: &mut [f32]) {
    for v in x {
        *v = gelu_one(*v);
    }
}

/// Applies [`Activation::Relu`] in place.
pub fn relu(x: &mut [f32]) {
    for v in x {
        *v = v.max(0.0);
    }
}

pub(crate) fn apply(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Relu => relu(x),
        Activation::Gelu => gelu(x),
    }
}

/// Abramowitz and Stegun 7.1.26 in double precision (absolute error of erf below 1.5e-7).
fn gelu_one(x: f32) -> f32 {
    let x = f64::from(x);
    let z = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let half_tail = 0.5 * poly * (-z * z).exp();
    (if x >= 0.0 {
        x * (1.0 - half_tail)
    } else {
        x * half_tail
    }) as f32
}
