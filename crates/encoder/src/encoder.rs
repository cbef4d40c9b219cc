use crate::check::parameters;
use crate::checkpoint::Checkpoint;
use crate::description::Description;
use crate::detect::{Detected, detect, folder};
use crate::families::Network;
use crate::families::fbank::Fbank;
use crate::model::ModelConfig;
use crate::ops::{Cpu, Need, OnGpu, OpTiming, Ops, Tally, Timed};
use crate::weights::{Loader, Naming, require, unused};
use crate::{
    Device, EmotionHead, EncoderError, EncoderInfo, EncoderOptions, EncoderSource, HiddenStates,
    LayerSelection, Normalisation, hub, zoo, zoo_entry,
};
use emobox_audio::log_mel::FbankOptions;
use emobox_gpu::GpuError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The encoder that needs no weights.
pub const FBANK: &str = "fbank";

/// Counted for [`Encoder::opened`].
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// A quarter of an hour. Attention grows with the square: 45,000 frames take minutes, a day would take months.
const LONGEST: usize = 15 * 60 * 16_000;

/// A pre-trained encoder, ready to run. Shared between threads: every call runs on the thread that
/// makes it, and what an utterance yields depends on nothing but the utterance.
pub struct Encoder {
    description: Description,
    network: Box<dyn Network>,
    head: Option<EmotionHead>,
    tally: Option<Arc<Tally>>,
}

impl Encoder {
    /// What an encoder is, from its configuration and the names and shapes of its tensors: no weight is read.
    /// The digest of the weights comes from where it was written down while the files stay as they are.
    ///
    /// # Errors
    /// As [`Encoder::open`], but for what only the numbers themselves can show.
    pub fn describe(source: &EncoderSource) -> Result<Description, EncoderError> {
        Ok(match path_of(source)? {
            None => Description::fbank(),
            Some(path) => Plan::of(source.name(), &path)?.description,
        })
    }

