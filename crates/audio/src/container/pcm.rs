//! Uncompressed samples: integers, floats and the two telephone laws of ITU-T G.711.

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Unsigned8,
    Signed8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    ALaw,
    MuLaw,
}

impl Encoding {
    /// Bytes per sample.
    pub(crate) fn width(self) -> u16 {
        match self {
            Self::Unsigned8 | Self::Signed8 | Self::ALaw | Self::MuLaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unsigned8 => "pcm_u8",
            Self::Signed8 => "pcm_s8",
            Self::Signed16 => "pcm_s16",
            Self::Signed24 => "pcm_s24",
            Self::Signed32 => "pcm_s32",
            Self::Float32 => "pcm_f32",
            Self::Float64 => "pcm_f64",
            Self::ALaw => "pcm_alaw",
            Self::MuLaw => "pcm_mulaw",
        }
    }
}

/// The position and format of a file's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PcmLayout {
    pub(crate) encoding: Encoding,
    pub(crate) big_endian: bool,
    pub(crate) channels: u16,
    pub(crate) sample_rate: u32,
    /// Bytes from one sample of a channel to the next; at least channels × width.
    pub(crate) frame_bytes: u32,
    /// Offset of the first sample in the file.
    pub(crate) start: u64,
    /// Samples per channel that the file holds.
    pub(crate) frames: u64,
    /// Samples per channel that the header promises; more than `frames` if the file is truncated.
    pub(crate) declared: u64,
}

impl PcmLayout {
    /// Appends the samples of one channel (from 1, or [`MIX`](crate::MIX)) of `bytes`, which are whole frames, to `out`.
    pub(crate) fn decode(&self, bytes: &[u8], channel: u16, out: &mut Vec<f32>) {
        if channel == crate::MIX {
            mean_of(self.channels, out, |channel, out| {
                self.decode_one(bytes, channel, out);
            });
        } else {
            self.decode_one(bytes, channel - 1, out);
        }
    }

    /// Like [`PcmLayout::decode`] for one 0-based channel.
    fn decode_one(&self, bytes: &[u8], channel: u16, out: &mut Vec<f32>) {
        let width = usize::from(self.encoding.width());
        let picker = Picker {
            bytes,
            frame: self.frame_bytes as usize,
            offset: usize::from(channel) * width,
        };
        // Full scale is 1.0, as in libsndfile: 16-bit samples are divided by 32768.
        match (self.encoding, self.big_endian) {
            (Encoding::Unsigned8, _) => {
                picker.each(out, |[b]| (f32::from(b) - 128.0) / 128.0);
            }
            (Encoding::Signed8, _) => picker.each(out, |[b]| f32::from(b as i8) / 128.0),
            (Encoding::Signed16, false) => {
                picker.each(out, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0);
            }
            (Encoding::Signed16, true) => {
                picker.each(out, |b| f32::from(i16::from_be_bytes(b)) / 32_768.0);
            }
            (Encoding::Signed24, false) => {
                picker.each(out, |[a, b, c]| from_i32(i32::from_le_bytes([0, a, b, c])));
            }
            (Encoding::Signed24, true) => {
                picker.each(out, |[a, b, c]| from_i32(i32::from_be_bytes([a, b, c, 0])));
            }
            (Encoding::Signed32, false) => picker.each(out, |b| from_i32(i32::from_le_bytes(b))),
            (Encoding::Signed32, true) => picker.each(out, |b| from_i32(i32::from_be_bytes(b))),
            (Encoding::Float32, false) => picker.each(out, f32::from_le_bytes),
            (Encoding::Float32, true) => picker.each(out, f32::from_be_bytes),
            (Encoding::Float64, false) => picker.each(out, |b| f64::from_le_bytes(b) as f32),
            (Encoding::Float64, true) => picker.each(out, |b| f64::from_be_bytes(b) as f32),
            (Encoding::ALaw, _) => picker.each(out, |[b]| f32::from(a_law(b)) / 32_768.0),
            (Encoding::MuLaw, _) => picker.each(out, |[b]| f32::from(mu_law(b)) / 32_768.0),
        }
    }
}

/// Appends the mean of `channels` to `out`; `decode` appends the samples of one of them, from 0.
pub(crate) fn mean_of(channels: u16, out: &mut Vec<f32>, decode: impl Fn(u16, &mut Vec<f32>)) {
    let start = out.len();
    decode(0, out);
    let mut other = Vec::with_capacity(out.len() - start);
    for channel in 1..channels {
        other.clear();
        decode(channel, &mut other);
        let sums = out[start..].iter_mut().zip(&other);
        sums.for_each(|(sum, sample)| *sum += sample);
    }
    let share = 1.0 / f32::from(channels.max(1));
    out[start..].iter_mut().for_each(|sum| *sum *= share);
}

fn from_i32(value: i32) -> f32 {
    value as f32 / 2_147_483_648.0
}

struct Picker<'a> {
    bytes: &'a [u8],
    frame: usize,
    offset: usize,
}

impl Picker<'_> {
    fn each<const N: usize>(&self, out: &mut Vec<f32>, decode: impl Fn([u8; N]) -> f32) {
        if self.frame == N {
            // One channel: the compiler sees a constant stride.
            let (samples, _) = self.bytes.as_chunks::<N>();
            out.extend(samples.iter().map(|&sample| decode(sample)));
        } else {
            out.extend(self.bytes.chunks_exact(self.frame).map(|frame| {
                let mut sample = [0; N];
                sample.copy_from_slice(&frame[self.offset..self.offset + N]);
                decode(sample)
            }));
        }
    }
}

/// ITU-T G.711, table 1a: the 13-bit value, left-aligned in 16 bits.
fn a_law(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let exponent = (code >> 4) & 7;
    let mantissa = i16::from(code & 0x0F) << 4;
    let magnitude = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    if code & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

/// ITU-T G.711, table 2a: the 14-bit value, left-aligned in 16 bits.
pub(crate) fn mu_law(byte: u8) -> i16 {
    let code = !byte;
    let exponent = (code >> 4) & 7;
    let magnitude = (((i16::from(code & 0x0F) << 3) + 0x84) << exponent) - 0x84;
    if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telephone_laws_reach_their_published_extremes() {
        // G.711: the largest decoded magnitudes are 4032 of 4096 and 8031 of 8192.
        assert_eq!(a_law(0xAA), 4032 * 8);
        assert_eq!(a_law(0x2A), -4032 * 8);
        assert_eq!(a_law(0xD5), 8);
        assert_eq!(mu_law(0x80), 8031 * 4);
        assert_eq!(mu_law(0x00), -8031 * 4);
        assert_eq!(mu_law(0xFF), 0);
    }
}
