//! Runs that `emobox bench` has left on disk.

use crate::plan::States;
use crate::results::{REPORT_DATA, assemble, in_progress, predictions_path};
use crate::{BenchError, BenchRun, CallError, PredictionSet};
use emobox_files::read_json;
use emobox_report::{ReportData, merge};
use std::path::{Path, PathBuf};

/// A run that `emobox bench` left in its output folder, or its finished part while it is still running.
pub fn read_run(folder: &Path) -> Result<BenchRun, BenchError> {
    if let Some(plan) = in_progress(folder) {
        return assemble(&plan, &States::of(&plan));
    }
    let path = folder.join(REPORT_DATA);
    if !path.exists() {
        return Err(BenchError::Call(CallError::other(
            folder,
            format!("is no output folder of `emobox bench`: there is no {REPORT_DATA} in it"),
        )));
    }
    let mut run = BenchRun::of(read_json(&path)?);
    for set in kept_predictions(folder, run.data()) {
        run.add_predictions(set);
    }
    Ok(run)
}

/// The predictions beside the scores.
fn kept_predictions(folder: &Path, data: &ReportData) -> Vec<PredictionSet> {
    let mut sets = Vec::new();
    for run in data.headline() {
        let seeds = run.seeds.as_ref().map_or(1, |seeds| seeds.count as usize);
        for seed in 0..seeds {
            let (corpus, encoder, partition) = (&run.corpus, &run.encoder, &run.partition);
            let path = predictions_path(folder, corpus, encoder, partition, seed);
            if path.exists() {
                sets.push(PredictionSet {
                    corpus: corpus.clone(),
                    encoder: encoder.clone(),
                    partition: partition.clone(),
                    seed,
                    path,
                });
            }
        }
    }
    sets
}

/// Several runs as one table.
pub fn read_runs(folders: &[PathBuf]) -> Result<BenchRun, BenchError> {
    if let [one] = folders {
        return read_run(one);
    }
    let mut all = Vec::new();
    for folder in folders {
        all.push(read_run(folder)?.data().clone());
    }
    Ok(BenchRun::of(merge(all)))
}
