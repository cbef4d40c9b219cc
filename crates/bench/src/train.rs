use crate::cards::lines_of_work;
use crate::memory::half_of_free;
use crate::plan::{TrainSpeed, train_operations};
use crate::predict::{ENCODER_PLACE, EncoderPlace};
use crate::split::Split;
use crate::target::{is_rated, learnt, outputs};
use crate::{BenchError, CallError, Context, Corpus, Stage};
use emobox_encoder::Device;
use emobox_features::{Ledgers, Store, StoreHeader};
use emobox_files::{FileError, Sha256, read_json, sha256_bytes, write_atomic, write_json};
use emobox_probe::{
    Card, EpochProgress, FeatureSource, Flow, FoldOutcome, FoldTask, Item, Observer, Probe,
    ProbeError, ProbeOrigin, Protocol, StreamSource, TRAINING_REVISION, TrainOptions, TrainState,
    Training, ViewSource, curves_csv, tensorboard_events, train_fold,
};
use emobox_score::Skipped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The variable that sets how often training is saved: the most seconds that a killed run loses.
const SAVE: &str = "EMOBOX_SAVE_SECONDS";

/// The default.
const SAVE_SECONDS: u64 = 10;

/// How often training runs save their state.
///
/// # Errors
/// A wrong call if the variable is not a number.
pub(crate) fn save_interval() -> Result<Duration, BenchError> {
    let Some(said) = std::env::var_os(SAVE) else {
        return Ok(Duration::from_secs(SAVE_SECONDS));
    };
    let seconds = said.to_str().and_then(|text| text.parse().ok());
    let seconds = seconds
        .ok_or_else(|| BenchError::Call(CallError::value(SAVE, said.display(), "whole seconds")))?;
    Ok(Duration::from_secs(seconds))
}

/// Everything that determines a training run: one corpus, its partition, how its features were made and from which audio.
/// The features themselves are opened when it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainingInputs<'a> {
    /// The corpus.
    pub(crate) corpus: &'a Corpus,
    /// Its partition.
    pub(crate) split: &'a Split,
    /// How its features are made.
    pub(crate) header: &'a StoreHeader,
    /// The audio that they were made from.
    pub(crate) ledgers: &'a Ledgers,
    /// How probes are trained and selected.
    pub(crate) protocol: &'a Protocol,
    /// The kind of GPU that trains them; if absent, the CPU.
    pub(crate) trained_on: Option<&'a str>,
    /// The location of the encoder's checkpoint, for later predictions with the probe.
    pub(crate) checkpoint: Option<&'a Path>,
}

/// `job.json`: the inputs of the results in a folder. Its digest names the folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobIdentity {
    /// Format version, 1.
    pub(crate) schema: u32,
    /// The corpus.
    pub(crate) corpus: String,
    /// Digest of its manifest.
    pub(crate) manifest: Sha256,
    /// Digest of its partition.
    pub(crate) partition: Sha256,
    /// The header of the feature store.
    pub(crate) features: serde_json::Value,
    /// Digest of the audio files by key.
    pub(crate) audio: Sha256,
    /// Utterances without features; other ones would change the training.
    pub(crate) without_features: Vec<String>,
    /// Every constant of the protocol.
    pub(crate) protocol: Protocol,
    /// The kind of GPU that trained, whose numbers differ in their last digits from the CPU's; absent for the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trained_on: Option<String>,
    /// [`TRAINING_REVISION`]: another one gives different numbers.
    pub(crate) training_revision: u32,
    /// The program: another version may train differently.
    pub(crate) program_version: String,
}

