//! `cross`: training on one corpus, testing on the others.

use super::{Session, name_and_path};
use crate::args::CrossArgs;
use crate::exit::Outcome;
use crate::output;
use emobox_bench::{BenchError, CrossRequest, EncoderChoice, Experiment, Labeller, ReportFormat};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) fn run(session: &Session<'_>, args: &CrossArgs) -> anyhow::Result<Outcome> {
    let mut experiment = match &args.experiment {
        Some(path) => Experiment::read(path)?,
        None => Experiment::default(),
    };
    args.grid.add_to(&mut experiment)?;
    args.probe.add_to(&mut experiment);
    if let Some(seed) = args.seed {
        experiment.seed = seed;
    }
    if args.metadata.is_some() {
        experiment.metadata.clone_from(&args.metadata);
    }
    let request = CrossRequest {
        classes: classes(&args.classes)?,
        labeller: match args.labeller.as_deref() {
            None => Labeller::FirstEncoder,
            Some("none") => Labeller::Nobody,
            Some(text) => {
                let (name, path) = name_and_path(text);
                Labeller::Named(EncoderChoice { name, path })
            }
        },
        label_files: files("--pseudo-labels", &args.pseudo_labels)?,
        set_files: files("--balanced-set", &args.balanced_sets)?,
        per_cell: args.per_cell,
        speakers: args.speakers,
    };
    let out = &args.out;
    let run = emobox_bench::cross(&session.home, &experiment, &request, out, session.context)?;
    if session.json {
        output::json(run.scores())?;
    } else {
        let tables = emobox_bench::render(&run, ReportFormat::Terminal, None);
        output::result(&tables);
    }
    for set in &run.data().audits {
        output::note(&format!("{}: {}", set.corpus, set.verdict));
    }
    for name in ["scores.json", "report.html", "predictions", "balanced"] {
        output::note(&format!("wrote {}", out.join(name).display()));
    }
    Ok(Outcome::from_skips(run.skipped()))
}

/// `SHARED=CLASS,CLASS`.
fn classes(texts: &[String]) -> Result<Vec<(String, Vec<String>)>, BenchError> {
    let parse = |text: &String| {
        let (shared, own) = text.split_once('=').ok_or_else(|| {
            BenchError::Call(format!(
                "--class {text}: expected SHARED=CLASS,CLASS, as happy=Happy,Excited"
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
        _ => Err(BenchError::Call(format!(
            "{option} {text}: expected CORPUS=FILE"
        ))),
    };
    texts.iter().map(parse).collect()
}
