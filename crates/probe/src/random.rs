//! Random numbers that stay the same between versions, platforms and thread counts: ChaCha8, one stream per purpose, converted
//! to numbers by the arithmetic below alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The use of a stream of random numbers. Streams of one seed are independent of each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Initial values of the n-th tensor of a head.
    Tensor(u32),
    /// Batch order of an epoch.
    Order(u32),
    /// Drawing the validation part.
    Validation,
}

pub(crate) fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    // Not `seed_from_u64`, whose expansion the crate may change; where it is used (score, demo) a test pins its numbers.
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(match purpose {
        Purpose::Validation => 1,
        Purpose::Tensor(n) => (1 << 32) | u64::from(n),
        Purpose::Order(n) => (2 << 32) | u64::from(n),
    });
    rng
}

/// A number in `[-bound, bound)` with 24 random bits.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, bound: f32) -> f32 {
    let unit = (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0);
    (2.0 * unit - 1.0) * bound
}

/// Fisher-Yates, from the end.
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        // A 64-bit draw makes the modulo's bias smaller than 2^-40 for any corpus.
        let other = (rng.next_u64() % (last as u64 + 1)) as usize;
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of every purpose, as every version draws them.
    #[test]
    fn streams_are_apart_and_stay_the_same() {
        let purposes = [
            Purpose::Validation,
            Purpose::Tensor(0),
            Purpose::Tensor(1),
            Purpose::Order(0),
            Purpose::Order(1),
        ];
        let first = purposes.map(|purpose| stream(7, purpose).next_u32());
        assert_eq!(
            first,
            [
                679_367_822,
                4_257_965_326,
                3_453_251_168,
                3_194_328_674,
                2_871_982_561
            ]
        );
        let mut items: Vec<u32> = (0..8).collect();
        shuffle(&mut stream(7, Purpose::Order(1)), &mut items);
        assert_eq!(items, [3, 0, 7, 2, 6, 4, 5, 1]);
        let drawn = uniform(&mut stream(7, Purpose::Tensor(1)), 0.5);
        assert_eq!(drawn, (first[2] >> 8) as f32 / 16_777_216.0 - 0.5);
    }
}