impl JobIdentity {
    /// What determines the results of a training run.
    pub(crate) fn of(inputs: &TrainingInputs<'_>) -> Self {
        Self {
            schema: 1,
            corpus: inputs.corpus.name.clone(),
            manifest: inputs.corpus.digest.clone(),
            partition: inputs.split.partition.digest(),
            features: features_identity(inputs.header),
            audio: inputs.ledgers.digest(),
            without_features: inputs
                .ledgers
                .failures()
                .map(|(key, _)| key.to_owned())
                .collect(),
            protocol: inputs.protocol.clone(),
            trained_on: inputs.trained_on.map(str::to_owned),
            training_revision: TRAINING_REVISION,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The digest that names the folder of the results.
    pub(crate) fn digest(&self) -> Sha256 {
        sha256_bytes(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The header of a store without the descriptive fields: stores that agree in it hold the same features.
pub(crate) fn features_identity(header: &StoreHeader) -> serde_json::Value {
    let mut header = serde_json::to_value(header).unwrap_or_default();
    if let Some(fields) = header.as_object_mut() {
        // Another version with the same revision gives the same numbers.
        fields.remove("program_version");
        // Statistics beside the frames do not change them.
        fields.remove("pooled_layers");
    }
    header
}

/// One fold to train, and where its results go.
pub(crate) struct FoldJob<'a> {
    pub(crate) inputs: TrainingInputs<'a>,
    pub(crate) fold: u32,
    pub(crate) folder: PathBuf,
    pub(crate) items: Vec<Item>,
    pub(crate) classes: Vec<String>,
    frames: usize,
}

/// The folds that a training run will train, one job each, and the utterances left out.
pub(crate) struct Jobs<'a> {
    pub(crate) jobs: Vec<FoldJob<'a>>,
    /// The folder of all folds.
    pub(crate) folder: PathBuf,
    /// Why utterances are left out, and how many.
    pub(crate) left_out: Vec<(String, usize)>,
    /// How many are used of which the encoder received only the beginning.
    pub(crate) cut: u64,
}

impl Jobs<'_> {
    /// What is left out, as scores say it.
    pub(crate) fn skipped(&self) -> Vec<Skipped> {
        let skipped = self.left_out.iter().map(|(reason, count)| Skipped {
            reason: reason.clone(),
            count: *count as u64,
        });
        skipped.collect()
    }
}

/// Divides a training run into jobs below `runs`, and records there what it is.
pub(crate) fn jobs<'a>(inputs: TrainingInputs<'a>, runs: &Path) -> Result<Jobs<'a>, BenchError> {
    let identity = JobIdentity::of(&inputs);
    let folder = runs.join(identity.digest().short());
    write_json(folder.join("job.json"), &identity)?;
    let classes = inputs.corpus.manifest.classes();
    let target = inputs.protocol.target;
    let outputs = outputs(inputs.corpus, target)?;
    let (mut no_features, mut too_long, mut not_rated) = (0, 0, 0);
    let mut usable = std::collections::HashMap::new();
    for utterance in &inputs.corpus.manifest.utterances {
        if inputs.ledgers.frames(&utterance.key).is_none() {
            no_features += 1;
        } else if inputs
            .protocol
            .max_seconds
            .is_some_and(|limit| utterance.length > limit)
        {
            too_long += 1;
        } else if !is_rated(utterance, target, &outputs) {
            not_rated += 1;
        } else {
            usable.insert(utterance.key.as_str(), utterance);
        }
    }
    let mut jobs = Vec::new();
    for fold in 1..=inputs.split.partition.info.folds {
        let mut items = Vec::new();
        let mut frames = 0;
        for part in inputs.split.partition.fold(fold) {
            let Some(utterance) = usable.get(part.key.as_str()) else {
                continue;
            };
            let label = classes.iter().position(|class| *class == utterance.label);
            let Some(label) = label else { continue };
            frames += inputs.ledgers.frames(&utterance.key).unwrap_or(0);
            items.push(Item {
                key: utterance.key.clone(),
                label,
                target: learnt(utterance, target, &outputs),
                speaker: utterance.speaker.clone(),
                role: role(&part.role),
            });
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        jobs.push(FoldJob {
            inputs,
            fold,
            folder: folder.join(format!("fold{fold}")),
            items,
            classes: outputs.clone(),
            frames,
        });
    }
    let left_out = [
        ("no features could be extracted", no_features),
        ("longer than the protocol's limit", too_long),
        ("without a value of every dimension", not_rated),
    ];
    let cut = inputs.ledgers.cut();
    let cut = cut.filter(|item| usable.contains_key(item.key.as_str()));
    Ok(Jobs {
        cut: cut.count() as u64,
        jobs,
        folder,
        left_out: left_out
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
    })
}

fn role(role: &emobox_corpus::Role) -> emobox_probe::Role {
    match role {
        emobox_corpus::Role::Train => emobox_probe::Role::Train,
        emobox_corpus::Role::Valid => emobox_probe::Role::Valid,
        emobox_corpus::Role::Test => emobox_probe::Role::Test,
        emobox_corpus::Role::Extra(_) => emobox_probe::Role::Extra,
    }
}

/// The outcome of some jobs.
pub(crate) struct Trained {
    /// In the order of the jobs.
    pub(crate) outcomes: Vec<FoldOutcome>,
    /// The speed of a GPU, if one trained from the first epoch to the last.
    pub(crate) measured: Option<TrainSpeed>,
}

/// Trains all jobs that are not finished, several at once, the largest first: on these GPUs, or on the processor.
pub(crate) fn train_jobs(
    jobs: &[&FoldJob<'_>],
    store: &Store,
    label: String,
    gpus: Option<&[(Device, Card)]>,
    context: Context<'_>,
) -> Result<Trained, BenchError> {
    let mut outcomes: Vec<Option<FoldOutcome>> = jobs.iter().map(|job| job.finished()).collect();
    let all = 0..jobs.len();
    let mut open: Vec<usize> = all.filter(|&at| outcomes[at].is_none()).collect();
    if open.is_empty() {
        return Ok(Trained {
            outcomes: outcomes.into_iter().flatten().collect(),
            measured: None,
        });
    }
    open.sort_by_key(|&at| (std::cmp::Reverse(jobs[at].frames), at));
    let begun = Instant::now();
    let from_the_start = open.iter().all(|&at| jobs[at].saved_state().is_none());
    let lines = match gpus {
        Some(cards) => {
            let items = open.iter().flat_map(|&at| &jobs[at].items);
            let keys: BTreeSet<&str> = items.map(|item| item.key.as_str()).collect();
            let keys: Vec<&str> = keys.into_iter().collect();
            let source = source_of(store, keys.iter().copied())?;
            Some(lines_of_work(
                cards,
                &keys,
                &*source,
                open.len(),
                store,
                context,
            )?)
        }
        None => None,
    };
    let epochs = |at: &usize| jobs[*at].inputs.protocol.epochs as u64;
    let total: u64 = (0..jobs.len()).map(|at| epochs(&at)).sum();
    context.progress.begin(&Stage {
        label,
        total,
        unit: "epochs",
        already: total - open.iter().map(epochs).sum::<u64>(),
    });
    let threads = rayon::current_num_threads();
    let workers = lines.as_ref().map_or(threads, Vec::len);
    let workers = workers.min(open.len());
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results = Mutex::new(Vec::new());
    let work = |worker: usize| {
        let card = lines.as_ref().map(|lines| &lines[worker]);
        while !failed.load(Ordering::Relaxed) {
            let Some(&at) = open.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            let how = TrainOptions {
                threads: (threads / workers).max(1),
                card: card.map(Arc::clone),
                ..TrainOptions::default()
            };
            let result = jobs[at].run(store, &how, context);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((at, result));
        }
    };
    std::thread::scope(|scope| {
        let work = &work;
        for worker in 0..workers {
            scope.spawn(move || work(worker));
        }
    });
    context.progress.end();
    for (at, result) in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
        outcomes[at] = Some(result?);
    }
    let operations: f64 = open.iter().map(|&at| jobs[at].operations(store)).sum();
    let measured = (lines.is_some() && from_the_start).then(|| TrainSpeed {
        operations,
        seconds: begun.elapsed().as_secs_f64() * gpus.map_or(1, <[_]>::len) as f64,
    });
    Ok(Trained {
        // Without an error every job has run.
        outcomes: outcomes.into_iter().flatten().collect(),
        measured,
    })
}

/// The probe of a training seed in the folder of its fold: the first is the one to predict with.
pub(crate) fn probe_folder(place: usize, seed: u64) -> String {
    match place {
        0 => "probe".to_owned(),
        _ => format!("probe-seed{seed}"),
    }
}

impl FoldJob<'_> {
    pub(crate) fn outcome_path(&self) -> PathBuf {
        self.folder.join("outcome.json")
    }

