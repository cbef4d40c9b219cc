use crate::{Prediction, ScoreError};
use serde::{Deserialize, Serialize};

/// Number of equal-width bins of the expected calibration error.
pub const CALIBRATION_BINS: usize = 15;
/// Largest departure from 1 of an utterance's sum of probabilities.
const SUM_TOLERANCE: f64 = 1e-3;

/// How well the probabilities match the accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Utterances with scores.
    pub n: u64,
    /// Mean −ln p(label), p clipped to [2.2e-16, 1 − 2.2e-16] as scikit-learn's `log_loss` does.
    pub log_loss: f64,
    /// Mean over utterances of Σ (p(class) − [class is the label])², not halved: 0 to 2 (Brier 1950).
    pub brier: f64,
    /// Expected calibration error: Σ n(bin) / n · |accuracy − confidence| over 15 equal-width bins of the
    /// probability of the predicted class (Guo et al. 2017, equation 3).
    pub ece: f64,
    /// The bins, for a reliability diagram.
    pub bins: Vec<CalibrationBin>,
}

/// Predictions of similar confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Number of utterances.
    pub n: u64,
    /// Their mean probability of the predicted class; 0 in an empty bin.
    pub confidence: f64,
    /// The share that is correct; 0 in an empty bin.
    pub accuracy: f64,
}

/// Calibration of the predictions; `None` where none has scores.
///
/// # Errors
/// Only some predictions have scores; a class has no score; scores are not natural logarithms of probabilities (their sum
/// departs from 1 by more than 0.001).
pub fn calibration(
    predictions: &[Prediction],
    classes: &[String],
) -> Result<Option<Calibration>, ScoreError> {
    if predictions.iter().all(|p| p.scores.is_empty()) {
        return Ok(None);
    }
    let mut bins = vec![CalibrationBin::default(); CALIBRATION_BINS];
    let (mut log_loss, mut brier) = (0.0, 0.0);
    for prediction in predictions {
        let probabilities = probabilities(prediction, classes)?;
        let of = |class: &String| probability(classes, &probabilities, class);
        let label = of(&prediction.label);
        log_loss -= label.clamp(f64::EPSILON, 1.0).ln();
        let squares: f64 = probabilities.iter().map(|p| p * p).sum();
        brier += squares - 2.0 * label + 1.0;
        let confidence = of(&prediction.prediction);
        let place = (confidence * CALIBRATION_BINS as f64).ceil() as usize;
        let bin = &mut bins[place.clamp(1, CALIBRATION_BINS) - 1];
        bin.n += 1;
        bin.confidence += confidence;
        bin.accuracy += f64::from(prediction.label == prediction.prediction);
    }
    let n = predictions.len() as f64;
    let mut ece = 0.0;
    for bin in bins.iter_mut().filter(|bin| bin.n > 0) {
        ece += (bin.accuracy - bin.confidence).abs() / n;
        bin.confidence /= bin.n as f64;
        bin.accuracy /= bin.n as f64;
    }
    Ok(Some(Calibration {
        n: predictions.len() as u64,
        log_loss: log_loss / n,
        brier: brier / n,
        ece,
        bins,
    }))
}

fn probability(classes: &[String], probabilities: &[f64], class: &String) -> f64 {
    let place = classes.iter().position(|c| c == class);
    place.map_or(0.0, |i| probabilities[i])
}

fn probabilities(prediction: &Prediction, classes: &[String]) -> Result<Vec<f64>, ScoreError> {
    let invalid = |expected: String, got: String| ScoreError::Invalid {
        subject: format!("scores of {}", prediction.key),
        expected,
        got,
    };
    let probabilities: Vec<f64> = classes
        .iter()
        .map(|class| {
            prediction
                .scores
                .get(class)
                .map(|s| s.exp())
                .ok_or_else(|| {
                    let names: Vec<&str> = prediction.scores.keys().map(String::as_str).collect();
                    invalid(
                        format!("one for the class {class:?}"),
                        format!("[{}]", names.join(", ")),
                    )
                })
        })
        .collect::<Result<_, _>>()?;
    let sum: f64 = probabilities.iter().sum();
    if (sum - 1.0).abs() < SUM_TOLERANCE {
        Ok(probabilities)
    } else {
        let expected = "natural logarithms of probabilities that sum to 1";
        Err(invalid(expected.to_owned(), format!("a sum of {sum}")))
    }
}
