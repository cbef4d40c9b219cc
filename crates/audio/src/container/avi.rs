//! The first audio stream of an AVI file, from its header list: Microsoft's "AVI RIFF File Reference".

use super::StreamHeader;
use crate::source::Source;
use std::io::Read;

/// Header lists are a few hundred bytes; anything larger than this is left to ffmpeg.
const MOST: u32 = 1 << 16;

/// The header of the first audio stream, or `None` if ffmpeg has to be used.
pub(crate) fn read(source: &mut Source) -> Option<StreamHeader> {
    source.skip(12).ok()?;
    let (mut id, mut size) = chunk(source)?;
    // `JUNK` may come first.
    while &id != b"LIST" && size < MOST {
        source.skip(u64::from(size) + u64::from(size & 1)).ok()?;
        (id, size) = chunk(source)?;
    }
    if !(4..MOST).contains(&size) {
        return None;
    }
    let mut list = vec![0; size as usize];
    source.read_exact(&mut list).ok()?;
    let streams = chunks(list.strip_prefix(b"hdrl")?).filter(|(id, _)| id == b"LIST");
    let mut streams = streams.filter_map(|(_, body)| body.strip_prefix(b"strl"));
    streams.find_map(|body| {
        let field = |name: &[u8; 4]| {
            chunks(body)
                .find(|(id, _)| id == name)
                .map(|(_, body)| body)
        };
        let head = field(b"strh")?;
        head.starts_with(b"auds")
            .then(|| stream(head, field(b"strf")?))
    })?
}

fn stream(head: &[u8], format: &[u8]) -> Option<StreamHeader> {
    let long = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let short = |at: usize| Some(u16::from_le_bytes(format.get(at..at + 2)?.try_into().ok()?));
    let (scale, rate, start, length) = (long(20)?, long(24)?, long(28)?, long(32)?);
    // `WAVE_FORMAT_EXTENSIBLE` has the tag at the start of its sub-format.
    let tag = match short(0)? {
        0xFFFE => short(24)?,
        tag => tag,
    };
    let codec = match (tag, short(14)?) {
        (1, 8) => "pcm_u8",
        (1, 16) => "pcm_s16le",
        (1, 24) => "pcm_s24le",
        (0x55, _) => "mp3",
        (0x2000, _) => "ac3",
        _ => return None,
    };
    if scale == 0 || rate == 0 || length == 0 || start != 0 {
        return None;
    }
    Some(StreamHeader {
        codec,
        channels: short(2)?,
        sample_rate: u32::from_le_bytes(format.get(4..8)?.try_into().ok()?),
        seconds: f64::from(length) * f64::from(scale) / f64::from(rate),
    })
}

fn chunk(source: &mut Source) -> Option<([u8; 4], u32)> {
    let id = source.array().ok()?;
    Some((id, u32::from_le_bytes(source.array().ok()?)))
}

/// The consecutive chunks in these bytes.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size) as usize;
        let body = rest.get(..size)?;
        bytes = rest.get(size + (size & 1)..).unwrap_or_default();
        Some((*id, body))
    })
}
