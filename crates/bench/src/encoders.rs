use crate::named::on_the_hub;
use crate::{BenchError, CallError, Context, EncoderChoice, Home, Stage};
use emobox_encoder::hub::{self, HubProgress};
use emobox_encoder::{
    Description, Device, Encoder, EncoderError, EncoderOptions, EncoderSource, FolderReport,
    Precision, check_dir, zoo_meant,
};
use emobox_features::ComputePrecision;
use emobox_files::{read_json, write_json};
use std::path::{Path, PathBuf};

/// Opens an encoder of an experiment.
pub fn open_encoder(
    choice: &EncoderChoice,
    precision: ComputePrecision,
    device: Device,
) -> Result<Encoder, BenchError> {
    open(choice, precision, device, false)
}

/// [`open_encoder`] with a stopwatch around every operation.
pub fn open_encoder_timed(
    choice: &EncoderChoice,
    precision: ComputePrecision,
    device: Device,
) -> Result<Encoder, BenchError> {
    open(choice, precision, device, true)
}

/// Describes an encoder of an experiment without reading its weights.
pub(crate) fn describe_encoder(choice: &EncoderChoice) -> Result<Description, BenchError> {
    Encoder::describe(&source(choice)).map_err(|e| BenchError::encoder(&choice.name, e))
}

/// [`describe_encoder`], with the result written to [`Home::encoder`] if it is another one than before. Jobs name that file as an input,
/// so that what was made with other weights at the same place is made again.
pub(crate) fn note_encoder(home: &Home, choice: &EncoderChoice) -> Result<Description, BenchError> {
    let description = describe_encoder(choice)?;
    let path = home.encoder(&description.info().name);
    let found = serde_json::to_value(description.info()).unwrap_or_default();
    if read_json::<serde_json::Value>(&path).ok().as_ref() != Some(&found) {
        write_json(&path, &found)?;
    }
    Ok(description)
}

/// The location of an encoder's weights; none for one without.
pub(crate) fn checkpoint_of(choice: &EncoderChoice) -> Result<Option<PathBuf>, BenchError> {
    Encoder::place(&source(choice)).map_err(|e| BenchError::encoder(&choice.name, e))
}

/// Warns if `precision` costs time on this machine instead of saving it.
pub fn warn_of_emulation(precision: ComputePrecision, device: Device, context: Context<'_>) {
    if precision == ComputePrecision::Bf16
        && device == Device::Cpu
        && !emobox_encoder::bf16_is_native()
    {
        context.progress.note(&format!(
            "warning: this processor (kernels: {}) has no bf16 products: bf16 is emulated, with the \
             results of bf16 and slower than f32; --precision f32 is faster here",
            emobox_encoder::kernels()
        ));
    }
}

/// The default arithmetic on a device: bf16 on a GPU, f32 elsewhere.
pub fn usual_precision(device: Device) -> ComputePrecision {
    match device {
        Device::Cuda(_) => ComputePrecision::Bf16,
        Device::Cpu | Device::Host(_) => ComputePrecision::F32,
    }
}

/// The encoder's name of a precision.
pub fn kernel_precision(precision: ComputePrecision) -> Precision {
    match precision {
        ComputePrecision::F32 => Precision::F32,
        ComputePrecision::Bf16 => Precision::Bf16,
        ComputePrecision::F16 => Precision::F16,
    }
}

fn source(choice: &EncoderChoice) -> EncoderSource {
    match &choice.path {
        Some(path) => EncoderSource::Local {
            name: choice.name.clone(),
            path: path.clone(),
        },
        None => EncoderSource::Named(choice.name.clone()),
    }
}

fn open(
    choice: &EncoderChoice,
    precision: ComputePrecision,
    device: Device,
    timings: bool,
) -> Result<Encoder, BenchError> {
    let options = EncoderOptions {
        precision: kernel_precision(precision),
        device,
        timings,
    };
    Encoder::open(&source(choice), &options).map_err(|e| BenchError::encoder(&choice.name, e))
}

/// What a local checkpoint folder or file contains, and what is missing.
pub fn check_encoder(path: &Path) -> Result<FolderReport, BenchError> {
    check_dir(path).map_err(|e| BenchError::encoder(&path.display().to_string(), e))
}

/// Fetches a checkpoint of the zoo, or `organisation/name`, into the user's hub cache.
pub fn pull_encoder(name: &str, context: Context<'_>) -> Result<PathBuf, BenchError> {
    let request = match zoo_meant(name) {
        Some(entry) => entry.hub_request().ok_or_else(|| {
            let url = entry.place().to_owned();
            let name = name.to_owned();
            BenchError::encoder(&name.clone(), EncoderError::FetchByHand { name, url })
        })?,
        None => match on_the_hub(name) {
            Some(request) => request,
            None => {
                return Err(crate::encoder_card(name)
                    .err()
                    .unwrap_or_else(|| built_in(name)));
            }
        },
    };
    let mut bar = PullBar {
        context,
        file: None,
        done: 0,
    };
    let folder = hub::fetch(&request, &mut |progress| bar.show(&progress));
    bar.end();
    Ok(folder?)
}

fn built_in(name: &str) -> BenchError {
    BenchError::Call(CallError::BuiltIn(name.to_string()))
}

/// One stage per file, in bytes.
struct PullBar<'a> {
    context: Context<'a>,
    file: Option<String>,
    done: u64,
}

impl PullBar<'_> {
    fn show(&mut self, progress: &HubProgress<'_>) {
        match progress {
            HubProgress::Bytes { file, done, total } => {
                if self.file.as_deref() != Some(*file) {
                    self.end();
                    self.context.progress.begin(&Stage {
                        label: format!("fetching {file}"),
                        total: total.unwrap_or(0),
                        unit: "bytes",
                        already: *done,
                    });
                    self.file = Some((*file).to_owned());
                } else {
                    self.context
                        .progress
                        .advance(done.saturating_sub(self.done));
                }
                self.done = *done;
            }
            HubProgress::Waiting { file } => {
                let note = format!("another process is fetching {file}; waiting for it");
                self.context.progress.note(&note);
            }
            HubProgress::Retrying { file, reason, .. } => {
                self.context
                    .progress
                    .note(&format!("{file}: {reason}; going on from there"));
            }
            HubProgress::CacheInstead { reason } => {
                let note = format!("{reason}; the copy in the cache is used");
                self.context.progress.note(&note);
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        if self.file.take().is_some() {
            self.context.progress.end();
        }
    }
}
