use crate::{BenchError, CallError};
use emobox_encoder::Device;
use std::fmt;
use std::str::FromStr;

/// Where the encoder of an experiment computes: the CPU, or GPUs that share the utterances, with the encoder open on each.
///
/// As text: `cpu`, `cuda`, `cuda:1`, `cuda:0,1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices(Vec<Device>);

impl Default for Devices {
    fn default() -> Self {
        Self::from(Device::Cpu)
    }
}

impl From<Device> for Devices {
    fn from(device: Device) -> Self {
        Self(vec![device])
    }
}

impl Devices {
    /// The NVIDIA cards of these indices.
    ///
    /// # Errors
    /// A wrong call if there is none, or one is given twice.
    pub fn cards(indices: &[usize]) -> Result<Self, BenchError> {
        Self::of(indices.iter().map(|&index| Device::Cuda(index)).collect())
    }

    fn of(devices: Vec<Device>) -> Result<Self, BenchError> {
        let is_card = |device: &Device| matches!(device, Device::Cuda(_));
        let twice = devices.iter().enumerate().find(|(at, device)| {
            is_card(device) && devices[..*at].contains(device) || **device == Device::Cpu && *at > 0
        });
        let mixed = devices
            .iter()
            .find(|device| device.kind() != devices[0].kind());
        match (devices.is_empty(), twice, mixed) {
            (true, ..) => Err(BenchError::Call(CallError::Nothing {
                what: "device",
                how: "expected `cpu`, `cuda` or `cuda:0,1`",
            })),
            (_, Some((_, device)), _) => Err(BenchError::Call(CallError::twice("device", device))),
            (_, _, Some(device)) => Err(BenchError::Call(CallError::Contradiction(format!(
                "devices {} and {device} cannot share one extraction: expected devices of one kind",
                devices[0]
            )))),
            _ => Ok(Self(devices)),
        }
    }

    /// All of them; at least one.
    pub fn all(&self) -> &[Device] {
        &self.0
    }

    /// The first, for work that a single device does.
    pub fn first(&self) -> Device {
        self.0[0]
    }

    /// Whether they are GPUs (or stand for some).
    pub fn are_gpus(&self) -> bool {
        self.first() != Device::Cpu
    }

    /// The cards of a cluster task that was given this many, if only `cuda` was requested: a task sees its own cards, numbered from 0.
    pub(crate) fn given(&self, gpus: Option<u32>) -> Self {
        match (&self.0[..], gpus) {
            ([Device::Cuda(0)], Some(count)) if count > 1 => {
                Self((0..count as usize).map(Device::Cuda).collect())
            }
            _ => self.clone(),
        }
    }
}

impl FromStr for Devices {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let mut devices: Vec<Device> = Vec::new();
        for part in text.split(',') {
            let part = part.trim();
            let device = match (devices.last(), part.parse()) {
                (Some(Device::Cuda(_)), Ok(index)) => Device::Cuda(index),
                _ => {
                    let forms = "`cpu`, `cuda` or `cuda:N`, or several as `cuda:0,1`";
                    let device = part.parse::<Device>();
                    device.map_err(|_| CallError::value("device", part, forms))?
                }
            };
            devices.push(device);
        }
        Self::of(devices)
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, device) in self.0.iter().enumerate() {
            match device {
                _ if at == 0 => write!(f, "{device}")?,
                Device::Cuda(index) => write!(f, ",{index}")?,
                _ => write!(f, ",{device}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["cpu", "cuda:0", "cuda:2,0", "host", "host:64,host:64"] {
            assert_eq!(text.parse::<Devices>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<Devices>().unwrap().to_string(), "cuda:0");
        for text in [
            "",
            "cuda:0,0",
            "cpu,cuda",
            "cuda:0,host",
            "0,1",
            "cpu,cpu",
            "metal",
        ] {
            assert!(
                text.parse::<Devices>().unwrap_err().is_wrong_call(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_task_uses_the_cards_that_it_was_given() {
        let given = |text: &str, gpus| text.parse::<Devices>().unwrap().given(gpus).to_string();
        assert_eq!(given("cuda", Some(4)), "cuda:0,1,2,3");
        assert_eq!(given("cuda", Some(1)), "cuda:0");
        assert_eq!(given("cuda", None), "cuda:0");
        assert_eq!(given("cuda:1", Some(2)), "cuda:1");
        assert_eq!(given("cpu", Some(2)), "cpu");
    }
}
