use crate::{AudioError, LoadOptions, Resampler, SampleRate, Seconds};
use std::path::PathBuf;

/// How far a segment may extend past the end of its file: labels of segments are rounded to a tenth of a second.
const END_TOLERANCE: f64 = 0.1;
/// Memory reserved for an output before any sample is read, whatever a header promises (16 MiB).
const LARGEST_RESERVE: u64 = 1 << 22;

/// Takes the samples of one channel in order and keeps the segment, at the requested rate.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
    options: LoadOptions,
    sample_rate: SampleRate,
    /// The segment in samples of the file; `end` is `u64::MAX` without one.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Samples seen or skipped so far.
    position: u64,
    resampler: Option<Resampler>,
    out: Vec<f32>,
}

impl Sink {
    pub(crate) fn new(
        path: PathBuf,
        options: &LoadOptions,
        (sample_rate, channels): (SampleRate, u16),
    ) -> Result<Self, AudioError> {
        if !sample_rate.is_plausible() {
            return Err(AudioError::BadSampleRate {
                path,
                rate: sample_rate,
            });
        }
        if options.channel > channels {
            return Err(AudioError::NoSuchChannel {
                path,
                asked: options.channel,
                channels,
            });
        }
        let start = options.start.map_or(0, |time| sample_rate.frame(time));
        let end = options.end.map_or(u64::MAX, |time| sample_rate.frame(time));
        let resampler = (sample_rate != options.sample_rate)
            .then(|| Resampler::new(sample_rate, options.sample_rate));
        Ok(Self {
            path,
            options: *options,
            sample_rate,
            start,
            end,
            position: 0,
            resampler,
            out: Vec::new(),
        })
    }

    /// Checks the segment against a known length and reserves memory.
    pub(crate) fn expect(&mut self, frames: u64) -> Result<(), AudioError> {
        self.check_segment(frames)?;
        let wanted = self.end.min(frames).saturating_sub(self.start);
        let length = self
            .resampler
            .as_ref()
            .map_or(wanted, |r| r.output_length(wanted));
        self.out.reserve_exact(length.min(LARGEST_RESERVE) as usize);
        Ok(())
    }

    fn check_segment(&self, frames: u64) -> Result<(), AudioError> {
        let length = self.sample_rate.seconds(frames);
        let start = self.options.start.unwrap_or(Seconds(0.0));
        let end = self.options.end.unwrap_or(length);
        let whole = self.options.start.is_none() && self.options.end.is_none();
        // Written so that a NaN fails.
        let inside = start.0 >= 0.0
            && end.0 <= length.0 + END_TOLERANCE
            && self.start < self.end.min(frames);
        if whole || inside {
            Ok(())
        } else {
            Err(AudioError::BadSegment {
                path: self.path.clone(),
                start,
                end,
                length,
            })
        }
    }

    /// Skips samples without reading them, for readers that can seek.
    pub(crate) fn skip_to(&mut self, frame: u64) {
        self.position = frame;
    }

    /// Whether the segment is complete.
    pub(crate) fn is_full(&self) -> bool {
        self.position >= self.end
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        let length = samples.len() as u64;
        let from = self.start.saturating_sub(self.position).min(length);
        let until = self.end.saturating_sub(self.position).min(length);
        let kept = &samples[from as usize..(until as usize).max(from as usize)];
        // A sum of products with zero is finite only if all factors are; this form vectorises.
        let suspicious = kept.iter().map(|x| x * 0.0).sum::<f32>();
        if suspicious != 0.0
            && let Some(i) = kept.iter().position(|x| !x.is_finite())
        {
            return Err(AudioError::NotFinite {
                path: self.path.clone(),
                at: self.sample_rate.seconds(self.position + from + i as u64),
                channel: self.options.channel,
                value: kept[i],
            });
        }
        match &mut self.resampler {
            Some(resampler) => resampler.push(kept, &mut self.out),
            None => self.out.extend_from_slice(kept),
        }
        self.position += length;
        Ok(())
    }

    /// Ends the input: there were `frames` samples per channel in all, as far as they were read.
    pub(crate) fn finish(mut self, container: &str) -> Result<Vec<f32>, AudioError> {
        if !self.is_full() {
            if self.position == 0 {
                let container = container.to_owned();
                return Err(AudioError::NoSamples {
                    path: self.path,
                    container,
                });
            }
            self.check_segment(self.position)?;
        }
        if let Some(resampler) = self.resampler {
            resampler.finish(&mut self.out);
        }
        Ok(self.out)
    }
}
