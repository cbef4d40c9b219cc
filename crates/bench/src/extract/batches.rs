//! Extraction on devices that process batches of mixed lengths. All cores read, decode and prepare; one thread per device encodes
//! whole batches; all cores then convert the states and write them.
//!
//! The shards are processed in windows. The utterances of a window are sorted by length and cut into batches by their frames, so
//! that a batch holds similar lengths; stored states keep the order of the plan, whatever the batches were. Cores prefer storing to
//! reading, and read the batches in their order, so that the devices get their next batch as early as possible.
//!
//! Half of the memory is for utterances in flight: from before they are read until they are in the numbers of the store. A batch
//! takes at most an eighth of the total, so that each device has one being computed, one being copied and others being read. The other half is
//! for states that wait for the rest of their shard. An utterance above its share is read when nothing else is in flight.

use super::DeviceUse;
use super::round::{Round, ShardJob, Trouble};
use crate::BenchError;
use emobox_encoder::{BATCHES_AT_ONCE, Encoder, EncoderError, HiddenStates, Prepared};
use emobox_files::Stamp;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Full batches per device in a window.
const WINDOW: usize = 4;

/// A batch is not made smaller than this many frames to start early.
const LEAST_FRAMES: usize = 8192;

/// How often waiting threads check whether the user has stopped the run.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Encodes what is missing with one encoder, opened on every device.
pub(super) fn run(round: &Round<'_>, encoders: &[Encoder], memory: usize) -> Vec<DeviceUse> {
    let begun = Instant::now();
    let halved: Vec<usize> = encoders.iter().map(Encoder::halved).collect();
    let line = Line {
        round,
        encoder: &encoders[0],
        most_frames: encoders
            .iter()
            .filter_map(Encoder::batch_frames)
            .min()
            .unwrap_or(1),
        devices: encoders.len(),
        on_their_way: memory / 2,
        to_be_written: memory / 2,
        state: Mutex::default(),
        changed: Condvar::new(),
        clocks: encoders.iter().map(|_| Mutex::default()).collect(),
    };
    std::thread::scope(|scope| {
        let line = &line;
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(move || line.guarded(Line::serve));
        }
        for (device, encoder) in encoders.iter().enumerate() {
            for _ in 0..BATCHES_AT_ONCE {
                scope.spawn(move || {
                    line.guarded(|line| {
                        line.encode(device, encoder);
                        Ok(())
                    });
                });
            }
        }
    });
    let devices = encoders.iter().zip(halved).zip(line.clocks);
    let used = devices.map(|((encoder, halved), clock)| {
        let clock = clock.into_inner().unwrap_or_else(PoisonError::into_inner);
        DeviceUse {
            batches: clock.batches,
            halved: encoder.halved() - halved,
            utterances: clock.utterances,
            busy_seconds: clock.busy.as_secs_f64(),
            seconds: begun.elapsed().as_secs_f64(),
        }
    });
    used.collect()
}

/// The state of utterances between their files, the devices and the store.
struct Line<'r, 'a> {
    round: &'r Round<'a>,
    /// Any of the devices' encoders: the preparation is the same.
    encoder: &'r Encoder,
    most_frames: usize,
    devices: usize,
    /// Bytes, as are those after it.
    on_their_way: usize,
    to_be_written: usize,
    state: Mutex<State<'a>>,
    changed: Condvar,
    clocks: Vec<Mutex<Clock>>,
}

#[derive(Default)]
struct State<'a> {
    /// Utterances of opened windows that have not been read, batch after batch.
    unread: VecDeque<Item<'a>>,
    /// Batches that are not read completely, by their numbers.
    loading: HashMap<usize, Loading<'a>>,
    /// Batches for the devices.
    ready: VecDeque<Vec<Loaded<'a>>>,
    /// Results from the devices.
    encoded: VecDeque<(Loaded<'a>, Result<HiddenStates, EncoderError>)>,
    /// Windows that are not stored completely, by their numbers.
    windows: HashMap<usize, Window>,
    /// Bytes of utterances in flight.
    held: usize,
    /// Bytes of the opened windows in the store.
    kept: usize,
    /// Utterances of the opened windows that are not stored yet.
    open: usize,
    /// The next numbers of batches and windows.
    numbers: usize,
    /// No shard is left.
    exhausted: bool,
}

struct Window {
    open: usize,
    bytes: usize,
}

struct Loading<'a> {
    unread: usize,
    loaded: Vec<Loaded<'a>>,
}

/// An utterance of an opened window.
struct Item<'a> {
    job: Arc<ShardJob<'a>>,
    /// In the shard's order.
    index: usize,
    /// In its batch.
    place: usize,
    batch: usize,
    window: usize,
    /// While it is in flight.
    bytes: usize,
}

impl Item<'_> {
    fn key(&self) -> &str {
        &self.job.order[self.index].key
    }
}

