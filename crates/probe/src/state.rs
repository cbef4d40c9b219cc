use crate::adam::Weights;
use crate::as_published::{self, Cumulated};
use crate::oracle::OracleBest;
use crate::select::Best;
use crate::{EpochRecord, ProbeError, ValidRecord};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;

/// The complete state of a training between two epochs: resuming from it gives bit-identical results to never having stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Digest of the protocol and the task, so that a state is never used for another training.
    pub(crate) identity: String,
    /// Number of finished epochs.
    pub(crate) epoch: usize,
    /// One per point.
    pub(crate) points: Vec<Weights>,
    /// `[point][epoch]`.
    pub(crate) curves: Vec<Vec<EpochRecord>>,
    /// One per seed.
    pub(crate) best: Vec<Option<Best>>,
    /// One per seed.
    pub(crate) oracle: Vec<Option<OracleBest>>,
    /// The predictions that the published recipe would have pooled so far.
    pub(crate) cumulated: Cumulated,
    pub(crate) skipped_steps: u64,
}

/// The integers of a state; floating-point values are tensors, so that every bit is kept.
#[derive(Serialize, Deserialize)]
struct Meta {
    schema: u32,
    identity: String,
    epoch: usize,
    steps: Vec<u64>,
    best: Vec<Option<(usize, usize)>>,
    oracle: Vec<Option<(usize, usize)>>,
    /// Counts, `[point][label, prediction]`.
    cumulated: Vec<Vec<u64>>,
    /// The point, the epoch and the counts of each seed.
    as_published: Vec<Option<(usize, usize, Vec<u64>)>>,
    skipped_steps: u64,
}

/// Incremented when a state gets new contents.
const SCHEMA: u32 = 2;

const META: &str = "emobox-train-state";

impl TrainState {
    /// Number of finished epochs.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Whether every record is of a point and epoch that this state has, in the sizes of a state that has just begun; `scores`:
    /// of the test part, log-probabilities of every class.
    pub(crate) fn has_records_like(&self, fresh: &Self, scores: usize) -> bool {
        let placed = |point: usize, epoch: usize| {
            point < fresh.points.len() && (1..=self.epoch).contains(&epoch)
        };
        let (cumulated, empty) = (&self.cumulated, &fresh.cumulated);
        let cells = |counts: &Vec<u64>| counts.len();
        self.curves.iter().all(|curve| curve.len() == self.epoch)
            && self.best.len() == fresh.best.len()
            && self.best.iter().flatten().all(|best| {
                placed(best.point, best.epoch)
                    && best.weights.len() == fresh.points[best.point].values.len()
            })
            && self.oracle.len() == fresh.oracle.len()
            && self
                .oracle
                .iter()
                .flatten()
                .all(|best| placed(best.point, best.epoch) && best.scores.len() == scores)
            && cumulated
                .points
                .iter()
                .map(cells)
                .eq(empty.points.iter().map(cells))
            && cumulated.best.len() == empty.best.len()
            && cumulated.best.iter().flatten().all(|best| {
                placed(best.point, best.epoch)
                    && best.confusion.len() == empty.points[best.point].len()
            })
    }

