//! Shared by the integration tests of this crate; each uses a part.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test binary uses another part"
)]

use std::path::PathBuf;

/// A path in `../shared` beside the checkout, if it exists; tests that use it are ignored if it does not.
pub(crate) fn shared(relative: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(relative);
    assert!(path.exists(), "{} is not here", path.display());
    path
}

/// A file beside the tests, made by a script under `parity/audio`.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// One f32 tensor of a safetensors file.
pub(crate) fn tensor(path: &std::path::Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let table: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let entry = &table[name];
    assert_eq!(entry["dtype"], "F32", "{name}");
    let at = |i: usize| 8 + header + entry["data_offsets"][i].as_u64().unwrap() as usize;
    floats(&bytes[at(0)..at(1)])
}

/// Little-endian f32 values.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b))
        .collect()
}

/// The largest absolute difference.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths");
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// 16-bit white noise, the same as `noise` of `parity/audio/common.py`.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<i16> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 48) as i32 - 32_768) as i16
    };
    (0..length).map(|_| next()).collect()
}

/// A WAV file of one `fmt ` and one `data` chunk; chunks before and after `data` as given.
pub(crate) struct Wav {
    pub(crate) tag: u16,
    pub(crate) channels: u16,
    pub(crate) rate: u32,
    pub(crate) bits: u16,
    pub(crate) before: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) after: Vec<u8>,
    /// Written instead of the true size of `data`.
    pub(crate) data_size: Option<u32>,
    /// Written instead of the true size of the form.
    pub(crate) riff_size: Option<u32>,
    pub(crate) extensible: bool,
}

impl Wav {
    pub(crate) fn new(tag: u16, bits: u16, channels: u16, data: Vec<u8>) -> Self {
        Self {
            tag,
            channels,
            rate: 16_000,
            bits,
            before: Vec::new(),
            data,
            after: Vec::new(),
            data_size: None,
            riff_size: None,
            extensible: false,
        }
    }

    pub(crate) fn pcm16(samples: &[i16]) -> Self {
        Self::new(
            1,
            16,
            1,
            samples.iter().flat_map(|x| x.to_le_bytes()).collect(),
        )
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let block = self.channels * self.bits.div_ceil(8);
        let mut format = Vec::new();
        let tag = if self.extensible { 0xFFFE } else { self.tag };
        format.extend(tag.to_le_bytes());
        format.extend(self.channels.to_le_bytes());
        format.extend(self.rate.to_le_bytes());
        format.extend((self.rate * u32::from(block)).to_le_bytes());
        format.extend(block.to_le_bytes());
        format.extend(self.bits.to_le_bytes());
        if self.extensible {
            format.extend(22_u16.to_le_bytes());
            format.extend(self.bits.to_le_bytes());
            format.extend(0_u32.to_le_bytes());
            format.extend(self.tag.to_le_bytes());
            format.extend(b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
        }
        let mut body = b"WAVE".to_vec();
        body.extend(chunk(b"fmt ", &format));
        body.extend(&self.before);
        body.extend(b"data");
        body.extend(
            self.data_size
                .unwrap_or(self.data.len() as u32)
                .to_le_bytes(),
        );
        body.extend(&self.data);
        if self.data.len() % 2 == 1 && !self.after.is_empty() {
            body.push(0);
        }
        body.extend(&self.after);
        let mut file = b"RIFF".to_vec();
        file.extend(self.riff_size.unwrap_or(body.len() as u32).to_le_bytes());
        file.extend(body);
        file
    }
}

/// One RIFF chunk with its padding.
pub(crate) fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes.extend(std::iter::repeat_n(0, content.len() % 2));
    bytes
}
