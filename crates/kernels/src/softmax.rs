//! Softmax over rows.

/// Replaces every row of `cols` numbers by its softmax. A row of only `-inf` becomes zeros.
///
/// # Panics
/// If `x` is not whole rows.
pub fn softmax_rows(x: &mut [f32], cols: usize) {
    assert!(
        x.is_empty() || (cols > 0 && x.len().is_multiple_of(cols)),
        "softmax: {} in rows of {cols}",
        x.len()
    );
    for row in x.chunks_exact_mut(cols.max(1)) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if max == f32::NEG_INFINITY {
            row.fill(0.0);
            continue;
        }
        let mut sum = 0.0;
        for v in row.iter_mut() {
            *v = (*v - max).exp();
            sum += *v;
        }
        for v in row {
            *v /= sum;
        }
    }
}