    /// The state as bytes (a safetensors file).
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProbeError> {
        let mut singles: Vec<(String, &[f32])> = Vec::new();
        let mut doubles: Vec<(String, Vec<f64>)> = Vec::new();
        for (at, point) in self.points.iter().enumerate() {
            singles.push((format!("point.{at}.values"), &point.values));
            singles.push((format!("point.{at}.first"), &point.first));
            singles.push((format!("point.{at}.second"), &point.second));
            let curve = self.curves[at].iter();
            let curve = curve.flat_map(|e| [e.train_loss, e.valid.loss, e.valid.ua]);
            doubles.push((format!("point.{at}.curve"), curve.collect()));
        }
        for (at, best) in self.best.iter().enumerate() {
            if let Some(best) = best {
                singles.push((format!("best.{at}.weights"), &best.weights));
                let record = vec![best.record.ua, best.record.loss];
                doubles.push((format!("best.{at}.record"), record));
            }
        }
        for (at, oracle) in self.oracle.iter().enumerate() {
            if let Some(oracle) = oracle {
                let mut numbers = vec![oracle.ua, oracle.loss];
                numbers.extend_from_slice(&oracle.scores);
                doubles.push((format!("oracle.{at}"), numbers));
            }
        }
        let meta = Meta {
            schema: SCHEMA,
            identity: self.identity.clone(),
            epoch: self.epoch,
            steps: self.points.iter().map(|p| p.steps).collect(),
            best: places(&self.best, |b| (b.point, b.epoch)),
            oracle: places(&self.oracle, |o| (o.point, o.epoch)),
            cumulated: self.cumulated.points.clone(),
            as_published: self
                .cumulated
                .best
                .iter()
                .map(|best| {
                    let best = best.as_ref()?;
                    Some((best.point, best.epoch, best.confusion.clone()))
                })
                .collect(),
            skipped_steps: self.skipped_steps,
        };
        let unwritable = |problem: String| unreadable(&problem);
        let meta = serde_json::to_string(&meta).map_err(|e| unwritable(e.to_string()))?;
        let singles = singles.iter().map(|(name, numbers)| {
            let bytes = bytemuck::cast_slice(numbers);
            Ok((
                name,
                TensorView::new(Dtype::F32, vec![numbers.len()], bytes)?,
            ))
        });
        let doubles = doubles.iter().map(|(name, numbers)| {
            let bytes = bytemuck::cast_slice(numbers);
            Ok((
                name,
                TensorView::new(Dtype::F64, vec![numbers.len()], bytes)?,
            ))
        });
        let views = singles
            .chain(doubles)
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| unwritable(e.to_string()))?;
        serialize(views, Some(HashMap::from([(META.to_owned(), meta)])))
            .map_err(|e| unwritable(e.to_string()))
    }

    /// Reads what [`TrainState::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProbeError> {
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|e| unreadable(&e.to_string()))?;
        let meta = header.metadata().as_ref().and_then(|m| m.get(META));
        let meta = meta.ok_or_else(|| unreadable("its header has no training state"))?;
        let meta: Meta = serde_json::from_str(meta).map_err(|e| unreadable(&e.to_string()))?;
        if meta.schema != SCHEMA {
            return Err(unreadable(&format!(
                "schema {}, expected {SCHEMA}",
                meta.schema
            )));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| unreadable(&e.to_string()))?;
        let read = |name: String, dtype: Dtype| {
            let tensor = tensors
                .tensor(&name)
                .map_err(|e| unreadable(&e.to_string()))?;
            if tensor.dtype() == dtype {
                Ok(tensor.data().to_vec())
            } else {
                Err(unreadable(&format!(
                    "{name} is {:?}, expected {dtype:?}",
                    tensor.dtype()
                )))
            }
        };
        let singles = |name: String| -> Result<Vec<f32>, ProbeError> {
            Ok(bytemuck::pod_collect_to_vec(&read(name, Dtype::F32)?))
        };
        let doubles = |name: String| -> Result<Vec<f64>, ProbeError> {
            Ok(bytemuck::pod_collect_to_vec(&read(name, Dtype::F64)?))
        };
        let (mut points, mut curves) = (Vec::new(), Vec::new());
        for (at, &steps) in meta.steps.iter().enumerate() {
            points.push(Weights {
                values: singles(format!("point.{at}.values"))?,
                first: singles(format!("point.{at}.first"))?,
                second: singles(format!("point.{at}.second"))?,
                steps,
            });
            let numbers = doubles(format!("point.{at}.curve"))?;
            let records = numbers.chunks_exact(3).map(|e| EpochRecord {
                train_loss: e[0],
                valid: ValidRecord {
                    loss: e[1],
                    ua: e[2],
                },
            });
            curves.push(records.collect());
        }
        let mut best = Vec::new();
        for (at, place) in meta.best.iter().enumerate() {
            best.push(match *place {
                None => None,
                Some((point, epoch)) => {
                    let [ua, loss] = doubles(format!("best.{at}.record"))?[..] else {
                        return Err(unreadable("a best record without UA and loss"));
                    };
                    Some(Best {
                        point,
                        epoch,
                        record: ValidRecord { ua, loss },
                        weights: singles(format!("best.{at}.weights"))?,
                    })
                }
            });
        }
        let mut oracle = Vec::new();
        for (at, place) in meta.oracle.iter().enumerate() {
            oracle.push(match *place {
                None => None,
                Some((point, epoch)) => {
                    let numbers = doubles(format!("oracle.{at}"))?;
                    let [ua, loss, scores @ ..] = &numbers[..] else {
                        return Err(unreadable("an oracle record without UA and loss"));
                    };
                    Some(OracleBest {
                        point,
                        epoch,
                        ua: *ua,
                        loss: *loss,
                        scores: scores.to_vec(),
                    })
                }
            });
        }
        Ok(Self {
            identity: meta.identity,
            epoch: meta.epoch,
            points,
            curves,
            best,
            oracle,
            cumulated: Cumulated {
                points: meta.cumulated,
                best: meta
                    .as_published
                    .into_iter()
                    .map(|best| {
                        best.map(|(point, epoch, confusion)| as_published::Best {
                            point,
                            epoch,
                            confusion,
                        })
                    })
                    .collect(),
            },
            skipped_steps: meta.skipped_steps,
        })
    }
}

