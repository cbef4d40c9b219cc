//! The distributions that the tests need, checked against SciPy in `tests/statistics.rs`.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Relative size below which a further term of a series or continued fraction changes nothing.
const PRECISION: f64 = 1e-16;
/// Enough for every argument used here; both expansions need about the square root of their first parameter.
const STEPS: usize = 100_000;

/// P(Z <= z) of the standard normal.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// P(|T| >= |t|) of Student's t.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// The t with P(T <= t) = `share`, for a share of at least one half.
pub(crate) fn student_quantile(share: f64, degrees: f64) -> f64 {
    bisect(0.0, 1e9, |t| {
        (1.0 - share) - 0.5 * student_two_sided(t, degrees)
    })
}

/// ln(p / (1 − p)).
pub(crate) fn logit(share: f64) -> f64 {
    share.ln() - (-share).ln_1p()
}

/// The inverse of [`logit`].
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// P(X >= x) of chi-square.
pub(crate) fn chi_square_sf(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let (a, x) = (degrees / 2.0, x / 2.0);
    let front = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        // The lower incomplete gamma function as a series (DLMF 8.11.4).
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for i in 1..STEPS {
            term *= x / (a + i as f64);
            sum += term;
            if term < sum * PRECISION {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    // The upper one as a continued fraction (DLMF 8.9.2).
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut h = d;
    for i in 1..STEPS {
        let i = i as f64;
        let numerator = i * (a - i);
        b += 2.0;
        d = 1.0 / (b + numerator * d);
        c = b + numerator / c;
        h *= c * d;
        if (c * d - 1.0).abs() < PRECISION {
            break;
        }
    }
    front * h
}

/// P(X >= x) of the F distribution.
pub(crate) fn f_sf(x: f64, numerator: f64, denominator: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let share = denominator / (denominator + numerator * x);
    incomplete_beta(share, denominator / 2.0, numerator / 2.0)
}

/// The regularised incomplete beta function (DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a;
    let mut c = 1.0;
    let mut d = 1.0 / (1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..STEPS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for numerator in [even, odd] {
            d = 1.0 / (1.0 + numerator * d);
            c = 1.0 + numerator / c;
            change = c * d;
            h *= change;
        }
        if (change - 1.0).abs() < PRECISION {
            break;
        }
    }
    front * h
}

/// P(X <= k) of a binomial with n trials of one half each.
pub(crate) fn fair_binomial_cdf(k: u64, n: u64) -> f64 {
    let ln_choose = |i: f64| {
        let n = n as f64;
        libm::lgamma(n + 1.0) - libm::lgamma(i + 1.0) - libm::lgamma(n - i + 1.0)
    };
    let ln_half_n = n as f64 * 0.5_f64.ln();
    // Summed from the largest term down, until the rest is negligible.
    let mut sum = 0.0;
    for i in (0..=k.min(n)).rev() {
        let term = (ln_choose(i as f64) + ln_half_n).exp();
        sum += term;
        if 2 * i < n && term < sum * PRECISION {
            break;
        }
    }
    sum.min(1.0)
}

/// P(range of `k` standard normals <= q): the studentised range with infinite degrees of freedom.
pub(crate) fn range_cdf(q: f64, k: usize) -> f64 {
    if q <= 0.0 {
        return 0.0;
    }
    // k ∫ φ(z) [Φ(z) − Φ(z − q)]^(k−1) dz; the trapezium rule converges exponentially on it.
    const STEP: f64 = 0.02;
    let steps = ((18.0 + q.min(100.0)) / STEP) as usize;
    let sum: f64 = (0..=steps)
        .map(|i| {
            let z = -9.0 + i as f64 * STEP;
            let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
            density * (normal_cdf(z) - normal_cdf(z - q)).powi(k as i32 - 1)
        })
        .sum();
    (k as f64 * sum * STEP).min(1.0)
}

/// The q with P(range of `k` standard normals <= q) = `share`.
pub(crate) fn range_quantile(share: f64, k: usize) -> f64 {
    bisect(0.0, 60.0, |q| range_cdf(q, k) - share)
}

/// The zero of an increasing function, to floating-point precision.
fn bisect(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle == low || middle == high {
            break;
        }
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        t: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        degrees: f64,
        share: f64,
        quantile: f64,
        at: f64,
        p: f64,
    }

    #[test]
    fn students_t_equals_scipys() {
        let golden = include_str!("../tests/golden/inference.json");
        let golden: Golden = serde_json::from_str(golden).unwrap();
        assert_eq!(golden.t.len(), 5);
        for case in golden.t {
            let quantile = student_quantile(case.share, case.degrees);
            assert!((quantile / case.quantile - 1.0).abs() < 1e-9, "{quantile}");
            let p = student_two_sided(case.at, case.degrees);
            assert!((p / case.p - 1.0).abs() < 1e-9, "{p} {}", case.p);
        }
        assert_eq!(student_two_sided(0.0, 4.0), 1.0);
    }
}
