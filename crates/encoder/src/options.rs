use crate::EncoderError;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which encoder to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncoderSource {
    /// A built-in encoder without weights (`fbank`), or a zoo checkpoint in the hub's cache on this machine.
    Named(String),
    /// A checkpoint in a folder, or a single checkpoint file, under a name of the user's choice.
    Local {
        /// The name in results and feature stores.
        name: String,
        /// The folder or file.
        path: PathBuf,
    },
}

impl EncoderSource {
    /// The name in results and feature stores.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Local { name, .. } => name,
        }
    }
}

impl From<&str> for EncoderSource {
    /// `NAME=PATH`, or `NAME` alone.
    fn from(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, path)) => Self::Local {
                name: name.to_owned(),
                path: path.into(),
            },
            None => Self::Named(text.to_owned()),
        }
    }
}

/// Number format of products; sums, norms and softmax are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Operands rounded to bf16.
    Bf16,
    /// Operands rounded to f16: three more bits of precision than bf16, and infinite beyond 65504. Only on a GPU.
    F16,
}

impl Precision {
    /// Its equivalent in the CPU's kernels, if there is one.
    pub(crate) fn of_cpu(self) -> Option<emobox_kernels::Precision> {
        match self {
            Self::F32 => Some(emobox_kernels::Precision::F32),
            Self::Bf16 => Some(emobox_kernels::Precision::Bf16),
            Self::F16 => None,
        }
    }

    /// The number format of the GPU's operands.
    pub(crate) fn of_gpu(self) -> emobox_gpu::Numbers {
        match self {
            Self::F32 => emobox_gpu::Numbers::F32,
            Self::Bf16 => emobox_gpu::Numbers::Bf16,
            Self::F16 => emobox_gpu::Numbers::F16,
        }
    }
}

/// The device that an encoder computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// This machine's CPU; also on a Mac, whose GPU is not used.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this index.
    Cuda(usize),
    /// The GPU's kernels compiled for this machine's CPU, with this many MiB of memory: slow, but tests them where there is no
    /// GPU. Needs a C++ compiler. `EMOBOX_HOST_KERNELS=DIR` keeps the compiled code for later processes.
    Host(usize),
}

impl Device {
    /// The kernels on this machine's CPU with 8 GiB, like the smallest card in practical use.
    pub const HOST: Self = Self::Host(8 << 10);

    /// Bytes of memory of the host device.
    pub(crate) fn host_memory(self) -> usize {
        match self {
            Self::Host(mebibytes) => mebibytes.saturating_mul(1 << 20),
            Self::Cpu | Self::Cuda(_) => usize::MAX,
        }
    }

    /// The kind of device, without its index: all cards of a machine are assumed to be alike.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
            Self::Host(_) => "host",
        }
    }
}

impl FromStr for Device {
    type Err = EncoderError;

    fn from_str(text: &str) -> Result<Self, EncoderError> {
        let unknown = || EncoderError::DeviceUnavailable {
            device: text.to_owned(),
            reason: "expected `cpu`, `cuda` or `cuda:N`".to_owned(),
        };
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "host" => Ok(Self::HOST),
            Some(("host", size)) => size.parse().map(Self::Host).map_err(|_| unknown()),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::HOST => f.write_str("host"),
            Self::Host(mebibytes) => write!(f, "host:{mebibytes}"),
        }
    }
}

/// How an encoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Number format of products.
    pub precision: Precision,
    /// The device.
    pub device: Device,
    /// Whether to time every operation, for [`Encoder::timings`](crate::Encoder::timings).
    pub timings: bool,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            device: Device::Cpu,
            timings: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_sources_are_read() {
        for text in ["cpu", "cuda:0", "cuda:3", "host", "host:64"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
        for text in ["gpu", "cuda:", "cuda:x", "host:x", "metal", ""] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
        assert_eq!(
            EncoderSource::from("fbank"),
            EncoderSource::Named("fbank".into())
        );
        let local = EncoderSource::from("mine=/a=b");
        assert_eq!(
            local,
            EncoderSource::Local {
                name: "mine".into(),
                path: "/a=b".into()
            }
        );
    }
}
