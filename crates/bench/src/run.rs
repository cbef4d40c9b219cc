use emobox_report::{ReportData, terminal_table};
use emobox_score::{Prediction, ScoresFile};
use std::path::{Path, PathBuf};

/// The selected probes' answers on the test parts of all folds.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionSet {
    /// Corpus that was tested on.
    pub corpus: String,
    /// Encoder of the features.
    pub encoder: String,
    /// One a test utterance and fold.
    pub items: Vec<Prediction>,
}

/// Finished scores with all that a report shows of them.
#[derive(Debug, Clone)]
pub struct BenchRun {
    data: ReportData,
    predictions: Vec<PredictionSet>,
    folders: Vec<PathBuf>,
    skipped: usize,
}

impl BenchRun {
    pub(crate) fn of(data: ReportData) -> Self {
        Self {
            data,
            predictions: Vec::new(),
            folders: Vec::new(),
            skipped: 0,
        }
    }

    pub(crate) fn add_predictions(&mut self, set: PredictionSet) {
        self.predictions.push(set);
    }

    pub(crate) fn add_folder(&mut self, folder: PathBuf) {
        self.folders.push(folder);
    }

    pub(crate) fn add_skipped(&mut self, count: usize) {
        self.skipped += count;
    }

    /// The predictions behind the scores: a set for each corpus and encoder.
    pub fn predictions(&self) -> &[PredictionSet] {
        &self.predictions
    }

    pub(crate) fn data_mut(&mut self) -> &mut ReportData {
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
        self.folders.iter().map(PathBuf::as_path)
    }

    /// How many inputs were left out on the way; the report names them.
    pub fn skipped(&self) -> usize {
        self.skipped
    }
}
