//! The record of a cell whose probes learnt dimensions.

use super::Cell;
use crate::BenchError;
use crate::errors::errors_of;
use crate::record::{CellRecord, audit_findings, seed_file};
use crate::split::Split;
use crate::target::rated_by_seed;
use crate::train::Jobs;
use emobox_files::write_atomic_with;
use emobox_probe::FoldOutcome;
use emobox_score::{InferenceOptions, RatedPrediction, score_dimensions, write_predictions};

impl Cell<'_> {
    /// Scores the predictions of dimensions and writes them.
    pub(super) fn rated_record(
        &self,
        split: &Split,
        jobs: &Jobs<'_>,
        outcomes: &[FoldOutcome],
    ) -> Result<CellRecord, BenchError> {
        let corpus = &*self.corpus;
        let lists = rated_by_seed(corpus, outcomes);
        let seeds: Vec<&[RatedPrediction]> = lists.iter().map(Vec::as_slice).collect();
        let labels = self.labels();
        let mut dimensions = score_dimensions(&labels, &seeds, &InferenceOptions::default())?;
        for scored in &mut dimensions {
            scored.audit = Some(split.audit.verdict.clone());
            scored.skipped = jobs.skipped();
        }
        let mut predictions = Vec::new();
        for (seed, list) in lists.iter().enumerate() {
            let path = jobs.folder.join(seed_file("predictions", seed));
            write_atomic_with(&path, |to| write_predictions(to, list))?;
            predictions.push(path);
        }
        Ok(CellRecord {
            corpus: corpus.name.clone(),
            encoder: labels.encoder.clone(),
            runs: Vec::new(),
            dimensions,
            training: Vec::new(),
            maps: Vec::new(),
            layers: None,
            errors: errors_of(corpus, &labels, &[]),
            audit: audit_findings(split, None),
            sources: self.sources(split)?,
            folder: jobs.folder.clone(),
            predictions,
            left_out: jobs.left_out.iter().map(|(_, count)| count).sum(),
            corpus_skipped: corpus.skipped,
        })
    }
}
