use half::{bf16, f16};

/// The number types of products' operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbers {
    /// Single precision: for tests.
    F32,
    /// Eight bits of exponent, eight of precision.
    Bf16,
    /// Five bits of exponent, eleven of precision; numbers beyond 65504 become infinite.
    F16,
}

impl Numbers {
    /// The spelling in kernel names.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Bytes per number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }

    /// Values rounded to this number type, as bytes.
    pub(crate) fn narrow(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => bytemuck::cast_slice(values).to_vec(),
            Self::Bf16 => {
                bytemuck::cast_slice(&map(values, |x| bf16::from_f32(x).to_bits())).to_vec()
            }
            Self::F16 => {
                bytemuck::cast_slice(&map(values, |x| f16::from_f32(x).to_bits())).to_vec()
            }
        }
    }

    /// The inverse.
    pub(crate) fn widen(self, bytes: &[u8]) -> Vec<f32> {
        let halves = || {
            bytes
                .chunks_exact(2)
                .map(|two| u16::from_ne_bytes([two[0], two[1]]))
        };
        match self {
            Self::F32 => bytemuck::pod_collect_to_vec(bytes),
            Self::Bf16 => halves()
                .map(|bits| bf16::from_bits(bits).to_f32())
                .collect(),
            Self::F16 => halves().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        }
    }
}

fn map(values: &[f32], f: impl Fn(f32) -> u16) -> Vec<u16> {
    values.iter().map(|&x| f(x)).collect()
}
