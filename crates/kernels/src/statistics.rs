//! Pooled statistics over frames.

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};

/// Mean and (biased) standard deviation of each column of `x` `[frame, dim]`, into `mean` and `deviation` `[dim]`.
///
/// Sums are `f32` within 64 frames and `f64` between. Without frames both are zero.
///
/// # Panics
/// If `mean` and `deviation` differ in length or `x` is not whole frames.
pub fn mean_and_deviation(x: &[f32], mean: &mut [f32], deviation: &mut [f32]) {
    let dim = mean.len();
    assert_eq!(
        dim,
        deviation.len(),
        "mean_and_deviation: mean and deviation"
    );
    assert!(
        x.is_empty() || (dim > 0 && x.len().is_multiple_of(dim)),
        "mean_and_deviation: {} in {dim}",
        x.len()
    );
    if x.is_empty() {
        mean.fill(0.0);
        deviation.fill(0.0);
        return;
    }
    let (means, variances) = column_moments(x, dim);
    for (c, (mean, deviation)) in mean.iter_mut().zip(deviation).enumerate() {
        (*mean, *deviation) = (means[c] as f32, variances[c].sqrt() as f32);
    }
}

/// Mean and biased variance of each column of `x`, which is at least one row of `dim`.
pub(crate) fn column_moments(x: &[f32], dim: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (x.len() / dim) as f64;
    // Differences from the first row are small even where the values are large but similar.
    let first = &x[..dim];
    let mut means = dispatch::<false, _>(ColumnSums::<false> { x, center: first });
    for (mean, &first) in means.iter_mut().zip(first) {
        *mean = f64::from(first) + *mean / rows;
    }
    let center: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    let mut variances = dispatch::<false, _>(ColumnSums::<true> { x, center: &center });
    for variance in &mut variances {
        *variance /= rows;
    }
    (means, variances)
}

/// `Σ (x - center)` of each column, or of squares.
struct ColumnSums<'a, const SQUARES: bool> {
    x: &'a [f32],
    center: &'a [f32],
}

impl<const SQUARES: bool> Kernel for ColumnSums<'_, SQUARES> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f64> {
        let dim = self.center.len();
        let mut totals = vec![0.0f64; dim];
        let mut partial = vec![0.0f32; dim];
        for block in self.x.chunks(64 * dim) {
            partial.fill(0.0);
            for row in block.chunks_exact(dim) {
                let columns = partial.chunks_mut(LANES).zip(self.center.chunks(LANES));
                for (x, (sum, center)) in row.chunks(LANES).zip(columns) {
                    let d = simd.sub(load_upto(simd, x), load_upto(simd, center));
                    let old = load_upto(simd, sum);
                    store_upto(
                        simd,
                        if SQUARES {
                            simd.fma(d, d, old)
                        } else {
                            simd.add(d, old)
                        },
                        sum,
                    );
                }
            }
            for (total, partial) in totals.iter_mut().zip(&partial) {
                *total += f64::from(*partial);
            }
        }
        totals
    }
}
