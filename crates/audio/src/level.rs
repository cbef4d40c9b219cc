/// A sample this close to full scale counts as clipped when the next one is too.
const FULL_SCALE: f32 = 0.999;
/// Share of clipped samples from which a recording is reported; speech reaches full scale in single peaks far below it.
const CLIPPED: f64 = 1e-3;
/// Peak below which a recording is silent: -60 dB.
const SILENT: f32 = 1e-3;
/// Peak above which samples cannot be scaled to 1. Lossy encoders overshoot by a few dB.
const FAR_ABOVE_ONE: f32 = 4.0;

/// The level of a recording: detects silence, clipping and a full scale other than 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// Largest magnitude.
    pub peak: f32,
    /// Share of samples at full scale whose next sample is at full scale too.
    pub clipped: f64,
}

/// Whether a sample counts as at full scale.
fn is_full_scale(sample: f32) -> bool {
    sample.abs() >= FULL_SCALE
}

impl Level {
    /// Measures samples.
    pub fn of(samples: &[f32]) -> Self {
        let peak = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        let pairs = samples.windows(2);
        let clipped = pairs
            .filter(|pair| pair.iter().all(|x| is_full_scale(*x)))
            .count();
        Self {
            peak,
            clipped: clipped as f64 / samples.len().max(1) as f64,
        }
    }

    /// Whether the recording is silent: a peak below -60 dB.
    pub fn is_silent(&self) -> bool {
        self.peak < SILENT
    }

    /// Whether more than 0.1 % of the samples are clipped at full scale.
    pub fn is_clipped(&self) -> bool {
        self.clipped > CLIPPED && !self.is_out_of_scale()
    }

    /// Whether the samples are not scaled to 1, for example to the range of 16-bit numbers.
    pub fn is_out_of_scale(&self) -> bool {
        self.peak >= FAR_ABOVE_ONE
    }

    /// The problem with the level, if any.
    pub fn problem(&self) -> Option<String> {
        if self.is_silent() {
            Some(format!("silent (peak {:.6})", self.peak))
        } else if self.is_out_of_scale() {
            Some(format!("peak {}, while full scale is 1", self.peak))
        } else if self.is_clipped() {
            let percent = 100.0 * self.clipped;
            Some(format!("clipped ({percent:.2} % of the samples)"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_level_is_told_apart() {
        let tone: Vec<f32> = (0..1000_u16).map(|i| (f32::from(i) * 0.1).sin()).collect();
        let scaled = |gain: f32| -> Vec<f32> { tone.iter().map(|x| x * gain).collect() };
        let problem = |samples: &[f32]| Level::of(samples).problem().unwrap_or_default();
        assert_eq!(problem(&scaled(0.5)), "");
        assert!(problem(&scaled(0.0005)).starts_with("silent"));
        assert!(problem(&scaled(20_000.0)).contains("full scale is 1"));
        let cut: Vec<f32> = scaled(3.0).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
        assert!(problem(&cut).starts_with("clipped"));
        assert!(Level::of(&[]).is_silent());
    }
}
