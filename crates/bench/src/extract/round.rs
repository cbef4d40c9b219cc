//! One pass over the missing shards, for any way of encoding: which shards are taken, how audio is read, how results are stored.

use super::audio::load_utterance;
use super::{Beside, DeviceUse, ExtractOptions, samples_at};
use crate::train::save_interval;
use crate::{BenchError, Context, Corpus, Stage};
use emobox_audio::{Level, Perturbation, SampleRate, resample};
use emobox_encoder::{EncoderError, HiddenStates, LayerSelection};
use emobox_features::{
    Claim, HiddenView, Shard, ShardClaim, ShardState, StorePlan, StoredItem, UtteranceOutcome,
    WorkItem, read_begun, remove_begun, save_begun, write_shard,
};
use emobox_files::Stamp;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One pass over the shards that were missing when it began.
pub(super) struct Round<'a> {
    corpus: &'a Corpus,
    pub(super) plan: &'a StorePlan,
    dir: &'a Path,
    without_claims: bool,
    beside: Beside<'a>,
    /// The audio that the encoder receives.
    rate: SampleRate,
    /// The perturbation of the audio before it is encoded.
    perturbation: Option<Perturbation>,
    pub(super) context: Context<'a>,
    waiting: Mutex<std::vec::IntoIter<&'a Shard>>,
    /// Shards being made.
    open: Mutex<Vec<Arc<ShardJob<'a>>>>,
    /// How often finished utterances of a shard are saved.
    save: Duration,
    /// The hidden states requested from the encoder.
    pub(super) layers: LayerSelection,
    unreadable: Mutex<Vec<(String, String)>>,
    /// Set at the first error, so that the other threads stop too.
    failed: AtomicBool,
    encoded: AtomicUsize,
    from_memory: AtomicUsize,
    /// Utterances that were silent, clipped or not scaled to 1.
    odd: AtomicUsize,
    error: Mutex<Option<BenchError>>,
}

/// The result of a pass.
pub(super) struct Encoded {
    pub(super) utterances: usize,
    /// Utterances whose audio was held from another encoder.
    pub(super) from_memory: usize,
    pub(super) unreadable: Vec<(String, String)>,
    pub(super) devices: Vec<DeviceUse>,
}

/// A shard being made. The claim is released when the last thread drops the job.
pub(super) struct ShardJob<'a> {
    shard: &'a Shard,
    /// The shard's items that are not finished, the longest first.
    pub(super) order: Vec<&'a WorkItem>,
    results: Mutex<Results>,
    _claim: Option<ShardClaim>,
}

/// Finished utterances of a shard.
struct Results {
    finished: Vec<(UtteranceOutcome, Stamp)>,
    /// How many of them, from the first, are saved.
    saved: usize,
    /// When they were saved, or the shard was begun.
    last: Instant,
    /// Utterances that could not be read now.
    unreadable: usize,
}

impl ShardJob<'_> {
    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an utterance has no features.
pub(super) enum Trouble {
    /// A defect of this file; it persists until the file changes.
    Fact(PathBuf, String),
    /// A cause outside the file that may be gone next time.
    Now(String),
}

