//! `cross`: training on one corpus, testing on the others.

use super::bench::{Executed, execute};
use super::{Session, experiment, name_and_path};
use crate::args::CrossArgs;
use crate::exit::Ending;
use crate::output;
use emobox_app::ReportFormat;
use emobox_bench::{BenchError, CallError, Labeller};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) fn run(session: &Session<'_>, args: &CrossArgs) -> anyhow::Result<Ending> {
    let mut experiment = experiment(args.experiment.as_deref())?;
    args.grid.add_to(&mut experiment)?;
    args.probe.add_to(&mut experiment);
    if let Some(seed) = args.partition_seed {
        experiment.partition_seed = seed;
    }
    if args.metadata.is_some() {
        experiment.metadata.clone_from(&args.metadata);
    }
    let mut cross = experiment.cross.take().unwrap_or_default();
    cross.classes.extend(classes(&args.classes)?);
    if let Some(text) = args.labeller.as_deref() {
        let (name, path) = name_and_path(text);
        cross.labeller = Labeller::named(&name, path);
    }
    cross
        .pseudo_labels
        .extend(files("--pseudo-labels", &args.pseudo_labels)?);
    cross
        .balanced_sets
        .extend(files("--balanced-set", &args.balanced_sets)?);
    cross.per_cell = args.per_cell.or(cross.per_cell);
    cross.speakers = args.speakers.or(cross.speakers);
    experiment.cross = Some(cross);
    let out = &args.out;
    let run = match execute(session, &experiment, out, &args.plan)? {
        Executed::Shown(outcome) => return Ok(outcome),
        Executed::Run(run) => run,
    };
    if session.json {
        output::json(run.scores())?;
    } else {
        let tables = emobox_app::render(&run, ReportFormat::Terminal, None)?;
        output::result(&tables);
    }
    for set in &run.data().audits {
        output::note(&format!("{}: {}", set.corpus, set.verdict));
    }
    for name in ["scores.json", "report.html", "predictions", "balanced"] {
        output::note(&format!("wrote {}", out.join(name).display()));
    }
    Ok(Ending::from_skips(run.skipped()))
}

/// `SHARED=CLASS,CLASS`.
fn classes(texts: &[String]) -> Result<BTreeMap<String, Vec<String>>, BenchError> {
    let parse = |text: &String| -> Result<(String, Vec<String>), BenchError> {
        let (shared, own) = text.split_once('=').ok_or_else(|| {
            BenchError::Call(CallError::value(
                "--class",
                text,
                "SHARED=CLASS,CLASS, as happy=Happy,Excited",
            ))
        })?;
        let own = own.split(',').map(|class| class.trim().to_owned());
        Ok((shared.to_owned(), own.collect()))
    };
    texts.iter().map(parse).collect()
}

/// `CORPUS=FILE`.
fn files(option: &str, texts: &[String]) -> Result<BTreeMap<String, PathBuf>, BenchError> {
    let parse = |text: &String| match name_and_path(text) {
        (corpus, Some(path)) => Ok((corpus, path)),
        _ => Err(BenchError::Call(CallError::value(
            option,
            text,
            "CORPUS=FILE",
        ))),
    };
    texts.iter().map(parse).collect()
}
