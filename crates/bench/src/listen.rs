//! Recordings for a predictor: whole, in windows, or from a recorder's pipe while it is running.

use crate::{Answer, BenchError, CallError, Context, Predictor};
use emobox_audio::{LoadOptions, Resampler, SampleRate, load, load_bytes};
use emobox_files::FileError;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

/// How a recording is read and divided.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Listening {
    /// The format of a file that holds samples without a header.
    pub raw: Option<RawSamples>,
    /// One answer per window; if absent, one for the whole recording.
    pub windows: Option<Windows>,
}

/// Samples without a header, one channel, little-endian, as recorders write them to a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawSamples {
    /// The sample format.
    pub format: RawFormat,
    /// Samples per second.
    pub rate: SampleRate,
}

/// The formats of a sample without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFormat {
    /// 16-bit integers, `s16le`.
    S16,
    /// 32-bit floats from −1 to 1, `f32le`.
    F32,
}

impl FromStr for RawFormat {
    type Err = BenchError;

    /// Accepts the names that ffmpeg and arecord use, in any case, with or without underscore.
    fn from_str(name: &str) -> Result<Self, BenchError> {
        match name.to_ascii_lowercase().replace('_', "").as_str() {
            "s16le" => Ok(Self::S16),
            "f32le" | "floatle" => Ok(Self::F32),
            _ => Err(BenchError::Call(CallError::value(
                "raw samples",
                name,
                "s16le or f32le",
            ))),
        }
    }
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S16 => "s16le",
            Self::F32 => "f32le",
        })
    }
}

impl RawFormat {
    fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::F32 => 4,
        }
    }

    fn sample(self, bytes: &[u8]) -> f32 {
        match self {
            Self::S16 => f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0,
            Self::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        }
    }
}

/// Windows of equal length over a recording. The last one ends where the recording ends; a
/// recording shorter than a window is one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Windows {
    /// In seconds.
    length: f64,
    hop: f64,
}

impl Windows {
    /// Windows of `length` seconds that begin every `hop` seconds.
    pub fn new(length: f64, hop: f64) -> Result<Self, BenchError> {
        let sensible = |seconds: f64| (0.05..=3600.0).contains(&seconds);
        if !sensible(length) || !sensible(hop) || hop > length {
            return Err(BenchError::Call(CallError::value(
                "windows",
                format!("of {length} s every {hop} s"),
                "a length and a hop of 0.05 to 3600 s, the hop at most the length",
            )));
        }
        Ok(Self { length, hop })
    }
}

/// Cuts samples that arrive in pieces into windows; keeps at most two windows' worth, besides the piece.
struct Cutter {
    /// Samples in a window, and between the starts of two windows.
    length: usize,
    hop: usize,
    /// The samples that later windows need.
    kept: Vec<f32>,
    /// The position of `kept` in the recording.
    from: usize,
    /// The position of the next window.
    next: usize,
}

impl Cutter {
    fn new(windows: Windows, rate: SampleRate) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(rate.0)).round() as usize;
        Self {
            length: samples(windows.length),
            hop: samples(windows.hop),
            kept: Vec::new(),
            from: 0,
            next: 0,
        }
    }

    /// Calls `window` with the position and the samples of each complete window.
    fn push(
        &mut self,
        samples: &[f32],
        mut window: impl FnMut(usize, &[f32]) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        self.kept.extend_from_slice(samples);
        let (length, hop) = (self.length, self.hop);
        let end = self.from + self.kept.len();
        while self.next + length <= end {
            let at = self.next - self.from;
            window(self.next, &self.kept[at..at + length])?;
            self.next += hop;
        }
        // The last window may begin before the next one would.
        let needed = self.next.min(end.saturating_sub(length));
        self.kept.drain(..needed - self.from);
        self.from = needed;
        Ok(())
    }

    /// The last window, unless the recording ended with one.
    fn finish(
        self,
        window: impl FnOnce(usize, &[f32]) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let Self { length, hop, .. } = self;
        let end = self.from + self.kept.len();
        let told = self.next.checked_sub(hop).map(|last| last + length);
        if told == Some(end) {
            return Ok(());
        }
        let start = end.saturating_sub(length);
        window(start, &self.kept[start - self.from..])
    }
}

/// The receiver of samples, piece by piece.
type Take<'a> = dyn FnMut(&[f32]) -> Result<(), BenchError> + 'a;

