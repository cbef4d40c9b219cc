use crate::adam::{Adam, Weights, clip};
use crate::batch::Batch;
use crate::concordance::concordance;
use crate::heads::{Head, Setup, Sizes, Sweep};
use crate::loss::{Loss, cross_entropy};
use crate::select::{ValidRecord, unweighted_accuracy};
use crate::softmax::log_softmax;
use crate::team::Team;
use crate::{FeatureSource, Item, Point, ProbeError, Protocol, Target};

/// Smallest number of utterances that are evaluated together: the weights are packed again for each batch, and the scores of an
/// utterance do not depend on the others.
pub(crate) const EVALUATED_TOGETHER: usize = 256;

/// The sweep points of one fold with their weights, and the arithmetic of training and scoring them, on any device. Does not
/// depend on selection or roles.
pub(crate) trait Trainer {
    /// A step on every batch, at the given learning rate of each point. Returns loss × weight of each point, summed over the
    /// batches. Every point's gradient is clipped by its own norm; a point whose gradient is not finite keeps its weights, as
    /// in the recipe's training loop. `None` if `keep_going`, called after every batch, returned false.
    fn epoch(
        &mut self,
        batches: &[&[usize]],
        loss: &Loss,
        rates: &[f64],
        keep_going: &mut dyn FnMut(&[usize]) -> bool,
    ) -> Result<Option<Vec<f64>>, ProbeError>;

    /// Evaluates every point on the utterances `rows`, in batches of at least `batch` unless memory requires smaller ones.
    fn evaluate(&mut self, rows: &[usize], batch: usize) -> Result<Vec<Evaluation>, ProbeError>;

    /// The weights of one point.
    fn values(&self, point: usize) -> Result<Vec<f32>, ProbeError>;

    /// The weights of all points with Adam's running means.
    fn weights(&self) -> Result<Vec<Weights>, ProbeError>;

    /// Updates skipped because the gradient was not finite.
    fn skipped_steps(&self) -> Result<u64, ProbeError>;

    /// Called once every utterance has been read: the check for values that are not finite can be skipped from then on.
    fn all_read(&mut self);
}

/// The trainer on the CPU.
pub(crate) struct Engine<'a> {
    pub(crate) points: Vec<Weights>,
    /// Updates skipped because the gradient was not finite.
    pub(crate) skipped_steps: u64,
    /// Whether to check for values that are not finite when reading.
    pub(crate) check: bool,
    source: &'a dyn FeatureSource,
    items: &'a [Item],
    classes: usize,
    target: Target,
    team: &'a Team,
    sweep: Box<dyn Sweep>,
    adam: Adam,
    clip_norm: f64,
    logits: Vec<Vec<f32>>,
    logit_gradients: Vec<Vec<f32>>,
    gradients: Vec<Vec<f32>>,
}

/// The input of an engine.
#[derive(Clone, Copy)]
pub(crate) struct EngineData<'a> {
    pub(crate) source: &'a dyn FeatureSource,
    pub(crate) items: &'a [Item],
    pub(crate) classes: usize,
    pub(crate) team: &'a Team,
}

/// The scores of one point on some utterances.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Log-probabilities `[utterance, class]`, or values `[utterance, dimension]`.
    pub(crate) scores: Vec<f64>,
    pub(crate) predictions: Vec<usize>,
    pub(crate) record: ValidRecord,
}

impl<'a> Engine<'a> {
    /// Initial weights of every point of the protocol.
    pub(crate) fn initial(
        head: &Head,
        protocol: &Protocol,
        source: &dyn FeatureSource,
        classes: usize,
    ) -> Vec<Weights> {
        let weights = |point: &Point| {
            let sizes = Sizes {
                layers: source.layers(),
                dim: source.dim(),
                hidden: point.hidden,
                classes,
            };
            Weights::new(head.initial(&sizes, point.seed))
        };
        protocol.points().iter().map(weights).collect()
    }