    fn state_path(&self) -> PathBuf {
        self.folder.join("state.safetensors")
    }

    /// The outcome of an earlier run, if it is complete.
    pub(crate) fn finished(&self) -> Option<FoldOutcome> {
        read_json::<FoldOutcome>(self.outcome_path())
            .ok()
            .filter(|outcome| outcome.fold == self.fold && outcome.classes == self.classes)
    }

    /// Number of multiplications and additions of a training run, see [`train_operations`].
    fn operations(&self, store: &Store) -> f64 {
        let protocol = self.inputs.protocol;
        train_operations(protocol, store.header().dim, self.frames as f64)
    }

    fn run(
        &self,
        store: &Store,
        how: &TrainOptions,
        context: Context<'_>,
    ) -> Result<FoldOutcome, BenchError> {
        let keys = self.items.iter().map(|item| item.key.as_str());
        let source = source_of(store, keys)?;
        let task = FoldTask {
            corpus: &self.inputs.corpus.name,
            fold: self.fold,
            classes: &self.classes,
            items: &self.items,
            source: &*source,
        };
        let protocol = self.inputs.protocol;
        let mut watch = Watch {
            job: self,
            context,
            epochs: 0,
            saved: Instant::now(),
            interval: save_interval()?,
        };
        let mut train = |resume| {
            let how = how.clone();
            train_fold(&task, protocol, &TrainOptions { resume, ..how }, &mut watch)
        };
        // A state that cannot be used costs time, not correctness.
        let trained = match train(self.saved_state()) {
            Err(ProbeError::State { .. }) => train(None),
            trained => trained,
        };
        let outcome = match trained? {
            Training::Done(outcome) => *outcome,
            Training::Stopped => return Err(BenchError::Interrupted),
        };
        for (place, selected) in outcome.selected.iter().enumerate() {
            let origin = ProbeOrigin {
                classes: &self.classes,
                header: self.inputs.header,
                corpus: &self.inputs.corpus.name,
                fold: self.fold,
                protocol,
                program_version: env!("CARGO_PKG_VERSION"),
            };
            let folder = self.folder.join(probe_folder(place, selected.point.seed));
            let path = self.inputs.checkpoint.map(std::path::absolute);
            let place = EncoderPlace {
                path: path.transpose().ok().flatten(),
            };
            write_json(folder.join(ENCODER_PLACE), &place)?;
            Probe::new(selected, &origin)?.save(&folder)?;
        }
        write_atomic(
            self.folder.join("curves.csv"),
            curves_csv(&outcome.curves).as_bytes(),
        )?;
        self.write_tensorboard(&outcome)?;
        // Last: if the outcome exists, everything else does.
        write_json(self.outcome_path(), &outcome)?;
        let state = self.state_path();
        if state.exists() {
            std::fs::remove_file(&state).map_err(|e| FileError::io("remove", &state, e))?;
        }
        Ok(outcome)
    }

