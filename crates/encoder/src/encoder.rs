use crate::built_in::{BUILT_IN, EGEMAPS};
use crate::check::parameters;
use crate::description::Description;
use crate::detect::{Detected, detect, folder};
use crate::families::Network;
use crate::families::egemaps::Egemaps;
use crate::families::fbank::Fbank;
use crate::model::ModelConfig;
use crate::ops::{Cpu, Need, OnGpu, OpTiming, Ops, Tally, Timed};
use crate::prepared::Prepared;
use crate::weights::{Loader, Naming, left_over, refuse_left_over, require, unused};
use crate::{
    Device, EmotionHead, EncoderError, EncoderInfo, EncoderOptions, EncoderSource, HiddenStates,
    LayerSelection, WaveformNormalisation, hub, zoo, zoo_entry,
};
use emobox_audio::log_mel::FbankOptions;
use emobox_checkpoint::Checkpoint;
use emobox_files::{Sha256, sha256_bytes};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

/// Counter for [`Encoder::opened`].
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// 15 minutes, in seconds. The cost of attention is quadratic: 45,000 frames take minutes, a day would take months.
const LONGEST: usize = 15 * 60;

/// A pre-trained encoder, ready to run. Shared between threads: every call runs on the thread that makes it, and the result for
/// an utterance depends on the utterance alone.
pub struct Encoder {
    description: Description,
    pub(crate) network: Box<dyn Network>,
    head: Option<EmotionHead>,
    tally: Option<Arc<Tally>>,
    /// Write-locked by a batch that needs all of the device's memory.
    pub(crate) alone: RwLock<()>,
    /// Number of batches that did not fit and were halved.
    pub(crate) halved: AtomicUsize,
}

impl Encoder {
    /// Describes an encoder from its configuration and the names and shapes of its tensors: no weights are read. The digest of
    /// the weights is read from its cache as long as the files are unchanged.
    ///
    /// # Errors
    /// As [`Encoder::open`], except errors that only the values of the weights can show.
    pub fn describe(source: &EncoderSource) -> Result<Description, EncoderError> {
        match path_of(source)? {
            None if source.name() == EGEMAPS => Description::egemaps(),
            None => Ok(Description::fbank()),
            Some(path) => Ok(Plan::of(source.name(), &path)?.description),
        }
    }

    /// Opens an encoder and checks every tensor it needs before reading the first.
    ///
    /// # Errors
    /// [`EncoderError`] for an unknown name, a configuration of another architecture, a missing or misshaped tensor, a file
    /// that is not a checkpoint, a device that is not available.
    pub fn open(source: &EncoderSource, options: &EncoderOptions) -> Result<Self, EncoderError> {
        OPENED.fetch_add(1, Ordering::Relaxed);
        let Some(path) = path_of(source)? else {
            let description = Self::describe(source)?;
            let network: Box<dyn Network> = match description.model {
                ModelConfig::Egemaps => Box::new(Egemaps::open()?),
                _ => Box::new(Fbank {
                    options: FbankOptions::default(),
                }),
            };
            return Ok(Self {
                network,
                description,
                head: None,
                tally: None,
                alone: RwLock::default(),
                halved: AtomicUsize::new(0),
            });
        };
        let plan = Plan::of(source.name(), &path)?;
        let mut loader = Loader::reading(&plan.checkpoint, plan.naming);
        let tally = options.timings.then(Arc::<Tally>::default);
        let network = network(
            &plan.description.model,
            plan.description.info.normalisation,
            &mut loader,
            options,
            plan.description.info.parameters,
            tally.as_ref(),
        )?;
        Ok(Self {
            network,
            description: plan.description,
            head: plan.head,
            tally,
            alone: RwLock::default(),
            halved: AtomicUsize::new(0),
        })
    }

    /// Path of the weights of an encoder: a checkpoint's folder or file; `None` if it has none.
    ///
    /// # Errors
    /// An unknown name, or a checkpoint that is not on this machine.
    pub fn place(source: &EncoderSource) -> Result<Option<PathBuf>, EncoderError> {
        path_of(source)
    }

    /// Number of encoders that this process has opened with their weights.
    pub fn opened() -> usize {
        OPENED.load(Ordering::Relaxed)
    }

    /// Name, shape and digest of this encoder.
    pub fn info(&self) -> &EncoderInfo {
        &self.description.info
    }

