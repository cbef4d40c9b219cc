use serde::{Deserialize, Serialize};

/// Normalisation of a waveform before the first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaveformNormalisation {
    /// Nothing.
    None,
    /// Zero mean and unit variance with 1e-7 added to the variance, as transformers'
    /// `Wav2Vec2FeatureExtractor` does under `do_normalize`.
    Transformers,
    /// Zero mean and unit variance with 1e-5 added to the variance, as fairseq does under
    /// `task.normalize` (a layer norm over the whole waveform).
    Fairseq,
}

impl WaveformNormalisation {
    /// The normalised waveform; mean and variance in double precision.
    pub(crate) fn apply(self, samples: &[f32]) -> Vec<f32> {
        let eps = match self {
            Self::None => return samples.to_vec(),
            Self::Transformers => 1e-7,
            Self::Fairseq => 1e-5,
        };
        let n = samples.len() as f64;
        let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = samples
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / n;
        let factor = 1.0 / (variance + eps).sqrt();
        samples
            .iter()
            .map(|&x| ((f64::from(x) - mean) * factor) as f32)
            .collect()
    }
}
