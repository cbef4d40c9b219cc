//! Plain Rust, which the compiler vectorises for the target's baseline.

use half::{bf16, f16};

use super::{LANES, Simd, tiles};

/// The path without requirements.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// Sixteen lanes, each through `$f`.
macro_rules! lanes {
    ($i:ident => $f:expr) => {{
        let mut out = [0.0f32; LANES];
        for $i in 0..LANES {
            out[$i] = $f;
        }
        out
    }};
}

impl Simd for Portable {
    type V = [f32; LANES];
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, x: &[f32; LANES]) -> Self::V {
        *x
    }
    #[inline(always)]
    fn store(self, v: Self::V, x: &mut [f32; LANES]) {
        *x = v;
    }
    #[inline(always)]
    fn load_first(self, x: &[f32]) -> Self::V {
        let mut out = [0.0; LANES];
        out[..x.len()].copy_from_slice(x);
        out
    }
    #[inline(always)]
    fn store_first(self, v: Self::V, x: &mut [f32]) {
        x.copy_from_slice(&v[..x.len()]);
    }
    #[inline(always)]
    unsafe fn read(self, x: *const f32) -> Self::V {
        // SAFETY: the caller promises sixteen readable numbers.
        unsafe { x.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn write(self, v: Self::V, x: *mut f32) {
        // SAFETY: the caller promises room for sixteen numbers.
        unsafe { x.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => a[i] / b[i])
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not `mul_add`: without the instruction that is a library call for every number.
        lanes!(i => a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(i => if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        lanes!(i => v[i].abs())
    }
    #[inline(always)]
    fn round(self, v: Self::V) -> Self::V {
        // Adding and subtracting 1.5 * 2^23 rounds numbers below 2^22, which is all that `exp` needs, without a
        // library call.
        lanes!(i => (v[i] + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    fn scale(self, v: Self::V, n: Self::V) -> Self::V {
        // The sum's low bits hold the integer; no conversion instruction is needed.
        lanes!(i => v[i] * f32::from_bits(((n[i] + 12_583_039.0).to_bits()) << 23))
    }
    #[inline(always)]
    fn zero_below(self, v: Self::V, x: Self::V, limit: Self::V) -> Self::V {
        lanes!(i => if x[i] < limit[i] { 0.0 } else { v[i] })
    }
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let mut v = v;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                v[i] += v[i + half];
            }
        }
        v[0]
    }
    #[inline(always)]
    fn largest(self, v: Self::V) -> f32 {
        let mut v = v;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                v[i] = if v[i + half] > v[i] {
                    v[i + half]
                } else {
                    v[i]
                };
            }
        }
        v[0]
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; LANES]) -> Self::V {
        lanes!(i => x[i].to_f32())
    }
    #[inline(always)]
    fn store_f16(self, v: Self::V, x: &mut [f16; LANES]) {
        for (x, v) in x.iter_mut().zip(v) {
            *x = f16::from_f32(v);
        }
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::V {
        lanes!(i => x[i].to_f32())
    }
    #[inline(always)]
    fn store_bf16(self, v: Self::V, x: &mut [bf16; LANES]) {
        for (x, v) in x.iter_mut().zip(v) {
            *x = bf16::from_f32(v);
        }
    }
    #[inline(always)]
    fn low_half(self, v: Self::V) -> Self::V {
        lanes!(i => f32::from_bits(v[i].to_bits() << 16))
    }
    #[inline(always)]
    fn high_half(self, v: Self::V) -> Self::V {
        lanes!(i => f32::from_bits(v[i].to_bits() & 0xffff_0000))
    }

    tiles!([3 2 1] [1]);
}