    /// The description that [`Encoder::describe`] returns.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The head of a fine-tuned checkpoint.
    pub fn head(&self) -> Option<&EmotionHead> {
        self.head.as_ref()
    }

    /// Time spent in each operation so far, the slowest first; empty unless the encoder was opened with
    /// [`EncoderOptions::timings`].
    pub fn timings(&self) -> Vec<OpTiming> {
        self.tally
            .as_ref()
            .map_or_else(Vec::new, |tally| tally.rows())
    }

    /// [`Description::working_bytes`].
    pub fn working_bytes(&self, samples: usize) -> usize {
        self.description.working_bytes(samples)
    }

    /// [`Description::frames`].
    pub fn frames(&self, samples: usize) -> usize {
        self.description.frames(samples)
    }

    /// The hidden states of a mono waveform at [`EncoderInfo::sample_rate`], computed on the calling thread. Only the requested
    /// layers are kept in memory, and blocks after the last of them are not run.
    ///
    /// # Errors
    /// [`EncoderError::TooShort`], [`EncoderError::NonFiniteSample`], [`EncoderError::NoSuchLayer`].
    pub fn encode(
        &self,
        waveform: &[f32],
        layers: &LayerSelection,
    ) -> Result<HiddenStates, EncoderError> {
        let layers = layers.resolve(self.description.info.hidden_states)?;
        let prepared = self.prepare(waveform)?;
        let data = self
            .network
            .encode(std::slice::from_ref(&prepared), &layers)?;
        let data = data.into_iter().next().unwrap_or_default();
        Ok(self.states(waveform.len(), layers, data))
    }

    /// Converts a mono waveform at [`EncoderInfo::sample_rate`] to the device's input, for [`Encoder::encode_prepared`]: a
    /// batch may combine the work of many threads.
    ///
    /// # Errors
    /// [`EncoderError::TooShort`], [`EncoderError::TooLong`], [`EncoderError::NonFiniteSample`].
    pub fn prepare(&self, waveform: &[f32]) -> Result<Prepared, EncoderError> {
        self.check(waveform)?;
        Ok(Prepared {
            samples: waveform.len(),
            values: Arc::new(self.network.prepare(waveform)),
        })
    }

