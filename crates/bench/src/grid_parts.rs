//! A grid's work in the pieces that jobs of a plan name.

use crate::extract::{ExtractOptions, Extracted, plan_extraction};
use crate::grid::Grid;
use crate::plan::Part;
use crate::train::{FoldJob, train_jobs};
use crate::{BenchError, Context, Share};
use std::path::PathBuf;

impl Grid<'_> {
    /// Encodes a part of a corpus with an encoder.
    pub(crate) fn extract_part(
        &self,
        encoder: &str,
        part: &Part,
        context: Context<'_>,
    ) -> Result<Extracted, BenchError> {
        let options = ExtractOptions {
            share: Some(share(part)?),
            ..self.options.clone()
        };
        let corpus = self.corpus(&part.corpus)?;
        self.extract_cell(corpus, self.encoder(encoder)?, &options, context)
    }

    /// The files of a part of a corpus under an encoder.
    pub(crate) fn files_of(&self, encoder: &str, part: &Part) -> Result<Vec<PathBuf>, BenchError> {
        let corpus = self.corpus(&part.corpus)?;
        let encoder = self.encoder(encoder)?;
        let plan = plan_extraction(corpus, encoder, &self.options)?;
        Ok(plan.files(&self.store(corpus, encoder), share(part)?))
    }

    /// Trains parts of the folds, and returns the folders of the folds.
    pub(crate) fn train_parts(
        &self,
        parts: &[Part],
        context: Context<'_>,
    ) -> Result<Vec<PathBuf>, BenchError> {
        let splits = self.splits(context)?;
        let cells = self.cells(&splits)?;
        let mut plans = Vec::new();
        for cell in &cells {
            plans.push(self.jobs(cell)?);
        }
        let wanted: Vec<&FoldJob<'_>> = plans
            .iter()
            .flat_map(|plan| &plan.jobs)
            .filter(|job| contains(parts, &job.assignment.corpus.name, job.fold))
            .collect();
        let label = format!("training {} folds", wanted.len());
        train_jobs(&wanted, label, context)?;
        Ok(wanted.iter().map(|job| job.folder.clone()).collect())
    }
}

/// Whether a fold (from 1) of a corpus is in one of the parts.
pub(crate) fn contains(parts: &[Part], corpus: &str, fold: u32) -> bool {
    let mut ours = parts.iter().filter(|part| part.corpus == corpus);
    ours.any(|part| {
        Share::new(part.part, part.of)
            .is_some_and(|share| share.contains(fold.saturating_sub(1) as usize))
    })
}

fn share(part: &Part) -> Result<Share, BenchError> {
    Share::new(part.part, part.of)
        .ok_or_else(|| BenchError::Call(format!("there is no part {part}: the plan is damaged")))
}
