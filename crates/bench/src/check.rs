//! The check before a run: finds out all that can be known of an experiment before anything is encoded.

use crate::cross::{check_classes, class_map};
use crate::disk::{DiskForecast, free_space};
use crate::extract::load_utterance;
use crate::job_stage::JobStage;
use crate::lists::gigabytes;
use crate::plan::{Job, JobState, Plan, States};
use crate::split::{SplitRequest, split};
use crate::target::outputs;
use crate::workshop::Workshop;
use crate::{BenchError, CallError, Context, Corpus, Home, open_corpus};
use emobox_audio::SampleRate;
use emobox_encoder::Device;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A problem that will leave cells of the table empty, or stop the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A corpus, an encoder, `shared classes`, `device` or `disk`.
    pub subject: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// All findings: corpora in their order, then encoders, then the disk.
    pub findings: Vec<Finding>,
    /// Corpora that were left out on request.
    pub left_out: Vec<String>,
    /// The most bytes of features that are on disk at once.
    pub needed: f64,
    /// Bytes that are free.
    pub free: Option<u64>,
}

impl Checked {
    /// The list for people.
    pub fn text(&self) -> String {
        let free = self.free.map_or_else(
            || "an unknown number of".to_owned(),
            |bytes| gigabytes(bytes as f64),
        );
        let mut text = String::new();
        for finding in &self.findings {
            text.push_str(&format!("{}: {}\n", finding.subject, finding.problem));
        }
        for corpus in &self.left_out {
            text.push_str(&format!(
                "{corpus}: left out, its raw folder is not there\n"
            ));
        }
        text.push_str(&match self.findings.len() {
            0 => "nothing is missing".to_owned(),
            n => emobox_files::counted(n, "finding"),
        });
        text.push_str(&format!(
            "; features take {} GB at once, {free} GB are free\n",
            gigabytes(self.needed.max(0.0))
        ));
        text
    }

    /// Whether a run can begin: there is disk space for the features, the devices exist, and corpora that are compared share
    /// classes.
    pub(crate) fn may_begin(&self) -> Result<(), BenchError> {
        let stops = |finding: &Finding| {
            let problem = finding.problem.clone();
            match &*finding.subject {
                DISK => Some(BenchError::TooLittleDisk(problem)),
                DEVICE => Some(BenchError::NoDevice(problem)),
                CLASSES => Some(BenchError::Call(CallError::Classes(problem))),
                _ => None,
            }
        };
        self.findings.iter().find_map(stops).map_or(Ok(()), Err)
    }
}

const DISK: &str = "disk";
const CLASSES: &str = "shared classes";
const DEVICE: &str = "device";

/// The same once the corpora are prepared.
pub(crate) fn check_prepared(
    plan: &Plan,
    shop: &Workshop<'_>,
    states: &States,
) -> Result<Checked, BenchError> {
    let (home, context) = (shop.home, shop.context);
    let prepared: Vec<(usize, &Job)> = plan.stage(JobStage::Prepare).collect();
    let problems: Vec<(&str, Vec<String>)> = prepared
        .par_iter()
        .map(|(at, job)| {
            let corpus = job.work.corpus().unwrap_or_default();
            let problems = match states.get(*at) {
                JobState::Failed(failure) if failure.left_out => Vec::new(),
                JobState::Failed(failure) => vec![failure.reason.clone()],
                _ => problems_of(plan, home, states, corpus, context),
            };
            (corpus, problems)
        })
        .collect();
    let mut findings = Vec::new();
    for (subject, problems) in problems {
        findings.extend(problems.into_iter().map(|problem| Finding {
            subject: subject.to_owned(),
            problem,
        }));
    }
    let left_out = prepared
        .iter()
        .filter(|(at, _)| matches!(states.get(*at), JobState::Failed(failure) if failure.left_out));
    let left_out = left_out
        .map(|(_, job)| job.work.corpus().unwrap_or_default().to_owned())
        .collect();
    if plan.experiment.cross.is_some()
        && let Err(error) = class_map(shop)
    {
        findings.push(Finding {
            subject: CLASSES.to_owned(),
            problem: match error {
                BenchError::NotPrepared { corpus, .. } => format!(
                    "they are those that all corpora have, and {corpus} cannot be read; name them to go on without it \
                     (--class SHARED=CLASS,CLASS, or [cross.classes])"
                ),
                error => error.to_string(),
            },
        });
    }
    for choice in &plan.experiment.encoders {
        if let Err(error) = shop.description(&choice.name) {
            findings.push(Finding {
                subject: choice.name.clone(),
                problem: error.to_string(),
            });
        }
    }
    findings.extend(absent_device(plan, shop, states).map(|problem| Finding {
        subject: DEVICE.to_owned(),
        problem,
    }));
    let needed = still_needed(plan, states, shop.memory_for_features());
    let free = free_space(&plan.home);
    if let Some(free) = free.filter(|free| needed > *free as f64) {
        findings.push(Finding {
            subject: DISK.to_owned(),
            problem: format!(
                "the features take {} GB at once and {} GB are free below {}: free some, name another --home, or take \
                 --features discard, which keeps the features of one cell at a time",
                gigabytes(needed),
                gigabytes(free as f64),
                plan.home.display()
            ),
        });
    }
    Ok(Checked {
        findings,
        left_out,
        needed,
        free,
    })
}

