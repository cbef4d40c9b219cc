/// The part of CPython's `random.Random` that the published test lists were drawn with: `seed(int)` and `sample`.
///
/// The generator is MT19937 (Matsumoto and Nishimura 1998) seeded by `init_by_array`; `below` and `sample` follow the
/// algorithm of CPython 3's `random.py` (`_randbelow_with_getrandbits`, `sample`).
#[derive(Debug, Clone)]
pub(super) struct CpythonRandom {
    state: [u32; N],
    next: usize,
}

const N: usize = 624;
const M: usize = 397;

impl CpythonRandom {
    /// `random.seed(seed)` for a seed below 2³².
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [0; N];
        state[0] = 19_650_218_u32;
        for i in 1..N {
            state[i] = 1_812_433_253_u32
                .wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30))
                .wrapping_add(i as u32);
        }
        let mut i = 1;
        // init_by_array with a key of one word.
        for _ in 0..N {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed).wrapping_add(seed);
            i = wrap(&mut state, i + 1);
        }
        for _ in 0..N - 1 {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ mixed).wrapping_sub(i as u32);
            i = wrap(&mut state, i + 1);
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    /// The next 32 bits.
    pub(super) fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// A number below `n`, which must fit in 32 bits; 0 for `n` = 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        if n == 0 {
            return 0;
        }
        let shift = 32_u32.saturating_sub(bits);
        loop {
            let drawn = (self.next_u32() >> shift) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }

    /// `random.sample(range(n), k)` for k ≤ n: distinct indices in drawn order.
    pub(super) fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        let k = k.min(n);
        let mut set_size = 21;
        if k > 5 {
            set_size += 4_usize.saturating_pow(((k * 3) as f64).log(4.0).ceil() as u32);
        }
        let mut drawn = Vec::with_capacity(k);
        if n <= set_size {
            let mut pool: Vec<usize> = (0..n).collect();
            for i in 0..k {
                let j = self.below(n - i);
                drawn.push(pool[j]);
                pool[j] = pool[n - i - 1];
            }
        } else {
            let mut seen = std::collections::HashSet::with_capacity(k);
            while drawn.len() < k {
                let j = self.below(n);
                if seen.insert(j) {
                    drawn.push(j);
                }
            }
        }
        drawn
    }
}

/// After the last word, copies it to the first, and continues at the second, as in the reference implementation.
fn wrap(state: &mut [u32; N], i: usize) -> usize {
    if i < N {
        return i;
    }
    state[0] = state[N - 1];
    1
}

#[cfg(test)]
mod tests {
    use super::CpythonRandom;

    // Printed by CPython: random.seed(0); getrandbits(32), randrange(100), sample(range(n), k).
    #[test]
    fn the_first_draws_for_seed_0_are_cpythons() {
        let mut random = CpythonRandom::new(0);
        let first: Vec<u32> = (0..5).map(|_| random.next_u32()).collect();
        assert_eq!(
            first,
            [
                3_626_764_237,
                1_654_615_998,
                3_255_389_356,
                3_823_568_514,
                1_806_341_205
            ]
        );
        let mut random = CpythonRandom::new(0);
        let below: Vec<usize> = (0..8).map(|_| random.below(100)).collect();
        assert_eq!(below, [49, 97, 53, 5, 33, 65, 62, 51]);
    }

    #[test]
    fn samples_from_a_pool_and_from_a_set_are_cpythons() {
        let mut random = CpythonRandom::new(0);
        assert_eq!(random.sample(30, 7), POOL);
        assert_eq!(random.sample(1000, 6), SET);
        // At the sizes from which a set is used, where a power of two tells the two ways apart.
        let first = |n, k| CpythonRandom::new(0).sample(n, k);
        assert_eq!(first(32, 5), [24, 26, 2, 16, 31]);
        assert_eq!(first(64, 6), [49, 48, 56, 26, 2, 16]);
        assert_eq!(first(512, 6), [394, 430, 41, 265, 497, 414]);
    }

    #[test]
    fn a_number_below_one_is_zero() {
        let mut random = CpythonRandom::new(0);
        assert!((0..32).all(|_| random.below(1) == 0));
    }

    const POOL: [usize; 7] = [27, 12, 24, 13, 1, 8, 16];
    const SET: [usize; 6] = [497, 414, 940, 802, 849, 310];
}
