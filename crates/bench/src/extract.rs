//! From audio to features on disk.

mod audio;
mod batches;
mod one_by_one;
mod round;

pub use audio::load_utterance;
pub(crate) use audio::{AudioCache, load_speech};

use crate::memory::half_of_free;
use crate::{BenchError, Context, Corpus, Home};
use emobox_audio::Perturbation;
use emobox_audio::SampleRate;
use emobox_encoder::{Description, Encoder, LayerSelection};
use emobox_features::{
    ComputePrecision, FeatureNormalisation, HeldShards, Ledger, SCHEMA, Shard, Share, StoreHeader,
    StorePlan, StorePrecision, WorkItem,
};
use emobox_files::sha256_bytes;
use rayon::prelude::*;
use round::Round;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Raised whenever the same audio gives different stored numbers.
const REVISION: u32 = 1;

/// The interval between checks for shards that another process is making.
const POLL: Duration = Duration::from_millis(500);

/// How features are made, apart from the choice of encoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExtractOptions {
    /// The hidden states whose frames are kept.
    pub layers: LayerSelection,
    /// Precision on disk.
    pub precision: StorePrecision,
    /// Arithmetic of the encoder.
    pub compute: ComputePrecision,
    /// Normalisation of the frames before they are stored.
    pub normalisation: FeatureNormalisation,
    /// Which part of the work this process does; none means all of it.
    pub share: Option<Share>,
    /// Keep the mean and standard deviation over frames of every hidden state, for layer curves.
    pub statistics: bool,
    /// Bytes of memory that the utterances being processed may take in addition to the encoder's weights; none means half of
    /// what is free at the start. An utterance that needs more is encoded alone.
    pub memory: Option<usize>,
    /// Make shards without claiming them: no file is locked, and processes that work on the same shard write the
    /// same bytes. For file systems whose locks outlive the machine that took them.
    pub without_claims: bool,
    /// The perturbation of the audio before it is encoded.
    pub perturbed: Option<Perturbed>,
}

/// Perturbation of the audio of some utterances before it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbed {
    /// The perturbation.
    pub perturbation: Perturbation,
    /// [`Perturbation::identity`].
    pub identity: String,
    /// The requested utterances.
    pub keys: Arc<BTreeSet<String>>,
}

impl Perturbed {
    /// Part of a folder's name: other utterances, or another version of the perturbing program, make another store.
    fn variant(&self) -> String {
        let name = in_a_path(&self.perturbation);
        let all = serde_json::json!([self.identity, *self.keys]);
        let digest = sha256_bytes(all.to_string().as_bytes());
        format!("+{name}-{}", digest.short())
    }
}

/// `noise:10dB` as part of a file's name.
pub(crate) fn in_a_path(perturbation: &Perturbation) -> String {
    perturbation.to_string().replace([':', '@'], "-")
}

/// The folder of the features of a corpus with an encoder.
pub(crate) fn store_folder(
    home: &Home,
    corpus: &str,
    encoder: &Description,
    options: &ExtractOptions,
) -> PathBuf {
    let name = format!("{}{}", encoder.info().name, options.of(encoder).variant());
    home.features(corpus, &name)
}

impl ExtractOptions {
    /// The same as far as it concerns an encoder: one without matrix products always computes in f32.
    pub(crate) fn of(&self, encoder: &Description) -> Self {
        let mut options = self.clone();
        if !encoder.has_products() {
            options.compute = ComputePrecision::default();
        }
        options
    }

    /// What distinguishes a store from the default one, for its folder's name; empty for the default.
    pub(crate) fn variant(&self) -> String {
        let mut text = String::new();
        if self.layers != LayerSelection::Last {
            text.push_str(&format!("+layers-{}", self.layers).replace(',', "_"));
        }
        if self.normalisation != FeatureNormalisation::default() {
            text.push_str(&format!("+norm-{}", self.normalisation.name()));
        }
        if self.compute != ComputePrecision::default() {
            text.push_str(&format!("+{}", self.compute.name()));
        }
        if self.precision != StorePrecision::default() {
            text.push_str(&format!("+stored-{}", self.precision.name()));
        }
        if self.statistics {
            text.push_str("+statistics");
        }
        if let Some(perturbed) = &self.perturbed {
            text.push_str(&perturbed.variant());
        }
        text
    }
}

