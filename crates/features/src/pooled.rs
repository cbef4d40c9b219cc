use crate::normalise::EPSILON;

/// Writes the mean and the standard deviation (divided by the number of frames) over the frames of
/// one hidden state `[frame, dim]` to `out`, `[2, dim]`. Summed in f64.
///
/// # Panics
/// When `out` is not `2 * dim` long or `frames` holds no whole frame.
pub fn pool_frames(frames: &[f32], dim: usize, out: &mut [f32]) {
    assert_eq!(out.len(), 2 * dim, "pooled statistics are [2, dim]");
    let count = frames.len() / dim;
    assert!(count > 0, "no frames to pool");
    let mut sum = vec![0f64; dim];
    for frame in frames.chunks_exact(dim) {
        for (total, &x) in sum.iter_mut().zip(frame) {
            *total += f64::from(x);
        }
    }
    let mean: Vec<f64> = sum.iter().map(|total| total / count as f64).collect();
    let mut squares = vec![0f64; dim];
    for frame in frames.chunks_exact(dim) {
        for ((total, &x), &centre) in squares.iter_mut().zip(frame).zip(&mean) {
            *total += (f64::from(x) - centre).powi(2);
        }
    }
    let (means, deviations) = out.split_at_mut(dim);
    for (to, from) in means.iter_mut().zip(&mean) {
        *to = *from as f32;
    }
    for (to, from) in deviations.iter_mut().zip(&squares) {
        *to = (from / count as f64).sqrt() as f32;
    }
}

/// The pooled statistics of one utterance, `[layer, 2, dim]`, un-normalised.
#[derive(Clone, Copy, Debug)]
pub struct PooledView<'a> {
    /// Hidden states covered, from the embedding output (0) up.
    pub layers: usize,
    /// The width of a frame.
    pub dim: usize,
    /// The numbers, row-major.
    pub data: &'a [f32],
}

impl<'a> PooledView<'a> {
    /// Mean over frames of a layer, `[dim]`.
    pub fn mean(&self, layer: usize) -> &'a [f32] {
        &self.data[layer * 2 * self.dim..][..self.dim]
    }

    /// Standard deviation over frames of a layer, `[dim]`.
    pub fn deviation(&self, layer: usize) -> &'a [f32] {
        &self.data[(layer * 2 + 1) * self.dim..][..self.dim]
    }

    /// The statistics `[2, dim]` that the layer would have had after utterance normalisation.
    ///
    /// Exact up to rounding: the joint moments of all frames and dimensions follow from the means
    /// and standard deviations per dimension, since every dimension has the same number of frames.
    pub fn normalised(&self, layer: usize) -> Vec<f32> {
        let (mean, deviation) = (self.mean(layer), self.deviation(layer));
        let width = self.dim.max(1) as f64;
        let centre = mean.iter().map(|&x| f64::from(x)).sum::<f64>() / width;
        let variance = mean
            .iter()
            .zip(deviation)
            .map(|(&m, &s)| f64::from(s).powi(2) + (f64::from(m) - centre).powi(2))
            .sum::<f64>()
            / width;
        let scale = 1.0 / (variance + EPSILON).sqrt();
        let means = mean
            .iter()
            .map(|&m| ((f64::from(m) - centre) * scale) as f32);
        let deviations = deviation.iter().map(|&s| (f64::from(s) * scale) as f32);
        means.chain(deviations).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeatureNormalisation, normalise};

    #[test]
    fn normalised_statistics_are_those_of_normalised_frames() {
        let dim = 5;
        let other = vec![7.0; 2 * dim];
        let mut frames: Vec<f32> = (0..dim * 7)
            .map(|i| ((i * 37 % 23) as f32).sin() * 9.0 + (i % dim) as f32 * 40.0)
            .collect();
        let mut raw = vec![0.0; 2 * dim];
        pool_frames(&frames, dim, &mut raw);
        let both = [other, raw].concat();
        let view = PooledView {
            layers: 2,
            dim,
            data: &both,
        };
        normalise(&mut frames, dim, FeatureNormalisation::Utterance);
        let mut expected = vec![0.0; 2 * dim];
        pool_frames(&frames, dim, &mut expected);
        assert_eq!(view.normalised(1).len(), expected.len());
        for (got, want) in view.normalised(1).iter().zip(&expected) {
            assert!((got - want).abs() < 2e-6, "{got} {want}");
        }
    }
}
