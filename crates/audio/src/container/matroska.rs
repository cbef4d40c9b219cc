//! The first audio track of a Matroska or WebM file, from its `Info` and `Tracks`: RFC 9559 over EBML, RFC 8794.

use super::StreamHeader;
use crate::source::Source;
use std::io::Read;

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x002A_D7B1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK: u32 = 0xAE;
const TRACK_TYPE: u32 = 0x83;
const CODEC: u32 = 0x86;
const AUDIO: u32 = 0xE1;
const FREQUENCY: u32 = 0xB5;
const OUTPUT_FREQUENCY: u32 = 0x78B5;
const CHANNELS: u32 = 0x9F;
const CLUSTER: u32 = 0x1F43_B675;

/// Both elements are a few hundred bytes; anything larger than this is left to ffmpeg.
const MOST: u64 = 1 << 20;

/// The header of the first audio track, or `None` if ffmpeg has to be used.
pub(crate) fn read(source: &mut Source) -> Option<StreamHeader> {
    let (_, size) = element(source)?;
    source.skip(size?).ok()?;
    let (SEGMENT, _) = element(source)? else {
        return None;
    };
    let (mut seconds, mut track) = (None, None);
    while seconds.is_none() || track.is_none() {
        let (id, size) = element(source)?;
        // A streamed file has its clusters before these elements, or lacks the elements.
        let size = size.filter(|_| id != CLUSTER)?;
        if !matches!(id, INFO | TRACKS) {
            source.skip(size).ok()?;
            continue;
        }
        if size > MOST {
            return None;
        }
        let mut body = vec![0; size as usize];
        source.read_exact(&mut body).ok()?;
        match id {
            INFO => seconds = Some(duration(&body)?),
            _ => track = Some(first_audio(&body)?),
        }
    }
    Some(StreamHeader {
        seconds: seconds?,
        ..track?
    })
}

fn duration(info: &[u8]) -> Option<f64> {
    let scale = find(info, TIMESTAMP_SCALE).map_or(Some(1_000_000), unsigned)?;
    let seconds = float(find(info, DURATION)?)? * scale as f64 * 1e-9;
    (seconds > 0.0 && seconds < 1e8).then_some(seconds)
}

fn first_audio(tracks: &[u8]) -> Option<StreamHeader> {
    let tracks = children(tracks).filter(|(id, _)| *id == TRACK);
    let is_audio = |body: &&[u8]| find(body, TRACK_TYPE).and_then(unsigned) == Some(2);
    let track = tracks.map(|(_, body)| body).find(is_audio)?;
    let audio = find(track, AUDIO)?;
    let codec = match find(track, CODEC)? {
        b"A_OPUS" => "opus",
        b"A_VORBIS" => "vorbis",
        _ => return None,
    };
    if find(audio, OUTPUT_FREQUENCY).is_some() {
        return None;
    }
    let rate = float(find(audio, FREQUENCY)?)?;
    Some(StreamHeader {
        codec,
        // Opus is decoded at 48 kHz, whatever the input rate (RFC 7845, 5.1).
        sample_rate: if codec == "opus" { 48_000 } else { rate as u32 },
        channels: u16::try_from(find(audio, CHANNELS).map_or(Some(1), unsigned)?).ok()?,
        seconds: 0.0,
    })
}

/// The id and the size of the element that begins here; no size if it is left open.
fn element(source: &mut Source) -> Option<(u32, Option<u64>)> {
    let [first] = source.array().ok()?;
    let more = first.leading_zeros() as usize;
    let mut id = u32::from(first);
    for _ in 0..more {
        let [byte] = source.array().ok()?;
        id = id.checked_mul(256)? | u32::from(byte);
    }
    let [first] = source.array().ok()?;
    let more = first.leading_zeros() as usize;
    let mut bytes = [0; 7];
    let rest = bytes.get_mut(..more)?;
    source.read_exact(rest).ok()?;
    Some((id, size(first, rest)))
}

/// A size in EBML's variable length; all ones mean that it is unknown.
fn size(first: u8, rest: &[u8]) -> Option<u64> {
    let kept = u64::from(first) & (0x7F >> rest.len());
    let value = rest
        .iter()
        .fold(kept, |value, byte| (value << 8) | u64::from(*byte));
    let unknown = (1 << (7 * (rest.len() + 1))) - 1;
    (value != unknown).then_some(value)
}

/// The consecutive elements in these bytes.
fn children(mut bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let more = bytes.first()?.leading_zeros() as usize;
        let id = bytes.get(..=more)?.iter();
        let id = id.fold(0_u32, |id, byte| (id << 8) | u32::from(*byte));
        let rest = bytes.get(more + 1..)?;
        let more = rest.first()?.leading_zeros() as usize;
        let size = size(*rest.first()?, rest.get(1..=more)?)?;
        let rest = &rest[more + 1..];
        let body = rest.get(..usize::try_from(size).ok()?)?;
        bytes = &rest[body.len()..];
        Some((id, body))
    })
}

fn find(bytes: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut children = children(bytes);
    children.find(|(id, _)| *id == wanted).map(|(_, body)| body)
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    let fold = |value, byte: &u8| (value << 8) | u64::from(*byte);
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, fold))
}

fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f64::from(f32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}
