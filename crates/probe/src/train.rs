use crate::adam::Weights;
use crate::as_published::{Cumulated, rows};
use crate::card::OnCard;
use crate::dimensions;
use crate::engine::{Engine, EngineData, Evaluation, Trainer, capped};
use crate::heads::{self, Head, Sizes};
use crate::loss::Loss;
use crate::oracle::{self, OracleBest};
use crate::random::{Purpose, shuffle, stream};
use crate::select;
use crate::split::{ValidationSplit, validation_split};
use crate::target::Target;
use crate::team::Team;
use crate::{
    AsPublished, Card, Curve, EpochRecord, FoldOutcome, FoldTask, Item, Oracle, Point, Predicted,
    ProbeError, Protocol, Role, Selected, TrainState,
};
use emobox_files::sha256_bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// Incremented whenever the same data and protocol would give other numbers, or more of them.
pub const TRAINING_REVISION: u32 = 3;

/// How to run a training; only the device affects the result, in its last digits.
#[derive(Clone, Debug, Default)]
pub struct TrainOptions {
    /// Threads; 0 and 1 both mean the caller's own.
    pub threads: usize,
    /// The state to resume from.
    pub resume: Option<TrainState>,
    /// Train on this device instead of the CPU. Results differ in their last digits, so a state from one cannot be resumed on
    /// the other.
    pub card: Option<Arc<Card>>,
}

/// How a call of [`train_fold`] ended.
#[derive(Clone, Debug)]
pub enum Training {
    /// Trained to the end.
    Done(Box<FoldOutcome>),
    /// The observer stopped it. It can be resumed from the state saved last.
    Stopped,
}

/// What to do after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Continue,
    /// Save the state and continue.
    Save,
    /// Save the state and stop.
    Stop,
}

/// An epoch that has just finished.
#[derive(Debug)]
pub struct EpochProgress<'a> {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The total number of epochs.
    pub epochs: usize,
    /// Frames used for training so far in this call, each counted once however many points read it.
    pub frames: u64,
    /// The sweep points.
    pub points: &'a [Point],
    /// This epoch's record of every point.
    pub records: &'a [EpochRecord],
    /// Every point's predictions on the test part after this epoch, `[point][utterance]`, if the protocol has an oracle. For
    /// checking [`crate::AsPublished`] elsewhere; an observer cannot pass anything back into the training.
    pub test: &'a [Vec<usize>],
}

/// Observes a training, and may save or stop it.
pub trait Observer {
    /// Called after every epoch.
    fn epoch(&mut self, progress: &EpochProgress<'_>) -> Flow {
        let _ = progress;
        Flow::Continue
    }

    /// Called with the state after [`Flow::Save`] or [`Flow::Stop`] was returned.
    fn save(&mut self, state: &TrainState) -> Result<(), ProbeError> {
        let _ = state;
        Ok(())
    }

    /// Called after every batch. `false` stops at once; the current epoch is lost.
    fn keep_going(&mut self) -> bool {
        true
    }
}

/// An observer that does nothing.
impl Observer for () {}

