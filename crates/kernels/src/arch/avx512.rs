//! x86-64 with AVX-512 F, BW, DQ and VL, with and without the bf16 dot product: a vector is one register.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::{bf16, f16};

use super::{Kernel, LANES, Simd, tiles};

/// Proof that the machine has AVX-512 F, BW, DQ and VL, and with `BF16` also AVX512-BF16.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>(());

/// Runs `work` with AVX-512.
///
/// # Safety
/// The machine has AVX-512 F, BW, DQ and VL, AVX2, FMA and F16C.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) unsafe fn run<K: Kernel>(work: K) -> K::Output {
    work.run(Avx512::<false>(()))
}

/// Runs `work` with AVX-512 and the bf16 dot product.
///
/// # Safety
/// The machine has what [`run`] requires, and AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(crate) unsafe fn run_bf16<K: Kernel>(work: K) -> K::Output {
    work.run(Avx512::<true>(()))
}

/// Calls intrinsics of this path.
macro_rules! avx512 {
    ($body:expr) => {
        // SAFETY: a value of `Avx512` is only made by `run` and `run_bf16`, whose callers know that the machine has the
        // instructions. Pointers come from slices of the right size or are vouched for by the caller of `read` and
        // `write`.
        unsafe { $body }
    };
}

impl<const BF16: bool> Simd for Avx512<BF16> {
    type V = __m512;
    const TILE_PANELS: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        avx512!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::V {
        avx512!(self.read(x.as_ptr()))
    }
    #[inline(always)]
    fn store(self, v: Self::V, x: &mut [f32; LANES]) {
        avx512!(self.write(v, x.as_mut_ptr()));
    }
    #[inline(always)]
    fn load_first(self, x: &[f32]) -> Self::V {
        avx512!(_mm512_maskz_loadu_ps(first(x.len()), x.as_ptr()))
    }
    #[inline(always)]
    fn store_first(self, v: Self::V, x: &mut [f32]) {
        avx512!(_mm512_mask_storeu_ps(x.as_mut_ptr(), first(x.len()), v));
    }
    #[inline(always)]
    unsafe fn read(self, x: *const f32) -> Self::V {
        avx512!(_mm512_loadu_ps(x))
    }
    #[inline(always)]
    unsafe fn write(self, v: Self::V, x: *mut f32) {
        avx512!(_mm512_storeu_ps(x, v));
    }
    #[inline(always)]
    fn prefetch(self, x: *const f32) {
        avx512!(_mm_prefetch::<_MM_HINT_T1>(x.cast()));
    }
    #[inline(always)]
    fn prefetch_write(self, x: *const f32) {
        avx512!(_mm_prefetch::<_MM_HINT_ET0>(x.cast()));
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        avx512!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        avx512!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        avx512!(_mm512_abs_ps(v))
    }
    #[inline(always)]
    fn round(self, v: Self::V) -> Self::V {
        avx512!(_mm512_roundscale_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(v))
    }
    #[inline(always)]
    fn scale(self, v: Self::V, n: Self::V) -> Self::V {
        avx512!(_mm512_scalef_ps(v, n))
    }
    #[inline(always)]
    fn zero_below(self, v: Self::V, x: Self::V, limit: Self::V) -> Self::V {
        avx512!(_mm512_maskz_mov_ps(
            _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, limit),
            v
        ))
    }
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        avx512!({
            let eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
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
        avx512!({
            let eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            let four = _mm_max_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        })
    }
    #[inline(always)]
    fn transpose(self, rows: [Self::V; LANES]) -> [Self::V; LANES] {
        let mut four = rows;
        // Squares of four by four within the quarters of each group of four rows …
        for r in (0..LANES).step_by(4) {
            avx512!({
                let low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[r], rows[r + 1]));
                let high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[r], rows[r + 1]));
                let low_next = _mm512_castps_pd(_mm512_unpacklo_ps(rows[r + 2], rows[r + 3]));
                let high_next = _mm512_castps_pd(_mm512_unpackhi_ps(rows[r + 2], rows[r + 3]));
                four[r] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low_next));
                four[r + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low_next));
                four[r + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high_next));
                four[r + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high_next));
            });
        }
        // … then the quarters themselves.
        let mut columns = rows;
        for j in 0..4 {
            avx512!({
                let even = _mm512_shuffle_f32x4::<0x88>(four[j], four[4 + j]);
                let odd = _mm512_shuffle_f32x4::<0xdd>(four[j], four[4 + j]);
                let even_next = _mm512_shuffle_f32x4::<0x88>(four[8 + j], four[12 + j]);
                let odd_next = _mm512_shuffle_f32x4::<0xdd>(four[8 + j], four[12 + j]);
                columns[j] = _mm512_shuffle_f32x4::<0x88>(even, even_next);
                columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd_next);
                columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even_next);
                columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_next);
            });
        }
        columns
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::V {
        avx512!(_mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())))
    }
    #[inline(always)]
    fn store_f16(self, v: Self::V, x: &mut [f16; LANES]) {
        avx512!(_mm256_storeu_si256(
            x.as_mut_ptr().cast(),
            _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)
        ));
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::V {
        avx512!({
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        })
    }
    #[inline(always)]
    fn store_bf16(self, v: Self::V, x: &mut [bf16; LANES]) {
        // Not the conversion instruction: it treats subnormal numbers as zero.
        avx512!({
            let bits = _mm512_castps_si512(v);
            let upper = _mm512_srli_epi32::<16>(bits);
            let odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
            let up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            let rounded = _mm512_srli_epi32::<16>(up);
            let narrow = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
            _mm256_storeu_si256(x.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(narrow));
        });
    }
    #[inline(always)]
    fn store_bf16_normal(self, v: Self::V, x: &mut [bf16; LANES]) {
        if BF16 {
            avx512!({
                let narrow = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
                _mm256_storeu_si256(x.as_mut_ptr().cast(), narrow);
            });
        } else {
            self.store_bf16(v, x);
        }
    }
    #[inline(always)]
    fn low_half(self, v: Self::V) -> Self::V {
        avx512!(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(
            _mm512_castps_si512(v)
        )))
    }
    #[inline(always)]
    fn high_half(self, v: Self::V) -> Self::V {
        avx512!(_mm512_and_ps(
            v,
            _mm512_castsi512_ps(_mm512_set1_epi32(0xffff_0000_u32 as i32))
        ))
    }
    #[inline(always)]
    fn dot_pairs(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        if BF16 {
            avx512!(_mm512_dpbf16_ps(
                c,
                transmute::<__m512, __m512bh>(a),
                transmute::<__m512, __m512bh>(b)
            ))
        } else {
            let c = self.fma(self.low_half(a), self.low_half(b), c);
            self.fma(self.high_half(a), self.high_half(b), c)
        }
    }

    tiles!([6 4 2 1] [1 2 3 4]);
}

/// The mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    assert!(count <= LANES, "{count} lanes of {LANES}");
    ((1u32 << count) - 1) as __mmask16
}
