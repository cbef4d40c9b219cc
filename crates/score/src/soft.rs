use crate::{Prediction, ScoreError};
use serde::{Deserialize, Serialize};

/// How near the probabilities are to the annotators' votes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoftScores {
    /// Utterances that have votes for a class of the corpus.
    pub n: u64,
    /// Mean Jensen–Shannon divergence between the distribution of votes and that of probabilities, in bits: 0 where they are
    /// the same, 1 where they have no class in common (Lin, "Divergence measures based on the Shannon entropy", IEEE
    /// Transactions on Information Theory 37, 1991; as a soft score of a classifier: Uma et al., "Learning from Disagreement:
    /// A Survey", Journal of Artificial Intelligence Research 72, 2021).
    pub jensen_shannon: f64,
}

/// The soft scores of predictions with votes; `None` where no utterance has both probabilities and votes for a class.
///
/// # Errors
/// A prediction whose scores lack a class.
pub fn soft_scores(
    predictions: &[Prediction],
    classes: &[String],
) -> Result<Option<SoftScores>, ScoreError> {
    let (mut n, mut sum) = (0, 0.0);
    for prediction in predictions.iter().filter(|p| !p.scores.is_empty()) {
        let votes = |class: &String| f64::from(prediction.votes.get(class).copied().unwrap_or(0));
        let total: f64 = classes.iter().map(votes).sum();
        if total == 0.0 {
            continue;
        }
        n += 1;
        for class in classes {
            let Some(score) = prediction.scores.get(class) else {
                return Err(ScoreError::Invalid {
                    subject: prediction.key.clone(),
                    expected: format!("a score of {class}"),
                    got: "none".to_owned(),
                });
            };
            let (voted, seen) = (votes(class) / total, score.exp());
            let middle = f64::midpoint(voted, seen);
            let part = |share: f64| match share > 0.0 {
                true => share * (share / middle).log2(),
                false => 0.0,
            };
            sum += f64::midpoint(part(voted), part(seen));
        }
    }
    Ok((n > 0).then(|| SoftScores {
        n,
        jensen_shannon: sum / n as f64,
    }))
}
