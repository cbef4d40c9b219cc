//! Training on a GPU: the same batches, losses and rules as on the CPU, on features in device memory.

use crate::adam::Weights;
use crate::engine::{EVALUATED_TOGETHER, EngineData, Evaluation, Trainer, judge_all};
use crate::heads::Head;
use crate::loss::Loss;
use crate::softmax::log_softmax;
use crate::{FeatureSource, Item, ProbeError, Protocol, Target};
use emobox_features::FrameData;
use emobox_gpu::{Frames, Gpu, MOST_CHUNKS, PointState, Sweep, SweepShape, Utterance};
use half::f16;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A GPU that trains probes, and the features in its memory.
///
/// Features are copied there once if they fit ([`Card::hold`]); concurrent trainings share them, each with its own
/// [`Card::beside`]. If they do not fit, every training has a slice of memory through which it streams them in every epoch.
pub struct Card {
    gpu: Gpu,
    kind: String,
    held: Option<Arc<Held>>,
    /// Bytes of device memory for streamed features, in each training.
    slice: usize,
}

/// Features that stay in device memory.
struct Held {
    frames: Frames,
    /// First row and number of frames, by key.
    rows: HashMap<String, (usize, usize)>,
}

/// Values collected on the host before each copy to the device.
const STAGE: usize = 8 << 20;
/// Share of the free device memory for features: the rest is for the activations of a batch.
const SHARE: f64 = 0.6;
/// Largest number of chunks of frames scored together: their hidden layer takes memory.
const SCORED_TOGETHER: usize = 1024;

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({}, {})", self.kind, self.gpu.describe())
    }
}

impl Card {
    /// A device without features, under the name that results carry: `cuda`, or `host`.
    pub fn new(gpu: Gpu, kind: &str) -> Self {
        Self {
            gpu,
            kind: kind.to_owned(),
            held: None,
            slice: 0,
        }
    }

    /// The name that results carry.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Copies the features of `source`, whose items have these keys in this order, to device memory permanently, if they fit
    /// within their share of it (and `limit` bytes); otherwise reserves memory for slices, of which `trainings` are in use at
    /// once. Returns whether they were copied.
    ///
    /// # Errors
    /// Features that cannot be read, are not finite or are not 16-bit numbers; errors of the device.
    pub fn hold(
        &mut self,
        keys: &[&str],
        source: &dyn FeatureSource,
        trainings: usize,
        limit: usize,
    ) -> Result<bool, ProbeError> {
        self.held = None;
        let memory = self.gpu.memory()?;
        let budget = ((memory.free as f64 * SHARE) as usize).min(limit);
        let rows: usize = (0..keys.len()).map(|item| source.frames(item)).sum();
        if Frames::bytes(rows, source.dim()) > budget {
            self.slice = budget / trainings.max(1);
            return Ok(false);
        }
        let frames = self.gpu.frames(rows.max(1), source.dim())?;
        let items: Vec<usize> = (0..keys.len()).collect();
        let firsts = bring(&frames, source, &items, true, |item| keys[item].to_owned())?;
        let places = firsts.iter().zip(&items);
        let places =
            places.map(|(&first, &item)| (keys[item].to_owned(), (first, source.frames(item))));
        let rows = places.collect();
        // Other streams may read them from here on.
        self.gpu.finish()?;
        self.held = Some(Arc::new(Held { frames, rows }));
        Ok(true)
    }

    /// The same device and features with a stream of its own, for a concurrent training.
    ///
    /// # Errors
    /// Errors of the device.
    pub fn beside(&self) -> Result<Self, ProbeError> {
        Ok(Self {
            gpu: self.gpu.beside()?,
            kind: self.kind.clone(),
            held: self.held.clone(),
            slice: self.slice,
        })
    }

