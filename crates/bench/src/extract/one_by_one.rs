//! Extraction on the CPU: every core encodes one utterance at a time, the longest of a shard first; the thread that finishes a
//! shard's last utterance writes the shard.

use super::round::{Round, ShardJob, Trouble};
use crate::BenchError;
use crate::memory::MemoryBudget;
use emobox_encoder::Encoder;
use emobox_features::StoredItem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The current shard, and the index of its next utterance.
type Queue<'a> = Mutex<Option<(Arc<ShardJob<'a>>, usize)>>;

pub(super) fn run(round: &Round<'_>, encoder: &Encoder, memory: usize) {
    let queue = Queue::default();
    let budget = MemoryBudget::new(memory);
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| {
                if let Err(error) = work(round, encoder, &budget, &queue) {
                    round.fail(error);
                }
            });
        }
    });
}

fn work<'a>(
    round: &Round<'a>,
    encoder: &Encoder,
    budget: &MemoryBudget,
    queue: &Queue<'a>,
) -> Result<(), BenchError> {
    while let Some((job, index)) = next(round, queue)? {
        let key = &job.order[index].key;
        let result = encode(round, encoder, budget, key);
        round.settle(&job, key, result, None)?;
    }
    Ok(())
}

/// The next utterance to encode; none when all are taken.
fn next<'a>(
    round: &Round<'a>,
    queue: &Queue<'a>,
) -> Result<Option<(Arc<ShardJob<'a>>, usize)>, BenchError> {
    if round.is_over() {
        return Ok(None);
    }
    let mut current = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some((job, next)) = &mut *current
            && *next < job.order.len()
        {
            *next += 1;
            return Ok(Some((Arc::clone(job), *next - 1)));
        }
        *current = None;
        match round.next_shard()? {
            None => return Ok(None),
            Some(job) => *current = Some((job, 0)),
        }
    }
}

fn encode(
    round: &Round<'_>,
    encoder: &Encoder,
    budget: &MemoryBudget,
    key: &str,
) -> Result<(PathBuf, StoredItem), Trouble> {
    let bytes = encoder.working_bytes(round.samples(key));
    if bytes > budget.all() {
        round.context.progress.note(&format!(
            "{key} needs about {} MiB, more than the budget of {} MiB (--memory): it is encoded alone",
            bytes >> 20,
            budget.all() >> 20
        ));
    }
    let _held = budget.hold(bytes);
    let (path, samples) = round.load(key)?;
    let hidden = encoder.encode(&samples, &round.layers);
    drop(samples);
    let item = round.stored(key, &path, hidden)?;
    Ok((path, item))
}
