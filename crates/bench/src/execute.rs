use crate::cell::Cell;
use crate::check::check_prepared;
use crate::cross;
use crate::encoders::note_encoder;
use crate::job_stage::JobStage;
use crate::plan::{Done, FileStamp, Job, JobAction, JobFailure, JobState, Plan, Receipt, States};
use crate::prepare::{PrepareHow, is_current, open_corpus, prepare_choice};
use crate::progress::{NotesAlone, Silent};
use crate::results::{assemble, finished_cells, report_files, row, write_page, write_scores};
use crate::split::{SplitRequest, split};
use crate::target::outputs;
use crate::workshop::Workshop;
use crate::{BenchError, BenchRun, CallError, Context, Experiment, Home, Stage};
use rayon::prelude::*;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How often a job checks for files of other nodes that it cannot see yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Runs the unfinished jobs of one task of the plan in `folder`, and returns how many failed.
///
/// Takes no lock and shares no mutable file: on a shared file system any number of these may run
/// at once, of one plan or of several, on any number of machines.
pub fn run_task(folder: &Path, task: usize, context: Context<'_>) -> Result<usize, BenchError> {
    let plan = Plan::read(folder)?;
    let found = plan.tasks.get(task).ok_or_else(|| {
        BenchError::Call(CallError::value(
            format!("task of plan {}", plan.name),
            task,
            format!("0 to {}", plan.tasks.len().saturating_sub(1)),
        ))
    })?;
    let mut states = States::of(&plan);
    wait_for_needs(&plan, task, &mut states, context)?;
    let home = Home::new(&plan.home);
    let slurm = plan.experiment.slurm.clone().unwrap_or_default();
    let shop = Workshop::new(&home, &plan.experiment, context)?
        .with(|options| options.without_claims = true)
        .on(slurm.gpus_of(found.stage));
    if !states.task_is_settled(&plan, task) {
        let note = format!("task {} begins", found.name);
        context.progress.note(&note);
    }
    for &at in &found.jobs {
        let before = states.get(at).clone();
        settle(&plan, &shop, at, &mut states)?;
        let name = &plan.jobs[at].name;
        context.progress.note(&match (before, states.get(at)) {
            (JobState::Done, _) => format!("job {name} was done already"),
            (_, JobState::Done) => format!("job {name} is done"),
            (_, JobState::Blocked(need)) => {
                format!("job {name} needs {}", plan.jobs[*need].name)
            }
            _ => format!("job {name} could not be done"),
        });
    }
    let undone = |at: &&usize| *states.get(**at) != JobState::Done;
    Ok(found.jobs.iter().filter(undone).count())
}

/// Files of another node may take a while to appear on a network disk, though the scheduler says that
/// the node is done.
fn wait_for_needs(
    plan: &Plan,
    task: usize,
    states: &mut States,
    context: Context<'_>,
) -> Result<(), BenchError> {
    let settle = plan.experiment.slurm.clone().unwrap_or_default().settle();
    let begun = Instant::now();
    loop {
        let needs = plan.tasks[task].jobs.iter();
        let needs = needs.flat_map(|&at| plan.jobs[at].needs.iter());
        let open: Vec<&str> = needs
            .filter(|need| !states.get(**need).is_settled())
            .map(|&need| plan.jobs[need].name.as_str())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        if begun.elapsed() >= settle {
            return Err(BenchError::NotReady {
                job: plan.tasks[task].name.clone(),
                needs: open.join(", "),
            });
        }
        std::thread::sleep(LOOK_AGAIN.min(settle));
        states.refresh(plan);
    }
}

impl Plan {
    /// Begins a run: failed jobs are open again, and so is the preparation of corpora whose raw files
    /// have changed. What was made with other weights or published lists than are there now does not count as done any more.
    pub fn begin(&self) -> Result<(), BenchError> {
        self.write()?;
        let home = Home::new(&self.home);
        self.note_outside(&home)?;
        for job in &self.jobs {
            let Some(receipt) = Receipt::read(self, job) else {
                continue;
            };
            let stale = match &job.work {
                JobAction::Prepare { corpus } => {
                    let mut corpora = self.experiment.corpora.iter();
                    let choice = corpora.find(|choice| choice.name == *corpus);
                    choice.is_some_and(|choice| !is_current(&home, choice, how(&self.experiment)))
                }
                // Made while cells were empty: it names the predictions of every finished cell.
                JobAction::Report => receipt.inputs.len() < self.stage(JobStage::Score).count(),
                _ => false,
            };
            if receipt.failure.is_some() || stale {
                Receipt::drop(self, job)?;
            }
        }
        Ok(())
    }