    /// Why this number of layers or this target cannot be trained on a GPU, if it cannot.
    pub fn cannot(layers: usize, target: Target) -> Option<String> {
        if layers > 1 {
            return Some(format!(
                "a sum of {layers} layers is not trained on a GPU, only on the processor"
            ));
        }
        (target != Target::Classes).then(|| {
            format!(
                "the kernels of a GPU learn classes; {} are trained on the processor alone",
                target.name()
            )
        })
    }
}

/// Reads items one after another into `frames` from its first row on, and returns the first row of each.
fn bring(
    frames: &Frames,
    source: &dyn FeatureSource,
    items: &[usize],
    check: bool,
    key: impl Fn(usize) -> String,
) -> Result<Vec<usize>, ProbeError> {
    let dim = source.dim();
    let mut firsts = Vec::with_capacity(items.len());
    let (mut staged, mut written, mut wide) = (Vec::new(), 0, Vec::new());
    for &item in items {
        firsts.push(written + staged.len() / dim);
        let count = source.frames(item);
        let mut from = 0;
        while from < count {
            let to = count.min(from + (STAGE / dim).max(1));
            let start = staged.len();
            let problem = read(source, item, from..to, &mut wide, &mut staged)?;
            let infinite = |numbers: &[f16]| numbers.iter().position(|x| !x.is_finite());
            let problem = problem.or_else(|| {
                let at = infinite(&staged[start..]).filter(|_| check)?;
                Some((
                    at,
                    format!("{}, expected a finite number", staged[start + at]),
                ))
            });
            if let Some((at, problem)) = problem {
                return Err(ProbeError::Features {
                    key: key(item),
                    problem: format!(
                        "frame {}, dimension {} is {problem}",
                        from + at / dim,
                        at % dim
                    ),
                });
            }
            from = to;
            if staged.len() >= STAGE {
                frames.write(written, &staged)?;
                written += staged.len() / dim;
                staged.clear();
            }
        }
    }
    frames.write(written, &staged)?;
    Ok(firsts)
}

/// Appends frames to `out` as they are stored; returns the position and value of a number that does not fit 16 bits.
fn read(
    source: &dyn FeatureSource,
    item: usize,
    range: Range<usize>,
    wide: &mut Vec<f32>,
    out: &mut Vec<f16>,
) -> Result<Option<(usize, String)>, ProbeError> {
    let view = source.view(item).map(|view| view.part(0, range.clone()));
    if let Some(FrameData::F16(narrow)) = view.map(|view| view.data) {
        out.extend_from_slice(narrow);
        return Ok(None);
    }
    wide.resize(range.len() * source.dim(), 0.0);
    source.read(item, 0, range, wide)?;
    out.extend(wide.iter().map(|&x| f16::from_f32(x)));
    let narrow = &out[out.len() - wide.len()..];
    let mut pairs = wide.iter().zip(narrow);
    let at = pairs.position(|(x, narrow)| x.is_finite() && narrow.to_f32() != *x);
    Ok(at.map(|at| {
        let problem = format!(
            "{}, no 16-bit number: a GPU trains on features that are stored in f16",
            wide[at]
        );
        (at, problem)
    }))
}

/// The points of one fold on a GPU.
pub(crate) struct OnCard<'a> {
    sweep: Sweep,
    points: usize,
    source: &'a dyn FeatureSource,
    items: &'a [Item],
    classes: usize,
    place: Place,
    check: bool,
}

/// Where the features of a training are.
enum Place {
    /// All of them, permanently: the first row of each item.
    Held(Arc<Held>, Vec<usize>),
    /// Those of the current batches.
    Slice(Frames),
}