    /// Rejects waveforms that are too short, too long, or not finite.
    fn check(&self, waveform: &[f32]) -> Result<(), EncoderError> {
        let samples = waveform.len();
        let info = &self.description.info;
        let rate = info.sample_rate;
        if samples < info.shortest {
            return Err(EncoderError::TooShort {
                samples,
                minimum: info.shortest,
                rate,
            });
        }
        let most = LONGEST * rate as usize;
        if samples > most && info.longest.is_none() {
            return Err(EncoderError::TooLong {
                samples,
                most,
                rate,
            });
        }
        match waveform.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => Err(EncoderError::NonFiniteSample {
                index,
                value: waveform[index],
            }),
        }
    }

    pub(crate) fn states(
        &self,
        samples: usize,
        layers: Vec<usize>,
        data: Vec<f32>,
    ) -> HiddenStates {
        let info = &self.description.info;
        HiddenStates {
            layers,
            frames: self.description.model.frames(samples),
            dim: info.dim,
            data,
            cut_to: info.longest.filter(|&longest| samples > longest),
        }
    }

    /// [`Encoder::encode`] for several utterances, in the order of the waveforms: on `threads` threads with results
    /// bit-identical to one call per utterance, or in batches if the device prefers them.
    pub fn encode_batch(
        &self,
        waveforms: &[&[f32]],
        layers: &LayerSelection,
        threads: usize,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        if let Some(most) = self.batch_frames() {
            return self.in_batches(waveforms, layers, most);
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(samples) = waveforms.get(index) else {
                    return done;
                };
                done.push((index, self.encode(samples, layers)));
            }
        };
        let mut done: Vec<_> = std::thread::scope(|scope| {
            let helpers = threads.min(waveforms.len()).saturating_sub(1);
            let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for helper in helpers {
                match helper.join() {
                    Ok(results) => done.extend(results),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// An examined checkpoint: everything but the values of its weights.
struct Plan {
    checkpoint: Checkpoint,
    naming: Naming,
    head: Option<EmotionHead>,
    description: Description,
}

impl Plan {
    fn of(name: &str, path: &Path) -> Result<Self, EncoderError> {
        let Detected {
            checkpoint,
            model,
            naming,
            normalisation,
            ..
        } = detect(path)?;
        let mut census = Loader::census(&checkpoint, naming.clone());
        model.take_census(&mut census)?;
        require(&census.needs)?;
        let head = EmotionHead::read(&checkpoint, &naming, folder(path), &model)?;
        let parameters = parameters(&census.needs);
        let mut needs = census.needs.clone();
        let head = head.map(|(head, used)| {
            needs.extend(used);
            head
        });
        refuse_left_over(&left_over(&checkpoint, &census.needs, &needs))?;
        let info = EncoderInfo {
            name: name.to_owned(),
            family: model.family().to_owned(),
            hidden_states: model.layers() + 1,
            dim: model.dim(),
            sample_rate: model.sample_rate(),
            hop: model.hop(),
            longest: model.longest(),
            shortest: model.shortest(),
            weights_digest: digest(&checkpoint, &model)?.to_string(),
            parameters,
            normalisation,
            unused: unused(&checkpoint, &needs, &[]),
        };
        Ok(Self {
            checkpoint,
            naming,
            description: Description {
                info,
                model,
                has_head: head.is_some(),
            },
            head,
        })
    }
}

/// The digest of all numbers that the states are made of: those of the checkpoint, and what SenseVoice has beside it, as lines of
/// files like those of several shards.
fn digest(checkpoint: &Checkpoint, model: &ModelConfig) -> Result<Sha256, EncoderError> {
    let weights = checkpoint.digest()?;
    Ok(match model {
        ModelConfig::SenseVoice(config) => {
            let lines = format!("{weights}  model.pt\n{}  am.mvn\n", config.mvn);
            sha256_bytes(lines.as_bytes())
        }
        _ => weights,
    })
}

/// Path of the weights of an encoder; `None` if it has none.
fn path_of(source: &EncoderSource) -> Result<Option<PathBuf>, EncoderError> {
    match source {
        EncoderSource::Named(name) if BUILT_IN.contains(&name.as_str()) => Ok(None),
        EncoderSource::Named(name) => find(name).map(Some),
        EncoderSource::Local { path, .. } => Ok(Some(path.clone())),
    }
}

/// The folder of a zoo checkpoint in the hub's cache.
fn find(name: &str) -> Result<PathBuf, EncoderError> {
    let entry = zoo_entry(name).ok_or_else(|| {
        let known = BUILT_IN
            .into_iter()
            .chain(zoo().iter().map(|entry| entry.name));
        EncoderError::UnknownName {
            name: name.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    })?;
    let Some(request) = entry.hub_request() else {
        return Err(EncoderError::FetchByHand {
            name: name.to_owned(),
            url: entry.place().to_owned(),
        });
    };
    let folder = hub::cached(&request).ok_or_else(|| EncoderError::NotDownloaded {
        name: name.to_owned(),
    })?;
    Ok(match request.weights {
        Some(file) => folder.join(file),
        None => folder,
    })
}

/// The model on the requested device.
fn network(
    model: &ModelConfig,
    normalisation: WaveformNormalisation,
    loader: &mut Loader<'_>,
    options: &EncoderOptions,
    parameters: u64,
    tally: Option<&Arc<Tally>>,
) -> Result<Box<dyn Network>, EncoderError> {
    match (options.device, options.precision.of_cpu()) {
        (Device::Cpu, Some(precision)) => {
            build(model, normalisation, loader, Cpu { precision }, tally)
        }
        (Device::Cpu, None) => Err(EncoderError::DeviceUnavailable {
            device: options.device.to_string(),
            reason: "it computes in f32 and bf16; f16 is a GPU's".to_owned(),
        }),
        (device, _) => {
            let need = Need {
                parameters,
                dim: model.dim(),
                window: model.computed_frames(1).max(1),
                distances: model.computes_distances(),
            };
            let device = OnGpu::open(device, options.precision, need)?;
            build(model, normalisation, loader, device, tally)
        }
    }
}

/// The model on a device, with timing if requested.
fn build<D: Ops + 'static>(
    model: &ModelConfig,
    normalisation: WaveformNormalisation,
    loader: &mut Loader<'_>,
    device: D,
    tally: Option<&Arc<Tally>>,
) -> Result<Box<dyn Network>, EncoderError>
where
    D::Tensor: 'static,
{
    match tally {
        None => model.build(normalisation, loader, device),
        Some(tally) => {
            let device = Timed::new(device, Arc::clone(tally));
            model.build(normalisation, loader, device)
        }
    }
}
