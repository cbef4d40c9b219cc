use crate::cell::Cell;
use crate::check::{Checked, check_prepared};
use crate::execute::{note_absent_raw, prepare_all, run_here, train_here};
use crate::extract::Extracted;
use crate::plan::{Plan, States};
use crate::prepare::{PrepareHow, prepare_choice};
use crate::results::mark_in_progress;
use crate::workshop::Workshop;
use crate::{BenchError, BenchRun, Context, CorpusChoice, EncoderChoice, Experiment, Home, Share};
use emobox_files::{DirLock, FileError};
use std::path::Path;

/// From raw audio to the table: prepares, splits, extracts, trains, scores, and writes
/// `scores.json`, `predictions/` and `report.html` to `out`. Work that an earlier run finished is
/// reused; a cell that fails stays empty with its reason.
///
/// # Errors
/// [`BenchError::NothingScored`] if every cell stays empty; a full disk, Ctrl-C, a wrong call.
pub fn bench(
    home: &Home,
    experiment: &Experiment,
    out: &Path,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    experiment.check()?;
    check_writable(out)?;
    let _lock = lock(home, context)?;
    let plan = Plan::of(home, experiment, out)?;
    mark_in_progress(&plan)?;
    run_here(&plan, context)?.unless_empty()
}

/// Encodes every corpus of an experiment with every encoder, or a share of the work; `memory` is
/// [`ExtractOptions::memory`](crate::ExtractOptions::memory).
///
/// Takes no lock: several processes and machines may work on one home, each on shards that no
/// other is working on.
pub fn extract_all(
    home: &Home,
    experiment: &Experiment,
    share: Option<Share>,
    memory: Option<usize>,
    context: Context<'_>,
) -> Result<Vec<Extracted>, BenchError> {
    experiment.check()?;
    let shop = Workshop::new(home, experiment, context)?.with(|options| options.memory = memory);
    for choice in &experiment.encoders {
        shop.description(&choice.name)?;
    }
    let how = PrepareHow {
        allow_missing: experiment.allow_missing,
        as_published: experiment.as_published,
    };
    note_absent_raw(home, experiment, context);
    for choice in &experiment.corpora {
        prepare_choice(home, choice, how, experiment.skip_absent, context)?;
    }
    let mut all = Vec::new();
    for encoder in &experiment.encoders {
        for corpus in &experiment.corpora {
            all.push(Cell::open(&shop, &corpus.name, &encoder.name)?.encode(share)?);
        }
    }
    Ok(all)
}

/// Trains on existing features, and scores. Nothing is encoded.
pub fn train_all(
    home: &Home,
    experiment: &Experiment,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    experiment.check()?;
    let _lock = lock(home, context)?;
    let plan = Plan::of(home, experiment, &home.root().join("train"))?;
    train_here(&plan, context)?.unless_empty()
}

/// The folder below the home where the demo's recordings are written.
const DEMO: &str = "demo-recordings";

/// The whole pipeline on a small synthetic corpus with the encoder `fbank`, nothing downloaded.
pub fn demo(
    home: &Home,
    seed: u64,
    out: &Path,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    check_writable(out)?;
    let raw = home.root().join(DEMO).join(format!("seed{seed}"));
    {
        let _lock = lock(home, context)?;
        // The synthesiser writes its README last.
        if !raw.join("README.md").exists() {
            emobox_demo::write_demo(&raw, seed)?;
        }
    }
    let experiment = Experiment {
        corpora: vec![CorpusChoice {
            name: "demo".to_owned(),
            raw: Some(raw),
            ..CorpusChoice::default()
        }],
        encoders: vec![EncoderChoice {
            name: emobox_encoder::FBANK.to_owned(),
            path: None,
        }],
        partition_seed: seed,
        // The demo shows that the pipeline works; three seeds would add nothing.
        training_seeds: 1,
        ..Experiment::default()
    };
    bench(home, &experiment, out, context)
}

/// Only one run at a time trains in a home; a second one waits and says so. Results do not depend on it:
/// every file is complete or absent, whoever writes it.
pub(crate) fn lock(home: &Home, context: Context<'_>) -> Result<DirLock, BenchError> {
    Ok(DirLock::acquire(home.root(), || {
        context.progress.note(&format!(
            "another emobox run is working in {}; waiting for it to end",
            home.root().display()
        ));
    })?)
}

/// Detects an output folder that cannot be written before hours of work, not after.
pub(crate) fn check_writable(out: &Path) -> Result<(), BenchError> {
    std::fs::create_dir_all(out).map_err(|e| FileError::io("create folder", out, e))?;
    let probe = out.join(format!(".emobox-{}.tmp", std::process::id()));
    emobox_files::write_atomic(&probe, b"")?;
    std::fs::remove_file(&probe).map_err(|e| FileError::io("remove", &probe, e))?;
    Ok(())
}

/// Prepares and partitions the corpora, decodes an utterance of each of their formats, reads the encoders' configurations
/// and compares the required disk space with the free space. Encodes nothing.
pub fn check(
    home: &Home,
    experiment: &Experiment,
    out: &Path,
    context: Context<'_>,
) -> Result<Checked, BenchError> {
    let plan = Plan::of(home, experiment, out)?;
    plan.begin()?;
    let home = Home::new(&plan.home);
    let mut shop = Workshop::new(&home, &plan.experiment, context)?;
    if plan.experiment.slurm.is_none() {
        shop = shop.holding_features();
    }
    let mut states = States::of(&plan);
    prepare_all(&plan, &shop, &mut states)?;
    check_prepared(&plan.sized()?, &shop, &states)
}