    /// Writes down what lies outside the home and may have changed there, in files that receipts name: the weights of encoders, and
    /// partitions by the published metadata. What cannot be read is an error of the jobs that need it: finished work stays finished
    /// without it.
    fn note_outside(&self, home: &Home) -> Result<(), BenchError> {
        let experiment = &self.experiment;
        let labeller = experiment.labeller().filter(|choice| !choice.is_probe());
        for choice in experiment.encoders.iter().chain(labeller) {
            unless_unwritable(note_encoder(home, choice))?;
        }
        let context = Context {
            progress: &Silent,
            stop: &AtomicBool::new(false),
        };
        for scheme in experiment.schemes.iter() {
            let request = SplitRequest::of(experiment, scheme);
            for choice in experiment.corpora.iter().filter(|_| request.is_listed()) {
                if let Ok(corpus) = open_corpus(home, &choice.name) {
                    unless_unwritable(split(home, &corpus, &request, context))?;
                }
            }
        }
        Ok(())
    }

    /// The order for one process: cell by cell, so that an encoder is opened once and a cell is finished before the
    /// next begins.
    fn local_order(&self) -> Vec<usize> {
        let encoders = &self.experiment.encoders;
        let corpora = &self.experiment.corpora;
        let schemes = &self.experiment.schemes;
        let rank = |job: &Job| {
            let work = &job.work;
            let phase = match job.stage {
                JobStage::Prepare | JobStage::Report => job.stage,
                // Across corpora every stage needs all of the one before.
                stage if self.experiment.cross.is_some() => stage,
                _ => JobStage::Extract,
            };
            let encoder = encoders
                .iter()
                .position(|e| work.encoder() == Some(e.name.as_str()));
            let corpus = corpora
                .iter()
                .position(|c| work.corpus() == Some(c.name.as_str()));
            // The extraction of a cell has none and is first, then its schemes one after the other.
            let scheme = schemes.iter().position(|s| work.scheme() == Some(s));
            (phase, encoder, corpus, scheme, job.stage)
        };
        let mut order: Vec<usize> = (0..self.jobs.len()).collect();
        order.sort_by_key(|&at| (rank(&self.jobs[at]), at));
        order
    }
}

