//! Layer and group normalisation.

/// The learnt scale and shift after a normalisation, one of each a channel.
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
    for row in x.chunks_exact_mut(dim.max(1)) {
        normalise(row, affine, eps);
    }
}

/// [`layer_norm`] that leaves `x` as it is.
///
/// # Panics
/// As [`layer_norm`], and if `out` is not as long as `x`.
pub fn layer_norm_into(
    x: &[f32],
    dim: usize,
    affine: Option<Affine<'_>>,
    eps: f32,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "layer_norm: x and out");
    out.copy_from_slice(x);
    layer_norm(out, dim, affine, eps);
}

/// Normalises each group of channels of `x` `[frame, channel]` over all frames, then applies `affine` by channel.
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
    let count = (x.len() / groups) as f64;
    let mut sums = vec![(0.0f64, 0.0f64); groups];
    for frame in x.chunks_exact(channels) {
        for (c, &v) in frame.iter().enumerate() {
            sums[c / width].0 += f64::from(v);
        }
    }
    for s in &mut sums {
        s.0 /= count;
    }
    for frame in x.chunks_exact(channels) {
        for (c, &v) in frame.iter().enumerate() {
            let d = f64::from(v) - sums[c / width].0;
            sums[c / width].1 += d * d;
        }
    }
    for frame in x.chunks_exact_mut(channels) {
        for (c, v) in frame.iter_mut().enumerate() {
            let (mean, squares) = sums[c / width];
            let y = ((f64::from(*v) - mean) / (squares / count + f64::from(eps)).sqrt()) as f32;
            *v = affine.map_or(y, |a| y * a.weight[c] + a.bias[c]);
        }
    }
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

fn normalise(row: &mut [f32], affine: Option<Affine<'_>>, eps: f32) {
    let n = row.len() as f64;
    let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = row
        .iter()
        .map(|&v| (f64::from(v) - mean).powi(2))
        .sum::<f64>()
        / n;
    let inverse = 1.0 / (variance + f64::from(eps)).sqrt();
    for (i, v) in row.iter_mut().enumerate() {
        let y = ((f64::from(*v) - mean) * inverse) as f32;
        *v = affine.map_or(y, |a| y * a.weight[i] + a.bias[i]);
    }
}
