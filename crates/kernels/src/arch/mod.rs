//! Sixteen numbers at a time: the operations that every kernel is written in, and the selection of their implementation.
//!
//! A kernel is written once, generically over [`Simd`], and compiled once per path. All paths work on vectors of
//! sixteen lanes (one register of AVX-512, two of AVX2, four of NEON) and add lanes up in the same order, so AVX2, AVX-512
//! and NEON give the same bits; the portable path differs by rounding after each multiplication (it has no fused
//! multiply-add). Only bf16 products round as the machine's instruction does.
//!
//! Everything from a kernel's `run` down is `#[inline(always)]`, because a function that is not inlined into the
//! `#[target_feature]` entry of its path would be compiled without the path's instructions. Closures are avoided there
//! for the same reason.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;
pub(crate) mod tile;

use half::{bf16, f16};

use crate::path::{Path, current};

pub(crate) use tile::{PREFETCH_STEPS, Tile};

/// Lanes of a vector, columns of a panel.
pub(crate) const LANES: usize = 16;

/// The operations of one path. A value is proof that the machine has the path's instructions.
pub(crate) trait Simd: Copy {
    /// Sixteen `f32`.
    type V: Copy;
    /// Panels (of sixteen columns) of the largest register tile.
    const TILE_PANELS: usize;

    fn splat(self, x: f32) -> Self::V;
    fn load(self, x: &[f32; LANES]) -> Self::V;
    fn store(self, v: Self::V, x: &mut [f32; LANES]);
    /// The first lanes from a slice of at most sixteen; the others are zero.
    fn load_first(self, x: &[f32]) -> Self::V;
    /// The first lanes to a slice of at most sixteen.
    fn store_first(self, v: Self::V, x: &mut [f32]);
    /// # Safety
    /// Sixteen numbers can be read at `x`.
    unsafe fn read(self, x: *const f32) -> Self::V;
    /// # Safety
    /// Sixteen numbers can be written at `x`.
    unsafe fn write(self, v: Self::V, x: *mut f32);

    /// Prefetches the cache line at `x` into the L2 cache; any address is allowed.
    #[inline(always)]
    fn prefetch(self, _x: *const f32) {}
    /// Prefetches the cache line at `x` into the L1 cache for writing; any address is allowed.
    #[inline(always)]
    fn prefetch_write(self, _x: *const f32) {}

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `b` if either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `b` if either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn abs(self, v: Self::V) -> Self::V;
    /// To the nearest integer, ties to even.
    fn round(self, v: Self::V) -> Self::V;
    /// `v * 2^n` for integers `n` in -126..=127.
    fn scale(self, v: Self::V, n: Self::V) -> Self::V;
    /// `v`, with zero where `x < limit`.
    fn zero_below(self, v: Self::V, x: Self::V, limit: Self::V) -> Self::V;
    /// The sum of the lanes, by halves.
    fn sum(self, v: Self::V) -> f32;
    /// The largest lane.
    fn largest(self, v: Self::V) -> f32;

    /// Transposes.
    #[inline(always)]
    fn transpose(self, rows: [Self::V; LANES]) -> [Self::V; LANES] {
        let mut numbers = [[0.0; LANES]; LANES];
        for (v, numbers) in rows.into_iter().zip(&mut numbers) {
            self.store(v, numbers);
        }
        let mut columns = rows;
        for (c, column) in columns.iter_mut().enumerate() {
            let mut all = [0.0; LANES];
            for (x, numbers) in all.iter_mut().zip(&numbers) {
                *x = numbers[c];
            }
            *column = self.load(&all);
        }
        columns
    }