fn places<T>(
    records: &[Option<T>],
    place: impl Fn(&T) -> (usize, usize),
) -> Vec<Option<(usize, usize)>> {
    records.iter().map(|r| r.as_ref().map(&place)).collect()
}

fn unreadable(problem: &str) -> ProbeError {
    ProbeError::Unreadable {
        what: "training state",
        path: PathBuf::new(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EpochProgress, Flow, FoldTask, Item, Observer, Protocol, Role, TrainOptions, Training,
        ViewSource, train_fold,
    };
    use emobox_features::{FrameData, FrameView};

    /// Keeps the state after the first of two epochs.
    #[derive(Default)]
    struct Keep(Option<TrainState>);

    impl Observer for Keep {
        fn epoch(&mut self, _: &EpochProgress<'_>) -> Flow {
            if self.0.is_none() {
                Flow::Save
            } else {
                Flow::Continue
            }
        }

        fn save(&mut self, state: &TrainState) -> Result<(), ProbeError> {
            self.0 = Some(state.clone());
            Ok(())
        }
    }

    #[test]
    fn a_state_with_records_of_another_training_is_refused() {
        let roles = [
            Role::Train,
            Role::Train,
            Role::Train,
            Role::Valid,
            Role::Test,
        ];
        let items: Vec<Item> = (0..20)
            .map(|at| Item::nameless(at % 2, &[], roles[at % 5]))
            .collect();
        let frames: Vec<[f32; 2]> = (0..20).map(|at| [at as f32, 1.0]).collect();
        let views = frames.iter().map(|data| FrameView {
            layers: 1,
            frames: 1,
            dim: 2,
            data: FrameData::F32(data),
        });
        let source = ViewSource::new(views.collect()).unwrap();
        let task = FoldTask {
            corpus: "dummy",
            fold: 1,
            classes: &["no".to_owned(), "yes".to_owned()],
            items: &items,
            source: &source,
        };
        let protocol = Protocol {
            epochs: 2,
            warmup_epochs: 0,
            ..Protocol::strict()
        };
        let mut keep = Keep::default();
        train_fold(&task, &protocol, &TrainOptions::default(), &mut keep).unwrap();
        let state = keep.0.unwrap();
        let resume = |damage: &dyn Fn(&mut TrainState)| {
            let mut state = state.clone();
            damage(&mut state);
            let options = TrainOptions {
                resume: Some(state),
                ..TrainOptions::default()
            };
            train_fold(&task, &protocol, &options, &mut ())
        };
        assert!(matches!(resume(&|_| ()), Ok(Training::Done(_))));

        type Damage = fn(&mut TrainState);
        let damages: [Damage; 17] = [
            |s| s.curves[1].clear(),
            |s| {
                s.epoch = 3;
                let three = |curve: &Vec<EpochRecord>| vec![curve[0]; 3];
                s.curves = s.curves.iter().map(three).collect();
            },
            |s| s.best.clear(),
            |s| s.best[0].as_mut().unwrap().point = 4,
            |s| s.best[0].as_mut().unwrap().epoch = 0,
            |s| s.best[0].as_mut().unwrap().epoch = 2,
            |s| s.best[0].as_mut().unwrap().weights.clear(),
            |s| s.oracle.clear(),
            |s| s.oracle[0].as_mut().unwrap().point = 4,
            |s| s.oracle[0].as_mut().unwrap().epoch = 2,
            |s| s.oracle[0].as_mut().unwrap().scores.clear(),
            |s| s.cumulated.points.clear(),
            |s| s.cumulated.points[1].clear(),
            |s| s.cumulated.best.clear(),
            |s| s.cumulated.best[0].as_mut().unwrap().point = 4,
            |s| s.cumulated.best[0].as_mut().unwrap().epoch = 2,
            |s| s.cumulated.best[0].as_mut().unwrap().confusion.clear(),
        ];
        for (at, damage) in damages.iter().enumerate() {
            let refused = resume(damage).map(|_| ()).unwrap_err().to_string();
            assert!(
                refused.contains("its record is of other"),
                "{at}: {refused}"
            );
        }
        let weights = resume(&|s| s.points[0].first.clear());
        let refused = weights.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("the size of its weights"), "{refused}");
    }
}
