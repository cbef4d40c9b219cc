use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// Largest number of sign patterns for which all are tried.
pub const MOST_FLIPS: u64 = 1 << 16;

/// Sums this close, relative to the sum of absolute values, count as equal: their order of addition differs.
const LEVEL: f64 = 1e-9;

/// The sign-flip test of a sum of independent parts (Fisher 1935, section 21; for clusters: Canay, Romano and Shaikh,
/// "Randomization tests under an approximate symmetry assumption", Econometrica 85, 2017).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignFlip {
    /// Two-sided p value: the share of sign patterns whose sum is at least as far from 0 as the observed one.
    pub p: f64,
    /// How many sign patterns were tried.
    pub flips: u64,
    /// Whether those are all the patterns.
    pub exact: bool,
}

/// Tests the hypothesis that each part is as likely to have the other sign.
///
/// Parts of 0 are left out. With up to 16 parts every pattern is tried; with more, `sampled` patterns from a ChaCha8 stream of
/// `seed`, and p = (r + 1) / (R + 1) (Davison & Hinkley 1997, equation 4.11).
///
/// ```
/// // Four speakers who all prefer the same system: the smallest p there can be.
/// assert_eq!(emobox_score::sign_flip(&[0.1, 0.2, 0.1, 0.3], 1000, 0).p, 0.125);
/// ```
pub fn sign_flip(parts: &[f64], sampled: usize, seed: u64) -> SignFlip {
    let scale: f64 = parts.iter().map(|x| x.abs()).sum();
    let parts: Vec<f64> = parts
        .iter()
        .copied()
        .filter(|x| x.abs() > LEVEL * scale / parts.len() as f64)
        .collect();
    let observed = parts.iter().sum::<f64>().abs();
    let as_far = |sum: f64| sum.abs() >= observed - LEVEL * scale;
    let count = parts.len() as u32;
    if count == 0 {
        return SignFlip {
            p: 1.0,
            flips: 1,
            exact: true,
        };
    }
    if count <= MOST_FLIPS.trailing_zeros() {
        let flips = 1_u64 << count;
        let sum = |pattern: u64| -> f64 {
            let signed = parts.iter().enumerate();
            signed
                .map(|(i, x)| if pattern >> i & 1 == 1 { -x } else { *x })
                .sum()
        };
        // Negating all signs of these patterns gives the other half.
        let far = (0..flips / 2)
            .filter(|&pattern| as_far(sum(pattern)))
            .count();
        return SignFlip {
            p: far as f64 / (flips / 2) as f64,
            flips,
            exact: true,
        };
    }
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let far = (0..sampled)
        .filter(|_| {
            let mut signs = 0_u32;
            let sum: f64 = parts
                .iter()
                .enumerate()
                .map(|(i, x)| {
                    if i % 32 == 0 {
                        signs = stream.next_u32();
                    }
                    let minus = signs >> (i % 32) & 1 == 1;
                    if minus { -x } else { *x }
                })
                .sum();
            as_far(sum)
        })
        .count();
    SignFlip {
        p: (far + 1) as f64 / (sampled + 1) as f64,
        flips: sampled as u64,
        exact: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate may change how it seeds a generator from a number; published p values must not change with it.
    #[test]
    fn sampled_patterns_stay_the_same_between_versions() {
        let parts: Vec<f64> = (1..=20).map(|i| f64::from(i * 7 % 11) - 3.0).collect();
        let [a, b] = [0, 1].map(|seed| sign_flip(&parts, 9999, seed));
        assert!(!a.exact);
        assert_eq!([a.p, b.p], [0.006, 0.0053]);
    }
}
