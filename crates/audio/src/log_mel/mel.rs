/// Triangular filters on Slaney's mel scale with Slaney's area normalisation, from 0 Hz to half the
/// sample rate: `mel_filter_bank(norm="slaney", mel_scale="slaney")` of
/// `transformers/audio_utils.py` (5.23), itself librosa's default.
#[derive(Debug)]
pub(crate) struct MelFilters {
    /// For each band the first bin with a weight, and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl MelFilters {
    /// Filters over the `fft / 2 + 1` bins of a real spectrum.
    pub(crate) fn new(bands: usize, fft: usize, sample_rate: f64) -> Self {
        let nyquist = sample_rate / 2.0;
        let bins = fft / 2 + 1;
        let top = hertz_to_mel(nyquist);
        let edges: Vec<f64> = (0..bands + 2)
            .map(|i| mel_to_hertz(top * i as f64 / (bands + 1) as f64))
            .collect();
        let frequencies: Vec<f64> = (0..bins)
            .map(|i| nyquist * i as f64 / (bins - 1) as f64)
            .collect();
        let band = |edge: &[f64]| {
            let (low, centre, high) = (edge[0], edge[1], edge[2]);
            let weight = |&hertz: &f64| {
                let rising = (hertz - low) / (centre - low);
                let falling = (high - hertz) / (high - centre);
                (rising.min(falling).max(0.0) * 2.0 / (high - low)) as f32
            };
            let weights: Vec<f32> = frequencies.iter().map(weight).collect();
            let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
            let last = weights
                .iter()
                .rposition(|&w| w > 0.0)
                .map_or(first, |i| i + 1);
            (first, weights[first..last].to_vec())
        };
        Self {
            bands: edges.windows(3).map(band).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bands.len()
    }

    /// The energy in each band of a power spectrum.
    pub(crate) fn apply<'a>(&'a self, power: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.bands.iter().map(move |(first, weights)| {
            weights
                .iter()
                .zip(&power[*first..])
                .map(|(w, p)| w * p)
                .sum()
        })
    }
}

/// Slaney, "Auditory Toolbox" (1998): linear to 1 kHz, logarithmic above.
const LINEAR_STEP: f64 = 200.0 / 3.0;
const BREAK_HERTZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HERTZ / LINEAR_STEP;

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ {
        hertz / LINEAR_STEP
    } else {
        BREAK_MEL + (hertz / BREAK_HERTZ).ln() / log_step()
    }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < BREAK_MEL {
        mel * LINEAR_STEP
    } else {
        BREAK_HERTZ * ((mel - BREAK_MEL) * log_step()).exp()
    }
}