/// Problems of a prepared corpus: its partitions, and formats that cannot be decoded.
fn problems_of(
    plan: &Plan,
    home: &Home,
    states: &States,
    name: &str,
    context: Context<'_>,
) -> Vec<String> {
    let corpus = match open_corpus(home, name) {
        Ok(corpus) => corpus,
        Err(error) => return vec![error.to_string()],
    };
    let mut problems = Vec::new();
    if let Err(error) = check_classes(&plan.experiment, &corpus) {
        problems.push(error.to_string());
    }
    if let Err(error) = outputs(&corpus, plan.experiment.target) {
        problems.push(error.to_string());
    }
    let schemes = plan.experiment.schemes.iter();
    for scheme in schemes.filter(|_| plan.experiment.cross.is_none()) {
        let request = SplitRequest::of(&plan.experiment, scheme);
        if let Err(error) = split(home, &corpus, &request, context) {
            problems.push(error.to_string());
        }
    }
    // A corpus whose cells are all done needs no audio.
    if needs_audio(plan, states, name) {
        problems.extend(unreadable_formats(&corpus));
    }
    problems
}

/// Why a device that unfinished jobs of the plan need cannot be used.
fn absent_device(plan: &Plan, shop: &Workshop<'_>, states: &States) -> Option<String> {
    let open = |stage| {
        let mut jobs = plan.stage(stage);
        jobs.any(|(at, _)| *states.get(at) == JobState::Open)
    };
    let encode = shop.devices().all().iter();
    let train = shop.train_devices().all().iter();
    let wanted = encode
        .filter(|_| open(JobStage::Extract))
        .chain(train.filter(|_| open(JobStage::Train)));
    let cards: Vec<usize> = wanted
        .filter_map(|device| match device {
            Device::Cuda(index) => Some(*index),
            _ => None,
        })
        .collect();
    // Searching for a driver takes a moment, and most runs do not need one.
    let highest = cards.into_iter().max()?;
    let found = emobox_encoder::gpu_report();
    let why = match (&found.driver, &found.cublaslt, found.cards.len()) {
        (Err(missing), ..) | (_, Err(missing), _) => missing.clone(),
        (Ok(_), Ok(_), cards) if highest >= cards => {
            format!("this machine has {}", emobox_files::counted(cards, "card"))
        }
        _ => return None,
    };
    Some(format!("device `cuda:{highest}` is not available: {why}"))
}

/// The forecast for the cells that are still to be encoded, except those that fit into this many bytes of memory.
fn still_needed(plan: &Plan, states: &States, memory: usize) -> f64 {
    let open = |at: usize| *states.get(at) == JobState::Open;
    let forecast = DiskForecast::of_jobs(plan, open);
    let stays = |bytes: f64| bytes <= memory as f64;
    match forecast.cells.iter().all(|(.., bytes)| stays(*bytes)) {
        true if memory > 0 => 0.0,
        _ => forecast.at_once,
    }
}

fn needs_audio(plan: &Plan, states: &States, corpus: &str) -> bool {
    plan.stage(JobStage::Extract)
        .any(|(at, job)| job.work.corpus() == Some(corpus) && *states.get(at) == JobState::Open)
}

/// Decodes the first utterance of each kind of file (by extension and number of channels), as extraction would.
fn unreadable_formats(corpus: &Corpus) -> Vec<String> {
    let mut kinds: BTreeMap<(String, u32), &emobox_corpus::Utterance> = BTreeMap::new();
    for utterance in &corpus.manifest.utterances {
        let ending = Path::new(&utterance.wav).extension();
        let ending = ending.map_or_else(String::new, |e| e.to_string_lossy().to_lowercase());
        kinds
            .entry((ending, u32::from(utterance.channel)))
            .or_insert(utterance);
    }
    let kinds: Vec<_> = kinds.into_values().collect();
    kinds
        .into_par_iter()
        .filter_map(
            |utterance| match load_utterance(corpus, utterance, SampleRate::SPEECH) {
                // A defect in a single file is not a finding; something missing around the files is.
                Err(error) if error.may_pass() => Some(error.to_string()),
                _ => None,
            },
        )
        .collect()
}