/// An error if the home could not be written.
fn unless_unwritable<T>(outcome: Result<T, BenchError>) -> Result<(), BenchError> {
    match outcome {
        Err(BenchError::File(error)) => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn how(experiment: &Experiment) -> PrepareHow {
    PrepareHow {
        allow_missing: experiment.allow_missing,
        as_published: experiment.as_published,
    }
}

/// All jobs of a plan in this process. Cells are reported as they are finished.
pub(crate) fn run_here(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    run_stages(plan, &JobStage::ALL, context)
}

/// The jobs of a plan from training onwards, on existing features.
pub(crate) fn train_here(plan: &Plan, context: Context<'_>) -> Result<BenchRun, BenchError> {
    let stages = [JobStage::Prepare, JobStage::Train, JobStage::Score];
    run_stages(plan, &stages, context)
}

/// Makes the manifests of a plan, several corpora at once.
pub(crate) fn prepare_all(
    plan: &Plan,
    shop: &Workshop<'_>,
    states: &mut States,
) -> Result<(), BenchError> {
    note_absent_raw(shop.home, shop.experiment, shop.context);
    let open: Vec<(usize, &Job)> = plan
        .stage(JobStage::Prepare)
        .filter(|(at, _)| !states.get(*at).is_settled())
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let Context { progress, stop } = shop.context;
    progress.begin(&Stage {
        label: "reading the raw corpora".to_owned(),
        total: open.len() as u64,
        unit: "corpora",
        already: 0,
    });
    let notes = NotesAlone(progress);
    let context = Context {
        progress: &notes,
        stop,
    };
    let (home, experiment) = (shop.home, shop.experiment);
    let outcomes: Vec<Result<Done, BenchError>> = open
        .par_iter()
        .map(|(_, job)| {
            if context.stopped() {
                return Err(BenchError::Interrupted);
            }
            let outcome = prepare_corpus(home, experiment, job, context);
            progress.advance(1);
            outcome
        })
        .collect();
    progress.end();
    shop.forget_corpus();
    for ((at, _), outcome) in open.into_iter().zip(outcomes) {
        record(plan, shop, at, outcome.map(Some), states)?;
    }
    // What was made from these manifests before may still hold.
    states.refresh(plan);
    Ok(())
}

/// The report of everything finished, in this process.
pub fn report_here(
    plan: &Plan,
    states: &mut States,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    let home = Home::new(&plan.home);
    let shop = Workshop::new(&home, &plan.experiment, context)?;
    for (at, _) in plan.stage(JobStage::Report) {
        // Another process may have made anew what the last report was written of.
        states.reopen(at);
        states.refresh(plan);
        settle(plan, &shop, at, states)?;
    }
    match shop.report() {
        Some(run) => Ok(run),
        None => assemble(plan, states),
    }
}

fn run_stages(
    plan: &Plan,
    stages: &[JobStage],
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    plan.begin()?;
    let home = Home::new(&plan.home);
    let mut shop = Workshop::new(&home, &plan.experiment, context)?;
    if stages.contains(&JobStage::Extract) {
        shop = shop.holding_features();
    }
    let mut states = States::of(plan);
    prepare_all(plan, &shop, &mut states)?;
    if stages.contains(&JobStage::Extract) {
        let checked = check_prepared(&plan.sized()?, &shop, &states)?;
        checked.may_begin()?;
        for finding in &checked.findings {
            shop.tell_failure(&finding.subject, &finding.problem);
        }
    }
    let cells = plan.stage(JobStage::Score).count();
    let mut finished = 0;
    for at in plan.local_order() {
        let job = &plan.jobs[at];
        if !stages.contains(&job.stage) {
            continue;
        }
        settle(plan, &shop, at, &mut states)?;
        if job.stage == JobStage::Score {
            finished += 1;
            if cells > 1 {
                let row = row(plan, at, &states, &|reason| shop.has_told(reason));
                context
                    .progress
                    .note(&format!("{finished} of {cells}: {row}"));
            }
        }
    }
    match shop.report() {
        Some(run) => Ok(run),
        None if stages.contains(&JobStage::Report) => assemble(plan, &states),
        None => finished_cells(plan, &states),
    }
}

/// Does a job unless it is settled, and writes its receipt. A failure is reported and recorded; only what
/// would stop every other job too (Ctrl-C, a full disk) is an error.
fn settle(
    plan: &Plan,
    shop: &Workshop<'_>,
    at: usize,
    states: &mut States,
) -> Result<(), BenchError> {
    let job = &plan.jobs[at];
    if states.get(at).is_settled() {
        return Ok(());
    }
    if shop.context.stopped() {
        return Err(BenchError::Interrupted);
    }
    if job.stage == JobStage::Extract
        && (ruled_out(plan, shop, at, states)? || trained_already(plan, shop, at, states)?)
    {
        return Ok(());
    }
    let outcome = work(plan, shop, job, states);
    record(plan, shop, at, outcome, states)
}

/// Records the outcome of a job; writes no receipt if its output is only in this process.
fn record(
    plan: &Plan,
    shop: &Workshop<'_>,
    at: usize,
    outcome: Result<Option<Done>, BenchError>,
    states: &mut States,
) -> Result<(), BenchError> {
    let job = &plan.jobs[at];
    match outcome {
        Ok(done) => {
            let before = Receipt::read(plan, job).map(|receipt| receipt.outputs);
            let now = match done {
                Some(done) => Receipt::done(plan, job, &done)?.outputs,
                None => {
                    Receipt::drop(plan, job)?;
                    Vec::new()
                }
            };
            if before.is_none_or(|before| !same_content(&before, &now)) {
                // Output made from other files is made again.
                for user in states.users(at).to_vec() {
                    Receipt::drop(plan, &plan.jobs[user])?;
                    states.reopen(user);
                }
            }
            states.set(plan, at, JobState::Done);
        }
        Err(error) if error.is_interruption() || error.stops_everything() => return Err(error),
        Err(error) => {
            let failure = JobFailure::of(&error);
            if failure.left_out {
                shop.context.progress.note(&failure.reason);
            } else {
                shop.tell_failure(&format!("{} failed", job.name), &failure.reason);
            }
            Receipt::failed(plan, job, failure.clone())?;
            for (report, _) in plan.stage(JobStage::Report) {
                states.reopen(report);
            }
            states.set(plan, at, JobState::Failed(failure));
        }
    }
    Ok(())
}

/// Whether two lists name the same files with the same bytes.
fn same_content(a: &[FileStamp], b: &[FileStamp]) -> bool {
    let content = |stamp: &FileStamp| (stamp.path.clone(), stamp.stamp.sha256.clone());
    a.iter().map(content).eq(b.iter().map(content))
}

/// Fails the trainings that a corpus rules out, since it lacks what they learn or cannot be divided, before anything is encoded
/// for them. Returns whether the features are needed by no other.
fn ruled_out(
    plan: &Plan,
    shop: &Workshop<'_>,
    at: usize,
    states: &mut States,
) -> Result<bool, BenchError> {
    for user in states.users(at).to_vec() {
        let JobAction::Train { corpus, scheme, .. } = &plan.jobs[user].work else {
            continue;
        };
        if states.get(user).is_settled() {
            continue;
        }
        let Ok(corpus) = shop.corpus(corpus) else {
            return Ok(false);
        };
        let found = outputs(&corpus, shop.experiment.target);
        if let Err(error) = found.and_then(|_| shop.split(&corpus, *scheme)) {
            record(plan, shop, user, Err(error), states)?;
        }
    }
    Ok(states.get(at).is_settled())
}

/// Checks before anything is encoded whether all folds are trained on exactly this audio, even if the features are gone or the
/// files were touched. Their receipts are then rewritten.
fn trained_already(
    plan: &Plan,
    shop: &Workshop<'_>,
    at: usize,
    states: &mut States,
) -> Result<bool, BenchError> {
    for user in states.users(at).to_vec() {
        if *states.get(user) == JobState::Done {
            continue;
        }
        let JobAction::Train {
            corpus,
            encoder,
            scheme,
            share,
        } = &plan.jobs[user].work
        else {
            return Ok(false);
        };
        let Ok(cell) = Cell::open(shop, corpus, encoder) else {
            return Ok(false);
        };
        let Some(done) = cell.under(*scheme).trained(*share) else {
            return Ok(false);
        };
        Receipt::done(plan, &plan.jobs[user], &done)?;
        states.set(plan, user, JobState::Done);
    }
    Ok(states.get(at).is_settled())
}

/// Makes the manifest of a corpus of the experiment.
fn prepare_corpus(
    home: &Home,
    experiment: &Experiment,
    job: &Job,
    context: Context<'_>,
) -> Result<Done, BenchError> {
    let mut corpora = experiment.corpora.iter();
    let choice = corpora.find(|choice| job.work.corpus() == Some(choice.name.as_str()));
    let choice = choice.ok_or(BenchError::Internal(
        "a plan prepares a corpus that it lacks",
    ))?;
    prepare_choice(
        home,
        choice,
        how(experiment),
        experiment.skip_absent,
        context,
    )?;
    let corpus = &choice.name;
    Ok(Done {
        inputs: Vec::new(),
        outputs: vec![home.manifest(corpus), home.prepare_report(corpus)],
    })
}

/// Does the work of a job.
fn work(
    plan: &Plan,
    shop: &Workshop<'_>,
    job: &Job,
    states: &States,
) -> Result<Option<Done>, BenchError> {
    let experiment = shop.experiment;
    let done = match &job.work {
        JobAction::Prepare { .. } => {
            shop.forget_corpus();
            prepare_corpus(shop.home, experiment, job, shop.context)
        }
        JobAction::Extract {
            corpus,
            encoder,
            share,
        } => {
            let cell = Cell::open(shop, corpus, encoder)?;
            let extracted = cell.extract(Some(*share))?;
            let done = cell.extracted(*share);
            if extracted.encoded > 0 {
                let place = match &done {
                    Some(_) => "",
                    None => "; the features are in memory alone",
                };
                let note = format!("{}{place}", extracted.line());
                shop.context.progress.note(&note);
            }
            return Ok(done);
        }
        JobAction::Train {
            corpus,
            encoder,
            scheme,
            share,
        } => Cell::open(shop, corpus, encoder)?
            .under(*scheme)
            .train(*share),
        JobAction::Score {
            corpus,
            encoder,
            scheme,
        } => Cell::open(shop, corpus, encoder)?.under(*scheme).score(),
        JobAction::Perturb {
            corpus,
            encoder,
            scheme,
            perturbation,
        } => Cell::open(shop, corpus, encoder)?
            .under(*scheme)
            .perturb(perturbation),
        JobAction::Draw { corpus } => cross::draw(shop, corpus),
        JobAction::TrainAll { corpus, encoder } => cross::train_all(shop, corpus, encoder),
        JobAction::Test {
            corpus,
            encoder,
            on,
        } => cross::test(shop, corpus, encoder, on),
        JobAction::Report => {
            let run = assemble(plan, states)?;
            write_scores(&run, &plan.out)?;
            write_page(&run, &plan.out)?;
            let done = report_files(plan, &run);
            shop.hold_report(run);
            Ok(done)
        }
    };
    done.map(Some)
}

/// Tells the user of raw folders that are named and not there although the corpus is prepared: its manifest is used.
pub(crate) fn note_absent_raw(home: &Home, experiment: &Experiment, context: Context<'_>) {
    let how = how(experiment);
    for choice in &experiment.corpora {
        if let Some(raw) = choice.raw.as_ref().filter(|raw| !raw.exists())
            && is_current(home, choice, how)
        {
            context.progress.note(&format!(
                "{} does not exist: the manifest of {} prepared earlier is used",
                raw.display(),
                choice.name
            ));
        }
    }
}

#[cfg(test)]
mod tests;
