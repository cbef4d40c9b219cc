//! How long probes take to train.

use super::cost::{FRAMES, Machine, SHARE_OF_PEAK, Shape, Size, SpeedSource};
use crate::{BenchError, Experiment, Home};
use emobox_files::{read_json, write_json};
use emobox_probe::Protocol;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Fewer operations than this say nothing about the speed of a GPU.
const LEAST_OPERATIONS: f64 = 1e12;

/// The cost of complete trainings on a kind of GPU, including copying features: `HOME/speeds/training-…json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainSpeed {
    /// As [`train_operations`] counts them.
    pub(crate) operations: f64,
    /// Wall-clock time multiplied by the number of GPUs.
    pub(crate) seconds: f64,
}

impl TrainSpeed {
    /// Records this as the speed of a head on a kind of device, unless it is too little to be meaningful.
    pub(crate) fn record(&self, home: &Home, head: &str, device: &str) -> Result<(), BenchError> {
        if self.operations >= LEAST_OPERATIONS {
            write_json(path(home, head, device), self)?;
        }
        Ok(())
    }
}

fn path(home: &Home, head: &str, device: &str) -> PathBuf {
    let name = format!("training-{head}+{device}.json");
    home.root().join("speeds").join(name)
}

/// Operations of training all points of a protocol on this many frames: forward and both halves of backward, a multiply and an add
/// each.
pub(crate) fn train_operations(protocol: &Protocol, dim: usize, frames: f64) -> f64 {
    let hidden: usize = protocol.hidden_sizes.iter().sum();
    let probes = protocol.learning_rates.len() * protocol.seeds.len();
    6.0 * dim as f64 * hidden as f64 * probes as f64 * frames * protocol.epochs as f64
}

/// How fast probes train: operations per second of a core or a GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TrainRate {
    rate: f64,
    pub(super) source: SpeedSource,
}

impl TrainRate {
    /// A GPU's speed is known only by measurement.
    pub(super) fn of(
        home: &Home,
        experiment: &Experiment,
        protocol: &Protocol,
        machine: &Machine,
    ) -> Self {
        let devices = experiment.probe_devices();
        if !devices.are_gpus() {
            return Self {
                rate: machine.peak * SHARE_OF_PEAK,
                source: SpeedSource::Estimated,
            };
        }
        let kind = devices.first().kind();
        match read_json::<TrainSpeed>(path(home, &protocol.head, kind)) {
            Ok(speed) => Self {
                rate: speed.operations / speed.seconds,
                source: SpeedSource::Measured,
            },
            Err(_) => Self {
                rate: f64::INFINITY,
                source: SpeedSource::Unknown,
            },
        }
    }

    /// Core seconds, or a GPU's, to train one fold of a corpus.
    pub(super) fn seconds(&self, protocol: &Protocol, shape: Shape, size: Size) -> f64 {
        train_operations(protocol, shape.dim, size.seconds * FRAMES) / self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_s_speed_is_the_one_that_was_measured_on_it_for_that_head() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let machine = Machine {
            cores: 2,
            peak: 50e9,
        };
        let mut experiment = Experiment::default();
        let protocol = experiment.resolved_protocol().unwrap();
        let rate = |experiment: &Experiment| TrainRate::of(&home, experiment, &protocol, &machine);
        assert_eq!(rate(&experiment).rate, 25e9);
        experiment.train_device = Some("cuda".parse().unwrap());
        assert_eq!(rate(&experiment).source, SpeedSource::Unknown);
        let mut speed = TrainSpeed {
            operations: 4e12,
            seconds: 2.0,
        };
        speed.record(&home, "mean-linear", "cuda").unwrap();
        speed.record(&home, &protocol.head, "host").unwrap();
        assert_eq!(rate(&experiment).source, SpeedSource::Unknown);
        speed.record(&home, &protocol.head, "cuda").unwrap();
        speed.operations = 1e9;
        speed.record(&home, &protocol.head, "cuda").unwrap();
        let measured = rate(&experiment);
        assert_eq!(
            (measured.rate, measured.source),
            (2e12, SpeedSource::Measured)
        );
    }
}