impl Predictor {
    /// Predicts on an audio file, or standard input for `-`, and reports each answer as soon as it is
    /// known: a raw stream is processed as it arrives, everything else is decoded first.
    pub fn listen(
        &self,
        file: &Path,
        how: &Listening,
        context: Context<'_>,
        tell: &mut dyn FnMut(&Answer),
    ) -> Result<(), BenchError> {
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        let Some(windows) = how.windows else {
            let mut samples = Vec::new();
            read(file, how.raw, self.rate(), context, &mut |piece| {
                samples.extend_from_slice(piece);
                Ok(())
            })?;
            let Some(longest) = self.longest().filter(|&longest| samples.len() > longest) else {
                tell(&self.answer(file, &samples)?);
                return Ok(());
            };
            context.progress.note(&format!(
                "{} is {:.1} s long and the encoder's input {:.0} s: one prediction for each such part (--window SECONDS sets another length)",
                file.display(),
                samples.len() as f64 / f64::from(self.rate().0),
                longest as f64 / f64::from(self.rate().0),
            ));
            let whole = longest as f64 / f64::from(self.rate().0);
            let windows = Windows {
                length: whole,
                hop: whole,
            };
            let read = &mut |take: &mut Take<'_>| take(&samples);
            return self.in_windows(file, windows, context, tell, read);
        };
        let read = &mut |take: &mut Take<'_>| read(file, how.raw, self.rate(), context, take);
        self.in_windows(file, windows, context, tell, read)
    }

    /// One answer for all of a clip and one for each window of it. A clip longer than the encoder's input is classified by
    /// the mean over its windows.
    pub fn hear(
        &self,
        file: &Path,
        samples: &[f32],
        windows: Windows,
        context: Context<'_>,
    ) -> Result<(Answer, Vec<Answer>), BenchError> {
        let mut parts = Vec::new();
        let mut tell = |answer: &Answer| parts.push(answer.clone());
        let read = &mut |take: &mut Take<'_>| take(samples);
        self.in_windows(file, windows, context, &mut tell, read)?;
        let whole = match self.longest().filter(|&longest| samples.len() > longest) {
            None => self.answer(file, samples)?,
            Some(_) => Answer::mean(&parts, samples.len() as f64 / f64::from(self.rate().0)),
        };
        Ok((whole, parts))
    }

    /// Reports an answer for each window of what `read` gives.
    fn in_windows(
        &self,
        file: &Path,
        windows: Windows,
        context: Context<'_>,
        tell: &mut dyn FnMut(&Answer),
        read: &mut dyn FnMut(&mut Take<'_>) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let mut window = |start: usize, samples: &[f32]| {
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            let mut answer = self.answer(file, samples)?;
            answer.start = Some(start as f64 / f64::from(self.rate().0));
            tell(&answer);
            Ok(())
        };
        let mut cutter = Cutter::new(windows, self.rate());
        read(&mut |piece| cutter.push(piece, &mut window))?;
        cutter.finish(window)
    }
}

/// Samples at this rate, piece by piece.
fn read(
    file: &Path,
    raw: Option<RawSamples>,
    rate: SampleRate,
    context: Context<'_>,
    take: &mut Take<'_>,
) -> Result<(), BenchError> {
    let standard_input = file == Path::new("-");
    let options = LoadOptions {
        sample_rate: rate,
        ..LoadOptions::default()
    };
    match raw {
        Some(raw) if standard_input => read_raw(
            std::io::stdin().lock(),
            "standard input",
            (raw, rate),
            context,
            take,
        ),
        Some(raw) => {
            let input = std::fs::File::open(file).map_err(|e| FileError::io("open", file, e))?;
            read_raw(
                input,
                &file.display().to_string(),
                (raw, rate),
                context,
                take,
            )
        }
        None if standard_input => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|e| FileError::io("read", "standard input", e))?;
            take(&load_bytes(bytes, "standard input", &options)?)
        }
        None => take(&load(file, &options)?),
    }
}

