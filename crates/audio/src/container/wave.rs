//! RIFF/WAVE headers: "Multimedia Programming Interface and Data Specifications 1.0" (IBM and
//! Microsoft, 1991), WAVE_FORMAT_EXTENSIBLE (Microsoft, 2001) and RF64 (EBU Tech 3306).

use super::Container;
use super::pcm::{Encoding, PcmLayout};
use crate::AudioError;
use crate::source::Source;

/// The contents of a WAV header.
#[derive(Debug)]
pub(crate) enum Wave {
    /// Uncompressed samples.
    Pcm(PcmLayout),
    /// Samples compressed by a codec.
    Coded {
        codec: &'static str,
        channels: u16,
        sample_rate: u32,
        /// From the `fact` chunk.
        frames: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Format {
    tag: u16,
    channels: u16,
    sample_rate: u32,
    block_align: u16,
    bits: u16,
}

/// Sizes that recorders write when they stream and do not know the length yet: all ones, or
/// about 2 GiB (`arecord`, `sox` to a pipe).
const STREAMED_FROM: u32 = 0x7FFF_0000;

/// Reads the header, leaving the source at any position.
pub(crate) fn read(source: &mut Source) -> Result<Wave, AudioError> {
    let path = source.path().to_owned();
    let broken = |problem: String| AudioError::malformed(&path, Container::Wave, problem);
    let io = |e| AudioError::from_read(&path, Container::Wave, e);

    let magic: [u8; 4] = source.array().map_err(io)?;
    let big_endian = &magic == b"RIFX";
    let u32_of = |bytes: [u8; 4]| {
        if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    let riff_size = u32_of(source.array().map_err(io)?);
    source.skip(4).map_err(io)?;

    let mut position = 12_u64;
    let mut format = None;
    let mut fact = None;
    let mut long_sizes = None;
    loop {
        if position + 8 > source.length {
            return Err(broken(match format {
                None => "no `fmt ` chunk before the end of the file".to_owned(),
                Some(_) => "no `data` chunk before the end of the file".to_owned(),
            }));
        }
        let id: [u8; 4] = source.array().map_err(io)?;
        let size = u32_of(source.array().map_err(io)?);
        position += 8;
        let mut consumed = 0;
        match &id {
            b"fmt " => {
                let (parsed, bytes) = read_format(source, size, big_endian)
                    .map_err(io)?
                    .ok_or_else(|| {
                        broken(format!(
                            "`fmt ` chunk of {size} bytes, expected at least 16"
                        ))
                    })?;
                format = Some(parsed);
                consumed = bytes;
            }
            b"fact" if size >= 4 => {
                fact = Some(u64::from(u32_of(source.array().map_err(io)?)));
                consumed = 4;
            }
            b"ds64" if size >= 24 => {
                let [_riff, data, frames]: [u64; 3] = [
                    u64::from_le_bytes(source.array().map_err(io)?),
                    u64::from_le_bytes(source.array().map_err(io)?),
                    u64::from_le_bytes(source.array().map_err(io)?),
                ];
                long_sizes = Some((data, frames));
                consumed = 24;
            }
            b"data" => {
                let format =
                    format.ok_or_else(|| broken("`data` chunk before `fmt `".to_owned()))?;
                let room = source.length - position;
                let declared = match long_sizes {
                    Some((data, _)) if size == u32::MAX => data,
                    _ if counts_headers(size, riff_size, room, source.length) => room,
                    _ => data_bytes(size, riff_size, position, room),
                };
                if let (Some((_, frames)), None | Some(0xFFFF_FFFF)) = (long_sizes, fact) {
                    fact = Some(frames);
                }
                let data = Data {
                    start: position,
                    declared,
                    room,
                    big_endian,
                    fact,
                };
                return layout(format, &data).map_err(broken);
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        let next = u64::from(size) + u64::from(size & 1);
        source.skip(next - consumed).map_err(io)?;
        position += next;
    }
}

/// The fields of a `fmt ` chunk and how many bytes were read.
fn read_format(
    source: &mut Source,
    size: u32,
    big_endian: bool,
) -> std::io::Result<Option<(Format, u64)>> {
    if size < 16 {
        return Ok(None);
    }
    let bytes: [u8; 16] = source.array()?;
    let u16_at = |i: usize| {
        let pair = [bytes[i], bytes[i + 1]];
        if big_endian {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        }
    };
    let rate = [bytes[4], bytes[5], bytes[6], bytes[7]];
    let mut format = Format {
        tag: u16_at(0),
        channels: u16_at(2),
        sample_rate: if big_endian {
            u32::from_be_bytes(rate)
        } else {
            u32::from_le_bytes(rate)
        },
        block_align: u16_at(12),
        bits: u16_at(14),
    };
    let mut consumed = 16;
    if format.tag == EXTENSIBLE && size >= 26 {
        // Extension size, valid bits, channel mask, then a GUID that begins with the true tag.
        let extension: [u8; 10] = source.array()?;
        let tag = [extension[8], extension[9]];
        format.tag = if big_endian {
            u16::from_be_bytes(tag)
        } else {
            u16::from_le_bytes(tag)
        };
        consumed += 10;
    }
    Ok(Some((format, consumed)))
}

const EXTENSIBLE: u16 = 0xFFFE;

/// The number of sample bytes in the `data` chunk by its header; `room` is the rest of the file.
fn data_bytes(size: u32, riff_size: u32, position: u64, room: u64) -> u64 {
    let streamed = match size {
        // A recorder that streams or was interrupted leaves 0. Then the form's size is unset or ends
        // here too, whereas the chunks after a truly empty one are inside the form.
        0 => riff_size == u32::MAX || u64::from(riff_size) + 8 <= position,
        _ => size >= STREAMED_FROM && u64::from(size) > room,
    };
    if streamed { room } else { u64::from(size) }
}

/// Some writers include headers in the size of the samples (8 bytes of a chunk, 44 of the usual file). The form's own size
/// then shows that the file is complete: by it, too, a truncated file would lack bytes.
fn counts_headers(size: u32, riff_size: u32, room: u64, length: u64) -> bool {
    const MOST: u64 = 64;
    let excess = u64::from(size).saturating_sub(room);
    (1..=MOST).contains(&excess) && u64::from(riff_size) + 8 == length
}

struct Data {
    start: u64,
    declared: u64,
    room: u64,
    big_endian: bool,
    fact: Option<u64>,
}

fn layout(format: Format, data: &Data) -> Result<Wave, String> {
    let Format {
        tag,
        channels,
        sample_rate,
        block_align,
        bits,
    } = format;
    if channels == 0 {
        return Err("0 channels".to_owned());
    }
    // Samples of 12 or 20 bits are left-aligned in whole bytes, so the container's full scale applies.
    let width = match bits {
        0 => block_align / channels,
        _ => bits.div_ceil(8),
    };
    let encoding = match (tag, width) {
        (1, 1) => Encoding::Unsigned8,
        (1, 2) => Encoding::Signed16,
        (1, 3) => Encoding::Signed24,
        (1, 4) => Encoding::Signed32,
        (3, 4) => Encoding::Float32,
        (3, 8) => Encoding::Float64,
        (6, _) => Encoding::ALaw,
        (7, _) => Encoding::MuLaw,
        (1 | 3, _) => return Err(format!("{bits} bits a sample under format tag {tag}")),
        _ => {
            return Ok(Wave::Coded {
                codec: codec_name(tag),
                channels,
                sample_rate,
                frames: data.fact,
            });
        }
    };
    let packed = u32::from(channels) * u32::from(encoding.width());
    // A block larger than its samples (24 bits in 4 bytes) is certain only for a whole number of bytes per channel.
    let frame_bytes = match u32::from(block_align) {
        0 => packed,
        align if align == packed => packed,
        align if tag == 1 && align == u32::from(channels) * 4 && width == 3 => {
            return padded_24_in_32(format, data);
        }
        // A field too small for the samples is the writer's mistake: the bits per sample are right.
        align if align < packed || !align.is_multiple_of(packed) => packed,
        align => {
            return Err(format!(
                "blocks of {align} bytes, expected {packed} ({channels} channels of {} bits)",
                encoding.width() * 8
            ));
        }
    };
    Ok(pcm(encoding, frame_bytes, &format, data))
}

/// 24 valid bits in containers of 32 are left-aligned, hence read as 32-bit samples.
fn padded_24_in_32(format: Format, data: &Data) -> Result<Wave, String> {
    Ok(pcm(
        Encoding::Signed32,
        u32::from(format.channels) * 4,
        &format,
        data,
    ))
}

fn pcm(encoding: Encoding, frame_bytes: u32, format: &Format, data: &Data) -> Wave {
    let declared = data.declared / u64::from(frame_bytes);
    let present = data.declared.min(data.room) / u64::from(frame_bytes);
    Wave::Pcm(PcmLayout {
        encoding,
        big_endian: data.big_endian,
        channels: format.channels,
        sample_rate: format.sample_rate,
        frame_bytes,
        start: data.start,
        frames: present,
        declared,
    })
}

/// Names of the registered format tags (RFC 2361) that occur in speech.
fn codec_name(tag: u16) -> &'static str {
    match tag {
        0x0002 => "adpcm_ms",
        0x0011 => "adpcm_ima",
        0x0031 => "gsm_ms",
        0x0040 | 0x0045 => "g726",
        0x0050 => "mp2",
        0x0055 => "mp3",
        0x00FF | 0x1600..=0x1602 => "aac",
        0x0160..=0x0163 => "wma",
        _ => "unknown codec",
    }
}
