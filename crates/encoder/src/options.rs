use crate::EncoderError;
use emobox_kernels::Precision;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which encoder to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncoderSource {
    /// One that needs no weights (`fbank`), or a zoo checkpoint in the hub's cache on this machine.
    Named(String),
    /// A checkpoint in a folder, or a single checkpoint file, under a name of the user's choice.
    Local {
        /// The name that results and feature stores carry.
        name: String,
        /// The folder or file.
        path: PathBuf,
    },
}

impl EncoderSource {
    /// The name that results and feature stores carry.
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

/// Where an encoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// This machine's processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this index (cargo feature `cuda`).
    Cuda(usize),
    /// The Apple GPU (cargo feature `metal`).
    Metal,
    /// The GPU code on this machine's processor: slow, but it proves the arithmetic where there is
    /// no GPU (cargo feature `candle`).
    CandleCpu,
}

impl FromStr for Device {
    type Err = EncoderError;

    fn from_str(text: &str) -> Result<Self, EncoderError> {
        let unknown = || EncoderError::DeviceUnavailable {
            device: text.to_owned(),
            reason: "expected `cpu`, `cuda`, `cuda:N` or `metal`".to_owned(),
        };
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            None if text == "candle-cpu" => Ok(Self::CandleCpu),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal => f.write_str("metal"),
            Self::CandleCpu => f.write_str("candle-cpu"),
        }
    }
}

/// How an encoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderOptions {
    /// In what numbers products are computed; sums, norms and softmax are always f32.
    pub precision: Precision,
    /// Where.
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
        for text in ["cpu", "cuda:0", "cuda:3", "metal", "candle-cpu"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
        for text in ["gpu", "cuda:", "cuda:x", ""] {
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