struct Loaded<'a> {
    item: Item<'a>,
    path: PathBuf,
    stamp: Stamp,
    prepared: Prepared,
}

/// The times when a device was working.
#[derive(Default)]
struct Clock {
    /// Batches in progress, and since when.
    at_hand: usize,
    since: Option<Instant>,
    busy: Duration,
    batches: usize,
    utterances: usize,
}

/// What a core does next.
enum Step<'a> {
    Store(Loaded<'a>, Result<HiddenStates, EncoderError>),
    Read(Item<'a>),
    Leave,
}

/// Ends the pass when a thread panics, so that the others do not wait for it forever.
struct Guard<'l, 'r, 'a>(&'l Line<'r, 'a>);

impl Drop for Guard<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "a thread of the extraction ended early";
            self.0.round.fail(BenchError::Internal(reason));
        }
        self.0.changed.notify_all();
    }
}

impl<'a> Line<'_, 'a> {
    fn guarded(&self, work: impl FnOnce(&Self) -> Result<(), BenchError>) {
        let _guard = Guard(self);
        if let Err(error) = work(self) {
            self.round.fail(error);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State<'a>>) -> MutexGuard<'s, State<'a>> {
        let woken = self.changed.wait_timeout(state, LOOK_AGAIN);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// A core's work.
    fn serve(&self) -> Result<(), BenchError> {
        loop {
            match self.step()? {
                Step::Store(loaded, hidden) => {
                    let Loaded {
                        item, path, stamp, ..
                    } = loaded;
                    let stored = self.round.stored(item.key(), &path, hidden);
                    let stored = stored.map(|stored| (path, stored));
                    self.round
                        .settle(&item.job, item.key(), stored, Some(stamp))?;
                    self.done(&item);
                }
                Step::Read(item) => self.read(item)?,
                Step::Leave => return Ok(()),
            }
        }
    }

    fn step(&self) -> Result<Step<'a>, BenchError> {
        let mut state = self.state();
        loop {
            if self.round.is_over() {
                return Ok(Step::Leave);
            }
            if let Some((loaded, hidden)) = state.encoded.pop_front() {
                return Ok(Step::Store(loaded, hidden));
            }
            if state.unread.is_empty() && !state.exhausted && state.kept <= self.to_be_written / 2 {
                self.open_window(&mut state)?;
            }
            let fits = |item: &&Item<'_>| {
                state.held == 0 || state.held.saturating_add(item.bytes) <= self.on_their_way
            };
            if state.unread.front().filter(fits).is_some()
                && let Some(item) = state.unread.pop_front()
            {
                state.held = state.held.saturating_add(item.bytes);
                return Ok(Step::Read(item));
            }
            if state.exhausted && state.open == 0 {
                return Ok(Step::Leave);
            }
            state = self.wait(state);
        }
    }

    /// Takes shards until a window is full, and cuts it into batches.
    fn open_window(&self, state: &mut State<'a>) -> Result<(), BenchError> {
        let window = state.numbers;
        let full = self.most_frames.saturating_mul(WINDOW * self.devices);
        let (mut frames, mut bytes) = (0, 0);
        // Including the frames that are computed.
        let mut items: Vec<(usize, Item<'a>)> = Vec::new();
        while frames < full && bytes <= self.to_be_written / 2 {
            let Some(job) = self.round.next_shard()? else {
                state.exhausted = true;
                break;
            };
            for index in 0..job.order.len() {
                let samples = self.round.samples(&job.order[index].key);
                let computed = self.encoder.computed_frames(samples);
                frames += computed;
                bytes += self.stored_bytes(samples);
                let item = Item {
                    job: Arc::clone(&job),
                    index,
                    place: 0,
                    batch: 0,
                    window,
                    bytes: self.way_bytes(samples),
                };
                items.push((computed, item));
            }
        }
        if items.is_empty() {
            return Ok(());
        }
        items.sort_by(|(a_frames, a), (b_frames, b)| {
            let by_length = b_frames.cmp(a_frames);
            by_length.then_with(|| a.key().cmp(b.key()))
        });
        let opened = Window {
            open: items.len(),
            bytes,
        };
        state.windows.insert(window, opened);
        state.kept += bytes;
        state.open += items.len();
        state.numbers += 1;
        // A small corpus is also cut into several batches, so that the devices need not wait until all of it is read.
        let early = (frames / (WINDOW * self.devices)).max(LEAST_FRAMES);
        let most = self.most_frames.min(early);
        let (mut place, mut frames, mut bytes) = (0, 0, 0);
        for (computed, item) in items {
            frames += computed;
            bytes += item.bytes;
            if place > 0 && (frames > most || bytes > self.on_their_way / 4) {
                state.numbers += 1;
                (place, frames, bytes) = (0, computed, item.bytes);
            }
            let batch = state.numbers;
            let loading = state.loading.entry(batch).or_insert(Loading {
                unread: 0,
                loaded: Vec::new(),
            });
            loading.unread += 1;
            state.unread.push_back(Item {
                batch,
                place,
                ..item
            });
            place += 1;
        }
        state.numbers += 1;
        self.changed.notify_all();
        Ok(())
    }

    /// Bytes in the store.
    fn stored_bytes(&self, samples: usize) -> usize {
        let header = self.round.plan.header();
        let frames = self.encoder.frames(samples) * header.dim * header.layers.len();
        frames * header.precision.bytes() + header.pooled_layers * header.dim * 8
    }

    /// Bytes from the file to the store's numbers: the waveform as decoded, resampled and prepared (for Whisper two rows of up to 128
    /// numbers a frame), the states as they come from the device and as they are stored.
    fn way_bytes(&self, samples: usize) -> usize {
        let header = self.round.plan.header();
        let states = header.layers.len().max(header.pooled_layers);
        let states = states * self.encoder.frames(samples) * header.dim * 2;
        samples * 12 + self.encoder.computed_frames(samples) * 1024 + states * size_of::<f32>()
    }

    /// Reads, decodes and prepares an utterance; the last of a batch passes the batch on.
    fn read(&self, item: Item<'a>) -> Result<(), BenchError> {
        if item.bytes > self.on_their_way {
            self.round.context.progress.note(&format!(
                "{} needs about {} MiB, more than the {} MiB for utterances on their way to the device (half of --memory): it is \
                 encoded alone",
                item.key(),
                item.bytes >> 20,
                self.on_their_way >> 20
            ));
        }
        let batch = item.batch;
        let prepared = self.round.load_once(item.key());
        let prepared =
            prepared.and_then(
                |(path, samples, stamp)| match self.encoder.prepare(&samples) {
                    Ok(prepared) => Ok((path, stamp, prepared)),
                    Err(error) => Err(Trouble::Fact(path, error.to_string())),
                },
            );
        let loaded = match prepared {
            Ok((path, stamp, prepared)) => Some(Loaded {
                item,
                path,
                stamp,
                prepared,
            }),
            Err(trouble) => {
                let key = item.key();
                self.round.settle(&item.job, key, Err(trouble), None)?;
                self.done(&item);
                None
            }
        };
        let mut state = self.state();
        if let Some(loading) = state.loading.get_mut(&batch) {
            loading.loaded.extend(loaded);
            loading.unread -= 1;
            if loading.unread == 0
                && let Some(Loading { mut loaded, .. }) = state.loading.remove(&batch)
                && !loaded.is_empty()
            {
                // Not in the order in which the threads finished, but in that of the batch.
                loaded.sort_by_key(|loaded| loaded.item.place);
                state.ready.push_back(loaded);
                self.changed.notify_all();
            }
        }
        Ok(())
    }

    /// Called when an utterance is stored, or never will be.
    fn done(&self, item: &Item<'_>) {
        let mut state = self.state();
        state.held -= item.bytes;
        state.open -= 1;
        if let Some(window) = state.windows.get_mut(&item.window) {
            window.open -= 1;
            if window.open == 0 {
                let bytes = window.bytes;
                state.windows.remove(&item.window);
                state.kept -= bytes;
            }
        }
        self.changed.notify_all();
    }

    /// A device's work.
    fn encode(&self, device: usize, encoder: &Encoder) {
        while let Some(batch) = self.next_batch() {
            let prepared: Vec<Prepared> =
                batch.iter().map(|loaded| loaded.prepared.clone()).collect();
            self.begin(device);
            let states = encoder.encode_prepared(&prepared, &self.round.layers);
            self.end(device, batch.len());
            drop(prepared);
            self.state().encoded.extend(batch.into_iter().zip(states));
            self.changed.notify_all();
        }
    }

    fn next_batch(&self) -> Option<Vec<Loaded<'a>>> {
        let mut state = self.state();
        loop {
            if self.round.is_over() || (state.exhausted && state.open == 0) {
                return None;
            }
            if let Some(batch) = state.ready.pop_front() {
                return Some(batch);
            }
            state = self.wait(state);
        }
    }

    fn clock(&self, device: usize) -> MutexGuard<'_, Clock> {
        let clock = self.clocks[device].lock();
        clock.unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, device: usize) {
        let mut clock = self.clock(device);
        clock.at_hand += 1;
        clock.since.get_or_insert_with(Instant::now);
    }

    fn end(&self, device: usize, utterances: usize) {
        let mut clock = self.clock(device);
        clock.at_hand -= 1;
        clock.batches += 1;
        clock.utterances += utterances;
        if clock.at_hand == 0
            && let Some(since) = clock.since.take()
        {
            clock.busy += since.elapsed();
        }
    }
}
