//! Lengths of bare MPEG audio streams: without a Xing or VBRI header, only counting the frames gives the length.

use crate::source::Source;
use std::io::{BufRead, Seek, SeekFrom};

/// Bytes searched for the next frame after something that is not a frame.
const LONGEST_GAP: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    bytes: u64,
    samples: u64,
    /// The properties that are constant within a stream: version, layer, sample rate.
    stream: (u8, u8, u8),
}

/// Whether a Xing, Info or VBRI header at the start gives the length.
pub(crate) fn has_length_header(source: &mut Source) -> bool {
    let mut read = || {
        let start = after_id3(source)?;
        source.seek(SeekFrom::Start(start)).ok()?;
        let (at, _) = next_frame(source, start, None)?;
        source.seek(SeekFrom::Start(at)).ok()?;
        source.array::<40>().ok()
    };
    // The header follows the side information, whose size depends on version and channels.
    read().is_some_and(|head| {
        [13, 21, 36]
            .iter()
            .any(|&i| matches!(&head[i..i + 4], b"Xing" | b"Info" | b"VBRI"))
    })
}

/// Samples per channel, by counting all frames; `None` if there are none.
pub(crate) fn count_samples(source: &mut Source) -> Option<u64> {
    let mut position = after_id3(source)?;
    let mut stream = None;
    let mut samples = 0;
    loop {
        source.seek(SeekFrom::Start(position)).ok()?;
        let Some((at, frame)) = next_frame(source, position, stream) else {
            break;
        };
        // A frame cut off by the end of the file cannot be decoded.
        if at + frame.bytes > source.length {
            break;
        }
        stream = Some(frame.stream);
        samples += frame.samples;
        position = at + frame.bytes;
    }
    (samples > 0).then_some(samples)
}

fn after_id3(source: &mut Source) -> Option<u64> {
    source.rewind().ok()?;
    let head: [u8; 10] = source.array().ok()?;
    if !head.starts_with(b"ID3") {
        return Some(0);
    }
    // Sizes have 7 bits per byte; a footer repeats the header.
    let size = head[6..10]
        .iter()
        .fold(0, |sum, &byte| sum << 7 | u64::from(byte & 0x7F));
    Some(10 + size + if head[5] & 0x10 != 0 { 10 } else { 0 })
}

/// The next frame at or after the source's position, and its position.
fn next_frame(
    source: &mut Source,
    position: u64,
    stream: Option<(u8, u8, u8)>,
) -> Option<(u64, Frame)> {
    let mut window = [0; 4];
    let mut filled = 0;
    for gap in 0..LONGEST_GAP + 4 {
        let byte = *source.fill_buf().ok()?.first()?;
        source.consume(1);
        window.rotate_left(1);
        window[3] = byte;
        filled += 1;
        if filled < 4 {
            continue;
        }
        if let Some(frame) = parse(window).filter(|f| stream.is_none_or(|s| s == f.stream)) {
            return Some((position + gap as u64 - 3, frame));
        }
    }
    None
}

/// ISO 11172-3, section 2.4.2.3, and the lower rates of ISO 13818-3.
fn parse(head: [u8; 4]) -> Option<Frame> {
    let [a, b, c, _] = head;
    if a != 0xFF || b & 0xE0 != 0xE0 {
        return None;
    }
    let (version, layer) = ((b >> 3) & 3, (b >> 1) & 3);
    let (bit_rate, sample_rate, padding) = (c >> 4, (c >> 2) & 3, u64::from((c >> 1) & 1));
    // A free bit rate (0) does not say how long the frame is.
    if version == 1 || layer == 0 || sample_rate == 3 || bit_rate == 0 || bit_rate == 15 {
        return None;
    }
    let first_version = version == 3;
    let kilobits: u64 = KILOBITS[match (first_version, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    }][usize::from(bit_rate)];
    let hertz = [44_100, 48_000, 32_000][usize::from(sample_rate)]
        >> match version {
            3 => 0,
            2 => 1,
            _ => 2,
        };
    let samples = match (layer, first_version) {
        (3, _) => 384,
        (1, false) => 576,
        _ => 1152,
    };
    let bytes = if layer == 3 {
        (12_000 * kilobits / hertz + padding) * 4
    } else {
        samples / 8 * kilobits * 1000 / hertz + padding
    };
    Some(Frame {
        bytes,
        samples,
        stream: (version, layer, sample_rate),
    })
}

/// Kilobits per second by index: version 1 layers I, II, III; version 2 layer I, layers II and III.
const KILOBITS: [[u64; 15]; 5] = [
    [
        0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// Samples per channel of a bare AAC stream with ADTS headers (ISO 13818-7, 6.2).
pub(crate) fn count_adts_samples(source: &mut Source) -> Option<u64> {
    let mut position = 0;
    let mut samples = 0;
    loop {
        source.seek(SeekFrom::Start(position)).ok()?;
        let Ok(head) = source.array::<7>() else { break };
        if head[0] != 0xFF || head[1] & 0xF6 != 0xF0 {
            break;
        }
        let [_, _, _, c, d, e, f] = head.map(u64::from);
        let bytes = (c & 3) << 11 | d << 3 | e >> 5;
        if bytes < 7 || position + bytes > source.length {
            break;
        }
        samples += 1024 * ((f & 3) + 1);
        position += bytes;
    }
    (samples > 0).then_some(samples)
}
