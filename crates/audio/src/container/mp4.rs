//! The timing of MP4 tracks (ISO 14496-12): symphonia reads no edit lists, and without them a decoded
//! AAC track begins with 1024 or more samples of encoder delay.

use crate::source::Source;
use std::io::{Read, Seek, SeekFrom};

/// Maximum number of boxes read, against files made to be slow.
const MOST_BOXES: u32 = 10_000;
/// Maximum number of entries read from one table.
const MOST_ENTRIES: u32 = 1 << 22;

/// The timing of one track, in units of its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timing {
    pub(crate) track: u32,
    /// Ticks per second.
    timescale: u32,
    /// The start of playback.
    start: u64,
    /// Ticks of all samples of the table; 0 in a fragmented file.
    total: u64,
}

impl Timing {
    /// Decoded samples to drop at the beginning.
    pub(crate) fn skipped(&self, sample_rate: u32) -> u64 {
        self.samples(self.start, sample_rate)
    }

    /// Samples that remain, if the table says.
    pub(crate) fn frames(&self, sample_rate: u32) -> Option<u64> {
        (self.total > self.start).then(|| self.samples(self.total - self.start, sample_rate))
    }

    fn samples(&self, ticks: u64, sample_rate: u32) -> u64 {
        let scaled =
            u128::from(ticks) * u128::from(sample_rate) / u128::from(self.timescale.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// The information in a file's boxes.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    /// One per track.
    pub(crate) tracks: Vec<Timing>,
    /// Whether a box continues past the end of the file.
    pub(crate) cut_short: bool,
}

/// The timing of all tracks. Anything unusual ends the list: symphonia reports on broken files.
pub(crate) fn timings(source: &mut Source) -> Timings {
    let end = source.length;
    let mut walk = Walk {
        source,
        found: Vec::new(),
        current: Timing::default(),
        boxes: 0,
        cut_short: false,
    };
    let _ = walk.boxes(0, end, 0);
    Timings {
        tracks: walk.found,
        cut_short: walk.cut_short,
    }
}

struct Walk<'a> {
    source: &'a mut Source,
    found: Vec<Timing>,
    current: Timing,
    boxes: u32,
    cut_short: bool,
}

impl Walk<'_> {
    fn boxes(&mut self, from: u64, until: u64, depth: u32) -> Option<()> {
        let mut position = from;
        while position + 8 <= until {
            self.boxes += 1;
            if self.boxes > MOST_BOXES || depth > 8 {
                return None;
            }
            self.source.seek(SeekFrom::Start(position)).ok()?;
            let size = self.u32()?;
            let kind: [u8; 4] = self.source.array().ok()?;
            let (header, size) = match size {
                0 => (8, until - position),
                1 => (16, u64::from_be_bytes(self.source.array().ok()?)),
                size => (8, u64::from(size)),
            };
            let end = position.checked_add(size)?;
            if size < header || end > until {
                self.cut_short = size >= header && depth == 0;
                return None;
            }
            match &kind {
                b"moov" | b"mdia" | b"minf" | b"stbl" | b"edts" => {
                    self.boxes(position + header, end, depth + 1)?;
                }
                b"trak" => {
                    self.current = Timing::default();
                    self.boxes(position + header, end, depth + 1)?;
                    self.found.push(self.current);
                }
                b"tkhd" => self.track_header()?,
                b"mdhd" => self.media_header()?,
                b"elst" => self.edits()?,
                b"stts" => self.durations()?,
                _ => {}
            }
            position = end;
        }
        Some(())
    }

    fn u32(&mut self) -> Option<u32> {
        self.source.array().ok().map(u32::from_be_bytes)
    }

    /// Skips creation and modification times, whose width depends on the version.
    fn version_and_times(&mut self) -> Option<u8> {
        let [version, ..] = self.source.array::<4>().ok()?;
        self.source.skip(if version == 1 { 16 } else { 8 }).ok()?;
        Some(version)
    }

    fn track_header(&mut self) -> Option<()> {
        self.version_and_times()?;
        self.current.track = self.u32()?;
        Some(())
    }

    fn media_header(&mut self) -> Option<()> {
        self.version_and_times()?;
        self.current.timescale = self.u32()?;
        Some(())
    }

    /// The first edit that shows media; empty edits before it only delay the track.
    fn edits(&mut self) -> Option<()> {
        let [version, ..] = self.source.array::<4>().ok()?;
        for _ in 0..self.u32()?.min(MOST_ENTRIES) {
            let start = if version == 1 {
                self.source.skip(8).ok()?;
                i64::from_be_bytes(self.source.array().ok()?)
            } else {
                self.source.skip(4).ok()?;
                i64::from(i32::from_be_bytes(self.source.array().ok()?))
            };
            self.source.skip(4).ok()?;
            if let Ok(start) = u64::try_from(start) {
                self.current.start = start;
                break;
            }
        }
        Some(())
    }

    fn durations(&mut self) -> Option<()> {
        self.source.skip(4).ok()?;
        for _ in 0..self.u32()?.min(MOST_ENTRIES) {
            let mut entry = [0; 8];
            self.source.read_exact(&mut entry).ok()?;
            let [a, b, c, d, e, f, g, h] = entry;
            let (count, ticks) = (
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            );
            let sum = u64::from(count) * u64::from(ticks);
            self.current.total = self.current.total.checked_add(sum)?;
        }
        Some(())
    }
}
