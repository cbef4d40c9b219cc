use crate::check::parameters;
use crate::description::Description;
use crate::detect::{Detected, detect, folder};
use crate::families::Network;
use crate::families::egemaps::{EGEMAPS, Egemaps};
use crate::families::fbank::Fbank;
use crate::model::ModelConfig;
use crate::ops::{Cpu, Need, OnGpu, OpTiming, Ops, Tally, Timed};
use crate::weights::{Loader, Naming, require, unused};
use crate::{
    Device, EmotionHead, EncoderError, EncoderInfo, EncoderOptions, EncoderSource, HiddenStates,
    LayerSelection, Normalisation, hub, zoo, zoo_entry,
};
use emobox_audio::log_mel::FbankOptions;
use emobox_checkpoint::Checkpoint;
use emobox_files::{Sha256, sha256_bytes};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

/// The encoder that needs no weights.
pub const FBANK: &str = "fbank";

/// The encoders that have no checkpoint.
pub const BUILT_IN: [&str; 2] = [FBANK, EGEMAPS];

/// Counted for [`Encoder::opened`].
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// A quarter of an hour, in seconds. Attention grows with the square: 45,000 frames take minutes, a day would take months.
const LONGEST: usize = 15 * 60;

/// A pre-trained encoder, ready to run. Shared between threads: every call runs on the thread that
/// makes it, and what an utterance yields depends on nothing but the utterance.
pub struct Encoder {
    description: Description,
    pub(crate) network: Box<dyn Network>,
    head: Option<EmotionHead>,
    tally: Option<Arc<Tally>>,
    /// Written by a batch that wants the device's memory for itself.
    pub(crate) alone: RwLock<()>,
    /// Batches that did not fit and were halved.
    pub(crate) halved: AtomicUsize,
}

/// An utterance as the device takes it. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Of the waveform.
    pub(crate) samples: usize,
    pub(crate) values: Arc<Vec<f32>>,
}

impl Encoder {
    /// What an encoder is, from its configuration and the names and shapes of its tensors: no weight is read.
    /// The digest of the weights comes from where it was written down while the files stay as they are.
    ///
    /// # Errors
    /// As [`Encoder::open`], but for what only the numbers themselves can show.
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
    /// [`EncoderError`] for a name nobody knows, a configuration of another architecture, a missing
    /// or misshaped tensor, a file that is no checkpoint, a device that is not there.
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

    /// Where the weights of an encoder lie: a checkpoint's folder or file; none for one without.
    ///
    /// # Errors
    /// A name that nobody knows, or a checkpoint that is not on this machine.
    pub fn place(source: &EncoderSource) -> Result<Option<PathBuf>, EncoderError> {
        path_of(source)
    }

    /// How many encoders this process has opened, weights and all.
    pub fn opened() -> usize {
        OPENED.load(Ordering::Relaxed)
    }

    /// What this encoder is.
    pub fn info(&self) -> &EncoderInfo {
        &self.description.info
    }

    /// The same, as [`Encoder::describe`] tells it.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The head that a fine-tuned checkpoint carries.
    pub fn head(&self) -> Option<&EmotionHead> {
        self.head.as_ref()
    }

    /// What each operation has taken so far, the slowest first; empty unless the encoder was opened
    /// with [`EncoderOptions::timings`].
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

    /// The hidden states of a mono waveform at [`EncoderInfo::sample_rate`], on the calling thread. Only the layers asked
    /// for are kept in memory, and blocks after the last of them are not run.
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

    /// What becomes of a mono waveform at [`EncoderInfo::sample_rate`] before the device sees it, for [`Encoder::encode_prepared`]: batches are made of what
    /// many threads prepared.
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

    /// Refuses what has no frames, too many, or no numbers.
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

    /// [`Encoder::encode`] for several utterances, in the order of the waveforms: spread over `threads` threads, with the results
    /// of one call an utterance bit for bit, or in batches where the device likes those.
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

/// A checkpoint that was looked at: everything but the numbers.
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
        let mut needs = census.needs;
        let head = head.map(|(head, used)| {
            needs.extend(used);
            head
        });
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
            unused: unused(&checkpoint, &needs),
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

/// Where the weights of an encoder lie; none for one without.
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

/// The model on the device asked for.
fn network(
    model: &ModelConfig,
    normalisation: Normalisation,
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
            };
            let device = OnGpu::open(device, options.precision, need)?;
            build(model, normalisation, loader, device, tally)
        }
    }
}

/// The model on a device, with a stopwatch where one is asked for.
fn build<D: Ops + 'static>(
    model: &ModelConfig,
    normalisation: Normalisation,
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