    /// Opens an encoder and checks every tensor it needs before reading the first.
    ///
    /// # Errors
    /// [`EncoderError`] for a name nobody knows, a configuration of another architecture, a missing
    /// or misshaped tensor, a file that is no checkpoint, a device that is not there.
    pub fn open(source: &EncoderSource, options: &EncoderOptions) -> Result<Self, EncoderError> {
        OPENED.fetch_add(1, Ordering::Relaxed);
        let Some(path) = path_of(source)? else {
            let description = Description::fbank();
            return Ok(Self {
                network: Box::new(Fbank {
                    options: FbankOptions::default(),
                }),
                description,
                head: None,
                tally: None,
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
        })
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

    /// The classifier that a fine-tuned emotion2vec carries.
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

    /// The hidden states of a mono waveform at 16 kHz, on the calling thread. Only the layers asked
    /// for are kept in memory, and blocks after the last of them are not run.
    ///
    /// # Errors
    /// [`EncoderError::TooShort`], [`EncoderError::NonFiniteSample`], [`EncoderError::NoSuchLayer`].
    pub fn encode(
        &self,
        samples_16k: &[f32],
        layers: &LayerSelection,
    ) -> Result<HiddenStates, EncoderError> {
        let layers = layers.resolve(self.description.info.hidden_states)?;
        self.check(samples_16k)?;
        let data = self.network.encode(&[samples_16k], &layers)?;
        let data = data.into_iter().next().unwrap_or_default();
        Ok(self.states(samples_16k.len(), layers, data))
    }

    /// Refuses what has no frames, too many, or no numbers.
    fn check(&self, samples_16k: &[f32]) -> Result<(), EncoderError> {
        let samples = samples_16k.len();
        let info = &self.description.info;
        if samples < info.shortest {
            let minimum = info.shortest;
            return Err(EncoderError::TooShort { samples, minimum });
        }
        if samples > LONGEST && info.longest.is_none() {
            let most = LONGEST;
            return Err(EncoderError::TooLong { samples, most });
        }
        match samples_16k.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => Err(EncoderError::NonFiniteSample {
                index,
                value: samples_16k[index],
            }),
        }
    }

    fn states(&self, samples: usize, layers: Vec<usize>, data: Vec<f32>) -> HiddenStates {
        let info = &self.description.info;
        HiddenStates {
            layers,
            frames: self.description.model.frames(samples),
            dim: info.dim,
            data,
            cut_to: info.longest.filter(|&longest| samples > longest),
        }
    }

    /// The frames of a batch that the device likes; none where utterances are encoded one at a time, each on a thread of
    /// the caller's (the CPU).
    pub fn batch_frames(&self) -> Option<usize> {
        self.network.batch_frames()
    }

    /// The frames that are computed for so many samples, by which batches are filled.
    pub fn computed_frames(&self, samples: usize) -> usize {
        self.description.model.computed_frames(samples)
    }

    /// The utterances of one batch, in their order. Where the device's memory does not hold it, its halves are encoded one after the
    /// other. What an utterance yields does not depend on the others, but for how a library rounds products of
    /// other sizes.
    pub fn encode_together(
        &self,
        waveforms: &[&[f32]],
        layers: &LayerSelection,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        let checked = waveforms.iter().map(|samples| {
            let layers = layers.resolve(self.description.info.hidden_states)?;
            self.check(samples)?;
            Ok(layers)
        });
        let mut results: Vec<Result<Vec<usize>, EncoderError>> = checked.collect();
        let well = results
            .iter()
            .zip(waveforms)
            .filter(|(result, _)| result.is_ok());
        let well: Vec<&[f32]> = well.map(|(_, samples)| *samples).collect();
        let layers = results
            .iter()
            .find_map(|result| result.as_ref().ok())
            .cloned();
        let mut data = match layers {
            None => Ok(Vec::new()),
            Some(layers) => self
                .halving(&well, &layers)
                .map_err(|error| error.to_string()),
        }
        .map(Vec::into_iter);
        let done = results.drain(..).zip(waveforms).map(|(layers, samples)| {
            let layers = layers?;
            match &mut data {
                Ok(data) => Ok(self.states(samples.len(), layers, data.next().unwrap_or_default())),
                Err(reason) => Err(EncoderError::Device(reason.clone())),
            }
        });
        done.collect()
    }

    fn halving(&self, signals: &[&[f32]], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        match self.network.encode(signals, layers) {
            Err(EncoderError::Gpu(GpuError::OutOfMemory { .. })) if signals.len() > 1 => {
                let (first, second) = signals.split_at(signals.len() / 2);
                let mut all = self.halving(first, layers)?;
                all.extend(self.halving(second, layers)?);
                Ok(all)
            }
            result => result,
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

    /// The longest first, so that a batch is of about one length and the first needs the most memory.
    fn in_batches(
        &self,
        waveforms: &[&[f32]],
        layers: &LayerSelection,
        most: usize,
    ) -> Vec<Result<HiddenStates, EncoderError>> {
        let mut order: Vec<usize> = (0..waveforms.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(waveforms[index].len()));
        let mut done = Vec::with_capacity(waveforms.len());
        while !order.is_empty() {
            let mut frames = 0;
            let fits = |index: &&usize| {
                frames += self.computed_frames(waveforms[**index].len());
                frames <= most
            };
            let count = order.iter().take_while(fits).count().max(1);
            let batch: Vec<usize> = order.drain(..count).collect();
            let signals: Vec<&[f32]> = batch.iter().map(|&index| waveforms[index]).collect();
            done.extend(
                batch
                    .into_iter()
                    .zip(self.encode_together(&signals, layers)),
            );
        }
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
        let head = match model {
            ModelConfig::Data2Vec2(_) => EmotionHead::read(&checkpoint, folder(path), model.dim())?,
            _ => None,
        };
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
            hop: model.hop(),
            longest: model.longest(),
            shortest: model.shortest(),
            weights_digest: checkpoint.digest()?.to_string(),
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

/// Where the weights of an encoder lie; none for one without.
fn path_of(source: &EncoderSource) -> Result<Option<PathBuf>, EncoderError> {
    match source {
        EncoderSource::Named(name) if name == FBANK => Ok(None),
        EncoderSource::Named(name) => find(name).map(Some),
        EncoderSource::Local { path, .. } => Ok(Some(path.clone())),
    }
}

/// The folder of a zoo checkpoint in the hub's cache.
fn find(name: &str) -> Result<PathBuf, EncoderError> {
    let entry = zoo_entry(name).ok_or_else(|| {
        let known = std::iter::once(FBANK).chain(zoo().iter().map(|entry| entry.name));
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