    pub(crate) fn new(
        head: &Head,
        protocol: &Protocol,
        hidden: &[usize],
        data: EngineData<'a>,
        points: Vec<Weights>,
    ) -> Self {
        let sweep = head.sweep(&Setup {
            layers: data.source.layers(),
            dim: data.source.dim(),
            classes: data.classes,
            hidden,
            team: data.team,
        });
        let (beta1, beta2, epsilon) = protocol.adam;
        Self {
            skipped_steps: 0,
            check: true,
            source: data.source,
            items: data.items,
            classes: data.classes,
            target: protocol.target,
            team: data.team,
            sweep,
            adam: Adam {
                beta1,
                beta2,
                epsilon,
            },
            clip_norm: protocol.clip_norm,
            logits: vec![Vec::new(); points.len()],
            logit_gradients: vec![Vec::new(); points.len()],
            gradients: points.iter().map(|p| vec![0.0; p.values.len()]).collect(),
            points,
        }
    }

    fn batch<'b>(&self, rows: &'b [usize]) -> Batch<'b>
    where
        'a: 'b,
    {
        Batch {
            source: self.source,
            items: self.items,
            rows,
            check: self.check,
            team: self.team,
        }
    }

    fn forward(&mut self, rows: &[usize]) -> Result<(), ProbeError> {
        let batch = self.batch(rows);
        let weights: Vec<&[f32]> = self.points.iter().map(|p| p.values.as_slice()).collect();
        self.sweep.forward(&weights, &batch, &mut self.logits)
    }

    /// Forward and backward pass over a batch: returns the loss of every point and the sum of the loss weights; the gradients
    /// are kept, not yet clipped.
    pub(crate) fn gradients(
        &mut self,
        rows: &[usize],
        loss: &Loss,
    ) -> Result<(Vec<f64>, f64), ProbeError> {
        self.forward(rows)?;
        let items: Vec<&Item> = rows.iter().map(|&at| &self.items[at]).collect();
        let mut weight = 0.0;
        let mut losses = Vec::with_capacity(self.points.len());
        for (logits, gradient) in self.logits.iter().zip(&mut self.logit_gradients) {
            gradient.resize(logits.len(), 0.0);
            let (value, total) = loss.evaluate(logits, &items, gradient);
            losses.push(value);
            weight = total;
        }
        let batch = self.batch(rows);
        let weights: Vec<&[f32]> = self.points.iter().map(|p| p.values.as_slice()).collect();
        self.sweep
            .backward(&weights, &batch, &self.logit_gradients, &mut self.gradients)?;
        Ok((losses, weight))
    }

    /// One training step at the given learning rate of each point.
    pub(crate) fn step(
        &mut self,
        rows: &[usize],
        loss: &Loss,
        rates: &[f64],
    ) -> Result<(Vec<f64>, f64), ProbeError> {
        let result = self.gradients(rows, loss)?;
        let (adam, limit) = (self.adam, self.clip_norm);
        let points = self.points.iter_mut().zip(&mut self.gradients).zip(rates);
        let mut parts: Vec<_> = points
            .map(|((weights, gradient), &rate)| (weights, gradient, rate, false))
            .collect();
        self.team
            .each(&mut parts, |(weights, gradient, rate, skipped)| {
                if clip(gradient, limit).is_finite() {
                    weights.step(gradient, *rate, &adam);
                } else {
                    *skipped = true;
                }
            });
        self.skipped_steps += parts.iter().map(|part| u64::from(part.3)).sum::<u64>();
        Ok(result)
    }

    /// The gradients of the last [`Engine::gradients`], one flat vector per point.
    #[cfg(test)]
    pub(crate) fn last_gradients(&self) -> &[Vec<f32>] {
        &self.gradients
    }

    fn score(&mut self, rows: &[usize], batch: usize) -> Result<Vec<Evaluation>, ProbeError> {
        let classes = self.classes;
        let mut scores = vec![Vec::with_capacity(rows.len() * classes); self.points.len()];
        for part in rows.chunks(batch.max(EVALUATED_TOGETHER)) {
            self.forward(part)?;
            for (logits, scores) in self.logits.iter().zip(&mut scores) {
                let start = scores.len();
                scores.extend(logits.iter().map(|&x| f64::from(x)));
                if self.target != Target::Dimensions {
                    scores[start..]
                        .chunks_exact_mut(classes)
                        .for_each(log_softmax);
                }
            }
        }
        Ok(judge_all(scores, self.items, rows, classes, self.target))
    }
}

