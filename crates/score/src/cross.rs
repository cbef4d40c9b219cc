use crate::clusters::{Clusters, Over, Tables};
use crate::inference::standard_errors;
use crate::{
    ClassScores, Confusion, InferenceOptions, Prediction, Rates, ScoreError, StandardError,
};
use serde::{Deserialize, Serialize};

/// Training on one corpus and testing on another, for one encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossMatrix {
    /// Encoder.
    pub encoder: String,
    /// The shared classes.
    pub classes: Vec<String>,
    /// The corpora, in the order of rows and columns.
    pub corpora: Vec<String>,
    /// The pairs that were run; the average leaves out the diagonal.
    pub cells: Vec<CrossCell>,
}

/// One pair of corpora.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossCell {
    /// Corpus that the probe was trained on.
    pub train: String,
    /// Corpus whose balanced set the probe was tested on.
    pub test: String,
    /// Number of test items.
    pub n: u64,
    /// Number of training seeds that the scores are means over; absent if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u32>,
    /// Standard deviation (n − 1) of the accuracy between training seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_deviation: Option<f64>,
    /// Share of items that are correct; on a balanced set equal to the unweighted accuracy.
    pub accuracy: f64,
    /// Its interval; `None` where the test set has too few speakers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_ci: Option<[f64; 2]>,
    /// Its standard error over the speakers of the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_error: Option<StandardError>,
    /// Set if the encoder is known to have been trained on the tested corpus: how, and the source of that statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
    /// Unweighted accuracy.
    pub ua: f64,
    /// Macro F1.
    pub macro_f1: f64,
    /// Scores of each class.
    pub per_class: Vec<ClassScores>,
    /// `confusion[reference][prediction]`; with several seeds, the sum over seeds.
    pub confusion: Vec<Vec<u64>>,
}

impl CrossCell {
    /// Scores one pair.
    ///
    /// # Errors
    /// No predictions, a class outside `classes`, inference options out of range.
    pub fn score(
        train: &str,
        test: &str,
        predictions: &[Prediction],
        classes: &[String],
        inference: &InferenceOptions,
    ) -> Result<Self, ScoreError> {
        Self::score_seeds(train, test, &[predictions], classes, inference)
    }

    /// As [`Self::score`], for several training seeds: means over seeds, whose variance is part of the standard error.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub fn score_seeds(
        train: &str,
        test: &str,
        seeds: &[&[Prediction]],
        classes: &[String],
        inference: &InferenceOptions,
    ) -> Result<Self, ScoreError> {
        let Some(first) = seeds.first().filter(|first| !first.is_empty()) else {
            return Err(ScoreError::Empty {
                subject: format!("trained on {train}, tested on {test}"),
            });
        };
        let each: Vec<Confusion> = seeds
            .iter()
            .map(|list| Confusion::of(*list, classes))
            .collect::<Result<_, _>>()?;
        let mut confusion = each[0].clone();
        for other in &each[1..] {
            confusion.add(other);
        }
        let of_each: Vec<Rates> = each.iter().map(Confusion::rates).collect();
        let rates = Rates::mean(&of_each);
        let deviation = Rates::deviation(&of_each).map(|d| d.wa);
        inference.check()?;
        let tables = Tables::of(seeds, classes, &Clusters::of(first))?;
        let error = standard_errors(&tables, Over::Pooled).ok().map(|e| e.wa);
        let error =
            error.map(|error| error.with_seeds(deviation.unwrap_or(0.0), seeds.len() as u32));
        Ok(Self {
            train: train.to_owned(),
            test: test.to_owned(),
            n: first.len() as u64,
            seeds: (seeds.len() > 1).then_some(seeds.len() as u32),
            accuracy_deviation: deviation,
            accuracy: rates.wa,
            accuracy_ci: error.and_then(|e| e.interval(rates.wa, inference.level)),
            accuracy_error: error,
            heard: None,
            ua: rates.ua,
            macro_f1: rates.macro_f1,
            per_class: confusion.class_scores(),
            confusion: confusion.counts,
        })
    }
}

impl CrossMatrix {
    /// The pair, where it was run.
    pub fn cell(&self, train: &str, test: &str) -> Option<&CrossCell> {
        let is_it = |cell: &&CrossCell| cell.train == train && cell.test == test;
        self.cells.iter().find(is_it)
    }

    /// Adds the pairs that only `other`, a matrix of the same encoder and classes, has. Returns `false` and changes nothing
    /// where the two disagree on a pair that both have, or are of different encoders or classes.
    pub fn take_up(&mut self, other: &Self) -> bool {
        let contradicts = |cell: &CrossCell| {
            let own = self.cell(&cell.train, &cell.test);
            own.is_some_and(|own| own != cell)
        };
        if (&self.encoder, &self.classes) != (&other.encoder, &other.classes)
            || other.cells.iter().any(contradicts)
        {
            return false;
        }
        for corpus in &other.corpora {
            if !self.corpora.contains(corpus) {
                self.corpora.push(corpus.clone());
            }
        }
        for cell in &other.cells {
            if self.cell(&cell.train, &cell.test).is_none() {
                self.cells.push(cell.clone());
            }
        }
        true
    }

    /// Equation 1 of the paper: the mean accuracy over the n² − n pairs of different corpora; `None`
    /// while a pair is missing.
    pub fn average(&self) -> Option<f64> {
        let pairs = self.corpora.iter().flat_map(|train| {
            let others = self.corpora.iter().filter(move |test| *test != train);
            others.map(move |test| self.cell(train, test).map(|cell| cell.accuracy))
        });
        let accuracies: Vec<f64> = pairs.collect::<Option<_>>()?;
        (!accuracies.is_empty()).then(|| accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    }

    /// The standard error of [`Self::average`]. Cells that were tested on the same corpus share its speakers, so their errors
    /// are taken as fully dependent; those of different test sets are taken as independent. An upper bound on what the speakers
    /// of the test sets contribute. `None` while a pair or its error is missing.
    pub fn average_error(&self) -> Option<StandardError> {
        let pairs = (self.corpora.len() * self.corpora.len().saturating_sub(1)) as f64;
        let mut total: Option<StandardError> = None;
        for test in &self.corpora {
            let others = self.corpora.iter().filter(|train| *train != test);
            let errors: Vec<StandardError> = others
                .map(|train| self.cell(train, test)?.accuracy_error)
                .collect::<Option<_>>()?;
            let degrees = errors
                .iter()
                .map(|e| e.degrees)
                .fold(f64::INFINITY, f64::min);
            let column = StandardError {
                error: errors.iter().map(|e| e.error).sum::<f64>() / pairs,
                degrees,
            };
            total = Some(total.map_or(column, |sum| sum.plus(&column)));
        }
        total
    }
}
