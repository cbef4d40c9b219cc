//! AIFF and AIFF-C headers: "Audio Interchange File Format" 1.3 (Apple, 1989) and AIFF-C (1991).

use super::Container;
use super::pcm::{Encoding, PcmLayout};
use crate::AudioError;
use crate::source::Source;

/// The contents of an AIFF header.
#[derive(Debug)]
pub(crate) enum Aiff {
    /// Uncompressed samples.
    Pcm(PcmLayout),
    /// Samples compressed by the codec with this four-letter name.
    Coded(String),
}

#[derive(Debug, Clone, Copy)]
struct Common {
    channels: u16,
    frames: u32,
    bits: u16,
    sample_rate: u32,
    compression: [u8; 4],
}

/// Reads the header, leaving the source at any position.
pub(crate) fn read(source: &mut Source) -> Result<Aiff, AudioError> {
    let path = source.path().to_owned();
    let broken = |problem: &str| AudioError::malformed(&path, Container::Aiff, problem);
    let io = |e| AudioError::from_read(&path, Container::Aiff, e);

    source.skip(12).map_err(io)?;
    let mut position = 12_u64;
    let mut common = None;
    let mut sound = None;
    // The common chunk may follow the sound.
    while common.is_none() || sound.is_none() {
        if position + 8 > source.length {
            return Err(broken(if common.is_none() {
                "no `COMM` chunk before the end of the file"
            } else {
                "no `SSND` chunk before the end of the file"
            }));
        }
        let id: [u8; 4] = source.array().map_err(io)?;
        let size = u32::from_be_bytes(source.array().map_err(io)?);
        position += 8;
        let mut consumed = 0;
        match &id {
            b"COMM" if size >= 18 => {
                let (parsed, bytes) = read_common(source, size).map_err(io)?;
                common = Some(parsed);
                consumed = bytes;
            }
            b"COMM" => return Err(broken("`COMM` chunk of fewer than 18 bytes")),
            b"SSND" => {
                let offset = u32::from_be_bytes(source.array().map_err(io)?);
                source.skip(4).map_err(io)?;
                consumed = 8;
                sound = Some(position + 8 + u64::from(offset));
            }
            _ => {}
        }
        let next = (u64::from(size) + u64::from(size & 1)).max(consumed);
        source.skip(next - consumed).map_err(io)?;
        position += next;
    }
    let (Some(common), Some(start)) = (common, sound) else {
        return Err(broken("no `COMM` and `SSND` chunks"));
    };
    if common.channels == 0 {
        return Err(broken("0 channels"));
    }
    Ok(layout(&common, start, source.length.saturating_sub(start)))
}

fn read_common(source: &mut Source, size: u32) -> std::io::Result<(Common, u64)> {
    let bytes: [u8; 18] = source.array()?;
    let mut compression = *b"NONE";
    let mut consumed = 18;
    if size >= 22 {
        compression = source.array()?;
        consumed += 4;
    }
    let mut rate = [0; 10];
    rate.copy_from_slice(&bytes[8..]);
    let common = Common {
        channels: u16::from_be_bytes([bytes[0], bytes[1]]),
        frames: u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]),
        bits: u16::from_be_bytes([bytes[6], bytes[7]]),
        sample_rate: extended(rate),
        compression,
    };
    Ok((common, consumed))
}

/// An 80-bit extended float (IEEE 754 double-extended, big-endian) as a whole number of hertz; 0 if it is not one.
fn extended(bytes: [u8; 10]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([bytes[0], bytes[1]])) - 16_383;
    let mut mantissa = [0; 8];
    mantissa.copy_from_slice(&bytes[2..]);
    match exponent {
        0..=31 => {
            let value = u64::from_be_bytes(mantissa);
            let whole = value >> (63 - exponent);
            let round_up = (value >> (62 - exponent)) & 1;
            u32::try_from(whole + round_up).unwrap_or(0)
        }
        _ => 0,
    }
}

fn layout(common: &Common, start: u64, room: u64) -> Aiff {
    let &Common {
        channels,
        frames,
        bits,
        sample_rate,
        compression,
    } = common;
    let (encoding, big_endian) = match (&compression, bits.div_ceil(8)) {
        (b"NONE" | b"twos" | b"sowt", 1) => (Encoding::Signed8, true),
        (b"NONE" | b"twos", 2) => (Encoding::Signed16, true),
        (b"sowt", 2) => (Encoding::Signed16, false),
        (b"NONE" | b"twos", 3) | (b"in24", _) => (Encoding::Signed24, true),
        (b"sowt", 3) => (Encoding::Signed24, false),
        (b"NONE" | b"twos", 4) | (b"in32", _) => (Encoding::Signed32, true),
        (b"sowt", 4) => (Encoding::Signed32, false),
        (b"raw ", _) => (Encoding::Unsigned8, true),
        (b"fl32" | b"FL32", _) => (Encoding::Float32, true),
        (b"fl64" | b"FL64", _) => (Encoding::Float64, true),
        (b"alaw" | b"ALAW", _) => (Encoding::ALaw, true),
        (b"ulaw" | b"ULAW", _) => (Encoding::MuLaw, true),
        _ => {
            return Aiff::Coded(format!("codec {}", compression.escape_ascii()));
        }
    };
    let frame_bytes = u32::from(channels) * u32::from(encoding.width());
    let declared = u64::from(frames);
    Aiff::Pcm(PcmLayout {
        encoding,
        big_endian,
        channels,
        sample_rate,
        frame_bytes,
        start,
        frames: declared.min(room / u64::from(frame_bytes)),
        declared,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn extended_floats_are_whole_rates() {
        let mut bytes = [0x40, 0x0D, 0xBE, 0xBC, 0, 0, 0, 0, 0, 0];
        assert_eq!(super::extended(bytes), 24_414);
        bytes[..4].copy_from_slice(&[0x40, 0x0E, 0xAC, 0x44]);
        assert_eq!(super::extended(bytes), 44_100);
        assert_eq!(super::extended([0xFF; 10]), 0);
        assert_eq!(super::extended([0; 10]), 0);
    }
}
