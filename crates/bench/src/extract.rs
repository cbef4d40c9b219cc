use crate::memory::{MemoryBudget, half_of_free};
use crate::{BenchError, Context, Corpus, Stage};
use emobox_audio::{Level, LoadOptions, SampleRate, Seconds};
use emobox_encoder::{Description, Encoder, LayerSelection};
use emobox_features::{
    Claim, ComputePrecision, HiddenView, Ledger, Normalisation, Outcome, SCHEMA, Shard, ShardClaim,
    ShardState, Share, Store, StoreHeader, StorePlan, StorePrecision, StoredItem, WorkItem,
    write_shard,
};
use emobox_files::Stamp;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Raised whenever the same audio gives other stored numbers than before.
const REVISION: u32 = 1;

/// How long a run waits before it looks again at shards that another process is making.
const POLL: Duration = Duration::from_millis(500);

/// How features are made beyond the choice of encoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExtractOptions {
    /// Which hidden states to keep the frames of.
    pub layers: LayerSelection,
    /// Numbers on disk.
    pub precision: StorePrecision,
    /// Arithmetic of the encoder.
    pub compute: ComputePrecision,
    /// What is done to the frames before they are stored.
    pub normalisation: Normalisation,
    /// Which part of the work is ours; none means all of it.
    pub share: Option<Share>,
    /// Keep the mean and standard deviation over frames of every hidden state, for layer curves.
    pub statistics: bool,
    /// Bytes that the utterances in hand may take beside the encoder's weights; none means half of
    /// what is free at the start. One that needs more is encoded alone.
    pub memory: Option<usize>,
    /// Make shards without claiming them: no file is locked, and who works on the same shard writes the
    /// same bytes. For file systems whose locks outlive the machine that took them.
    pub without_claims: bool,
}

