use crate::{Prediction, ScoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Counts of (reference class, predicted class).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes, in the order of rows and columns.
    pub classes: Vec<String>,
    /// `counts[reference][prediction]`.
    pub counts: Vec<Vec<u64>>,
}

/// The summary scores of one confusion, as fractions 0..1.
///
/// Equal to scikit-learn's: `ua` = `balanced_accuracy_score` (mean recall over the classes that occur in the reference), `wa` =
/// `accuracy_score`, `macro_f1` = `f1_score(average="macro", labels=present, zero_division=0)` with `present` the classes that
/// occur in the reference, `micro_f1` and `weighted_f1` = `f1_score(average=…)` with all classes. A class without a test item
/// has no recall and no F1; if it counted as 0, perfect predictions would score below 1. Items predicted as such a class still
/// reduce the recall of their own class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Unweighted accuracy: mean recall over the classes present in the reference.
    pub ua: f64,
    /// Weighted accuracy: the share of utterances that are correct.
    pub wa: f64,
    /// F1 averaged over the classes present in the reference.
    pub macro_f1: f64,
    /// F1 of the summed counts; equal to `wa`, as every utterance has one label and one prediction.
    pub micro_f1: f64,
    /// F1 averaged with the reference counts as weights.
    pub weighted_f1: f64,
}

/// The scores of one class (`precision_recall_fscore_support` of scikit-learn, `zero_division=0`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// The class.
    pub class: String,
    /// Utterances of this class in the reference.
    pub support: u64,
    /// Utterances predicted as this class.
    pub predicted: u64,
    /// Share of correct items among those predicted as this class; 0 where there are none.
    pub precision: f64,
    /// Share of correct items among those of this class; 0 where there are none.
    pub recall: f64,
    /// Harmonic mean of the two; 0 where the class neither occurs nor is predicted.
    pub f1: f64,
}

impl Confusion {
    /// Counts predictions over the given classes.
    ///
    /// # Errors
    /// A label or prediction outside `classes`.
    pub fn of<'a>(
        predictions: impl IntoIterator<Item = &'a Prediction>,
        classes: &[String],
    ) -> Result<Self, ScoreError> {
        let index = ClassIndex::new(classes);
        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        for prediction in predictions {
            let (reference, predicted) = index.of(prediction)?;
            counts[reference][predicted] += 1;
        }
        Ok(Self {
            classes: classes.to_vec(),
            counts,
        })
    }

    /// Adds the counts of the same classes.
    pub(crate) fn add(&mut self, other: &Self) {
        let cells = self.counts.iter_mut().flatten();
        for (cell, more) in cells.zip(other.counts.iter().flatten()) {
            *cell += more;
        }
    }

    /// Number of utterances.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The summary scores; all 0 if there are no utterances.
    pub fn rates(&self) -> Rates {
        let cells: Vec<f64> = self.counts.iter().flatten().map(|&n| n as f64).collect();
        rates(&cells, self.classes.len())
    }

    /// The scores of every class, in the order of `classes`.
    pub fn class_scores(&self) -> Vec<ClassScores> {
        self.classes
            .iter()
            .enumerate()
            .map(|(i, class)| {
                let support: u64 = self.counts[i].iter().sum();
                let predicted: u64 = self.counts.iter().map(|row| row[i]).sum();
                let right = self.counts[i][i] as f64;
                ClassScores {
                    class: class.clone(),
                    support,
                    predicted,
                    precision: ratio(right, predicted as f64),
                    recall: ratio(right, support as f64),
                    f1: ratio(2.0 * right, (support + predicted) as f64),
                }
            })
            .collect()
    }
}

/// The summary scores of a row-major `[reference, predicted]` table.
pub(crate) fn rates(cells: &[f64], classes: usize) -> Rates {
    let (mut total, mut right) = (0.0, 0.0);
    let (mut recalls, mut present) = (0.0, 0.0);
    let (mut f1_sum, mut weighted) = (0.0, 0.0);
    for class in 0..classes {
        let row = &cells[class * classes..][..classes];
        let support: f64 = row.iter().sum();
        let predicted: f64 = (0..classes)
            .map(|other| cells[other * classes + class])
            .sum();
        let hit = row[class];
        total += support;
        right += hit;
        let f1 = ratio(2.0 * hit, support + predicted);
        if support > 0.0 {
            recalls += hit / support;
            f1_sum += f1;
            present += 1.0;
        }
        weighted += f1 * support;
    }
    let wa = ratio(right, total);
    Rates {
        ua: ratio(recalls, present),
        wa,
        macro_f1: ratio(f1_sum, present),
        micro_f1: wa,
        weighted_f1: ratio(weighted, total),
    }
}