/// The result of an extraction.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Extracted {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// Utterances of the corpus.
    pub utterances: usize,
    /// Utterances encoded by this call.
    pub encoded: usize,
    /// Utterances without features because of their files' contents, and why.
    pub failed: Vec<(String, String)>,
    /// Utterances that could not be read now, and why: a missing program or file, a permission. They are retried
    /// at every call.
    pub unreadable: Vec<(String, String)>,
    /// Utterances that are longer than the encoder's input: their features cover only the beginning.
    pub cut: Vec<String>,
    /// Existing shards of the store.
    pub shards: usize,
    /// Number of shards in the complete store.
    pub all_shards: usize,
    /// Utterances of this call whose decoded audio was still held from the previous encoder (on GPUs).
    #[serde(skip_serializing_if = "is_zero")]
    pub from_memory: usize,
    /// How busy each GPU was; empty on the CPU.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceUse>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde wants"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How busy a GPU was during an extraction.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct DeviceUse {
    /// Batches that it encoded.
    pub batches: usize,
    /// Batches that did not fit its memory and were split in half.
    pub halved: usize,
    /// Utterances that it encoded.
    pub utterances: usize,
    /// Seconds in which it had a batch to work on, including copies to and from it.
    pub busy_seconds: f64,
    /// Seconds of the whole extraction.
    pub seconds: f64,
}

impl Extracted {
    /// One line for people.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} with {}: {} of {} utterances encoded now, {} of {} shards there",
            self.corpus, self.encoder, self.encoded, self.utterances, self.shards, self.all_shards
        );
        if let Some((key, reason)) = self.failed.first() {
            let more = self.failed.len() - 1;
            line.push_str(&format!(", {} without features ({key}: {reason}", more + 1));
            line.push_str(&if more > 0 {
                format!("; and {more} more)")
            } else {
                ")".to_owned()
            });
        }
        if let Some(first) = self.cut.first() {
            line.push_str(&format!(
                ", {} longer than the encoder's input and encoded in part (the first is {first})",
                self.cut.len()
            ));
        }
        for device in self.devices.iter().filter(|device| device.batches > 0) {
            line.push_str(&format!(
                ", {} on the device, busy {:.0}% of {:.1} s",
                emobox_files::counted(device.batches, "batch"),
                device.busy_seconds / device.seconds.max(1e-9) * 100.0,
                device.seconds
            ));
            if device.halved > 0 {
                line.push_str(&format!(
                    " ({} did not fit its memory and were halved)",
                    device.halved
                ));
            }
        }
        if let Some((key, reason)) = self.unreadable.first() {
            let count = self.unreadable.len();
            line.push_str(&format!(
                ", {count} not readable now (the first is {key}: {reason})"
            ));
        }
        line
    }

    /// The error of an extraction that leaves too little to train on; none if the rest is usable.
    pub(crate) fn trouble(&self) -> Option<BenchError> {
        let (lines, unreadable) = match self.unreadable.len() {
            0 if self.failed.len() * 2 > self.utterances => (&self.failed, false),
            0 => return None,
            _ => (&self.unreadable, true),
        };
        let mut reasons: Vec<(usize, &str)> = Vec::new();
        for (_, reason) in lines {
            // Only the path differs from file to file.
            let reason = reason.split_once(": ").map_or(&**reason, |(_, rest)| rest);
            match reasons.iter_mut().find(|(_, known)| *known == reason) {
                Some((count, _)) => *count += 1,
                None => reasons.push((1, reason)),
            }
        }
        let (count, _) = reasons.iter().max_by_key(|(count, _)| *count)?;
        let most = reasons.iter().find(|(n, _)| n == count)?.1;
        let first = lines.iter().find(|(_, reason)| reason.ends_with(most))?;
        Some(BenchError::NoFeatures {
            corpus: self.corpus.clone(),
            encoder: self.encoder.clone(),
            count: lines.len(),
            of: self.utterances,
            first: first.1.clone(),
            same: *count,
            may_pass: unreadable,
        })
    }
}