    fn load_f16(self, x: &[f16; LANES]) -> Self::V;
    fn store_f16(self, v: Self::V, x: &mut [f16; LANES]);
    fn load_bf16(self, x: &[bf16; LANES]) -> Self::V;
    /// Rounds to nearest even.
    fn store_bf16(self, v: Self::V, x: &mut [bf16; LANES]);
    /// Like [`store_bf16`](Self::store_bf16), but subnormal numbers may become zero.
    #[inline(always)]
    fn store_bf16_normal(self, v: Self::V, x: &mut [bf16; LANES]) {
        self.store_bf16(v, x);
    }
    /// Pairs of bf16, each lane of `low` with that of `high`.
    #[inline(always)]
    fn pair(self, low: Self::V, high: Self::V) -> Self::V {
        let (mut lows, mut highs) = ([bf16::ZERO; LANES], [bf16::ZERO; LANES]);
        self.store_bf16_normal(low, &mut lows);
        self.store_bf16_normal(high, &mut highs);
        let mut words = [0.0; LANES];
        for (word, (low, high)) in words.iter_mut().zip(lows.iter().zip(&highs)) {
            *word = f32::from_bits(u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16);
        }
        self.load(&words)
    }
    /// Each lane as a pair of bf16: the lower one, widened.
    fn low_half(self, v: Self::V) -> Self::V;
    /// Each lane as a pair of bf16: the upper one, widened.
    fn high_half(self, v: Self::V) -> Self::V;
    /// `c + low(a) * low(b) + high(a) * high(b)` with lanes of `a` and `b` taken as pairs of bf16.
    #[inline(always)]
    fn dot_pairs(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let c = self.fma(self.low_half(a), self.low_half(b), c);
        self.fma(self.high_half(a), self.high_half(b), c)
    }

    /// The rows of the largest tile of at most `rows`.
    fn high(rows: usize) -> usize;

    /// [`tile::tile`](crate::arch::tile::tile) of `rows`, a value returned by [`high`](Self::high), by `panels`, at most `TILE_PANELS`.
    ///
    /// # Safety
    /// As [`tile::tile`](crate::arch::tile::tile).
    unsafe fn tile<const PAIRS: bool>(self, rows: usize, panels: usize, tile: &Tile);
}

/// Implements [`Simd::tile`] by one compiled tile for each size: a number of rows, the largest first, by a number of panels.
macro_rules! tiles {
    ([$($rows:literal)*] $panels:tt) => {
        #[inline(always)]
        fn high(rows: usize) -> usize {
            match rows {
                $($rows.. => $rows,)*
                0 => 0,
            }
        }

        #[inline(always)]
        unsafe fn tile<const PAIRS: bool>(self, rows: usize, panels: usize, tile: &$crate::arch::Tile) {
            // SAFETY: the caller's promise is what `tile::tile` requires.
            unsafe {
                match rows {
                    $($rows => $crate::arch::tiles!(@ self PAIRS tile panels $rows $panels),)*
                    _ => unreachable!("tile of {rows} rows"),
                }
            }
        }
    };
    (@ $simd:ident $pairs:ident $tile:ident $panels:ident $rows:literal [$($panel:literal)*]) => {
        match $panels {
            $($panel => $crate::arch::tile::tile::<Self, $pairs, $rows, $panel>($simd, $tile),)*
            _ => unreachable!("tile of {} panels", $panels),
        }
    };
}
pub(crate) use tiles;

/// Up to sixteen numbers; the lanes beyond are zero.
#[inline(always)]
pub(crate) fn load_upto<S: Simd>(simd: S, x: &[f32]) -> S::V {
    match x.try_into() {
        Ok(x) => simd.load(x),
        Err(_) => simd.load_first(x),
    }
}

/// The first lanes to up to sixteen numbers.
#[inline(always)]
pub(crate) fn store_upto<S: Simd>(simd: S, v: S::V, x: &mut [f32]) {
    if let Some(x) = x.first_chunk_mut() {
        simd.store(v, x);
    } else {
        simd.store_first(v, x);
    }
}

/// Work that is compiled once per path.
pub(crate) trait Kernel {
    type Output;

    /// Runs the work; implementations are `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs `work` on the current path. The bf16 instructions are worth a separate copy of the code only where they are used:
/// `PAIRS` says so.
#[inline(always)]
pub(crate) fn dispatch<const PAIRS: bool, K: Kernel>(work: K) -> K::Output {
    match current() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `current` returns only paths that `Path::is_available` found on this machine.
        Path::Avx512Bf16 if PAIRS => unsafe { avx512::run_bf16(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx512 | Path::Avx512Bf16 => unsafe { avx512::run(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx2 => unsafe { avx2::run(work) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Path::Neon => unsafe { neon::run(work) },
        _ => work.run(portable::Portable),
    }
}