/// Trains every sweep point of the protocol on one fold, selects on the validation part, and predicts the test part once with
/// the selected probe. Deterministic in the task and the protocol.
pub fn train_fold(
    task: &FoldTask<'_>,
    protocol: &Protocol,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<Training, ProbeError> {
    protocol.check()?;
    task.check(protocol.target)?;
    let head = heads::find(&protocol.head)?;
    let layers = task.source.layers();
    if (layers > 1) != protocol.layer_sum {
        return Err(task.refuse(format!(
            "the features hold {layers} layers, and the protocol {} sum layers: name one layer of \
             the store, or use layer_sum with a store of several",
            if protocol.layer_sum {
                "does"
            } else {
                "does not"
            }
        )));
    }
    let card = options.card.as_deref();
    if let Some(problem) = card.and_then(|_| Card::cannot(layers, protocol.target)) {
        return Err(task.refuse(problem));
    }
    let split = validation_split(task, &protocol.validation)?;
    let team = Team::new(options.threads);
    let outputs = task.classes.len();
    let (scales, items) = match protocol.target {
        Target::Classes | Target::Votes => (Vec::new(), Cow::Borrowed(task.items)),
        Target::Dimensions => {
            let scales = dimensions::scales(task.items, &split.train, outputs);
            let items = dimensions::standardised(task.items, &scales);
            (scales, Cow::Owned(items))
        }
    };
    let fold = Fold {
        task: &FoldTask {
            items: &items,
            ..*task
        },
        as_given: task.items,
        scales: &scales,
        protocol,
        head,
        split: &split,
        team: &team,
        card,
        points: protocol.points(),
        test: task.with_role(Role::Test),
    };
    let identity = identity(task, protocol, card);
    let start = match &options.resume {
        Some(state) => fold.resume(state, &identity)?,
        None => fold.begin(identity),
    };
    match fold.train(start, observer)? {
        Some(state) => Ok(Training::Done(Box::new(fold.finish(state)?))),
        None => Ok(Training::Stopped),
    }
}

/// The digest of everything that a saved state depends on, except the features themselves.
fn identity(task: &FoldTask<'_>, protocol: &Protocol, card: Option<&Card>) -> String {
    let mut text = format!(
        "{TRAINING_REVISION}\n{}\n{}\n{}\n{:?}\n{} {}\n",
        protocol.digest(),
        task.corpus,
        task.fold,
        task.classes,
        task.source.layers(),
        task.source.dim(),
    );
    for (at, item) in task.items.iter().enumerate() {
        text.push_str(&format!(
            "{:?}\t{}\t{:?}\t{:?}\t{}\n",
            item.key,
            item.label,
            item.speaker,
            item.role,
            task.source.frames(at)
        ));
        if !item.target.is_empty() {
            text.push_str(&format!("{:?}\n", item.target));
        }
    }
    if let Some(card) = card {
        text.push_str(&format!("on {}\n", card.kind()));
    }
    sha256_bytes(text.as_bytes()).as_str().to_owned()
}

/// One training, with everything that is constant during it.
struct Fold<'a> {
    task: &'a FoldTask<'a>,
    /// The items as given; those of the task have standardised dimensions.
    as_given: &'a [Item],
    /// Mean and standard deviation of each dimension; empty where classes are learned.
    scales: &'a [(f64, f64)],
    protocol: &'a Protocol,
    head: &'static Head,
    split: &'a ValidationSplit,
    team: &'a Team,
    card: Option<&'a Card>,
    points: Vec<Point>,
    test: Vec<usize>,
}

impl<'a> Fold<'a> {
    fn begin(&self, identity: String) -> TrainState {
        let classes = self.task.classes.len();
        let seeds = self.protocol.seeds.len();
        TrainState {
            identity,
            epoch: 0,
            points: Engine::initial(self.head, self.protocol, self.task.source, classes),
            curves: vec![Vec::new(); self.points.len()],
            best: vec![None; seeds],
            oracle: vec![None; seeds],
            cumulated: Cumulated::new(self.points.len(), seeds, classes),
            skipped_steps: 0,
        }
    }

    fn resume(&self, state: &TrainState, identity: &str) -> Result<TrainState, ProbeError> {
        let fresh = self.begin(identity.to_owned());
        let lengths = |points: &[Weights]| -> Vec<[usize; 3]> {
            let lengths = |p: &Weights| [p.values.len(), p.first.len(), p.second.len()];
            points.iter().map(lengths).collect()
        };
        let differs = |field, expected: String, found: String| {
            Err(ProbeError::State {
                field,
                expected,
                found,
            })
        };
        if state.identity != identity {
            return differs(
                "its digest of protocol and data",
                identity.to_owned(),
                state.identity.clone(),
            );
        }
        let (want, got) = (lengths(&fresh.points), lengths(&state.points));
        if want != got {
            return differs(
                "the size of its weights",
                format!("{want:?}"),
                format!("{got:?}"),
            );
        }
        let scores = self.test.len() * self.task.classes.len();
        let whole = state.epoch <= self.protocol.epochs && state.has_records_like(&fresh, scores);
        if !whole {
            return differs(
                "its record",
                "one of this training".into(),
                format!("of other points or epochs ({} are done)", state.epoch),
            );
        }
        Ok(state.clone())
    }