/// The extraction of `corpus` by `encoder` as shards, before any of it is done.
pub(crate) fn plan_extraction(
    corpus: &Corpus,
    encoder: &Description,
    options: &ExtractOptions,
) -> Result<StorePlan, BenchError> {
    let info = encoder.info();
    let options = &options.of(encoder);
    let layers = options
        .layers
        .resolve(info.hidden_states)
        .map_err(|source| BenchError::encoder(&info.name, source))?;
    let header = StoreHeader {
        schema: SCHEMA,
        corpus: corpus.name.clone(),
        encoder: info.name.clone(),
        weights_digest: info.weights_digest.clone(),
        layers,
        pooled_layers: match options.statistics {
            true => info.hidden_states,
            false => 0,
        },
        dim: info.dim,
        hop: info.hop,
        precision: options.precision,
        compute: options.compute,
        normalisation: options.normalisation,
        perturbation: options.perturbed.as_ref().map(|p| p.identity.clone()),
        revision: REVISION,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let wanted = |key: &str| {
        let perturbed = options.perturbed.as_ref();
        perturbed.is_none_or(|perturbed| perturbed.keys.contains(key))
    };
    let rate = SampleRate(info.sample_rate);
    let utterances = corpus.manifest.utterances.iter();
    let work = utterances
        .filter(|utterance| wanted(&utterance.key))
        .map(|utterance| WorkItem {
            key: utterance.key.clone(),
            frames: encoder.frames(samples_at(rate, utterance)),
        });
    Ok(StorePlan::new(header, work.collect())?)
}

/// Number of samples of an utterance after resampling: `ceil(to · n / rate)`, as torchaudio's `resample`.
fn samples_at(to: SampleRate, utterance: &emobox_corpus::Utterance) -> usize {
    let rate = u64::from(utterance.sample_rate.max(1));
    let samples = u128::from(utterance.num_frame) * u128::from(to.0);
    let samples = samples.div_ceil(u128::from(rate));
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// Encodes what is not yet in the store at `dir`, and leaves it in a resumable state.
/// Broken utterances are recorded, not fatal.
pub fn extract(
    corpus: &Corpus,
    encoder: &Encoder,
    dir: &Path,
    options: &ExtractOptions,
    context: Context<'_>,
) -> Result<Extracted, BenchError> {
    extract_on(
        corpus,
        std::slice::from_ref(encoder),
        dir,
        options,
        Beside::default(),
        context,
    )
}

/// What an extraction keeps in memory besides its own work.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// Audio decoded for other encoders.
    pub(crate) audio: Option<&'a AudioCache>,
    /// Shards that stay in memory instead of going to disk; if absent, they are written.
    pub(crate) held: Option<&'a HeldShards>,
}

impl Beside<'_> {
    /// The shards of a share of the work that are neither on disk nor held in memory.
    fn missing<'p>(self, plan: &'p StorePlan, dir: &Path, share: Share) -> Vec<&'p Shard> {
        let mut missing = plan.missing_shards(dir, share);
        missing.retain(|shard| !self.held.is_some_and(|held| held.contains(dir, shard)));
        missing
    }
}

