//! The selection rule. Nothing here has access to the test part: a [`ValidRecord`] is computed from the validation part alone,
//! and candidates are compared by it alone.

use crate::ProbeError;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The scores of one sweep point on the validation part after one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidRecord {
    /// The selection score: mean recall over the classes present in the validation part, or where dimensions are learned the
    /// mean of their concordance correlation coefficients.
    pub ua: f64,
    /// Mean cross-entropy, or 1 minus the mean coefficient; the largest f64 where it is not finite.
    pub loss: f64,
}

/// The best candidate of one seed so far, with its weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) point: usize,
    /// From 1.
    pub(crate) epoch: usize,
    pub(crate) record: ValidRecord,
    pub(crate) weights: Vec<f32>,
}

/// Whether `new` is better than `old`: higher UA, then lower loss. At a tie the earlier stays, so candidates must be offered
/// epoch by epoch and, within an epoch, point by point.
pub(crate) fn better(new: ValidRecord, old: ValidRecord) -> bool {
    match new.ua.total_cmp(&old.ua) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => new.loss < old.loss,
    }
}

/// Replaces the best so far if the candidate is better. A candidate without a finite loss is never accepted.
pub(crate) fn offer(
    best: &mut Option<Best>,
    point: usize,
    epoch: usize,
    record: ValidRecord,
    weights: impl FnOnce() -> Result<Vec<f32>, ProbeError>,
) -> Result<(), ProbeError> {
    let wins = best.as_ref().is_none_or(|old| better(record, old.record));
    if record.loss < f64::MAX && wins {
        *best = Some(Best {
            point,
            epoch,
            record,
            weights: weights()?,
        });
    }
    Ok(())
}

/// Mean recall over the classes present in `labels`.
pub(crate) fn unweighted_accuracy(labels: &[usize], predictions: &[usize], classes: usize) -> f64 {
    let (mut hits, mut counts) = (vec![0f64; classes], vec![0f64; classes]);
    for (&label, &prediction) in labels.iter().zip(predictions) {
        counts[label] += 1.0;
        hits[label] += f64::from(u8::from(label == prediction));
    }
    let present = counts.iter().filter(|&&n| n > 0.0).count().max(1);
    let recalls = hits.iter().zip(&counts).filter(|(_, n)| **n > 0.0);
    recalls.map(|(h, n)| h / n).sum::<f64>() / present as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_loss_and_then_to_the_earlier() {
        let mut best = None;
        let offer = |best: &mut Option<Best>, point, epoch, record, weights: &[f32]| {
            offer(best, point, epoch, record, || Ok(weights.to_vec())).unwrap();
        };
        let record = |ua, loss| ValidRecord { ua, loss };
        offer(&mut best, 0, 1, record(0.5, f64::MAX), &[]);
        assert!(best.is_none());
        offer(&mut best, 1, 1, record(0.5, 1.0), &[1.0]);
        offer(&mut best, 2, 1, record(0.5, 1.0), &[2.0]);
        offer(&mut best, 0, 2, record(0.4, 0.1), &[3.0]);
        assert_eq!(best.as_ref().map(|b| (b.point, b.epoch)), Some((1, 1)));
        offer(&mut best, 3, 2, record(0.5, 0.9), &[4.0]);
        offer(&mut best, 0, 3, record(0.6, 7.0), &[5.0]);
        assert_eq!(best.map(|b| b.weights), Some(vec![5.0]));
    }

    #[test]
    fn absent_classes_do_not_count() {
        assert_eq!(unweighted_accuracy(&[0, 0, 2], &[0, 1, 2], 4), 0.75);
    }
}
