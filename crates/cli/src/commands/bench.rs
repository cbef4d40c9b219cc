//! `bench` and `demo`: from raw audio to the table.

use super::Session;
use crate::args::{BenchArgs, DemoArgs, Executor, JobArgs};
use crate::exit::Outcome;
use crate::output;
use emobox_bench::{BenchRun, Experiment, Plan};
use std::path::Path;

pub(super) fn run(session: &Session<'_>, args: &BenchArgs) -> anyhow::Result<Outcome> {
    let mut experiment = match &args.experiment {
        Some(path) => Experiment::read(path)?,
        None => Experiment::default(),
    };
    args.grid.add_to(&mut experiment)?;
    if let Some(scheme) = args.scheme {
        experiment.scheme = scheme.into();
    }
    args.probe.add_to(&mut experiment);
    if let Some(seed) = args.seed {
        experiment.seed = seed;
    }
    experiment.layer_curve |= args.layer_curve;
    if args.metadata.is_some() {
        experiment.metadata.clone_from(&args.metadata);
    }
    let how = &args.plan;
    let on_cluster = how.attach || how.cancel || how.executor == Executor::Slurm;
    if !how.plan && !on_cluster {
        let run = emobox_bench::bench(&session.home, &experiment, &args.out, session.context)?;
        return finish(session, &run, &args.out);
    }
    if how.plan {
        let plan = Plan::forecast(&session.home, &experiment, &args.out)?;
        if session.json {
            output::json(&plan)?;
        } else {
            output::result(&plan.text());
        }
        return Ok(Outcome::Complete);
    }
    let plan = Plan::of(&session.home, &experiment, &args.out)?;
    if how.cancel {
        let tasks = emobox_bench::cancel(&plan)?;
        output::note(&format!("{tasks} tasks cancelled; what is finished stays"));
        return Ok(Outcome::Complete);
    }
    let run = if how.attach {
        emobox_bench::follow(&plan, session.context)?
    } else {
        emobox_bench::submit(&plan, session.context)?
    };
    finish(session, &run, &args.out)
}

/// One job of a plan; all it says goes to the task's log.
pub(super) fn job(session: &Session<'_>, args: &JobArgs) -> anyhow::Result<Outcome> {
    let done = emobox_bench::run_job(&args.plan, args.job, session.context)?;
    output::note(&done);
    Ok(Outcome::Complete)
}

pub(super) fn demo(session: &Session<'_>, args: &DemoArgs) -> anyhow::Result<Outcome> {
    let run = emobox_bench::demo(&session.home, args.seed, &args.out, session.context)?;
    finish(session, &run, &args.out)
}

fn finish(session: &Session<'_>, run: &BenchRun, out: &Path) -> anyhow::Result<Outcome> {
    if session.json {
        output::json(&run.scores())?;
    } else {
        output::result(&run.table());
    }
    for name in ["scores.json", "report.html", "predictions"] {
        output::note(&format!("wrote {}", out.join(name).display()));
    }
    for folder in run.folders() {
        output::note(&format!("probes: {}", folder.display()));
    }
    Ok(Outcome::from_skips(run.skipped()))
}