impl<'a> OnCard<'a> {
    pub(crate) fn new(
        card: &Card,
        head: &Head,
        protocol: &Protocol,
        hidden: &[usize],
        data: EngineData<'a>,
        points: Vec<Weights>,
    ) -> Result<Self, ProbeError> {
        let (beta1, beta2, epsilon) = protocol.adam;
        let shape = SweepShape {
            dim: data.source.dim(),
            classes: data.classes,
            hidden: hidden.to_vec(),
            pooling: head.on_card,
            adam: [beta1, beta2, epsilon],
            clip_norm: protocol.clip_norm,
        };
        let mut sweep = Sweep::new(&card.gpu, &shape)?;
        let count = points.len();
        for (at, weights) in points.into_iter().enumerate() {
            let Weights {
                values,
                first,
                second,
                steps,
            } = weights;
            let state = PointState {
                values,
                first,
                second,
                steps,
            };
            sweep.load(at, &state)?;
        }
        let place = match &card.held {
            Some(held) => {
                let items = data.items.iter().enumerate();
                let rows = items.map(|(at, item)| match held.rows.get(&item.key) {
                    Some(&(first, frames)) if frames == data.source.frames(at) => Ok(first),
                    _ => Err(ProbeError::Features {
                        key: item.key.clone(),
                        problem: "other features than those on the device".to_owned(),
                    }),
                });
                Place::Held(Arc::clone(held), rows.collect::<Result<_, _>>()?)
            }
            None => {
                let all: usize = (0..data.items.len()).map(|at| data.source.frames(at)).sum();
                let rows = card.slice / Frames::bytes(1, data.source.dim());
                Place::Slice(card.gpu.frames(rows.min(all).max(1), data.source.dim())?)
            }
        };
        Ok(Self {
            sweep,
            points: count,
            source: data.source,
            items: data.items,
            classes: data.classes,
            place,
            check: true,
        })
    }

    fn chunks(&self, rows: &[usize]) -> usize {
        let of = |&at: &usize| self.utterance(at, 0).chunks();
        rows.iter().map(of).sum()
    }

    fn utterance(&self, at: usize, first_row: usize) -> Utterance {
        Utterance {
            first_row,
            frames: self.source.frames(at),
            label: self.items[at].label,
        }
    }

    /// How many of the batches, from the first on, fit on the device together.
    fn together(&self, batches: &[&[usize]]) -> Result<usize, ProbeError> {
        let Place::Slice(frames) = &self.place else {
            return Ok(batches.len());
        };
        let mut rows = 0;
        let fits = batches.iter().take_while(|batch| {
            rows += batch
                .iter()
                .map(|&at| self.source.frames(at))
                .sum::<usize>();
            rows <= frames.rows()
        });
        match fits.count() {
            0 => Err(self.too_long(batches[0], frames.rows())),
            count => Ok(count),
        }
    }

    fn too_long(&self, batch: &[usize], room: usize) -> ProbeError {
        let longest = batch.iter().max_by_key(|&&at| self.source.frames(at));
        let longest = longest.map_or(0, |&at| at);
        ProbeError::Features {
            key: self.items[longest].key.clone(),
            problem: format!(
                "its batch has {} frames, {} of them its own: more than the {room} that this device has room for; \
                 train on the processor",
                batch
                    .iter()
                    .map(|&at| self.source.frames(at))
                    .sum::<usize>(),
                self.source.frames(longest)
            ),
        }
    }

    /// Copies batches to the device if they are not there.
    fn bring(&mut self, batches: &[&[usize]]) -> Result<Vec<Vec<Utterance>>, ProbeError> {
        let firsts: Vec<usize> = match &self.place {
            Place::Held(_, rows) => batches.concat().iter().map(|&at| rows[at]).collect(),
            Place::Slice(frames) => {
                let key = |at: usize| self.items[at].key.clone();
                bring(frames, self.source, &batches.concat(), self.check, key)?
            }
        };
        let mut firsts = firsts.into_iter();
        let utterances = batches.iter().map(|batch| {
            let here = batch.iter().zip(&mut firsts);
            here.map(|(&at, first)| self.utterance(at, first)).collect()
        });
        Ok(utterances.collect())
    }