fn read_raw(
    mut input: impl Read,
    name: &str,
    (raw, rate): (RawSamples, SampleRate),
    context: Context<'_>,
    take: &mut dyn FnMut(&[f32]) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let width = raw.format.bytes();
    let mut resampler = (raw.rate != rate).then(|| Resampler::new(raw.rate, rate));
    let mut bytes = vec![0; 1 << 16];
    // Bytes of a sample that has not arrived completely.
    let mut held = 0;
    let mut out = Vec::new();
    loop {
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        let count = match input.read(&mut bytes[held..]) {
            Ok(0) => break,
            Ok(count) => held + count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(FileError::io("read", name, e).into()),
        };
        let whole = count - count % width;
        let samples = bytes[..whole].chunks_exact(width);
        let samples: Vec<f32> = samples.map(|bytes| raw.format.sample(bytes)).collect();
        bytes.copy_within(whole..count, 0);
        held = count - whole;
        match &mut resampler {
            None => take(&samples)?,
            Some(resampler) => {
                out.clear();
                resampler.push(&samples, &mut out);
                take(&out)?;
            }
        }
    }
    if held > 0 {
        return Err(BenchError::Call(CallError::other(
            Path::new(name),
            format!(
                "ends within a sample: {held} of {width} bytes; is it really {}?",
                raw.format
            ),
        )));
    }
    if let Some(resampler) = resampler {
        out.clear();
        resampler.finish(&mut out);
        take(&out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use std::sync::atomic::AtomicBool;

    /// Positions and samples of all windows of `total` counted samples, pushed in pieces.
    fn cut(windows: Windows, total: usize, piece: usize) -> Vec<(usize, Vec<f32>)> {
        let samples: Vec<f32> = (0..total).map(|n| n as f32).collect();
        // One sample per second.
        let mut cutter = Cutter::new(windows, SampleRate(1));
        let mut found = Vec::new();
        for piece in samples.chunks(piece) {
            let tell = |at, window: &[f32]| {
                found.push((at, window.to_vec()));
                Ok(())
            };
            cutter.push(piece, tell).unwrap();
            assert!(cutter.kept.len() <= 2 * cutter.length + piece.len());
        }
        let tell = |at, window: &[f32]| {
            found.push((at, window.to_vec()));
            Ok(())
        };
        cutter.finish(tell).unwrap();
        found
    }

    #[test]
    fn windows_cover_the_recording_and_the_last_ends_with_it() {
        let windows = Windows {
            length: 6.0,
            hop: 4.0,
        };
        for total in 1..40 {
            let found = cut(windows, total, total);
            for piece in [1, 3, 7, 100] {
                assert_eq!(cut(windows, total, piece), found, "{total} in {piece}s");
            }
            let (last, samples) = found.last().unwrap();
            assert_eq!(last + samples.len(), total);
            for (number, (at, samples)) in found.iter().enumerate() {
                assert_eq!(samples.len(), total.min(6));
                assert_eq!(samples[0], *at as f32);
                let last = number + 1 == found.len();
                assert!(last || *at == number * 4, "{total}: {at}");
            }
            let places: Vec<usize> = found.iter().map(|(at, _)| *at).collect();
            assert!(
                places.windows(2).all(|w| w[0] < w[1]),
                "{total}: {places:?}"
            );
        }
        assert!(Windows::new(1.0, 2.0).is_err());
        assert!(Windows::new(f64::NAN, 1.0).is_err());
        assert!(Windows::new(3.0, 0.0).is_err());
    }

    #[test]
    fn a_raw_stream_in_odd_pieces_is_the_recording() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
                let count = self.0.len().min(to.len()).min(777);
                to[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let context = Context {
            progress: &Silent,
            stop: &AtomicBool::new(false),
        };
        let rate = SampleRate(8_000);
        let wave: Vec<f32> = (0..9_000).map(|n| (n as f32 * 0.05).sin() / 2.0).collect();
        let expected = emobox_audio::resample(&wave, rate, SampleRate::SPEECH);
        let bytes: Vec<u8> = wave.iter().flat_map(|x| x.to_le_bytes()).collect();
        let raw = RawSamples {
            format: "FLOAT_LE".parse().unwrap(),
            rate,
        };
        let mut heard = Vec::new();
        let mut take = |piece: &[f32]| {
            heard.extend_from_slice(piece);
            Ok(())
        };
        let speech = SampleRate::SPEECH;
        read_raw(Drip(&bytes), "drip", (raw, speech), context, &mut take).unwrap();
        assert_eq!(heard, expected);
        let cut = read_raw(
            Drip(&bytes[..33]),
            "drip",
            (raw, speech),
            context,
            &mut |_| Ok(()),
        );
        let message = cut.unwrap_err().to_string();
        assert!(message.contains("1 of 4 bytes"), "{message}");
    }
}
