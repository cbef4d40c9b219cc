//! aarch64 with Advanced SIMD: a vector is four registers of four lanes.
//!
//! This path is type-checked but has not been run by its authors, who have no such machine; the tests of
//! `tests/kernels` cover it when run on one. 16-bit formats go through scalar code, which takes little of the time.

use std::arch::aarch64::*;

use half::{bf16, f16};

use super::{Kernel, LANES, Simd, tiles};

/// Proof that the machine has Advanced SIMD.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

/// Runs `work` with the instructions of this path.
///
/// # Safety
/// The machine has Advanced SIMD.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn run<K: Kernel>(work: K) -> K::Output {
    work.run(Neon(()))
}

/// Calls intrinsics of this path.
macro_rules! neon {
    ($body:expr) => {
        // SAFETY: a value of `Neon` is only made by `run`, whose caller knows that the machine has the instructions.
        // Pointers come from references of the right size or are vouched for by the caller of `read` and `write`.
        unsafe { $body }
    };
}

/// All four quarters through one instruction.
macro_rules! each {
    ($f:ident($($v:ident),+)) => {
        neon!([$f($($v[0]),+), $f($($v[1]),+), $f($($v[2]),+), $f($($v[3]),+)])
    };
}

impl Simd for Neon {
    type V = [float32x4_t; 4];
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        neon!([vdupq_n_f32(x); 4])
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::V {
        neon!(self.read(x.as_ptr()))
    }
    #[inline(always)]
    fn store(self, v: Self::V, x: &mut [f32; LANES]) {
        neon!(self.write(v, x.as_mut_ptr()));
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
        neon!([
            vld1q_f32(x),
            vld1q_f32(x.add(4)),
            vld1q_f32(x.add(8)),
            vld1q_f32(x.add(12))
        ])
    }
    #[inline(always)]
    unsafe fn write(self, v: Self::V, x: *mut f32) {
        neon!({
            vst1q_f32(x, v[0]);
            vst1q_f32(x.add(4), v[1]);
            vst1q_f32(x.add(8), v[2]);
            vst1q_f32(x.add(12), v[3]);
        });
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each!(vdivq_f32(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // A comparison with NaN is false and picks b, as on the other paths.
        let greater = each!(vcgtq_f32(a, b));
        each!(vbslq_f32(greater, a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        let less = each!(vcltq_f32(a, b));
        each!(vbslq_f32(less, a, b))
    }
    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        each!(vabsq_f32(v))
    }
    #[inline(always)]
    fn round(self, v: Self::V) -> Self::V {
        each!(vrndnq_f32(v))
    }
    #[inline(always)]
    fn scale(self, v: Self::V, n: Self::V) -> Self::V {
        let bias = neon!([vdupq_n_s32(127); 4]);
        let n = each!(vcvtq_s32_f32(n));
        let n = each!(vaddq_s32(n, bias));
        let power = neon!([
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(n[0])),
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(n[1])),
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(n[2])),
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(n[3])),
        ]);
        each!(vmulq_f32(v, power))
    }
    #[inline(always)]
    fn zero_below(self, v: Self::V, x: Self::V, limit: Self::V) -> Self::V {
        let zero = self.splat(0.0);
        let below = each!(vcltq_f32(x, limit));
        each!(vbslq_f32(below, zero, v))
    }
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        neon!({
            let four = vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3]));
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        })
    }
    #[inline(always)]
    fn largest(self, v: Self::V) -> f32 {
        neon!(vmaxvq_f32(vmaxq_f32(
            vmaxq_f32(v[0], v[2]),
            vmaxq_f32(v[1], v[3])
        )))
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::V {
        self.load(&x.map(f16::to_f32))
    }
    #[inline(always)]
    fn store_f16(self, v: Self::V, x: &mut [f16; LANES]) {
        let mut all = [0.0; LANES];
        self.store(v, &mut all);
        *x = all.map(f16::from_f32);
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::V {
        self.load(&x.map(bf16::to_f32))
    }
    #[inline(always)]
    fn store_bf16(self, v: Self::V, x: &mut [bf16; LANES]) {
        let mut all = [0.0; LANES];
        self.store(v, &mut all);
        *x = all.map(bf16::from_f32);
    }
    #[inline(always)]
    fn low_half(self, v: Self::V) -> Self::V {
        neon!([
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(v[0]))),
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(v[1]))),
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(v[2]))),
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(v[3]))),
        ])
    }
    #[inline(always)]
    fn high_half(self, v: Self::V) -> Self::V {
        let mask = neon!(vdupq_n_u32(0xffff_0000));
        neon!([
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v[0]), mask)),
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v[1]), mask)),
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v[2]), mask)),
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v[3]), mask)),
        ])
    }

    tiles!([6 4 2 1] [1]);
}
