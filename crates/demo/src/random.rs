use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random numbers of one seed and one numbered stream; the same on every machine.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Uniform in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Uniform between two bounds.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Approximately normal, mean 0 and standard deviation 1: the sum of twelve uniform numbers.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// One of several.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[(self.unit() * items.len() as f64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// How a generator is seeded from a number is the crate's to change; the demo's recordings must not follow.
    #[test]
    fn streams_stay_the_same_between_versions() {
        let mut random = Random::new(1, 2);
        let numbers = [random.unit(), random.unit()];
        assert_eq!(numbers, [0.567_176_175_769_418_5, 0.876_394_122_373_312_7]);
    }
}