    /// `rows` split into groups that are scored together.
    fn groups<'r>(&self, rows: &'r [usize], batch: usize) -> Result<Vec<&'r [usize]>, ProbeError> {
        let most = match &self.place {
            Place::Held(..) => usize::MAX,
            Place::Slice(frames) => frames.rows(),
        };
        let mut groups = Vec::new();
        for part in rows.chunks(batch.max(EVALUATED_TOGETHER)) {
            let (mut from, mut frames, mut chunks) = (0, 0, 0);
            for (at, row) in part.iter().enumerate() {
                let own = self.source.frames(*row);
                let own_chunks = self.chunks(&[*row]);
                if own > most || own_chunks > MOST_CHUNKS {
                    return Err(self.too_long(&[*row], most.min(MOST_CHUNKS * 64)));
                }
                if at > from && (frames + own > most || chunks + own_chunks > SCORED_TOGETHER) {
                    groups.push(&part[from..at]);
                    (from, frames, chunks) = (at, 0, 0);
                }
                frames += own;
                chunks += own_chunks;
            }
            groups.push(&part[from..]);
        }
        Ok(groups)
    }
}

impl Trainer for OnCard<'_> {
    fn epoch(
        &mut self,
        batches: &[&[usize]],
        loss: &Loss,
        rates: &[f64],
        keep_going: &mut dyn FnMut(&[usize]) -> bool,
    ) -> Result<Option<Vec<f64>>, ProbeError> {
        if let Some(batch) = batches
            .iter()
            .find(|batch| self.chunks(batch) > MOST_CHUNKS)
        {
            return Err(self.too_long(batch, MOST_CHUNKS * 64));
        }
        let (weights, offsets) = loss.by_class(self.classes);
        self.sweep.begin_epoch(rates, &weights, &offsets)?;
        let mut rest = batches;
        while !rest.is_empty() {
            let (here, others) = rest.split_at(self.together(rest)?);
            rest = others;
            let utterances = self.bring(here)?;
            let frames = match &self.place {
                Place::Held(held, _) => &held.frames,
                Place::Slice(frames) => frames,
            };
            let after = |at: usize| keep_going(here[at]);
            if !self.sweep.train(frames, &utterances, after)? {
                return Ok(None);
            }
        }
        Ok(Some(self.sweep.losses()?))
    }

    fn evaluate(&mut self, rows: &[usize], batch: usize) -> Result<Vec<Evaluation>, ProbeError> {
        let classes = self.classes;
        let mut scores = vec![Vec::with_capacity(rows.len() * classes); self.points];
        for group in self.groups(rows, batch)? {
            let utterances = self.bring(&[group])?;
            let frames = match &self.place {
                Place::Held(held, _) => &held.frames,
                Place::Slice(frames) => frames,
            };
            let logits = self.sweep.logits(frames, &utterances[0])?;
            let mut rows = logits.chunks_exact(classes);
            for _ in group {
                for (scores, row) in scores.iter_mut().zip(&mut rows) {
                    let start = scores.len();
                    scores.extend(row.iter().map(|&x| f64::from(x)));
                    log_softmax(&mut scores[start..]);
                }
            }
        }
        Ok(judge_all(
            scores,
            self.items,
            rows,
            classes,
            Target::Classes,
        ))
    }

    fn values(&self, point: usize) -> Result<Vec<f32>, ProbeError> {
        Ok(self.sweep.values(point)?)
    }

    fn weights(&self) -> Result<Vec<Weights>, ProbeError> {
        let points = (0..self.points).map(|point| {
            let PointState {
                values,
                first,
                second,
                steps,
            } = self.sweep.state(point)?;
            Ok(Weights {
                values,
                first,
                second,
                steps,
            })
        });
        points.collect()
    }

    fn skipped_steps(&self) -> Result<u64, ProbeError> {
        Ok(self.sweep.left_out()?)
    }

    fn all_read(&mut self) {
        self.check = false;
    }
}
