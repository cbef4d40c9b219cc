use crate::memory::{MemoryBudget, half_of_free};
use crate::{BenchError, Context, Corpus, Stage};
use emobox_audio::{Level, LoadOptions, SampleRate, Seconds};
use emobox_encoder::{Encoder, LayerSelection};
use emobox_features::{
    Claim, ComputePrecision, Failure, HiddenView, Normalisation, Outcome, SCHEMA, Shard,
    ShardClaim, ShardState, Share, Store, StoreHeader, StorePlan, StorePrecision, StoredItem,
    WorkItem, write_shard,
};
use std::path::Path;
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
    /// Try utterances again whose extraction failed before.
    pub retry_failed: bool,
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
            text.push_str(&format!("+norm-{:?}", self.normalisation).to_lowercase());
        }
        if self.compute != ComputePrecision::default() {
            text.push_str(&format!("+{:?}", self.compute).to_lowercase());
        }
        if self.precision != StorePrecision::default() {
            text.push_str(&format!("+stored-{:?}", self.precision).to_lowercase());
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
    /// Utterances without features, and why.
    pub failed: Vec<(String, String)>,
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
        line
    }
}

/// The extraction of `corpus` by `encoder` as shards, before any of it is done.
pub fn plan_extraction(
    corpus: &Corpus,
    encoder: &Encoder,
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
        pooled_layers: info.hidden_states,
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
    let plan = plan_extraction(corpus, encoder, options)?;
    plan.begin(dir)?;
    let share = options.share.unwrap_or(Share::ALL);
    let budget = MemoryBudget::new(options.memory.unwrap_or_else(half_of_free));
    let mut extracted = Extracted {
        corpus: corpus.name.clone(),
        encoder: encoder.info().name.clone(),
        all_shards: plan.shards().len(),
        utterances: plan.shards().iter().map(|s| s.items.len()).sum(),
        ..Extracted::default()
    };
    let mut retry_failed = options.retry_failed;
    let mut failures = Vec::new();
    loop {
        let missing = plan.missing_shards(dir, share, retry_failed);
        if missing.is_empty() {
            break;
        }
        let round = Round {
            corpus,
            encoder,
            plan: &plan,
            dir,
            retry_failed,
            budget: &budget,
            without_claims: options.without_claims,
            context,
            queue: Mutex::new(Queue {
                waiting: missing.into_iter(),
                current: None,
            }),
            failures: Mutex::new(Vec::new()),
            failed: AtomicBool::new(false),
            odd: AtomicUsize::new(0),
            error: Mutex::new(None),
        };
        let encoded = round.run()?;
        extracted.encoded += encoded;
        failures.extend(
            round
                .failures
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        );
        retry_failed = false;
        if encoded == 0 && !plan.missing_shards(dir, share, false).is_empty() {
            // Another process is making what is left.
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            std::thread::sleep(POLL);
        }
    }
    let left = plan.missing_shards(dir, Share::ALL, false).len();
    if left == 0 {
        for stray in plan.strays(dir)? {
            // Left over from an earlier manifest; nothing refers to it any more.
            std::fs::remove_file(&stray)
                .map_err(|e| emobox_files::FileError::io("remove", &stray, e))?;
        }
        let store = Store::open(dir, plan.header())?;
        failures = store.failures().to_vec();
    }
    extracted.failed = failures.into_iter().map(|f| (f.key, f.reason)).collect();
    extracted.shards = plan.shards().len() - left;
    Ok(extracted)
}

/// One pass over the shards that were missing when it began.
struct Round<'a> {
    corpus: &'a Corpus,
    encoder: &'a Encoder,
    plan: &'a StorePlan,
    dir: &'a Path,
    retry_failed: bool,
    budget: &'a MemoryBudget,
    without_claims: bool,
    context: Context<'a>,
    queue: Mutex<Queue<'a>>,
    failures: Mutex<Vec<Failure>>,
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
    outcomes: Mutex<Vec<Outcome>>,
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
            let outcome = self.encode(item);
            encoded.fetch_add(1, Ordering::Relaxed);
            self.context.progress.advance(1);
            let complete = {
                let mut outcomes = job.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                outcomes.push(outcome);
                (outcomes.len() == job.order.len()).then(|| std::mem::take(&mut *outcomes))
            };
            if let Some(outcomes) = complete {
                write_shard(self.dir, self.plan, job.shard, &outcomes)?;
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
            if let ShardState::Done { failed } = self.plan.inspect(self.dir, shard)
                && !(self.retry_failed && failed > 0)
            {
                continue;
            }
            let mut order: Vec<&WorkItem> = self.plan.items(shard).iter().collect();
            order.sort_by(|a, b| b.frames.cmp(&a.frames).then_with(|| a.key.cmp(&b.key)));
            let job = ShardJob {
                shard,
                order,
                outcomes: Mutex::new(Vec::new()),
                _claim: claim,
            };
            queue.current = Some((Arc::new(job), 0));
        }
    }

    fn encode(&self, item: &WorkItem) -> Outcome {
        let stored = self.stored(&item.key);
        match stored {
            Ok(stored) => Outcome::Stored(stored),
            Err(reason) => {
                self.context
                    .progress
                    .note(&format!("skipped {}: {reason}", item.key));
                let failure = Failure {
                    key: item.key.clone(),
                    reason,
                };
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(failure.clone());
                Outcome::Failed {
                    key: failure.key,
                    reason: failure.reason,
                }
            }
        }
    }

    fn stored(&self, key: &str) -> Result<StoredItem, String> {
        let utterance = self
            .corpus
            .utterance(key)
            .ok_or_else(|| "not in the manifest".to_owned())?;
        let bytes = self.encoder.working_bytes(samples_at_16k(utterance));
        if bytes > self.budget.all() {
            self.context.progress.note(&format!(
                "{key} needs about {} MiB, more than the budget of {} MiB (--memory): it is encoded alone",
                bytes >> 20,
                self.budget.all() >> 20
            ));
        }
        let _held = self.budget.hold(bytes);
        let samples = load_utterance(self.corpus, utterance).map_err(|e| e.to_string())?;
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
        let hidden = self
            .encoder
            .encode(&samples, &LayerSelection::All)
            .map_err(|e| e.to_string())?;
        drop(samples);
        let view = HiddenView {
            layers: &hidden.layers,
            frames: hidden.frames,
            dim: hidden.dim,
            data: &hidden.data,
        };
        StoredItem::new(self.plan.header(), key, &view).map_err(|e| e.to_string())
    }
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
    encoder: &Encoder,
    dir: &Path,
    options: &ExtractOptions,
) -> Result<Store, BenchError> {
    let plan = plan_extraction(corpus, encoder, options)?;
    Ok(Store::open(dir, plan.header())?)
}