/// [`extract`] by one encoder opened on several devices, which share the work.
pub(crate) fn extract_on(
    corpus: &Corpus,
    encoders: &[Encoder],
    dir: &Path,
    options: &ExtractOptions,
    beside: Beside<'_>,
    context: Context<'_>,
) -> Result<Extracted, BenchError> {
    let Some(encoder) = encoders.first() else {
        return Err(BenchError::Internal("an extraction without an encoder"));
    };
    let rate = SampleRate(encoder.info().sample_rate);
    let plan = plan_extraction(corpus, encoder.description(), options)?;
    plan.begin(dir)?;
    let share = options.share.unwrap_or(Share::ALL);
    forget_changed(corpus, &plan, dir, share, context)?;
    let memory = options.memory.unwrap_or_else(half_of_free);
    // Memory held for the encoders that follow is not available to this one.
    let memory = memory - beside.audio.map_or(0, AudioCache::room).min(memory / 2);
    let mut extracted = Extracted {
        corpus: corpus.name.clone(),
        encoder: encoder.info().name.clone(),
        all_shards: plan.shards().len(),
        utterances: plan.shards().iter().map(|s| s.items.len()).sum(),
        ..Extracted::default()
    };
    loop {
        let missing = beside.missing(&plan, dir, share);
        if missing.is_empty() {
            break;
        }
        let round = Round::new((corpus, rate), &plan, dir, options, beside, context)?;
        let encoded = round.run(missing, |round| match encoder.batch_frames() {
            None => {
                one_by_one::run(round, encoder, memory);
                Vec::new()
            }
            Some(_) => batches::run(round, encoders, memory),
        })?;
        extracted.encoded += encoded.utterances;
        extracted.from_memory += encoded.from_memory;
        extracted.devices = encoded.devices;
        extracted.unreadable = encoded.unreadable;
        if !extracted.unreadable.is_empty() {
            break;
        }
        if encoded.utterances == 0 && !beside.missing(&plan, dir, share).is_empty() {
            // Another process is making the rest.
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            std::thread::sleep(POLL);
        }
    }
    let left = beside.missing(&plan, dir, Share::ALL).len();
    if left == 0 {
        plan.remove_strays(dir)?;
    }
    for shard in plan.shards().iter().filter(|s| share.contains(s.number)) {
        let items = Ledger::read(dir, shard).map_or_else(Vec::new, |ledger| ledger.items);
        let cut = items.iter().filter(|item| item.cut_to.is_some());
        extracted.cut.extend(cut.map(|item| item.key.clone()));
        let failed = items.into_iter().filter_map(|i| Some((i.key, i.failed?)));
        extracted.failed.extend(failed);
    }
    extracted.unreadable.sort();
    extracted.shards = plan.shards().len() - left;
    Ok(extracted)
}

/// Deletes the features of files that have been replaced since. A file that is absent now changes nothing.
fn forget_changed(
    corpus: &Corpus,
    plan: &StorePlan,
    dir: &Path,
    share: Share,
    context: Context<'_>,
) -> Result<(), BenchError> {
    let ours = plan.shards().iter().filter(|s| share.contains(s.number));
    let ours: Vec<&Shard> = ours.collect();
    let changed: Vec<&Shard> = ours
        .into_par_iter()
        .filter(|shard| {
            Ledger::read(dir, shard).is_some_and(|ledger| !matches_audio(corpus, &ledger))
        })
        .collect();
    for shard in &changed {
        plan.forget(dir, shard)?;
    }
    if !changed.is_empty() {
        context.progress.note(&format!(
            "{}: audio files were replaced since they were encoded; {} of {} shards are made again",
            corpus.name,
            changed.len(),
            plan.shards().len()
        ));
    }
    Ok(())
}

/// Whether the audio that a shard was made from is unchanged, as far as it exists.
pub(crate) fn matches_audio(corpus: &Corpus, ledger: &Ledger) -> bool {
    ledger.items.iter().all(|item| {
        let path = corpus
            .utterance(&item.key)
            .and_then(|utterance| utterance.audio_path(&corpus.root).ok());
        path.is_none_or(|path| !path.exists() || item.audio.holds(&path))
    })
}
