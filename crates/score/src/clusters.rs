//! Predictions as one sparse confusion per cluster: the basis of every standard error and every sign flip.

use crate::confusion::ClassIndex;
use crate::{Prediction, ScoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The independent units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalUnit {
    /// All utterances of a speaker together, because they are correlated.
    Speaker,
    /// A single utterance: where fewer than two speakers are known.
    Utterance,
}

/// Which cluster each utterance belongs to.
///
/// A cluster is a speaker; an utterance without a speaker is its own cluster, and so is every utterance
/// where fewer than two speakers are known.
#[derive(Debug, Clone)]
pub(crate) struct Clusters {
    pub(crate) unit: IntervalUnit,
    /// Sorted by name, so that nothing depends on the order of the file.
    by_name: BTreeMap<(bool, String), usize>,
}

impl Clusters {
    pub(crate) fn of(predictions: &[Prediction]) -> Self {
        let speakers: BTreeSet<&String> = predictions
            .iter()
            .filter_map(|p| p.speaker.as_ref())
            .collect();
        let unit = if speakers.len() < 2 {
            IntervalUnit::Utterance
        } else {
            IntervalUnit::Speaker
        };
        let names: BTreeSet<(bool, String)> =
            predictions.iter().map(|p| cluster_name(p, unit)).collect();
        let by_name = names.into_iter().enumerate().map(|(i, n)| (n, i)).collect();
        Self { unit, by_name }
    }

    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The cluster of a prediction; `None` if it was not among those given to [`Self::of`].
    fn index(&self, prediction: &Prediction) -> Option<usize> {
        self.by_name
            .get(&cluster_name(prediction, self.unit))
            .copied()
    }
}

/// The first item separates speakers from utterances without one, in case a speaker and a key are spelt alike.
fn cluster_name(prediction: &Prediction, unit: IntervalUnit) -> (bool, String) {
    match (&prediction.speaker, unit) {
        (Some(speaker), IntervalUnit::Speaker) => (true, speaker.clone()),
        _ => (false, prediction.key.clone()),
    }
}

/// How the folds are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// All test items as one.
    Pooled,
    /// The mean of the folds' scores.
    Mean,
}

/// Confusions `[cluster][fold, reference, predicted]`, averaged over the training seeds of one system.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) unit: IntervalUnit,
    pub(crate) classes: usize,
    pub(crate) folds: usize,
    /// Sparse: (index into `[fold, reference, predicted]`, count).
    pub(crate) clusters: Vec<Vec<(usize, f64)>>,
}

impl Tables {
    /// Counts the predictions of one system: a list for each training seed, all on the same items.
    pub(crate) fn of(
        seeds: &[&[Prediction]],
        classes: &[String],
        clusters: &Clusters,
    ) -> Result<Self, ScoreError> {
        let empty = || ScoreError::Empty {
            subject: "clusters".to_owned(),
        };
        if seeds.iter().all(|list| list.is_empty()) {
            return Err(empty());
        }
        let index = ClassIndex::new(classes);
        let names: BTreeSet<u32> = seeds
            .iter()
            .flat_map(|l| l.iter())
            .map(|p| p.fold)
            .collect();
        let fold_index: BTreeMap<u32, usize> = names.into_iter().zip(0..).collect();
        let mut table: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); clusters.count()];
        let share = 1.0 / seeds.len() as f64;
        for prediction in seeds.iter().flat_map(|list| list.iter()) {
            let (reference, predicted) = index.of(prediction)?;
            let fold = fold_index[&prediction.fold];
            let cell = (fold * classes.len() + reference) * classes.len() + predicted;
            let cluster = clusters.index(prediction).ok_or_else(empty)?;
            *table[cluster].entry(cell).or_default() += share;
        }
        Ok(Self {
            unit: clusters.unit,
            classes: classes.len(),
            folds: fold_index.len(),
            clusters: table.into_iter().map(|t| t.into_iter().collect()).collect(),
        })
    }

    /// The counts of each fold (one fold where they are pooled), `[fold][reference, predicted]`.
    pub(crate) fn totals(&self, over: Over) -> Vec<Vec<f64>> {
        let square = self.classes * self.classes;
        let folds = match over {
            Over::Pooled => 1,
            Over::Mean => self.folds,
        };
        let mut totals = vec![vec![0.0; square]; folds];
        for &(cell, count) in self.clusters.iter().flatten() {
            totals[self.fold(over, cell)][cell % square] += count;
        }
        totals
    }

    /// The fold of a cell as `over` counts folds.
    pub(crate) fn fold(&self, over: Over, cell: usize) -> usize {
        match over {
            Over::Pooled => 0,
            Over::Mean => cell / (self.classes * self.classes),
        }
    }

    /// (reference, predicted) of a cell.
    pub(crate) fn place(&self, cell: usize) -> (usize, usize) {
        let cell = cell % (self.classes * self.classes);
        (cell / self.classes, cell % self.classes)
    }
}
