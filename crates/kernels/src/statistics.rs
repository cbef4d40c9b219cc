//! Pooled statistics over frames.

/// Mean and (biased) standard deviation of each column of `x` `[frame, dim]`, into `mean` and `deviation` `[dim]`.
///
/// Sums are `f64`. Without frames both are zero.
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
    mean.fill(0.0);
    deviation.fill(0.0);
    if x.is_empty() {
        return;
    }
    let frames = (x.len() / dim) as f64;
    let mut sums = vec![(0.0f64, 0.0f64); dim];
    for frame in x.chunks_exact(dim) {
        for (s, &v) in sums.iter_mut().zip(frame) {
            s.0 += f64::from(v);
        }
    }
    for s in &mut sums {
        s.0 /= frames;
    }
    for frame in x.chunks_exact(dim) {
        for (s, &v) in sums.iter_mut().zip(frame) {
            s.1 += (f64::from(v) - s.0).powi(2);
        }
    }
    for ((m, d), s) in mean.iter_mut().zip(deviation).zip(&sums) {
        (*m, *d) = (s.0 as f32, (s.1 / frames).sqrt() as f32);
    }
}