impl ExtractOptions {
    /// What tells a store apart from the default one, for its folder's name; empty for the default.
    pub(crate) fn variant(&self) -> String {
        let mut text = String::new();
        if self.layers != LayerSelection::Last {
            text.push_str(&format!("+layers-{}", self.layers).replace(',', "_"));
        }
        if self.normalisation != Normalisation::default() {
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
        text
    }
}

/// What an extraction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Extracted {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// Utterances of the corpus.
    pub utterances: usize,
    /// Utterances encoded by this call.
    pub encoded: usize,
    /// Utterances without features because of what is in their files, and why.
    pub failed: Vec<(String, String)>,
    /// Utterances that could not be read now, and why: a missing program or file, a permission. They are tried
    /// again at every call.
    pub unreadable: Vec<(String, String)>,
    /// Utterances that are longer than what the encoder hears: their features are those of the beginning.
    pub cut: Vec<String>,
    /// Shards of the store that are there now.
    pub shards: usize,
    /// Shards that the complete store has.
    pub all_shards: usize,
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
                ", {} longer than what the encoder hears and heard in part (the first is {first})",
                self.cut.len()
            ));
        }
        if let Some((key, reason)) = self.unreadable.first() {
            let count = self.unreadable.len();
            line.push_str(&format!(
                ", {count} not readable now (the first is {key}: {reason})"
            ));
        }
        line
    }

    /// The error of an extraction that leaves too little to train on; none where the rest is usable.
    pub(crate) fn trouble(&self) -> Option<BenchError> {
        let (lines, unreadable) = match self.unreadable.len() {
            0 if self.failed.len() * 2 > self.utterances => (&self.failed, false),
            0 => return None,
            _ => (&self.unreadable, true),
        };
        let mut reasons: Vec<(usize, &str)> = Vec::new();
        for (_, reason) in lines {
            // What differs from file to file is its path.
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
pub fn plan_extraction(
    corpus: &Corpus,
    encoder: &Description,
    options: &ExtractOptions,
) -> Result<StorePlan, BenchError> {
    let info = encoder.info();
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
        revision: REVISION,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let work = corpus.manifest.utterances.iter().map(|utterance| WorkItem {
        key: utterance.key.clone(),
        frames: encoder.frames(samples_at_16k(utterance)),
    });
    Ok(StorePlan::new(header, work.collect())?)
}

/// Samples an utterance has after resampling to 16 kHz: `ceil(16000 n / rate)`, as torchaudio's `resample`.
fn samples_at_16k(utterance: &emobox_corpus::Utterance) -> usize {
    let rate = u64::from(utterance.sample_rate.max(1));
    let samples = (u128::from(utterance.num_frame) * 16_000).div_ceil(u128::from(rate));
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// Encodes what is not yet in the store at `dir`, and leaves it at a state that resumes.
///
/// Threads take utterances one by one, the longest of a shard first; the thread that finishes a
/// shard's last utterance writes the shard. Broken utterances are recorded, not fatal.
pub fn extract(
    corpus: &Corpus,
    encoder: &Encoder,
    dir: &Path,
    options: &ExtractOptions,
    context: Context<'_>,
) -> Result<Extracted, BenchError> {
    let plan = plan_extraction(corpus, encoder.description(), options)?;
    plan.begin(dir)?;
    let share = options.share.unwrap_or(Share::ALL);
    forget_changed(corpus, &plan, dir, share, context)?;
    let budget = MemoryBudget::new(options.memory.unwrap_or_else(half_of_free));
    let mut extracted = Extracted {
        corpus: corpus.name.clone(),
        encoder: encoder.info().name.clone(),
        all_shards: plan.shards().len(),
        utterances: plan.shards().iter().map(|s| s.items.len()).sum(),
        ..Extracted::default()
    };
    loop {
        let missing = plan.missing_shards(dir, share);
        if missing.is_empty() {
            break;
        }
        let round = Round {
            corpus,
            encoder,
            plan: &plan,
            dir,
            budget: &budget,
            without_claims: options.without_claims,
            context,
            queue: Mutex::new(Queue {
                waiting: missing.into_iter(),
                current: None,
            }),
            unreadable: Mutex::new(Vec::new()),
            failed: AtomicBool::new(false),
            odd: AtomicUsize::new(0),
            error: Mutex::new(None),
        };
        let encoded = round.run()?;
        extracted.encoded += encoded;
        let unreadable = round.unreadable.into_inner();
        extracted.unreadable = unreadable.unwrap_or_else(PoisonError::into_inner);
        if !extracted.unreadable.is_empty() {
            break;
        }
        if encoded == 0 && !plan.missing_shards(dir, share).is_empty() {
            // Another process is making what is left.
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            std::thread::sleep(POLL);
        }
    }
    let left = plan.missing_shards(dir, Share::ALL).len();
    if left == 0 {
        for stray in plan.strays(dir)? {
            // Left over from an earlier manifest; nothing refers to it any more.
            std::fs::remove_file(&stray)
                .map_err(|e| emobox_files::FileError::io("remove", &stray, e))?;
        }
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

/// One pass over the shards that were missing when it began.
struct Round<'a> {
    corpus: &'a Corpus,
    encoder: &'a Encoder,
    plan: &'a StorePlan,
    dir: &'a Path,
    budget: &'a MemoryBudget,
    without_claims: bool,
    context: Context<'a>,
    queue: Mutex<Queue<'a>>,
    unreadable: Mutex<Vec<(String, String)>>,
    /// Set with the first error, so that the other threads stop too.
    failed: AtomicBool,
    /// Utterances that were silent, clipped or not scaled to 1.
    odd: AtomicUsize,
    error: Mutex<Option<BenchError>>,
}

struct Queue<'a> {
    waiting: std::vec::IntoIter<&'a Shard>,
    current: Option<(Arc<ShardJob<'a>>, usize)>,
}

/// A shard in hand. The claim is given up when the last thread lets go of the job.
struct ShardJob<'a> {
    shard: &'a Shard,
    /// The shard's items, the longest first.
    order: Vec<&'a WorkItem>,
    results: Mutex<Vec<Result<(Outcome, Stamp), String>>>,
    _claim: Option<ShardClaim>,
}

impl<'a> Round<'a> {
    /// Returns how many utterances were encoded.
    fn run(&self) -> Result<usize, BenchError> {
        let all: u64 = self
            .plan
            .shards()
            .iter()
            .map(|s| s.items.len() as u64)
            .sum();
        let waiting = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .clone();
        let left: u64 = waiting.map(|s| s.items.len() as u64).sum();
        self.context.progress.begin(&Stage {
            label: format!(
                "encoding {} with {}",
                self.corpus.name,
                self.encoder.info().name
            ),
            total: all,
            unit: "utterances",
            already: all - left,
        });
        let encoded = std::sync::atomic::AtomicUsize::new(0);
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|_| {
                    if let Err(error) = self.work(&encoded) {
                        self.failed.store(true, Ordering::Relaxed);
                        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(error);
                    }
                });
            }
        });
        self.context.progress.end();
        let error = self
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match error {
            Some(error) => Err(error),
            None => Ok(encoded.into_inner()),
        }
    }

    fn work(&self, encoded: &std::sync::atomic::AtomicUsize) -> Result<(), BenchError> {
        while let Some((job, index)) = self.next()? {
            let item = job.order[index];
            let result = self.encode(item);
            if result.is_ok() {
                encoded.fetch_add(1, Ordering::Relaxed);
            }
            self.context.progress.advance(1);
            let complete = {
                let mut results = job.results.lock().unwrap_or_else(PoisonError::into_inner);
                results.push(result);
                (results.len() == job.order.len()).then(|| std::mem::take(&mut *results))
            };
            // A shard with an utterance that could not be read now is not written: it is made when it can.
            if let Some(results) = complete
                && let Ok(results) = results.into_iter().collect::<Result<Vec<_>, _>>()
            {
                let stamp =
                    |(outcome, stamp): &(Outcome, Stamp)| (outcome.key().to_owned(), stamp.clone());
                let audio: HashMap<String, Stamp> = results.iter().map(stamp).collect();
                let outcomes: Vec<Outcome> = results.into_iter().map(|(o, _)| o).collect();
                write_shard(self.dir, self.plan, job.shard, &outcomes, &audio)?;
            }
        }
        Ok(())
    }

    /// The next utterance to encode; none when all are taken.
    fn next(&self) -> Result<Option<(Arc<ShardJob<'a>>, usize)>, BenchError> {
        if self.context.stopped() {
            return Err(BenchError::Interrupted);
        }
        if self.failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((job, next)) = &mut queue.current
                && *next < job.order.len()
            {
                *next += 1;
                return Ok(Some((Arc::clone(job), *next - 1)));
            }
            queue.current = None;
            let Some(shard) = queue.waiting.next() else {
                return Ok(None);
            };
            let claim = if self.without_claims {
                None
            } else {
                match ShardClaim::take(self.dir, shard)? {
                    Claim::Ours(claim) => Some(claim),
                    Claim::Busy => continue,
                }
            };
            if let ShardState::Done { .. } = self.plan.inspect(self.dir, shard) {
                continue;
            }
            let mut order: Vec<&WorkItem> = self.plan.items(shard).iter().collect();
            order.sort_by(|a, b| b.frames.cmp(&a.frames).then_with(|| a.key.cmp(&b.key)));
            let job = ShardJob {
                shard,
                order,
                results: Mutex::new(Vec::new()),
                _claim: claim,
            };
            queue.current = Some((Arc::new(job), 0));
        }
    }

    /// What became of an utterance and the file that it came from; the reason where that could not be read now.
    fn encode(&self, item: &WorkItem) -> Result<(Outcome, Stamp), String> {
        let key = &item.key;
        let stored = self.stored(key);
        let (path, stored) = match stored {
            Ok((path, item)) => (path, Outcome::Stored(item)),
            Err(Trouble::Fact(path, reason)) => {
                let note = format!("skipped {key}: {reason}");
                self.context.progress.note(&note);
                let key = key.clone();
                (path, Outcome::Failed { key, reason })
            }
            Err(Trouble::Now(reason)) => return Err(self.unreadable(key, reason)),
        };
        match Stamp::of(&path) {
            Ok(stamp) => Ok((stored, stamp)),
            Err(error) => Err(self.unreadable(key, error.to_string())),
        }
    }

    fn unreadable(&self, key: &str, reason: String) -> String {
        let mut all = self
            .unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.push((key.to_owned(), reason.clone()));
        reason
    }

    fn stored(&self, key: &str) -> Result<(PathBuf, StoredItem), Trouble> {
        let utterance = self
            .corpus
            .utterance(key)
            .ok_or_else(|| Trouble::Now("not in the manifest".to_owned()))?;
        let bytes = self.encoder.working_bytes(samples_at_16k(utterance));
        if bytes > self.budget.all() {
            self.context.progress.note(&format!(
                "{key} needs about {} MiB, more than the budget of {} MiB (--memory): it is encoded alone",
                bytes >> 20,
                self.budget.all() >> 20
            ));
        }
        let _held = self.budget.hold(bytes);
        let path = utterance
            .audio_path(&self.corpus.root)
            .map_err(|e| Trouble::Now(e.to_string()))?;
        let samples = match load_utterance(self.corpus, utterance) {
            Ok(samples) => samples,
            Err(BenchError::Audio(error)) if !error.may_pass() => {
                return Err(Trouble::Fact(path, error.to_string()));
            }
            Err(error) => return Err(Trouble::Now(error.to_string())),
        };
        if let Some(problem) = Level::of(&samples).problem() {
            let text = match self.odd.fetch_add(1, Ordering::Relaxed) {
                0..5 => format!("{key} is {problem}"),
                5 => format!(
                    "more are odd: `emobox split {} --audio` lists all",
                    self.corpus.name
                ),
                _ => String::new(),
            };
            if !text.is_empty() {
                self.context.progress.note(&text);
            }
        }
        let layers = match self.plan.header().pooled_layers {
            0 => LayerSelection::List(self.plan.header().layers.clone()),
            _ => LayerSelection::All,
        };
        let fact = |reason: String| Trouble::Fact(path.clone(), reason);
        let hidden =
            self.encoder
                .encode(&samples, &layers)
                .map_err(|e| match e.is_of_device() {
                    true => Trouble::Now(e.to_string()),
                    false => fact(e.to_string()),
                })?;
        drop(samples);
        let view = HiddenView {
            layers: &hidden.layers,
            frames: hidden.frames,
            dim: hidden.dim,
            data: &hidden.data,
        };
        let item = StoredItem::new(self.plan.header(), key, &view);
        let item = item.map_err(|e| fact(e.to_string()))?;
        Ok((path, item.cut_to(hidden.cut_to)))
    }
}