impl<'a> Round<'a> {
    pub(super) fn new(
        (corpus, rate): (&'a Corpus, SampleRate),
        plan: &'a StorePlan,
        dir: &'a Path,
        options: &ExtractOptions,
        beside: Beside<'a>,
        context: Context<'a>,
    ) -> Result<Self, BenchError> {
        let header = plan.header();
        Ok(Self {
            corpus,
            plan,
            dir,
            without_claims: options.without_claims,
            beside,
            rate,
            perturbation: options.perturbed.as_ref().map(|p| p.perturbation),
            context,
            waiting: Mutex::new(Vec::new().into_iter()),
            open: Mutex::default(),
            save: save_interval()?,
            layers: match header.pooled_layers {
                0 => LayerSelection::List(header.layers.clone()),
                _ => LayerSelection::All,
            },
            unreadable: Mutex::default(),
            failed: AtomicBool::new(false),
            encoded: AtomicUsize::new(0),
            from_memory: AtomicUsize::new(0),
            odd: AtomicUsize::new(0),
            error: Mutex::default(),
        })
    }

    /// Encodes the missing shards with `work`, which returns when nothing is left, an error was reported, or the user
    /// stopped it.
    pub(super) fn run(
        mut self,
        missing: Vec<&'a Shard>,
        work: impl FnOnce(&Self) -> Vec<DeviceUse>,
    ) -> Result<Encoded, BenchError> {
        let count = |shard: &Shard| shard.items.len() as u64;
        let all: u64 = self.plan.shards().iter().map(count).sum();
        let left: u64 = missing.iter().copied().map(count).sum();
        self.waiting = Mutex::new(missing.into_iter());
        self.context.progress.begin(&Stage {
            label: format!(
                "encoding {} with {}{}",
                self.corpus.name,
                self.plan.header().encoder,
                self.perturbation
                    .map_or_else(String::new, |perturbation| format!(" under {perturbation}"))
            ),
            total: all,
            unit: "utterances",
            already: all - left,
        });
        let devices = work(&self);
        self.context.progress.end();
        for job in self.open().drain(..) {
            let results = &mut *job.results();
            if let Err(error) = self.save(job.shard, results) {
                self.fail(error);
            }
        }
        let error = self
            .error
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => Err(error),
            None => Ok(Encoded {
                utterances: self.encoded.into_inner(),
                from_memory: self.from_memory.into_inner(),
                unreadable: self
                    .unreadable
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner),
                devices,
            }),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, std::vec::IntoIter<&'a Shard>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<ShardJob<'a>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the pass; the first error is the one reported.
    pub(super) fn fail(&self, error: BenchError) {
        self.failed.store(true, Ordering::Relaxed);
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
    }

    /// Whether the pass ended early, by an error or by the user.
    pub(super) fn is_over(&self) -> bool {
        if self.context.stopped() {
            self.fail(BenchError::Interrupted);
        }
        self.failed.load(Ordering::Relaxed)
    }

    /// The next shard that nobody else is working on; none when all are taken.
    pub(super) fn next_shard(&self) -> Result<Option<Arc<ShardJob<'a>>>, BenchError> {
        loop {
            let Some(shard) = self.waiting().next() else {
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
            let finished = self.begun(shard);
            self.context.progress.advance(finished.len() as u64);
            let items = self.plan.items(shard).iter();
            let mut order: Vec<&WorkItem> = items
                .filter(|item| finished.iter().all(|(known, _)| known.key() != item.key))
                .collect();
            if order.is_empty() {
                // The run that saved them ended before it wrote the shard.
                self.write(shard, finished)?;
                continue;
            }
            order.sort_by(|a, b| b.frames.cmp(&a.frames).then_with(|| a.key.cmp(&b.key)));
            let job = Arc::new(ShardJob {
                shard,
                order,
                results: Mutex::new(Results {
                    saved: finished.len(),
                    finished,
                    last: Instant::now(),
                    unreadable: 0,
                }),
                _claim: claim,
            });
            self.open().push(Arc::clone(&job));
            return Ok(Some(job));
        }
    }

    /// The utterances of a shard that an earlier run finished, except for those whose audio has been replaced since.
    fn begun(&self, shard: &Shard) -> Vec<(UtteranceOutcome, Stamp)> {
        let mut finished = read_begun(self.dir, self.plan, shard);
        finished.retain(|(outcome, stamp)| {
            let utterance = self.corpus.utterance(outcome.key());
            let path = utterance.and_then(|u| u.audio_path(&self.corpus.root).ok());
            path.is_none_or(|path| !path.exists() || stamp.holds(&path))
        });
        finished
    }

    /// Number of samples of an utterance that the encoder receives, by the manifest.
    pub(super) fn samples(&self, key: &str) -> usize {
        let utterance = self.corpus.utterance(key);
        utterance.map_or(0, |utterance| samples_at(self.rate, utterance))
    }

    /// The rate at which audio is read: perturbations apply to speech at 16 kHz.
    fn read_rate(&self) -> SampleRate {
        match self.perturbation {
            None => self.rate,
            Some(_) => SampleRate::SPEECH,
        }
    }

    /// The audio of an utterance as the encoder receives it, and its file.
    pub(super) fn load(&self, key: &str) -> Result<(PathBuf, Vec<f32>), Trouble> {
        let (path, samples) = self.read(key)?;
        Ok((path, self.perturb(key, samples)?))
    }

    fn perturb(&self, key: &str, samples: Vec<f32>) -> Result<Vec<f32>, Trouble> {
        match self.perturbation {
            None => Ok(samples),
            Some(perturbation) => {
                let perturbed = perturbation.apply(&samples, key);
                let perturbed = perturbed.map_err(|e| Trouble::Now(e.to_string()))?;
                Ok(match self.rate {
                    SampleRate::SPEECH => perturbed,
                    rate => resample(&perturbed, SampleRate::SPEECH, rate),
                })
            }
        }
    }

    /// The unchanged audio of an utterance, and its file. An unusual level is reported.
    fn read(&self, key: &str) -> Result<(PathBuf, Vec<f32>), Trouble> {
        let utterance = self
            .corpus
            .utterance(key)
            .ok_or_else(|| Trouble::Now("not in the manifest".to_owned()))?;
        let path = utterance
            .audio_path(&self.corpus.root)
            .map_err(|e| Trouble::Now(e.to_string()))?;
        let samples = match load_utterance(self.corpus, utterance, self.read_rate()) {
            Ok(samples) => samples,
            Err(BenchError::Audio(error)) if !error.may_pass() => {
                return Err(Trouble::Fact(path, error.to_string()));
            }
            Err(error) => return Err(Trouble::Now(error.to_string())),
        };
        // Perturbed audio has already been reported on unperturbed.
        let problem = Level::of(&samples).problem();
        if let Some(problem) = problem.filter(|_| self.perturbation.is_none()) {
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
        Ok((path, samples))
    }

    /// [`Round::load`] with the state of the file, from the audio held for several encoders if it is there.
    pub(super) fn load_once(&self, key: &str) -> Result<(PathBuf, Vec<f32>, Stamp), Trouble> {
        let utterance = self.corpus.utterance(key);
        let path = utterance.and_then(|u| u.audio_path(&self.corpus.root).ok());
        if let (Some(audio), Some(path)) = (self.beside.audio, path)
            && let Some((samples, stamp)) = audio.find(self.corpus, self.read_rate(), key, &path)
        {
            self.from_memory.fetch_add(1, Ordering::Relaxed);
            return Ok((path, self.perturb(key, samples)?, stamp));
        }
        let (path, samples) = self.read(key)?;
        let stamp = Stamp::of(&path).map_err(|e| Trouble::Now(e.to_string()))?;
        if let Some(audio) = self.beside.audio {
            audio.hold(self.corpus, self.read_rate(), (key, &samples), &stamp);
        }
        Ok((path, self.perturb(key, samples)?, stamp))
    }

    /// The stored form of an utterance's hidden states.
    pub(super) fn stored(
        &self,
        key: &str,
        path: &Path,
        hidden: Result<HiddenStates, EncoderError>,
    ) -> Result<StoredItem, Trouble> {
        let fact = |reason: String| Trouble::Fact(path.to_owned(), reason);
        let hidden = hidden.map_err(|e| match e.is_of_device() {
            true => Trouble::Now(e.to_string()),
            false => fact(e.to_string()),
        })?;
        let view = HiddenView {
            layers: &hidden.layers,
            frames: hidden.frames,
            dim: hidden.dim,
            data: &hidden.data,
        };
        let item = StoredItem::new(self.plan.header(), key, &view);
        let item = item.map_err(|e| fact(e.to_string()))?;
        Ok(item.cut_to(hidden.cut_to))
    }

    /// Records the outcome of an utterance of a shard, and writes the shard after the last one. `stamp` is the state of the file,
    /// if already known.
    pub(super) fn settle(
        &self,
        job: &ShardJob<'_>,
        key: &str,
        result: Result<(PathBuf, StoredItem), Trouble>,
        stamp: Option<Stamp>,
    ) -> Result<(), BenchError> {
        let result = self.outcome(key, result, stamp);
        self.context.progress.advance(1);
        let over = {
            let results = &mut *job.results();
            match result {
                Ok(finished) => {
                    self.encoded.fetch_add(1, Ordering::Relaxed);
                    results.finished.push(finished);
                }
                Err(_) => results.unreadable += 1,
            }
            let over = results.finished.len() + results.unreadable == job.shard.items.len();
            let complete = over && results.unreadable == 0;
            // A shard with an utterance that could not be read now is not written until it can be.
            if !complete && (over || results.last.elapsed() >= self.save) {
                self.save(job.shard, results)?;
            }
            over.then(|| (complete, std::mem::take(&mut results.finished)))
        };
        if let Some((complete, finished)) = over {
            self.open()
                .retain(|open| open.shard.number != job.shard.number);
            if complete {
                self.write(job.shard, finished)?;
            }
        }
        Ok(())
    }

    /// Saves what is finished of a shard, for the next start.
    fn save(&self, shard: &Shard, results: &mut Results) -> Result<(), BenchError> {
        let fresh = &results.finished[results.saved..];
        if !fresh.is_empty() && self.beside.held.is_none() {
            let fresh: Vec<_> = fresh
                .iter()
                .map(|(outcome, stamp)| (outcome, stamp))
                .collect();
            save_begun(self.dir, self.plan, shard, &fresh)?;
        }
        results.saved = results.finished.len();
        results.last = Instant::now();
        Ok(())
    }

    /// Writes a complete shard.
    fn write(
        &self,
        shard: &Shard,
        finished: Vec<(UtteranceOutcome, Stamp)>,
    ) -> Result<(), BenchError> {
        let stamp = |(outcome, stamp): &(UtteranceOutcome, Stamp)| {
            (outcome.key().to_owned(), stamp.clone())
        };
        let audio: HashMap<String, Stamp> = finished.iter().map(stamp).collect();
        let outcomes: Vec<UtteranceOutcome> = finished.into_iter().map(|(o, _)| o).collect();
        let (dir, plan) = (self.dir, self.plan);
        match self.beside.held {
            Some(held) => held.put(dir, plan, shard, &outcomes, &audio)?,
            None => write_shard(dir, plan, shard, &outcomes, &audio)?,
        }
        Ok(remove_begun(dir, shard)?)
    }

    /// The outcome with the file that it came from; the reason if that could not be read now.
    fn outcome(
        &self,
        key: &str,
        result: Result<(PathBuf, StoredItem), Trouble>,
        stamp: Option<Stamp>,
    ) -> Result<(UtteranceOutcome, Stamp), String> {
        let (path, outcome) = match result {
            Ok((path, item)) => (path, UtteranceOutcome::Stored(item)),
            Err(Trouble::Fact(path, reason)) => {
                let note = format!("skipped {key}: {reason}");
                self.context.progress.note(&note);
                let key = key.to_owned();
                (path, UtteranceOutcome::Failed { key, reason })
            }
            Err(Trouble::Now(reason)) => return Err(self.unreadable(key, reason)),
        };
        match stamp.map_or_else(|| Stamp::of(&path), Ok) {
            Ok(stamp) => Ok((outcome, stamp)),
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
}
