use super::{Job, JobStage, Part, Plan, Receipt, Work};
use crate::grid::Grid;
use crate::grid_parts::contains;
use crate::prepare::{PrepareHow, corpus_of};
use crate::results::{REPORT_DATA, predictions_path, write_page, write_scores};
use crate::{BenchError, BenchRun, Context, Experiment, Home, read_run};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a job looks for files of other nodes that it cannot see yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Runs one job of the plan in `folder`, unless it is finished, and says what was done.
///
/// Takes no lock and shares no file that changes: on a shared file system any number of these may run
/// at once, of one plan or of several, on any number of machines.
pub fn run_job(folder: &Path, at: usize, context: Context<'_>) -> Result<String, BenchError> {
    let plan = Plan::read(folder)?;
    let job = plan.jobs.get(at).ok_or_else(|| {
        BenchError::Call(format!(
            "plan {} has no job {at}: its jobs are 0 to {}",
            plan.name,
            plan.jobs.len().saturating_sub(1)
        ))
    })?;
    if plan.is_finished(job) {
        return Ok(format!("job {} was finished already", job.name));
    }
    wait_for_needs(&plan, job, context)?;
    context.progress.note(&format!("job {} begins", job.name));
    let done = work(&plan, job, context)?;
    stamp(&plan, job, &done)?;
    Ok(format!("job {} is done", job.name))
}

/// The files that a job has read and made.
struct Done {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
}

fn stamp(plan: &Plan, job: &Job, done: &Done) -> Result<(), BenchError> {
    Receipt::write(plan, job, &done.inputs, &done.outputs)
}

/// Files of another node may take a while to appear on a network disk, though the scheduler says that
/// the node is done.
fn wait_for_needs(plan: &Plan, job: &Job, context: Context<'_>) -> Result<(), BenchError> {
    let settle = plan.experiment.slurm.clone().unwrap_or_default().settle();
    let begun = Instant::now();
    loop {
        let needs = job.needs.iter().filter_map(|&at| plan.jobs.get(at));
        let open: Vec<&str> = needs
            .filter(|need| !plan.is_finished(need))
            .map(|need| need.name.as_str())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        if begun.elapsed() >= settle {
            return Err(BenchError::NotReady {
                job: job.name.clone(),
                needs: open.join(", "),
            });
        }
        std::thread::sleep(LOOK_AGAIN.min(settle));
    }
}

/// Does the work of a job.
fn work(plan: &Plan, job: &Job, context: Context<'_>) -> Result<Done, BenchError> {
    let home = Home::new(&plan.home);
    let experiment = &plan.experiment;
    match &job.work {
        Work::Prepare { corpus } => {
            let how = PrepareHow {
                allow_missing: experiment.allow_missing,
                as_published: experiment.as_published,
            };
            for choice in experiment.corpora.iter().filter(|c| c.name == *corpus) {
                corpus_of(&home, choice, how, context)?;
            }
            Ok(prepared(&home, corpus))
        }
        Work::Extract { encoder, parts } => {
            let part_of = narrowed(experiment, encoder, parts);
            let grid = Grid::open(&home, &part_of, context)?.without_claims();
            for part in parts {
                let extracted = grid.extract_part(encoder, part, context)?;
                context.progress.note(&extracted.line());
            }
            extracted(&grid, &home, encoder, parts)
        }
        Work::Train { encoder, parts } => {
            let part_of = narrowed(experiment, encoder, parts);
            let grid = Grid::open(&home, &part_of, context)?;
            let folders = grid.train_parts(parts, context)?;
            Ok(trained(&home, parts, &folders))
        }
        Work::Evaluate => {
            let prepared = Experiment {
                corpora: without_raw(experiment),
                ..experiment.clone()
            };
            let grid = Grid::open(&home, &prepared, context)?;
            let run = grid.train("emobox benchmark", context)?;
            write_scores(&run, &plan.out)?;
            emobox_files::write_json(plan.folder().join(SKIPPED), &run.skipped())?;
            Ok(evaluated(plan, &run))
        }
        Work::Report => {
            write_page(&read_run(&plan.out)?, &plan.out)?;
            Ok(reported(plan))
        }
    }
}

/// How many inputs the evaluation counted as left out.
const SKIPPED: &str = "skipped.json";

impl Plan {
    /// The finished run of a plan whose jobs are all done.
    pub(crate) fn finished_run(&self) -> Result<BenchRun, BenchError> {
        let mut run = read_run(&self.out)?;
        run.add_skipped(emobox_files::read_json(self.folder().join(SKIPPED))?);
        Ok(run)
    }
}

