//! Layer and group normalisation.

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};
use crate::statistics::column_moments;

/// The learned scale and shift after a normalisation, one of each per channel.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// `[dim]`
    pub weight: &'a [f32],
    /// `[dim]`
    pub bias: &'a [f32],
}

/// Normalises every row of `dim` numbers to zero mean and unit (biased) variance, then applies `affine`.
///
/// With `dim == x.len()` and no affine this is the joint normalisation over time and dimension of the recipe's features.
///
/// # Panics
/// If `x` is not whole rows or `affine` is not `dim` long.
pub fn layer_norm(x: &mut [f32], dim: usize, affine: Option<Affine<'_>>, eps: f32) {
    check(x.len(), dim, affine);
    dispatch::<false, _>(InPlace {
        x,
        dim,
        affine,
        eps,
    });
}

/// Normalises each group of channels of `x` `[frame, channel]` over all frames, then applies `affine` per channel.
///
/// `groups == channels` is the first convolution's norm of wav2vec 2.0: every channel over time.
///
/// # Panics
/// If `x` is not whole frames, `groups` does not divide `channels`, or `affine` is not `channels` long.
pub fn group_norm(
    x: &mut [f32],
    channels: usize,
    groups: usize,
    affine: Option<Affine<'_>>,
    eps: f32,
) {
    check(x.len(), channels, affine);
    assert!(
        groups > 0 && channels.is_multiple_of(groups),
        "group_norm: {groups} groups of {channels} channels"
    );
    if x.is_empty() {
        return;
    }
    let width = channels / groups;
    let (means, variances) = column_moments(x, channels);
    let mut columns = Columns {
        mean: vec![0.0; channels],
        scale: vec![0.0; channels],
        shift: vec![0.0; channels],
    };
    for group in 0..groups {
        // All channels have the same number of frames, so a group's mean is the mean of its channels' means, and its variance
        // the mean of their variances and squared distances from it.
        let range = group * width..(group + 1) * width;
        let mean = means[range.clone()].iter().sum::<f64>() / width as f64;
        let spread = range
            .clone()
            .map(|c| variances[c] + (means[c] - mean).powi(2))
            .sum::<f64>()
            / width as f64;
        let inverse = 1.0 / (spread + f64::from(eps)).sqrt();
        for c in range {
            columns.mean[c] = mean as f32;
            columns.scale[c] = (inverse * affine.map_or(1.0, |a| f64::from(a.weight[c]))) as f32;
            columns.shift[c] = affine.map_or(0.0, |a| a.bias[c]);
        }
    }
    dispatch::<false, _>(ApplyColumns {
        x,
        columns: &columns,
    });
}

fn check(len: usize, dim: usize, affine: Option<Affine<'_>>) {
    assert!(
        len == 0 || (dim > 0 && len.is_multiple_of(dim)),
        "norm: {len} numbers in rows of {dim}"
    );
    if let Some(affine) = affine {
        assert_eq!(
            (affine.weight.len(), affine.bias.len()),
            (dim, dim),
            "norm: affine of {dim}"
        );
    }
}

struct InPlace<'a> {
    x: &'a mut [f32],
    dim: usize,
    affine: Option<Affine<'a>>,
    eps: f32,
}

impl Kernel for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.x.chunks_exact_mut(self.dim.max(1)) {
            let count = self.dim as f64;
            let mean = (sum::<S, false>(simd, row, 0.0) / count) as f32;
            let variance = sum::<S, true>(simd, row, mean) / count;
            let inverse = (1.0 / (variance + f64::from(self.eps)).sqrt()) as f32;
            let (center, factor) = (simd.splat(mean), simd.splat(inverse));
            for (i, x) in row.chunks_mut(LANES).enumerate() {
                let mut v = simd.mul(simd.sub(load_upto(simd, x), center), factor);
                if let Some(affine) = self.affine {
                    let range = i * LANES..i * LANES + x.len();
                    let weight = load_upto(simd, &affine.weight[range.clone()]);
                    v = simd.fma(v, weight, load_upto(simd, &affine.bias[range]));
                }
                store_upto(simd, v, x);
            }
        }
    }
}

/// `Σ (x - center)`, or of squares. Sums are `f32` within 4096 numbers and `f64` between.
#[inline(always)]
fn sum<S: Simd, const SQUARES: bool>(simd: S, x: &[f32], center: f32) -> f64 {
    let (middle, center) = (center, simd.splat(center));
    let mut total = 0.0;
    for x in x.chunks(4096) {
        let mut sums = [simd.splat(0.0); 4];
        let (vectors, rest) = x.as_chunks::<LANES>();
        let (fours, singles) = vectors.as_chunks::<4>();
        for four in fours {
            for (sum, x) in sums.iter_mut().zip(four) {
                let d = simd.sub(simd.load(x), center);
                *sum = if SQUARES {
                    simd.fma(d, d, *sum)
                } else {
                    simd.add(d, *sum)
                };
            }
        }
        for (sum, x) in sums.iter_mut().zip(singles) {
            let d = simd.sub(simd.load(x), center);
            *sum = if SQUARES {
                simd.fma(d, d, *sum)
            } else {
                simd.add(d, *sum)
            };
        }
        total +=
            f64::from(simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3]))));
        let mut tail = 0.0;
        for &x in rest {
            let d = x - middle;
            tail += if SQUARES { d * d } else { d };
        }
        total += f64::from(tail);
    }
    total
}

/// The effect of [`group_norm`] on each channel: `(x - mean) * scale + shift`.
struct Columns {
    mean: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

struct ApplyColumns<'a> {
    x: &'a mut [f32],
    columns: &'a Columns,
}

impl Kernel for ApplyColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Columns { mean, scale, shift } = self.columns;
        for frame in self.x.chunks_exact_mut(mean.len()) {
            let columns = mean
                .chunks(LANES)
                .zip(scale.chunks(LANES))
                .zip(shift.chunks(LANES));
            for (x, ((mean, scale), shift)) in frame.chunks_mut(LANES).zip(columns) {
                let v = simd.sub(load_upto(simd, x), load_upto(simd, mean));
                let v = simd.fma(v, load_upto(simd, scale), load_upto(simd, shift));
                store_upto(simd, v, x);
            }
        }
    }
}