impl Rates {
    /// The mean of several.
    pub(crate) fn mean(rates: &[Self]) -> Self {
        let mean = |pick: fn(&Self) -> f64| {
            // Dividing, rather than multiplying by 1/n, keeps the mean of ones at exactly 1.
            rates.iter().map(pick).sum::<f64>() / rates.len() as f64
        };
        Self::each(mean)
    }

    /// The standard deviation (n − 1) of two or more.
    pub(crate) fn deviation(rates: &[Self]) -> Option<Self> {
        let deviation = |pick: fn(&Self) -> f64| {
            let mean = rates.iter().map(pick).sum::<f64>() / rates.len() as f64;
            let squares: f64 = rates.iter().map(|r| (pick(r) - mean).powi(2)).sum();
            (squares / (rates.len() - 1) as f64).sqrt()
        };
        (rates.len() > 1).then(|| Self::each(deviation))
    }

    fn each(value: impl Fn(fn(&Self) -> f64) -> f64) -> Self {
        Self {
            ua: value(|r| r.ua),
            wa: value(|r| r.wa),
            macro_f1: value(|r| r.macro_f1),
            micro_f1: value(|r| r.micro_f1),
            weighted_f1: value(|r| r.weighted_f1),
        }
    }

    /// UA, WA and macro F1.
    pub(crate) fn three(&self) -> [f64; 3] {
        [self.ua, self.wa, self.macro_f1]
    }
}

/// As `zero_division=0` in scikit-learn.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The sorted union of `known` classes, labels and predictions, for files of unknown corpora.
///
/// # Errors
/// A prediction that is neither a label nor a known class but differs from one of them in case, space or leading zeros alone:
/// it would count as wrong although it is most likely right.
pub fn classes_of<'a>(
    known: &[String],
    predictions: impl IntoIterator<Item = &'a Prediction> + Clone,
) -> Result<Vec<String>, ScoreError> {
    let labels = predictions.clone().into_iter().map(|p| &p.label);
    let mut classes: BTreeSet<&String> = known.iter().chain(labels).collect();
    let plain: HashMap<String, &String> = classes.iter().map(|c| (plain(c), *c)).collect();
    let mut others = BTreeSet::new();
    for item in predictions {
        if classes.contains(&item.prediction) {
            continue;
        }
        if let Some(class) = plain.get(&self::plain(&item.prediction)) {
            return Err(ScoreError::Spelling {
                key: item.key.clone(),
                prediction: item.prediction.clone(),
                class: (*class).clone(),
            });
        }
        others.insert(&item.prediction);
    }
    classes.append(&mut others);
    Ok(classes.into_iter().cloned().collect())
}

/// A class name in lower case, without space and leading zeros.
fn plain(class: &str) -> String {
    let letters = class.chars().filter(|c| !c.is_whitespace());
    let text: String = letters.flat_map(char::to_lowercase).collect();
    let zeros = text.trim_start_matches('0');
    if zeros.starts_with(|c: char| c.is_ascii_digit()) {
        zeros.to_owned()
    } else {
        text
    }
}

/// Looks classes up by name.
pub(crate) struct ClassIndex<'a> {
    classes: &'a [String],
    by_name: HashMap<&'a str, usize>,
}

impl<'a> ClassIndex<'a> {
    pub(crate) fn new(classes: &'a [String]) -> Self {
        let by_name = classes
            .iter()
            .enumerate()
            .map(|(i, class)| (class.as_str(), i))
            .collect();
        Self { classes, by_name }
    }

    /// (reference, predicted) as indices.
    pub(crate) fn of(&self, prediction: &Prediction) -> Result<(usize, usize), ScoreError> {
        let find = |what, class: &String| {
            self.by_name
                .get(class.as_str())
                .copied()
                .ok_or_else(|| ScoreError::UnknownClass {
                    key: prediction.key.clone(),
                    what,
                    class: class.clone(),
                    known: self.classes.to_vec(),
                })
        };
        Ok((
            find("label", &prediction.label)?,
            find("prediction", &prediction.prediction)?,
        ))
    }
}