/// All jobs of a plan in this process, several at once, in the order of the stages. The grid looks
/// for finished work itself, so receipts are written here and not asked for.
pub(crate) fn run_here(
    plan: &Plan,
    grid: &Grid<'_>,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    let home = Home::new(&plan.home);
    for (_, job) in plan.stage(JobStage::Prepare) {
        if let Work::Prepare { corpus } = &job.work {
            stamp_open(plan, job, || Ok(prepared(&home, corpus)))?;
        }
    }
    grid.extract(None, None, context)?;
    for (_, job) in plan.stage(JobStage::Extract) {
        if let Work::Extract { encoder, parts } = &job.work {
            stamp_open(plan, job, || extracted(grid, &home, encoder, parts))?;
        }
    }
    let run = grid.train("emobox benchmark", context)?;
    let folders: Vec<PathBuf> = run.folders().map(Path::to_owned).collect();
    for (_, job) in plan.stage(JobStage::Train) {
        if let Work::Train { encoder, parts } = &job.work {
            let folds = folds_of(encoder, parts, &folders);
            stamp_open(plan, job, || Ok(trained(&home, parts, &folds)))?;
        }
    }
    write_scores(&run, &plan.out)?;
    write_page(&run, &plan.out)?;
    emobox_files::write_json(plan.folder().join(SKIPPED), &run.skipped())?;
    for (_, job) in plan.stage(JobStage::Evaluate) {
        stamp_open(plan, job, || Ok(evaluated(plan, &run)))?;
    }
    for (_, job) in plan.stage(JobStage::Report) {
        stamp_open(plan, job, || Ok(reported(plan)))?;
    }
    Ok(run)
}

fn stamp_open(
    plan: &Plan,
    job: &Job,
    done: impl FnOnce() -> Result<Done, BenchError>,
) -> Result<(), BenchError> {
    if plan.is_finished(job) {
        return Ok(());
    }
    stamp(plan, job, &done()?)
}

/// The experiment as one job sees it: its encoder and its corpora, which are prepared by now.
fn narrowed(experiment: &Experiment, encoder: &str, parts: &[Part]) -> Experiment {
    let wanted = |name: &str| parts.iter().any(|part| part.corpus == name);
    let mut corpora = without_raw(experiment);
    corpora.retain(|corpus| wanted(&corpus.name));
    let mut encoders = experiment.encoders.clone();
    encoders.retain(|choice| choice.name == encoder);
    Experiment {
        corpora,
        encoders,
        ..experiment.clone()
    }
}

fn without_raw(experiment: &Experiment) -> Vec<crate::CorpusChoice> {
    let mut corpora = experiment.corpora.clone();
    for corpus in &mut corpora {
        corpus.raw = None;
    }
    corpora
}

fn prepared(home: &Home, corpus: &str) -> Done {
    Done {
        inputs: Vec::new(),
        outputs: vec![home.manifest(corpus), home.prepare_report(corpus)],
    }
}

fn extracted(
    grid: &Grid<'_>,
    home: &Home,
    encoder: &str,
    parts: &[Part],
) -> Result<Done, BenchError> {
    let mut done = Done {
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    for part in parts {
        done.inputs.push(home.manifest(&part.corpus));
        done.outputs.extend(grid.files_of(encoder, part)?);
    }
    Ok(done)
}

fn trained(home: &Home, parts: &[Part], folders: &[PathBuf]) -> Done {
    let manifests = parts.iter().map(|part| home.manifest(&part.corpus));
    let identities = folders.iter().filter_map(|folder| folder.parent());
    let mut inputs: Vec<PathBuf> = manifests
        .chain(identities.map(|folder| folder.join("job.json")))
        .collect();
    inputs.sort();
    inputs.dedup();
    Done {
        inputs,
        outputs: folders.iter().map(|f| f.join("outcome.json")).collect(),
    }
}

/// The folds of these parts in the folders of a run.
fn folds_of(encoder: &str, parts: &[Part], folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut folds = Vec::new();
    for part in parts {
        let cell = Path::new(&part.corpus).join(encoder);
        let ours = folders.iter().find(|folder| {
            folder
                .parent()
                .is_some_and(|parent| parent.ends_with(&cell))
        });
        let Some(folder) = ours else { continue };
        for fold in 1.. {
            let path = folder.join(format!("fold{fold}"));
            if !path.exists() {
                break;
            }
            if contains(std::slice::from_ref(part), &part.corpus, fold) {
                folds.push(path);
            }
        }
    }
    folds
}

fn evaluated(plan: &Plan, run: &BenchRun) -> Done {
    let mut outputs = vec![plan.out.join("scores.json"), plan.out.join(REPORT_DATA)];
    for set in run.predictions() {
        outputs.push(predictions_path(&plan.out, &set.corpus, &set.encoder));
    }
    let mut inputs = Vec::new();
    for (_, job) in plan.stage(JobStage::Train) {
        if let Some(receipt) = Receipt::read(plan, job) {
            inputs.extend(receipt.outputs.into_iter().map(|stamp| stamp.path));
        }
    }
    Done { inputs, outputs }
}

fn reported(plan: &Plan) -> Done {
    Done {
        inputs: vec![plan.out.join(REPORT_DATA)],
        outputs: vec![plan.out.join("report.html")],
    }
}
