//! Device memory for a run of batches, besides the parameters.

use super::tables::{CHUNK, Tables};
use super::{ATTENTION, MOST_CHUNKS, Pooling, Utterance};
use crate::array::Table;
use crate::{Array, Backend, Frames, Gpu, GpuError, Numbers};
use std::sync::Arc;

/// Tables of batches, and buffers between the kernels of a step. They grow with the batches.
#[derive(Default)]
pub(super) struct Buffers {
    lists: Option<Lists>,
    room: Option<Room>,
    /// The recorded launches of a step, for the current addresses and sizes.
    recorded: Option<Recorded>,
}

/// The positions of the batches, see `kernels/probe.h`.
pub(super) struct Lists {
    pub(super) steps: Table,
    pub(super) chunks: Table,
    pub(super) utterances: Table,
    pub(super) totals: Table,
    /// The index of the step.
    pub(super) counter: Table,
    /// The capacities.
    sizes: [usize; 3],
}

pub(super) struct Room {
    /// Chunks and utterances of the largest batch.
    pub(super) chunks: usize,
    pub(super) utterances: usize,
    /// For an averaged hidden layer: `[chunk, unit]`.
    pub(super) sums: Array,
    pub(super) gates: Table,
    /// A stored hidden layer: `[chunk × CHUNK, unit]`.
    pub(super) kept: Array,
    /// The numbers behind the scores of its frames, `[chunk × CHUNK, point, ATTENTION]`; weights of the frames and their gradients,
    /// `[chunk × CHUNK, point]`; shares of the gradient, `[utterance, point, 2 ATTENTION]`.
    pub(super) scored: Array,
    pub(super) alpha: Array,
    pub(super) by_alpha: Array,
    pub(super) own_parts: Array,
    /// `[utterance, unit]`.
    pub(super) counts: Array,
    pub(super) bias_parts: Array,
    /// `[utterance, width]`.
    pub(super) pooled: Array,
    pub(super) back: Array,
    /// `[utterance, point, class]`.
    pub(super) logits: Array,
    pub(super) slopes: Array,
    /// `[point, utterance]`.
    pub(super) each: Table,
    pub(super) losses: Table,
}

/// Extra capacity in percent beyond the first need: batches of the next epoch may be longer.
const SLACK: usize = 15;

fn with_slack(count: usize) -> usize {
    count + count * SLACK / 100
}

impl Buffers {
    pub(super) fn lists(&self) -> &Lists {
        self.lists.as_ref().unwrap_or_else(|| panic!("no batches"))
    }

    pub(super) fn room(&self) -> &Room {
        self.room.as_ref().unwrap_or_else(|| panic!("no batches"))
    }

    /// Writes the tables of these batches, after a check that they stay inside, and sets the counter to the first.
    pub(super) fn fill(
        &mut self,
        gpu: &Gpu,
        tables: &Tables,
        frames: &Frames,
        batches: &[Vec<Utterance>],
        weights: &[f64],
    ) -> Result<(), GpuError> {
        assert_eq!(frames.dim(), tables.dim, "features of another width");
        let (mut steps, mut chunks, mut utterances) = (Vec::new(), Vec::new(), Vec::new());
        let (mut totals, mut most_chunks, mut most_utterances) = (Vec::new(), 0, 0);
        for batch in batches {
            assert!(
                (1..=MOST_CHUNKS).contains(&batch.len()),
                "a batch of {} utterances",
                batch.len()
            );
            let (first_chunk, first_utterance) = (chunks.len() / 3, utterances.len() / 5);
            for (place, utterance) in batch.iter().enumerate() {
                let &Utterance {
                    first_row,
                    frames: count,
                    label,
                } = utterance;
                assert!(
                    count > 0 && first_row + count <= frames.rows() && label < tables.classes,
                    "{utterance:?} of {} rows and {} classes",
                    frames.rows(),
                    tables.classes
                );
                let first = chunks.len() / 3 - first_chunk;
                for from in (0..count).step_by(CHUNK) {
                    let here = CHUNK.min(count - from);
                    chunks.extend([first_row + from, here, place].map(|n| n as i32));
                }
                let row = [first, utterance.chunks(), count, label, first_row];
                utterances.extend(row.map(|n| n as i32));
            }
            let count = chunks.len() / 3 - first_chunk;
            assert!(count <= MOST_CHUNKS, "a batch of {count} chunks");
            most_chunks = most_chunks.max(count);
            most_utterances = most_utterances.max(batch.len());
            steps.extend([first_chunk, count, first_utterance, batch.len()].map(|n| n as i32));
            totals.push(batch.iter().map(|u| weights[u.label]).sum::<f64>());
        }
        let needed = [batches.len(), chunks.len() / 3, utterances.len() / 5];
        let lists = self.lists.take();
        let fits = |lists: &Lists| lists.sizes.iter().zip(needed).all(|(has, n)| *has >= n);
        let lists = match lists.filter(fits) {
            Some(lists) => lists,
            None => {
                self.recorded = None;
                Lists::new(gpu.backend(), needed.map(with_slack))?
            }
        };
        lists.steps.write(0, &steps)?;
        lists.chunks.write(0, &chunks)?;
        lists.utterances.write(0, &utterances)?;
        lists.totals.write(0, &totals)?;
        lists.counter.write(0, &[0i32])?;
        self.lists = Some(lists);
        let fits = |room: &Room| room.chunks >= most_chunks && room.utterances >= most_utterances;
        if !self.room.as_ref().is_some_and(fits) {
            self.recorded = None;
            self.room = None;
            let chunks = with_slack(most_chunks).min(MOST_CHUNKS);
            self.room = Some(Room::new(gpu, tables, chunks, most_utterances)?);
        }
        Ok(())
    }

