use crate::BenchError;
use crate::predictions::predictions_in;
use emobox_report::{ReportData, terminal_table};
use emobox_score::{Absent, AbsentState, Prediction, Provenance, Run, SCHEMA, ScoresFile, Source};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The selected probes' predictions on the test parts of all folds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionSet {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder of the features.
    pub encoder: String,
    /// Partition scheme; empty across corpora.
    pub partition: String,
    /// The training seed, from 0.
    pub seed: usize,
    /// One per test utterance and fold, a line each.
    pub path: PathBuf,
}

impl PredictionSet {
    /// Reads them.
    pub fn read(&self) -> Result<Vec<Prediction>, BenchError> {
        predictions_in(&self.path)
    }
}

/// Finished scores with everything that a report shows of them.
#[derive(Debug, Clone)]
pub struct BenchRun {
    data: ReportData,
    predictions: Vec<PredictionSet>,
    skipped: usize,
    counted: BTreeSet<String>,
    /// Empty cells for which the call was wrong.
    wrong_calls: usize,
}

impl BenchRun {
    /// A run with these data, without files.
    pub fn of(data: ReportData) -> Self {
        Self {
            data,
            predictions: Vec::new(),
            skipped: 0,
            counted: BTreeSet::new(),
            wrong_calls: 0,
        }
    }

    /// Adds a file of predictions.
    pub fn add_predictions(&mut self, set: PredictionSet) {
        self.predictions.push(set);
    }

    pub(crate) fn add_folder(&mut self, folder: PathBuf) {
        self.data.probes.push(folder);
    }

    /// Counts utterances that could not be read.
    pub fn add_skipped(&mut self, count: usize) {
        self.skipped += count;
    }

    /// Counts the skipped files of a corpus, once.
    pub(crate) fn count_corpus(&mut self, corpus: &str, skipped: usize) {
        if self.counted.insert(corpus.to_owned()) {
            self.skipped += skipped;
        }
    }

    /// An empty cell; one that was left out on request does not count as skipped.
    pub(crate) fn add_absent(&mut self, absent: Absent, wrong_call: bool) {
        self.wrong_calls += usize::from(wrong_call);
        self.skipped += usize::from(absent.state != AbsentState::Skipped);
        self.data.scores.absent.push(absent);
    }

    /// Adds a digest of an input of the scores, once.
    pub fn add_source(&mut self, source: Source) {
        let sources = &mut self.data.scores.provenance.sources;
        if !sources.contains(&source) {
            sources.push(source);
        }
    }

    /// The run, unless every cell failed.
    pub fn unless_empty(self) -> Result<Self, BenchError> {
        let scores = &self.data.scores;
        let is_rated = !scores.dimensions.is_empty();
        if !scores.runs.is_empty() || !scores.cross.is_empty() || is_rated {
            return Ok(self);
        }
        let mut reasons: Vec<(String, String)> = Vec::new();
        for cell in &scores.absent {
            if !reasons.iter().any(|(_, reason)| *reason == cell.reason) {
                let name = format!("{} with {}", cell.corpus, cell.encoder);
                reasons.push((name, cell.reason.clone()));
            }
        }
        Err(BenchError::NothingScored {
            reasons,
            wrong_call: self.wrong_calls == scores.absent.len(),
        })
    }

    /// The predictions behind the scores: a set for each corpus, encoder, partition scheme and training seed.
    pub fn predictions(&self) -> &[PredictionSet] {
        &self.predictions
    }

    /// Everything that the report shows, for additions.
    pub fn data_mut(&mut self) -> &mut ReportData {
        &mut self.data
    }

    /// `scores.json`.
    pub fn scores(&self) -> &ScoresFile {
        &self.data.scores
    }

    /// What the report page shows.
    pub fn data(&self) -> &ReportData {
        &self.data
    }

    /// The benchmark table for a terminal.
    pub fn table(&self) -> String {
        terminal_table(&self.data)
    }

    /// Where the trained probes are: a folder for each corpus and encoder.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.data.probes.iter().map(PathBuf::as_path)
    }

    /// How many inputs were left out; the report names them.
    pub fn skipped(&self) -> usize {
        self.skipped
    }
}

/// `scores.json` of one benchmark: no cross-corpus matrices, no comparisons.
pub fn scores_file(provenance: Provenance, runs: Vec<Run>) -> ScoresFile {
    ScoresFile {
        schema: SCHEMA,
        provenance,
        runs,
        cross: Vec::new(),
        dimensions: Vec::new(),
        comparisons: Vec::new(),
        perturbed: Vec::new(),
        leaks: Vec::new(),
        absent: Vec::new(),
    }
}