/// Why an utterance has no features.
enum Trouble {
    /// Something in this file; it stays so until the file changes.
    Fact(PathBuf, String),
    /// Something around it that may be otherwise next time.
    Now(String),
}

/// Takes away the features of files that were replaced since. A file that is not there now changes nothing.
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

/// Whether the audio that a shard was made from is as it was, as far as it is there.
pub(crate) fn matches_audio(corpus: &Corpus, ledger: &Ledger) -> bool {
    ledger.items.iter().all(|item| {
        let path = corpus
            .utterance(&item.key)
            .and_then(|utterance| utterance.audio_path(&corpus.root).ok());
        path.is_none_or(|path| !path.exists() || item.audio.holds(&path))
    })
}

/// The waveform of an utterance: its channel, its segment, 16 kHz.
pub(crate) fn load_utterance(
    corpus: &Corpus,
    utterance: &emobox_corpus::Utterance,
) -> Result<Vec<f32>, BenchError> {
    let path = utterance.audio_path(&corpus.root)?;
    let options = LoadOptions {
        channel: utterance.channel,
        start: utterance.start_time.map(Seconds),
        end: utterance.end_time.map(Seconds),
        sample_rate: SampleRate(16_000),
        ..LoadOptions::default()
    };
    Ok(emobox_audio::load(&path, &options)?)
}

/// The complete store at `dir`, refused when it was made in another way than asked.
pub fn open_store(
    corpus: &Corpus,
    encoder: &Description,
    dir: &Path,
    options: &ExtractOptions,
) -> Result<Store, BenchError> {
    let plan = plan_extraction(corpus, encoder, options)?;
    Ok(Store::open(dir, plan.header())?)
}
