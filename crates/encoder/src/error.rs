use emobox_checkpoint::CheckpointError;
use std::path::PathBuf;

/// Why an encoder could not be opened or run.
///
/// Every message names the subject (folder, config key, tensor, layer), what was expected and what
/// was found, and reads after "failed to ...".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A name that is neither built in, nor in the zoo, nor given with a folder.
    #[error(
        "unknown encoder `{name}`{}; give it a folder (`--encoder {name}=DIR`) or use one of: {known}",
        crate::meant::in_a_message(name)
    )]
    UnknownName {
        /// The name requested.
        name: String,
        /// The known names.
        known: String,
    },
    /// A zoo checkpoint that is in no folder known to this machine.
    #[error(
        "the checkpoint of `{name}` is not on this machine; fetch it with `emobox encoders pull {name}` or give its folder with `--encoder {name}=DIR`"
    )]
    NotDownloaded {
        /// The zoo name.
        name: String,
    },
    /// A zoo checkpoint that is published as a file outside the hub.
    #[error(
        "the checkpoint of `{name}` is not on the hub; fetch {url} and give the file with `--encoder {name}=FILE`"
    )]
    FetchByHand {
        /// The zoo name.
        name: String,
        /// Where it is published.
        url: String,
    },
    /// A folder or file that was named and is not there.
    #[error("{path} does not exist", path = path.display())]
    NoSuchPath {
        /// As named.
        path: PathBuf,
    },
    /// The folder has no configuration that specifies an architecture.
    #[error("no configuration of an encoder in {path}: expected `config.json`, or a checkpoint with its configuration inside", path = path.display())]
    NoConfig {
        /// The folder or file examined.
        path: PathBuf,
    },
    /// A format of another program that is not a usable encoder.
    #[error("{path} is {what}", path = path.display())]
    OtherForm {
        /// The folder or file examined.
        path: PathBuf,
        /// What it is, and what to do about it.
        what: String,
    },
    /// A configuration file with invalid contents.
    #[error("the configuration {path} is unreadable: {reason}", path = path.display())]
    BadConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration of an architecture that this crate does not support.
    #[error("{path} is a checkpoint of architecture `{found}`; supported are: {supported}", path = path.display())]
    UnsupportedArchitecture {
        /// The folder or file examined.
        path: PathBuf,
        /// The `model_type` (or `architectures`, or fairseq `_name`) found.
        found: String,
        /// The supported architectures.
        supported: String,
    },
    /// A configuration value that is absent, of the wrong type, or out of range.
    #[error("configuration key `{key}`: expected {expected}, found {found}")]
    BadConfigValue {
        /// The key, with its path inside the configuration.
        key: String,
        /// What is valid.
        expected: String,
        /// The value found.
        found: String,
    },
    /// A tensor that the architecture needs and the checkpoint lacks.
    #[error("tensor `{tensor}` with shape {shape:?} is missing from the checkpoint{others}", others = Others(*others))]
    MissingTensor {
        /// Its name in the convention of the checkpoint's family.
        tensor: String,
        /// The shape that the configuration implies.
        shape: Vec<usize>,
        /// How many further tensors are missing or have the wrong shape.
        others: usize,
    },
    /// A tensor of the encoder's layers that the configured model does not use.
    #[error(
        "tensor `{tensor}` is in the checkpoint, but the configured model does not use it{}: the configuration is not that of these \
         weights; compare its `model_type` and its number of layers with them",
        if *others > 0 { format!(" (nor {others} more in its layers)") } else { String::new() }
    )]
    UnusedTensor {
        /// The name as it stands in the checkpoint.
        tensor: String,
        /// How many further tensors of its layers are unused.
        others: usize,
    },
    /// A tensor whose shape differs from the configuration.
    #[error("tensor `{tensor}` has shape {found:?}, but the configuration asks for {expected:?}{others}", others = Others(*others))]
    MisshapedTensor {
        /// Its name in the checkpoint.
        tensor: String,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The shape in the checkpoint.
        found: Vec<usize>,
        /// How many further tensors are missing or have the wrong shape.
        others: usize,
    },
    /// Weights as integers, whose scale is stored elsewhere.
    #[error(
        "tensor {tensor} holds {dtype} numbers: the weights are quantised, which is not supported; use the checkpoint that they were made from"
    )]
    QuantisedTensor {
        /// Its name in the checkpoint.
        tensor: String,
        /// Its element type.
        dtype: String,
    },
    /// A tensor with an infinity or a NaN.
    #[error("tensor `{tensor}` holds {value} at element {index}; the checkpoint is damaged")]
    NonFiniteTensor {
        /// Its name in the checkpoint.
        tensor: String,
        /// The first element that is not finite.
        index: usize,
        /// That element.
        value: f32,
    },
    /// Fewer samples than the first frame needs.
    #[error(
        "{samples} samples at {rate} Hz are too short: this encoder needs at least {minimum} for one frame"
    )]
    TooShort {
        /// The samples given.
        samples: usize,
        /// The smallest number that gives a frame.
        minimum: usize,
        /// Sampling rate in samples per second.
        rate: u32,
    },
    /// More samples than attention can process in reasonable time.
    #[error(
        "{samples} samples at {rate} Hz are {} s, above the limit of {} s for one utterance; cut the recording \
         into utterances (`start_time` and `end_time` of the manifest)",
        samples / (*rate).max(1) as usize, most / (*rate).max(1) as usize
    )]
    TooLong {
        /// The samples given.
        samples: usize,
        /// The largest number accepted.
        most: usize,
        /// Sampling rate in samples per second.
        rate: u32,
    },
    /// A GPU failure during computation.
    #[error(transparent)]
    Gpu(#[from] emobox_gpu::GpuError),
    /// An utterance that does not fit in the device's memory even alone.
    #[error(
        "its {seconds:.1} s do not fit the device's memory even alone ({source}); --device cpu uses the machine's memory"
    )]
    DoesNotFit {
        /// Its length in seconds.
        seconds: f64,
        /// The failed allocation.
        source: emobox_gpu::GpuError,
    },
    /// An operation that a device does not support.
    #[error("device: {0}")]
    Device(String),
    /// A sample that is an infinity or a NaN.
    #[error("sample {index} of the waveform is {value}, expected a finite number")]
    NonFiniteSample {
        /// The first sample that is not finite.
        index: usize,
        /// That sample.
        value: f32,
    },
    /// A layer that the encoder does not have.
    #[error(
        "layer {layer} does not exist; this encoder has hidden states 0 (embedding output) to {last}"
    )]
    NoSuchLayer {
        /// The layer requested.
        layer: usize,
        /// The last layer.
        last: usize,
    },
    /// Text that is not a layer selection.
    #[error(
        "`{text}` is not a layer selection; expected `last`, `all`, or layers such as `0,4,7-9`"
    )]
    BadLayerSelection {
        /// The text.
        text: String,
    },
    /// A device that this build or this machine does not have.
    #[error("device `{device}` is not available: {reason}")]
    DeviceUnavailable {
        /// The device requested.
        device: String,
        /// Why not.
        reason: String,
    },
    /// A checkpoint file that could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// eGeMAPS without the package that computes it.
    #[error(
        "egemaps needs Python with the package `opensmile` (`pip install opensmile`), which `{python}` does not have; EMOBOX_PYTHON \
         names another Python"
    )]
    OpensmileMissing {
        /// The Python that was tried.
        python: String,
    },
    /// openSMILE ran and failed.
    #[error("opensmile failed: {message}")]
    OpensmileFailed {
        /// The last line of its output.
        message: String,
    },
    /// openSMILE found no frame to compute functionals from.
    #[error("openSMILE could not compute all functionals of it: some are not numbers")]
    NothingFound,
    /// The audio crate could not compute the spectrum.
    #[error("log-mel spectrum: {0}")]
    Spectrum(String),
}

