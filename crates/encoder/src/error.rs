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
        /// The name asked for.
        name: String,
        /// The names that would have been valid.
        known: String,
    },
    /// A zoo checkpoint that lies in no folder known to this machine.
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
    /// The folder holds no configuration that says which architecture this is.
    #[error("no configuration of an encoder in {path}: expected `config.json`, or a checkpoint with its configuration inside", path = path.display())]
    NoConfig {
        /// The folder or file looked at.
        path: PathBuf,
    },
    /// Something of another program that is no encoder as it stands.
    #[error("{path} is {what}", path = path.display())]
    OtherForm {
        /// The folder or file looked at.
        path: PathBuf,
        /// What it is, and what to do.
        what: String,
    },
    /// A configuration file that is not what its name says.
    #[error("the configuration {path} is unreadable: {reason}", path = path.display())]
    BadConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration of an architecture that this crate does not have.
    #[error("{path} is a checkpoint of architecture `{found}`; supported are: {supported}", path = path.display())]
    UnsupportedArchitecture {
        /// The folder or file looked at.
        path: PathBuf,
        /// The `model_type` (or `architectures`, or fairseq `_name`) found.
        found: String,
        /// What would have been valid.
        supported: String,
    },
    /// A configuration value that is absent, of the wrong type, or out of range.
    #[error("configuration key `{key}`: expected {expected}, found {found}")]
    BadConfigValue {
        /// The key, with its path inside the configuration.
        key: String,
        /// What would have been valid.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A tensor that the architecture needs and the checkpoint lacks.
    #[error("tensor `{tensor}` with shape {shape:?} is missing from the checkpoint{others}", others = Others(*others))]
    MissingTensor {
        /// The name in the convention of the checkpoint's family.
        tensor: String,
        /// The shape that the configuration asks for.
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
    /// A tensor whose shape is not the one that the configuration asks for.
    #[error("tensor `{tensor}` has shape {found:?}, but the configuration asks for {expected:?}{others}", others = Others(*others))]
    MisshapedTensor {
        /// The name as it stands in the checkpoint.
        tensor: String,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
        /// The shape in the checkpoint.
        found: Vec<usize>,
        /// How many further tensors are missing or have the wrong shape.
        others: usize,
    },
    /// Weights as whole numbers, whose scale is elsewhere.
    #[error(
        "tensor {tensor} holds {dtype} numbers: the weights are quantised, which is not supported; use the checkpoint that they were made from"
    )]
    QuantisedTensor {
        /// In the checkpoint.
        tensor: String,
        /// Of its elements.
        dtype: String,
    },
    /// A tensor that holds an infinity or a NaN.
    #[error("tensor `{tensor}` holds {value} at element {index}; the checkpoint is damaged")]
    NonFiniteTensor {
        /// The name as it stands in the checkpoint.
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
        /// The smallest number that yields a frame.
        minimum: usize,
        /// Samples a second.
        rate: u32,
    },
    /// More samples than attention can look at in reasonable time.
    #[error(
        "{samples} samples at {rate} Hz are {} s, above the limit of {} s for one utterance; cut the recording \
         into utterances (`start_time` and `end_time` of the manifest)",
        samples / (*rate).max(1) as usize, most / (*rate).max(1) as usize
    )]
    TooLong {
        /// The samples given.
        samples: usize,
        /// The most that are accepted.
        most: usize,
        /// Samples a second.
        rate: u32,
    },
    /// What went wrong on a GPU while it worked.
    #[error(transparent)]
    Gpu(#[from] emobox_gpu::GpuError),
    /// An utterance that the device's memory does not hold even alone.
    #[error(
        "its {seconds:.1} s do not fit the device's memory even alone ({source}); --device cpu uses the machine's memory"
    )]
    DoesNotFit {
        /// Its length.
        seconds: f64,
        /// What was wanted.
        source: emobox_gpu::GpuError,
    },
    /// An operation that a device could not do.
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
        /// The layer asked for.
        layer: usize,
        /// The last one there is.
        last: usize,
    },
    /// Text that is no layer selection.
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
        /// The device asked for.
        device: String,
        /// Why not.
        reason: String,
    },
    /// A checkpoint file that could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// eGeMAPS without the program that computes it.
    #[error(
        "egemaps needs Python with the package `opensmile` (`pip install opensmile`), which `{python}` does not have; EMOBOX_PYTHON \
         names another Python"
    )]
    OpensmileMissing {
        /// The Python that was asked.
        python: String,
    },
    /// openSMILE ran and failed.
    #[error("opensmile failed: {message}")]
    OpensmileFailed {
        /// The last line that it wrote.
        message: String,
    },
    /// openSMILE finds no frame to take functionals of.
    #[error("openSMILE could not compute all functionals of it: some are not numbers")]
    NothingFound,
    /// The audio room could not make the spectrum.
    #[error("log-mel spectrum: {0}")]
    Spectrum(String),
}

impl EncoderError {
    /// Whether the device failed, and not the audio: the same utterance may pass another time.
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

/// ` (and 3 more)`, or nothing.
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

    /// A full card says nothing about a recording.
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