    /// One event file per sweep point, as TensorBoard expects: a folder each. The timestamps are
    /// the Unix epoch, so that the same training writes the same bytes.
    fn write_tensorboard(&self, outcome: &FoldOutcome) -> Result<(), BenchError> {
        for (at, curve) in outcome.curves.iter().enumerate() {
            let folder = self.folder.join("tensorboard").join(format!("point{at}"));
            let path = folder.join("events.out.tfevents.0.emobox");
            write_atomic(path, &tensorboard_events(curve, 0.0))?;
        }
        Ok(())
    }

    /// The saved state of a killed run.
    fn saved_state(&self) -> Option<TrainState> {
        let bytes = std::fs::read(self.state_path()).ok()?;
        TrainState::from_bytes(&bytes).ok()
    }
}

/// The features of some utterances. All folds read the same files; a store that would push everything else out of memory is
/// read as needed.
fn source_of<'a, 'k>(
    store: &'a Store,
    keys: impl Iterator<Item = &'k str>,
) -> Result<Box<dyn FeatureSource + 'a>, BenchError> {
    Ok(match store.frame_bytes_on_disk() <= half_of_free() as u64 {
        true => Box::new(ViewSource::mapped(store, keys)?),
        false => Box::new(StreamSource::new(store, keys)?),
    })
}

struct Watch<'a> {
    job: &'a FoldJob<'a>,
    context: Context<'a>,
    /// Epochs that the progress counts.
    epochs: usize,
    saved: Instant,
    interval: Duration,
}

impl Observer for Watch<'_> {
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        let new = progress.epoch - self.epochs;
        self.context.progress.advance(new as u64);
        self.epochs = progress.epoch;
        if self.context.stopped() {
            Flow::Stop
        } else if self.saved.elapsed() >= self.interval {
            Flow::Save
        } else {
            Flow::Continue
        }
    }

    fn save(&mut self, state: &TrainState) -> Result<(), ProbeError> {
        write_atomic(self.job.state_path(), &state.to_bytes()?)?;
        self.saved = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