impl EncoderError {
    /// Whether the device failed, not the audio: the same utterance may succeed on another attempt.
    pub fn is_of_device(&self) -> bool {
        matches!(
            self,
            Self::Gpu(_)
                | Self::DoesNotFit { .. }
                | Self::Device(_)
                | Self::DeviceUnavailable { .. }
                | Self::OpensmileMissing { .. }
                | Self::OpensmileFailed { .. }
        )
    }
}

/// ` (and 3 more)`, or an empty string.
struct Others(usize);

impl std::fmt::Display for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (and one more does not fit)"),
            n => write!(f, " (and {n} more do not fit)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use emobox_gpu::GpuError;

    /// Running out of device memory is not a property of the recording.
    #[test]
    fn what_the_device_does_is_no_fact_about_the_audio() {
        let (asked, free, total) = (3, 1, 2);
        let full = EncoderError::from(GpuError::OutOfMemory { asked, free, total });
        assert!(full.is_of_device());
        assert_eq!(
            full.to_string(),
            "out of device memory: 3 more bytes wanted, 1 of 2 free"
        );
        assert!(EncoderError::Device("lost".to_owned()).is_of_device());
        let (samples, minimum) = (1, 400);
        assert!(
            !EncoderError::TooShort {
                samples,
                minimum,
                rate: 16_000
            }
            .is_of_device()
        );
    }
}
