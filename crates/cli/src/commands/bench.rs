//! `bench` and `demo`: from raw audio to the table.

use super::Session;
use crate::args::{BenchArgs, DemoArgs, Executor, JobArgs, PlanArgs};
use crate::exit::Ending;
use crate::output;
use emobox_bench::{BenchRun, Experiment, Plan};
use std::path::Path;

pub(super) fn run(session: &Session<'_>, args: &BenchArgs) -> anyhow::Result<Ending> {
    let mut experiment = args.how.experiment()?;
    experiment.layer_curve |= args.layer_curve || args.layer_curve_head.is_some();
    if let Some(head) = args.layer_curve_head {
        experiment.layer_curve_head = head;
    }
    if let Some(features) = args.features {
        experiment.features = features;
    }
    if let Some(maps) = args.maps {
        experiment.maps = maps;
    }
    if let Some(perturbations) = &args.perturb.perturb {
        experiment.perturb.clone_from(perturbations);
    }
    match execute(session, &experiment, &args.out, &args.plan)? {
        Executed::Shown(outcome) => Ok(outcome),
        Executed::Run(run) => finish(session, &run, &args.out),
    }
}

/// What became of an experiment.
pub(super) enum Executed {
    /// Something was printed; nothing was run to its end.
    Shown(Ending),
    /// It was run to its end.
    Run(Box<BenchRun>),
}

/// Runs an experiment as the options say: here, on a cluster, or not at all.
pub(super) fn execute(
    session: &Session<'_>,
    experiment: &Experiment,
    out: &Path,
    how: &PlanArgs,
) -> anyhow::Result<Executed> {
    let (home, context) = (&session.home, session.context);
    if how.check {
        let checked = emobox_bench::check(home, experiment, out, context)?;
        if session.json {
            output::json(&checked)?;
        } else {
            output::result(&checked.text());
        }
        let outcome = Ending::from_skips(checked.findings.len());
        return Ok(Executed::Shown(outcome));
    }
    let mut experiment = experiment.clone();
    // A plan alone is made of what is here.
    if !how.plan && !how.cancel {
        experiment.fetch_encoders(context)?;
    }
    let experiment = &experiment;
    if how.plan {
        let plan = Plan::forecast(home, experiment, out)?;
        if session.json {
            output::json(&plan)?;
        } else {
            output::result(&plan.text());
        }
        return Ok(Executed::Shown(Ending::Complete));
    }
    if !how.attach && !how.cancel && how.executor == Executor::Local {
        let run = emobox_bench::bench(home, experiment, out, context)?;
        return Ok(Executed::Run(Box::new(run)));
    }
    let plan = Plan::of(home, experiment, out)?;
    if how.cancel {
        let tasks = emobox_cluster::cancel(&plan)?;
        output::note(&format!(
            "{} cancelled; finished work is kept",
            emobox_bench::counted(tasks, "task")
        ));
        return Ok(Executed::Shown(Ending::Complete));
    }
    let run = if how.attach {
        emobox_cluster::follow(&plan, context)?
    } else {
        emobox_cluster::submit(&plan, context)?
    };
    Ok(Executed::Run(Box::new(run)))
}

/// One task of a plan; all it says goes to the task's log.
pub(super) fn task(session: &Session<'_>, args: &JobArgs) -> anyhow::Result<Ending> {
    let undone = emobox_bench::run_task(&args.plan, args.task, session.context)?;
    Ok(Ending::from_skips(undone))
}

pub(super) fn demo(session: &Session<'_>, args: &DemoArgs) -> anyhow::Result<Ending> {
    let run = emobox_bench::demo(&session.home, args.seed, &args.out, session.context)?;
    finish(session, &run, &args.out)
}

fn finish(session: &Session<'_>, run: &BenchRun, out: &Path) -> anyhow::Result<Ending> {
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
    Ok(Ending::from_skips(run.skipped()))
}
