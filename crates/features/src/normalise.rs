use crate::FeatureNormalisation;

/// Added to the variance, as `torch.nn.functional.layer_norm` does by default.
pub const EPSILON: f64 = 1e-5;

/// Normalises one layer's frames `[frame, dim]` in place to zero mean and unit variance.
///
/// Moments are summed in f64, so the result does not depend on the utterance's length within the precision
/// of f32; it agrees with `torch.nn.functional.layer_norm(x, x.shape)` within 1e-6.
pub fn normalise(frames: &mut [f32], dim: usize, how: FeatureNormalisation) {
    match how {
        FeatureNormalisation::None => {}
        FeatureNormalisation::Utterance => standardise(frames),
        FeatureNormalisation::Frame => frames.chunks_exact_mut(dim.max(1)).for_each(standardise),
    }
}

fn standardise(values: &mut [f32]) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|&x| (f64::from(x) - mean).powi(2))
        .sum::<f64>()
        / count;
    let scale = 1.0 / (variance + EPSILON).sqrt();
    for value in values {
        *value = ((f64::from(*value) - mean) * scale) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_layer_norm() {
        let mut joint: Vec<f32> = (0..12).map(|i| (i * i) as f32 + 500.0).collect();
        let mut by_frame = joint.clone();
        normalise(&mut joint, 4, FeatureNormalisation::Utterance);
        normalise(&mut by_frame, 4, FeatureNormalisation::Frame);
        let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
        let variance = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
        assert!(mean(&joint).abs() < 1e-6 && (variance(&joint) - 1.0).abs() < 1e-5);
        assert!(
            mean(&joint[..4]).abs() > 0.1,
            "frames keep their level under the joint norm"
        );
        for frame in by_frame.chunks(4) {
            assert!(mean(frame).abs() < 1e-6 && (variance(frame) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_constant_utterance_becomes_zero() {
        let mut silent = vec![3.0; 8];
        normalise(&mut silent, 4, FeatureNormalisation::Utterance);
        assert_eq!(silent, vec![0.0; 8]);
    }
}