impl Trainer for Engine<'_> {
    fn epoch(
        &mut self,
        batches: &[&[usize]],
        loss: &Loss,
        rates: &[f64],
        keep_going: &mut dyn FnMut(&[usize]) -> bool,
    ) -> Result<Option<Vec<f64>>, ProbeError> {
        let mut sums = vec![0.0; self.points.len()];
        for rows in batches {
            let (losses, weight) = self.step(rows, loss, rates)?;
            for (sum, loss) in sums.iter_mut().zip(losses) {
                *sum += loss * weight;
            }
            if !keep_going(rows) {
                return Ok(None);
            }
        }
        Ok(Some(sums))
    }

    fn evaluate(&mut self, rows: &[usize], batch: usize) -> Result<Vec<Evaluation>, ProbeError> {
        self.score(rows, batch)
    }

    fn values(&self, point: usize) -> Result<Vec<f32>, ProbeError> {
        Ok(self.points[point].values.clone())
    }

    fn weights(&self) -> Result<Vec<Weights>, ProbeError> {
        Ok(self.points.clone())
    }

    fn skipped_steps(&self) -> Result<u64, ProbeError> {
        Ok(self.skipped_steps)
    }

    fn all_read(&mut self) {
        self.check = false;
    }
}

/// Scores of every point, `[utterance, class]`, as evaluations.
pub(crate) fn judge_all(
    scores: Vec<Vec<f64>>,
    items: &[Item],
    rows: &[usize],
    classes: usize,
    target: Target,
) -> Vec<Evaluation> {
    let items: Vec<&Item> = rows.iter().map(|&at| &items[at]).collect();
    let points = scores.into_iter();
    points
        .map(|scores| match target {
            Target::Dimensions => judge_dimensions(scores, &items, classes),
            Target::Classes | Target::Votes => judge(scores, &items, classes),
        })
        .collect()
}

/// The mean coefficient over these utterances, and 1 minus it.
fn judge_dimensions(scores: Vec<f64>, items: &[&Item], wide: usize) -> Evaluation {
    let reference: Vec<f32> = items.iter().flat_map(|item| item.target.clone()).collect();
    let of = |output| concordance(&scores, &reference, output, wide, None);
    let mean = (0..wide).map(of).sum::<f64>() / wide as f64;
    let is_finite = scores.iter().all(|x| x.is_finite());
    Evaluation {
        record: ValidRecord {
            ua: mean,
            loss: if is_finite { 1.0 - mean } else { f64::MAX },
        },
        predictions: vec![0; items.len()],
        scores,
    }
}

fn judge(scores: Vec<f64>, items: &[&Item], classes: usize) -> Evaluation {
    let labels: Vec<usize> = items.iter().map(|item| item.label).collect();
    let rows = scores.chunks_exact(classes);
    let predictions: Vec<usize> = rows.clone().map(most_probable).collect();
    let loss = rows
        .zip(items)
        .map(|(row, item)| cross_entropy(row, item))
        .sum::<f64>();
    Evaluation {
        record: ValidRecord {
            ua: unweighted_accuracy(&labels, &predictions, classes),
            loss: capped(loss / labels.len().max(1) as f64),
        },
        predictions,
        scores,
    }
}

/// The index of the largest score, the first at a tie; 0 where there is none.
pub fn most_probable<T: PartialOrd>(row: &[T]) -> usize {
    let mut best = 0;
    for (at, score) in row.iter().enumerate() {
        if score > &row[best] {
            best = at;
        }
    }
    best
}

/// A loss as it is recorded: JSON has no infinity, so the largest number replaces it.
pub(crate) fn capped(loss: f64) -> f64 {
    if loss.is_finite() { loss } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_judged_by_their_mean_coefficient() {
        let items = [1.0, 2.0, 3.0].map(|x| Item::nameless(0, &[x, x], crate::Role::Valid));
        // The first dimension is exact, the second upside down.
        let scores = vec![1.0, 3.0, 2.0, 2.0, 3.0, 1.0];
        let found = judge_all(vec![scores], &items, &[0, 1, 2], 2, Target::Dimensions);
        assert!(found[0].record.ua.abs() < 1e-12 && (found[0].record.loss - 1.0).abs() < 1e-12);
        let exact = vec![1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        let found = judge_all(vec![exact], &items, &[0, 1, 2], 2, Target::Dimensions);
        assert!((found[0].record.ua - 1.0).abs() < 1e-12);
    }
}
