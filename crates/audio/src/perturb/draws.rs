use emobox_files::sha256_bytes;
use std::f64::consts::TAU;

/// Random numbers determined by two words: the purpose of the draw, and its subject. SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn of(what: &str, key: &str) -> Self {
        let digest = sha256_bytes(format!("{what}\0{key}").as_bytes());
        let digits = digest.as_str().get(..16).unwrap_or_default();
        // A digest is hexadecimal.
        Self(u64::from_str_radix(digits, 16).unwrap_or_default())
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Above 0 and below 1.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// From the normal distribution (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_published_generator() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut draws = Draws(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| draws.bits()).collect();
        let expected: [u64; 3] = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn normal_draws_have_mean_0_and_variance_1() {
        let mut draws = Draws::of("test", "a");
        let list: Vec<f64> = (0..100_000).map(|_| draws.normal()).collect();
        let mean = list.iter().sum::<f64>() / 1e5;
        let variance = list.iter().map(|x| x * x).sum::<f64>() / 1e5;
        // Four standard errors.
        assert!(mean.abs() < 4.0 / 1e5_f64.sqrt(), "{mean}");
        assert!(
            (variance - 1.0).abs() < 4.0 * (2.0 / 1e5_f64).sqrt(),
            "{variance}"
        );
    }
}
