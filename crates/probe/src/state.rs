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