    fn engine(
        &self,
        hidden: &[usize],
        points: Vec<Weights>,
    ) -> Result<Box<dyn Trainer + 'a>, ProbeError> {
        let data = EngineData {
            source: self.task.source,
            items: self.task.items,
            classes: self.task.classes.len(),
            team: self.team,
        };
        let (head, protocol) = (self.head, self.protocol);
        Ok(match self.card {
            Some(card) => Box::new(OnCard::new(card, head, protocol, hidden, data, points)?),
            None => Box::new(Engine::new(head, protocol, hidden, data, points)),
        })
    }

    /// Runs the remaining epochs; `None` if the observer stopped it.
    fn train(
        &self,
        mut state: TrainState,
        observer: &mut dyn Observer,
    ) -> Result<Option<TrainState>, ProbeError> {
        let protocol = self.protocol;
        let hidden: Vec<usize> = self.points.iter().map(|p| p.hidden).collect();
        let mut engine = self.engine(&hidden, std::mem::take(&mut state.points))?;
        let skipped_before = state.skipped_steps;
        let loss = self.loss();
        let mut frames = 0;
        while state.epoch < protocol.epochs {
            let epoch = state.epoch + 1;
            let rates: Vec<f64> = self
                .points
                .iter()
                .map(|point| protocol.learning_rate(epoch, point.learning_rate))
                .collect();
            let order = batch_order(&self.split.train, protocol, epoch);
            let batches: Vec<&[usize]> = order.chunks(protocol.batch).collect();
            let label = |&at: &usize| self.task.items[at].label;
            let weights = batches.iter();
            let weights = weights.map(|rows| loss.weight_of(rows.iter().map(label)));
            let total: f64 = weights.sum();
            let sums = engine.epoch(&batches, &loss, &rates, &mut |rows| {
                let read = rows.iter().map(|&at| self.task.source.frames(at) as u64);
                frames += read.sum::<u64>();
                observer.keep_going()
            })?;
            let Some(sums) = sums else {
                return Ok(None);
            };
            let valid = engine.evaluate(&self.split.valid, protocol.batch)?;
            let records: Vec<EpochRecord> = sums
                .iter()
                .zip(&valid)
                .map(|(sum, valid)| EpochRecord {
                    train_loss: capped(sum / total),
                    valid: valid.record,
                })
                .collect();
            self.select(&mut state, &*engine, epoch, &records)?;
            let mut test = Vec::new();
            if protocol.oracle && !self.test.is_empty() {
                let scored = engine.evaluate(&self.test, protocol.batch)?;
                let labels: Vec<usize> = self
                    .test
                    .iter()
                    .map(|&at| self.task.items[at].label)
                    .collect();
                state.cumulated.add(epoch, &labels, &scored);
                test = scored.iter().map(|seen| seen.predictions.clone()).collect();
                self.look_at_test(&mut state, epoch, scored);
            }
            // Every utterance has been read once.
            engine.all_read();
            for (curve, record) in state.curves.iter_mut().zip(&records) {
                curve.push(*record);
            }
            state.epoch = epoch;
            state.skipped_steps = skipped_before + engine.skipped_steps()?;
            let flow = observer.epoch(&EpochProgress {
                epoch,
                epochs: protocol.epochs,
                frames,
                points: &self.points,
                records: &records,
                test: &test,
            });
            if flow != Flow::Continue {
                state.points = engine.weights()?;
                observer.save(&state)?;
            }
            if flow == Flow::Stop {
                return Ok(None);
            }
        }
        state.points = engine.weights()?;
        Ok(Some(state))
    }

    fn loss(&self) -> Loss {
        let protocol = self.protocol;
        let mut counts = vec![0; self.task.classes.len()];
        if protocol.target != Target::Dimensions {
            for &at in &self.split.train {
                counts[self.task.items[at].label] += 1;
            }
        }
        Loss::new(
            protocol.target,
            &counts,
            protocol.class_weighting,
            protocol.logit_adjustment,
        )
    }

    /// Points of a seed are consecutive, see [`Protocol::points`].
    fn seed_of(&self, point: usize) -> usize {
        point / (self.points.len() / self.protocol.seeds.len())
    }

    fn select(
        &self,
        state: &mut TrainState,
        engine: &dyn Trainer,
        epoch: usize,
        records: &[EpochRecord],
    ) -> Result<(), ProbeError> {
        for (point, record) in records.iter().enumerate() {
            let best = &mut state.best[self.seed_of(point)];
            select::offer(best, point, epoch, record.valid, || engine.values(point))?;
        }
        Ok(())
    }

    fn look_at_test(&self, state: &mut TrainState, epoch: usize, scored: Vec<Evaluation>) {
        for (point, evaluation) in scored.into_iter().enumerate() {
            let candidate = OracleBest {
                point,
                epoch,
                ua: evaluation.record.ua,
                loss: evaluation.record.loss,
                scores: evaluation.scores,
            };
            oracle::offer(&mut state.oracle[self.seed_of(point)], candidate);
        }
    }

    fn finish(&self, state: TrainState) -> Result<FoldOutcome, ProbeError> {
        let classes = self.task.classes.len();
        let mut selected = Vec::new();
        for best in state.best {
            let best = best.ok_or_else(|| ProbeError::Diverged {
                corpus: self.task.corpus.to_owned(),
                fold: self.task.fold,
            })?;
            let point = self.points[best.point];
            let mut weights = best.weights;
            if !self.scales.is_empty() {
                let sizes = Sizes {
                    layers: self.task.source.layers(),
                    dim: self.task.source.dim(),
                    hidden: point.hidden,
                    classes,
                };
                dimensions::rescale(&mut weights, self.head, &sizes, self.scales);
            }
            let mut engine = self.engine(&[point.hidden], vec![Weights::new(weights)])?;
            let mut predict = |rows: &[usize]| -> Result<Vec<Predicted>, ProbeError> {
                let scored = engine.evaluate(rows, self.protocol.batch)?;
                Ok(self.predicted(rows, &scored[0].scores, classes))
            };
            selected.push(Selected {
                point,
                epoch: best.epoch,
                valid: best.record,
                predictions: predict(&self.test)?,
                extra: predict(&self.task.with_role(Role::Extra))?,
                weights: engine.values(0)?,
            });
        }
        let oracle = state.oracle.into_iter().flatten().map(|best| Oracle {
            point: self.points[best.point],
            epoch: best.epoch,
            test_ua: best.ua,
            predictions: self.predicted(&self.test, &best.scores, classes),
        });
        let as_published = state.cumulated.best.into_iter().flatten();
        let as_published = as_published.map(|best| AsPublished {
            point: self.points[best.point],
            epoch: best.epoch,
            confusion: rows(&best.confusion),
        });
        let curves = self.points.iter().zip(state.curves);
        Ok(FoldOutcome {
            fold: self.task.fold,
            classes: self.task.classes.to_vec(),
            validation: self.split.clone(),
            selected,
            oracle: oracle.collect(),
            as_published: as_published.collect(),
            curves: curves
                .map(|(&point, epochs)| Curve { point, epochs })
                .collect(),
            skipped_steps: state.skipped_steps,
        })
    }

    fn predicted(&self, rows: &[usize], scores: &[f64], classes: usize) -> Vec<Predicted> {
        let rows = rows.iter().zip(scores.chunks_exact(classes));
        rows.map(|(&at, row)| {
            let item = &self.as_given[at];
            let (prediction, log_probabilities, dimensions) = match self.protocol.target {
                Target::Classes | Target::Votes => {
                    (crate::engine::most_probable(row), row.to_vec(), Vec::new())
                }
                Target::Dimensions => {
                    let pairs = item.target.iter().zip(row);
                    (
                        0,
                        Vec::new(),
                        pairs.map(|(&y, &x)| [shortest(y), x]).collect(),
                    )
                }
            };
            Predicted {
                key: item.key.clone(),
                label: item.label,
                prediction,
                log_probabilities,
                dimensions,
            }
        })
        .collect()
    }
}

/// Converts by way of the shortest decimal form of the f32: 2.6 and not 2.5999999046.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The training utterances in the order of an epoch (from 1): each epoch shuffles the same original list, so that its order
/// does not depend on earlier epochs.
fn batch_order(train: &[usize], protocol: &Protocol, epoch: usize) -> Vec<usize> {
    let mut order = train.to_vec();
    let number = u32::try_from(epoch).unwrap_or(u32::MAX);
    shuffle(
        &mut stream(protocol.order_seed, Purpose::Order(number)),
        &mut order,
    );
    order
}
