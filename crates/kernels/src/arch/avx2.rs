//! x86-64 with AVX2, FMA and F16C: a vector is two registers of eight lanes.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Kernel, LANES, Simd, tiles};

/// Proof that the machine has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Runs `work` with the instructions of this path.
///
/// # Safety
/// The machine has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn run<K: Kernel>(work: K) -> K::Output {
    work.run(Avx2(()))
}

/// Calls intrinsics of this path.
macro_rules! avx2 {
    ($body:expr) => {
        // SAFETY: a value of `Avx2` is only made by `run`, whose caller knows that the machine has the instructions.
        // Pointers come from references of the right size or are vouched for by the caller of `read` and `write`.
        unsafe { $body }
    };
}

/// Both halves through one instruction.
macro_rules! both {
    ($f:ident($($v:ident),+)) => {
        avx2!([$f($($v[0]),+), $f($($v[1]),+)])
    };
}

impl Avx2 {
    /// `2^n` by the bits of the exponent.
    #[inline(always)]
    fn power(self, n: __m256) -> __m256 {
        avx2!({
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        })
    }

    /// Eight 16-bit numbers as the upper halves of eight lanes.
    #[inline(always)]
    fn upper(self, x: __m128i) -> __m256 {
        avx2!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(
            _mm256_cvtepu16_epi32(x)
        )))
    }

    /// The bits of eight bf16, each in the lower half of a lane.
    #[inline(always)]
    fn rounded(self, v: __m256) -> __m256i {
        avx2!({
            let bits = _mm256_castps_si256(v);
            let upper = _mm256_srli_epi32::<16>(bits);
            let odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
            let up = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
            let quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(v, v));
            _mm256_blendv_epi8(_mm256_srli_epi32::<16>(up), quiet, nan)
        })
    }
}

impl Simd for Avx2 {
    type V = [__m256; 2];
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        avx2!([_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::V {
        avx2!(self.read(x.as_ptr()))
    }
    #[inline(always)]
    fn store(self, v: Self::V, x: &mut [f32; LANES]) {
        avx2!(self.write(v, x.as_mut_ptr()));
    }
    #[inline(always)]
    fn load_first(self, x: &[f32]) -> Self::V {
        let mut all = [0.0; LANES];
        all[..x.len()].copy_from_slice(x);
        self.load(&all)
    }
    #[inline(always)]
    fn store_first(self, v: Self::V, x: &mut [f32]) {
        let mut all = [0.0; LANES];
        self.store(v, &mut all);
        x.copy_from_slice(&all[..x.len()]);
    }
    #[inline(always)]
    unsafe fn read(self, x: *const f32) -> Self::V {
        avx2!([_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))])
    }
    #[inline(always)]
    unsafe fn write(self, v: Self::V, x: *mut f32) {
        avx2!({
            _mm256_storeu_ps(x, v[0]);
            _mm256_storeu_ps(x.add(8), v[1]);
        });
    }
    #[inline(always)]
    fn prefetch(self, x: *const f32) {
        avx2!(_mm_prefetch::<_MM_HINT_T1>(x.cast()));
    }
    #[inline(always)]
    fn prefetch_write(self, x: *const f32) {
        avx2!(_mm_prefetch::<_MM_HINT_ET0>(x.cast()));
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        both!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        let sign = avx2!([_mm256_set1_ps(-0.0); 2]);
        both!(_mm256_andnot_ps(sign, v))
    }
    #[inline(always)]
    fn round(self, v: Self::V) -> Self::V {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        avx2!([
            _mm256_round_ps::<NEAREST>(v[0]),
            _mm256_round_ps::<NEAREST>(v[1])
        ])
    }
    #[inline(always)]
    fn scale(self, v: Self::V, n: Self::V) -> Self::V {
        let powers = [self.power(n[0]), self.power(n[1])];
        both!(_mm256_mul_ps(v, powers))
    }
    #[inline(always)]
    fn zero_below(self, v: Self::V, x: Self::V, limit: Self::V) -> Self::V {
        let below = avx2!([
            _mm256_cmp_ps::<_CMP_LT_OQ>(x[0], limit[0]),
            _mm256_cmp_ps::<_CMP_LT_OQ>(x[1], limit[1])
        ]);
        both!(_mm256_andnot_ps(below, v))
    }
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        avx2!({
            let eight = _mm256_add_ps(v[0], v[1]);
            let four = _mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        })
    }
    #[inline(always)]
    fn largest(self, v: Self::V) -> f32 {
        avx2!({
            let eight = _mm256_max_ps(v[0], v[1]);
            let four = _mm_max_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        })
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::V {
        let x = x.as_ptr().cast::<__m128i>();
        avx2!([
            _mm256_cvtph_ps(_mm_loadu_si128(x)),
            _mm256_cvtph_ps(_mm_loadu_si128(x.add(1)))
        ])
    }
    #[inline(always)]
    fn store_f16(self, v: Self::V, x: &mut [f16; LANES]) {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT;
        let x = x.as_mut_ptr().cast::<__m128i>();
        avx2!({
            _mm_storeu_si128(x, _mm256_cvtps_ph::<NEAREST>(v[0]));
            _mm_storeu_si128(x.add(1), _mm256_cvtps_ph::<NEAREST>(v[1]));
        });
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::V {
        let x = x.as_ptr().cast::<__m128i>();
        avx2!([
            self.upper(_mm_loadu_si128(x)),
            self.upper(_mm_loadu_si128(x.add(1)))
        ])
    }
    #[inline(always)]
    fn store_bf16(self, v: Self::V, x: &mut [bf16; LANES]) {
        let (low, high) = (self.rounded(v[0]), self.rounded(v[1]));
        avx2!({
            // Packing works within halves of a register, so the quarters come out in the order 0 2 1 3.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            _mm256_storeu_si256(x.as_mut_ptr().cast(), packed);
        });
    }
    #[inline(always)]
    fn low_half(self, v: Self::V) -> Self::V {
        avx2!([
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(v[0]))),
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(v[1]))),
        ])
    }
    #[inline(always)]
    fn high_half(self, v: Self::V) -> Self::V {
        let mask = avx2!([_mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000_u32 as i32)); 2]);
        both!(_mm256_and_ps(mask, v))
    }

    tiles!([6 4 2 1] [1]);
}
