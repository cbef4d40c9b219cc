//! What a finished cell leaves for tables and pages, and why an unfinished one is empty.

use crate::job_stage::JobStage;
use crate::plan::{JobState, Plan, States};
use crate::sound::Nuisance;
use crate::split::Split;
use emobox_corpus::{Audit, Shared};
use emobox_probe::{FoldOutcome, Point};
use emobox_report::{AuditFindings, ErrorList, LayerCurve, Training, TrainingPoint, UtteranceMap};
use emobox_score::{Absent, AbsentState, DimensionScores, Run, Source};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that tables and pages show of a finished cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellRecord {
    pub(crate) corpus: String,
    pub(crate) encoder: String,
    pub(crate) runs: Vec<Run>,
    /// Replaces the runs if dimensions were learnt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) dimensions: Vec<DimensionScores>,
    pub(crate) training: Vec<Training>,
    pub(crate) maps: Vec<UtteranceMap>,
    pub(crate) layers: Option<LayerCurve>,
    /// Of the first training seed.
    pub(crate) errors: ErrorList,
    pub(crate) audit: AuditFindings,
    pub(crate) sources: Vec<Source>,
    /// The folder of the probes.
    pub(crate) folder: PathBuf,
    /// A file for each training seed.
    pub(crate) predictions: Vec<PathBuf>,
    /// Utterances without features or beyond the protocol's length.
    pub(crate) left_out: usize,
    /// Files of the raw corpus that were skipped.
    pub(crate) corpus_skipped: usize,
}

/// The curves of a fold as the report draws them.
pub(crate) fn training_of(corpus: &str, encoder: &str, outcome: &FoldOutcome) -> Training {
    let points = outcome.curves.iter().map(|curve| {
        let selected = outcome.selected.iter().find(|s| s.point == curve.point);
        TrainingPoint {
            name: point_name(&curve.point),
            selected_epoch: selected.map(|s| s.epoch),
            train_loss: curve.epochs.iter().map(|e| drawn(e.train_loss)).collect(),
            valid_loss: curve.epochs.iter().map(|e| drawn(e.valid.loss)).collect(),
            valid_ua: curve.epochs.iter().map(|e| drawn(e.valid.ua)).collect(),
        }
    });
    Training {
        corpus: corpus.to_owned(),
        encoder: encoder.to_owned(),
        fold: outcome.fold,
        points: points.collect(),
    }
}

/// As precise as a curve can be drawn; `curves.csv` has every digit.
fn drawn(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn point_name(point: &Point) -> String {
    format!(
        "learning rate {}, hidden {}{}",
        point.learning_rate,
        point.hidden,
        // The first seed needs no name: with one seed there is nothing to distinguish.
        match point.seed {
            0 => String::new(),
            seed => format!(", seed {seed}"),
        }
    )
}

/// The audit of a partition as the report shows it.
pub(crate) fn audit_findings(split: &Split, nuisance: Option<&Nuisance>) -> AuditFindings {
    let findings = split.audit.to_string();
    let findings = findings.lines().skip(1).map(str::to_owned);
    AuditFindings {
        warning: nuisance.filter(|n| n.is_much()).map(Nuisance::sentence),
        corpus: split.partition.info.corpus.clone(),
        partition: split.partition.info.scheme.to_string(),
        verdict: split.audit.verdict.clone(),
        clean: is_clean(&split.audit),
        findings: findings.chain(nuisance.map(Nuisance::sentence)).collect(),
    }
}

/// Whether speakers are known and neither a speaker nor a recording is in both train and test. Texts usually are: in
/// acted corpora everybody reads the same sentences.
fn is_clean(audit: &Audit) -> bool {
    let leaks = audit
        .folds
        .iter()
        .flat_map(|fold| &fold.overlaps)
        .any(|o| o.seen == "train" && o.judged == "test" && o.what != Shared::Texts);
    let known = audit.folds.iter().all(|fold| fold.test_speakers.is_some());
    known && !leaks
}

/// Why the cell of a scoring job is empty.
pub fn absent(plan: &Plan, at: usize, states: &States) -> Absent {
    let work = &plan.jobs[at].work;
    let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let (state, stage, reason) = match states.failure(plan, at) {
        Some((stage, failure)) => {
            let state = match failure.left_out {
                true => AbsentState::Skipped,
                false => AbsentState::Failed,
            };
            (state, stage, failure.reason.clone())
        }
        None => {
            let stage = first_open(plan, at, states);
            (AbsentState::Open, stage, "not finished yet".to_owned())
        }
    };
    Absent {
        corpus: name(work.corpus()),
        encoder: name(work.encoder()),
        partition: work
            .scheme()
            .unwrap_or(plan.experiment.schemes.first())
            .to_string(),
        tested_on: work.tested_on().map(str::to_owned),
        state,
        stage: stage.to_string(),
        reason,
    }
}

/// Whether a cell is empty because the call was wrong.
pub(crate) fn is_wrong_call(plan: &Plan, at: usize, states: &States) -> bool {
    states
        .failure(plan, at)
        .is_some_and(|(_, failure)| failure.wrong_call)
}

/// The earliest unfinished stage among a job's dependencies.
fn first_open(plan: &Plan, at: usize, states: &States) -> JobStage {
    let needs = plan.jobs[at].needs.iter();
    needs
        .filter(|&&need| *states.get(need) != JobState::Done)
        .map(|&need| first_open(plan, need, states))
        .min()
        .unwrap_or(plan.jobs[at].stage)
}

/// `name.jsonl` of the first training seed, `name@seed1.jsonl` of the next.
pub fn seed_file(name: &str, seed: usize) -> String {
    match seed {
        0 => format!("{name}.jsonl"),
        seed => format!("{name}@seed{seed}.jsonl"),
    }
}