    pub(super) fn logits(&self, count: usize) -> Result<Vec<f32>, GpuError> {
        self.room().logits.read(0, count)
    }

    /// The launches of a step on these frames, if they were recorded and no address has changed since.
    pub(super) fn recorded(&mut self, frames: &Frames) -> Option<Recorded> {
        let recorded = self.recorded.take();
        recorded.filter(|recorded| recorded.frames == frames.array.address())
    }

    pub(super) fn keep(&mut self, recorded: Recorded) {
        self.recorded = Some(recorded);
    }
}

impl Lists {
    fn new(backend: &Arc<dyn Backend>, sizes: [usize; 3]) -> Result<Self, GpuError> {
        let [steps, chunks, utterances] = sizes;
        Ok(Self {
            steps: Table::room::<i32>(backend, 4 * steps)?,
            chunks: Table::room::<i32>(backend, 3 * chunks)?,
            utterances: Table::room::<i32>(backend, 5 * utterances)?,
            totals: Table::room::<f64>(backend, steps)?,
            counter: Table::room::<i32>(backend, 1)?,
            sizes,
        })
    }
}

impl Room {
    fn new(gpu: &Gpu, tables: &Tables, chunks: usize, utterances: usize) -> Result<Self, GpuError> {
        let room = |len| gpu.room(Numbers::F32, len);
        let averaged = match tables.pooling {
            Pooling::Mean => chunks * tables.units,
            _ => 0,
        };
        let kept = match tables.pooling {
            Pooling::Statistics | Pooling::Attentive => chunks * CHUNK,
            Pooling::Features | Pooling::Mean => 0,
        };
        let attended = match tables.pooling {
            Pooling::Attentive => tables.points.len(),
            _ => 0,
        };
        let points = tables.points.len();
        let said = utterances * points * tables.classes;
        Ok(Self {
            chunks,
            utterances,
            sums: room(averaged)?,
            gates: Table::room::<u64>(gpu.backend(), averaged)?,
            kept: room(kept * tables.units)?,
            scored: room(kept * attended * ATTENTION)?,
            alpha: room(kept * attended)?,
            by_alpha: room(kept * attended)?,
            own_parts: room(utterances * attended * 2 * ATTENTION)?,
            counts: room(utterances * tables.units)?,
            bias_parts: room(utterances * tables.units)?,
            pooled: room(utterances * tables.width)?,
            back: room(utterances * tables.width)?,
            logits: room(said)?,
            slopes: room(said)?,
            each: Table::room::<f64>(gpu.backend(), utterances * points)?,
            losses: Table::room::<f64>(gpu.backend(), points)?,
        })
    }
}

/// Launches recorded by a backend.
pub(super) struct Recorded {
    backend: Arc<dyn Backend>,
    number: u64,
    /// The address of the frames that they read.
    frames: u64,
}

impl Recorded {
    /// Records what `launch` launches, to be run later.
    pub(super) fn of(
        gpu: &Gpu,
        frames: &Frames,
        launch: impl FnOnce() -> Result<(), GpuError>,
    ) -> Result<Self, GpuError> {
        let backend = gpu.backend();
        backend.record()?;
        let launched = launch();
        // In any case: otherwise later launches would be recorded too.
        let number = backend.recorded()?;
        let recorded = Self {
            backend: Arc::clone(backend),
            number,
            frames: frames.array.address(),
        };
        launched.map(|()| recorded)
    }

    /// Runs them. All arrays that they name belong to the sweep, its buffers and the frames that are passed in.
    pub(super) fn replay(&self) -> Result<(), GpuError> {
        // SAFETY: the number is the backend's; a recording is dropped before anything that it names: see `Buffers::fill`.
        unsafe { self.backend.replay(self.number) }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // SAFETY: the number is the backend's, and this was its only user.
        unsafe { self.backend.forget(self.number) };
    }
}
