use crate::submission::{Submission, SubmissionEntry};
use crate::{Prediction, Refusal, Verified};
use std::collections::BTreeMap;

/// Largest difference of log-probabilities of a repeated training on another class of machine, where the products of the
/// encoder are summed in another order. On the same class they are bit-identical.
pub const RERUN_TOLERANCE: f64 = 0.05;

/// Largest share of predictions that may differ on another class of machine: items at a tie of two classes.
pub const RERUN_TIES: f64 = 0.005;

/// Predictions of one entry from the verifier's own extraction and training.
#[derive(Debug, Clone, PartialEq)]
pub struct Rerun {
    /// Corpus of the entry.
    pub corpus: String,
    /// Its partition scheme.
    pub partition: String,
    /// Whether it ran on the class of machine that the submission names; predictions must then be bit-identical.
    pub same_machine: bool,
    /// Predictions of each training seed.
    pub seeds: Vec<Vec<Prediction>>,
}

/// Compares the predictions of a verified submission with those of the verifier's own runs.
///
/// # Errors
/// A submission other than the verified one; an entry that was not run again, or whose predictions differ: such a submission is
/// consistent but not reproduced.
pub fn reproduce(
    verified: Verified,
    submission: &Submission,
    reruns: &[Rerun],
) -> Result<Verified, Vec<Refusal>> {
    if submission.content_digest() != verified.digest() {
        return Err(vec![Refusal {
            entry: String::new(),
            reason: "this is not the submission that was verified".to_owned(),
        }]);
    }
    let mut refusals = Vec::new();
    for entry in &submission.entries {
        let is_it = |r: &&Rerun| r.corpus == entry.corpus && r.partition == entry.partition;
        let problem = match reruns.iter().find(is_it) {
            None => Some("consistent, not reproduced: it was not run again".to_owned()),
            Some(rerun) => rerun_problem(entry, rerun),
        };
        refusals.extend(problem.map(|reason| Refusal {
            entry: entry.name(),
            reason,
        }));
    }
    if refusals.is_empty() {
        Ok(verified.reproduced())
    } else {
        Err(refusals)
    }
}

fn rerun_problem(entry: &SubmissionEntry, rerun: &Rerun) -> Option<String> {
    let claimed = entry.seeds();
    if claimed.len() != rerun.seeds.len() {
        return Some("consistent, not reproduced: another number of training seeds".to_owned());
    }
    let tolerance = if rerun.same_machine {
        0.0
    } else {
        RERUN_TOLERANCE
    };
    let (mut items, mut other, mut scores, mut first) = (0_usize, 0_usize, 0_usize, None);
    for (claimed, again) in claimed.iter().zip(&rerun.seeds) {
        let found: BTreeMap<(u32, &str), &Prediction> = again
            .iter()
            .map(|p| ((p.fold, p.key.as_str()), p))
            .collect();
        items += claimed.len().max(found.len());
        other += found.len().saturating_sub(claimed.len());
        for item in *claimed {
            let mine = found.get(&(item.fold, item.key.as_str()));
            let same = mine.is_some_and(|mine| mine.prediction == item.prediction);
            let near = mine.is_some_and(|mine| {
                item.scores.len() == mine.scores.len()
                    && item.scores.iter().all(|(class, score)| {
                        let own = mine.scores.get(class).copied().unwrap_or(f64::NAN);
                        own == *score || (own - score).abs() <= tolerance
                    })
            });
            other += usize::from(!same);
            scores += usize::from(same && !near);
            if first.is_none() && !(same && near) {
                first = Some(&item.key);
            }
        }
    }
    let most = most_ties(items, rerun.same_machine);
    if other <= most && scores <= most {
        return None;
    }
    Some(format!(
        "consistent, not reproduced: {other} of {items} predictions are others when trained again, and {scores} more \
         have other scores; the first is {}",
        first.map_or("–", String::as_str)
    ))
}

/// How many predictions may be others, and how many more may have other scores.
fn most_ties(items: usize, same_machine: bool) -> usize {
    let share = if same_machine { 0.0 } else { RERUN_TIES };
    (share * items as f64).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::most_ties;

    #[test]
    fn one_prediction_of_each_two_hundred_may_tie() {
        for (items, most) in [(0, 0), (1, 1), (200, 1), (201, 2), (400, 2), (2000, 10)] {
            assert_eq!(most_ties(items, false), most, "{items}");
            assert_eq!(most_ties(items, true), 0);
        }
    }
}
