use std::fmt;

/// Samples per second of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(pub u32);

impl SampleRate {
    /// The rate for speech, which nearly every encoder uses.
    pub const SPEECH: Self = Self(16_000);
    /// The lowest rate accepted from a file; below it there is no speech, and a few bytes
    /// would stand for hours.
    pub const LOWEST: Self = Self(1_000);
    /// The highest rate accepted from a file, twice that of any audio interface.
    pub const HIGHEST: Self = Self(768_000);

    /// Whether the rate is between [`Self::LOWEST`] and [`Self::HIGHEST`].
    pub fn is_plausible(self) -> bool {
        (Self::LOWEST..=Self::HIGHEST).contains(&self)
    }

    /// The time of sample number `frame`.
    pub fn seconds(self, frame: u64) -> Seconds {
        Seconds(frame as f64 / f64::from(self.0.max(1)))
    }

    /// The sample nearest to a time; a negative time is sample 0.
    pub fn frame(self, time: Seconds) -> u64 {
        (time.0 * f64::from(self.0)).round() as u64
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A time or a length of time.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0)
    }
}
