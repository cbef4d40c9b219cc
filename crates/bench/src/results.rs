use crate::cross;
use crate::job_stage::JobStage;
use crate::pairs::compare_pairs;
use crate::plan::{Done, Job, JobState, Plan, Receipt, States};
use crate::record::{CellRecord, absent, is_wrong_call, seed_file};
use crate::run::scores_file;
use crate::{BenchError, BenchRun, Home, PredictionSet};
use emobox_files::{
    FileError, read_json, remove_file, write_atomic, write_atomic_with, write_json,
};
use emobox_probe::Protocol;
use emobox_report::{Fact, ReportData, UtteranceMap, html};
use emobox_score::{Concordance, Provenance, Source};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What `emobox report` reads: everything that the page shows.
pub(crate) const REPORT_DATA: &str = "report.json";

/// The location of a run's plan, stored in the output folder while the run is in progress.
const PROGRESS: &str = "progress.json";

/// `progress.json`: from it, `emobox report` shows the finished part of a run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InProgress {
    /// The plan's folder.
    plan: PathBuf,
}

/// The class of machine on which results are bit-identical: the instruction set and the kernels that are used.
pub fn machine() -> String {
    format!("{} {}", std::env::consts::ARCH, emobox_encoder::kernels())
}

/// Marks an output folder as belonging to a run in progress.
pub fn mark_in_progress(plan: &Plan) -> Result<(), BenchError> {
    let plan_folder = plan.folder();
    write_json(plan.out.join(PROGRESS), &InProgress { plan: plan_folder })?;
    Ok(())
}

/// The plan of the run in progress in a folder.
pub(crate) fn in_progress(out: &Path) -> Option<Plan> {
    let mark: InProgress = read_json(out.join(PROGRESS)).ok()?;
    Plan::read(&mark.plan).ok()
}

/// Everything that is finished of a plan, and why the rest is not.
pub(crate) fn assemble(plan: &Plan, states: &States) -> Result<BenchRun, BenchError> {
    let mut run = finished_cells(plan, states)?;
    let (comparisons, not_compared) = compare_pairs(&run, plan.experiment.partition_seed)?;
    let data = run.data_mut();
    data.scores.comparisons = comparisons;
    data.notes.extend(not_compared);
    Ok(run)
}

/// The same without the comparison of encoders, which reads every prediction.
pub(crate) fn finished_cells(plan: &Plan, states: &States) -> Result<BenchRun, BenchError> {
    let title = match plan.experiment.cross {
        Some(_) => "emobox across corpora",
        None => "emobox benchmark",
    };
    let mut run = BenchRun::of(ReportData::new(
        title,
        scores_file(Provenance::default(), Vec::new()),
    ));
    if plan.experiment.cross.is_some() {
        cross::assemble(plan, states, &mut run)?;
    } else {
        for (at, job) in plan.stage(JobStage::Score) {
            match record(plan, job, states.get(at)) {
                Some(record) => add(&mut run, record),
                None => run.add_absent(absent(plan, at, states), is_wrong_call(plan, at, states)),
            }
        }
    }
    add_perturbed(plan, states, &mut run);
    let protocol = plan.experiment.resolved_protocol()?;
    let names = plan.experiment.corpora.iter().map(|c| c.name.clone());
    run.data_mut().corpora = names.collect();
    let names = plan.experiment.encoders.iter().map(|e| e.name.clone());
    run.data_mut().encoders = names.collect();
    let versions = &mut run.data_mut().scores.provenance.versions;
    versions.insert("emobox".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    versions.insert("machine".to_owned(), machine());
    run.add_source(Source {
        kind: "protocol".to_owned(),
        name: protocol.name.clone(),
        digest: protocol.digest().to_string(),
    });
    run.data_mut().protocol = protocol_facts(&protocol);
    let notes = notes(plan, states);
    let data = run.data_mut();
    data.scores.leaks = emobox_score::leaks(&data.scores.runs);
    data.notes.extend(notes);
    Ok(run)
}

fn record(plan: &Plan, job: &Job, state: &JobState) -> Option<CellRecord> {
    if *state != JobState::Done {
        return None;
    }
    let receipt = Receipt::read(plan, job)?;
    read_json(&receipt.outputs.first()?.path).ok()
}

fn add(run: &mut BenchRun, record: CellRecord) {
    for source in record.sources {
        run.add_source(source);
    }
    run.count_corpus(&record.corpus, record.corpus_skipped);
    run.add_skipped(record.left_out);
    run.add_folder(record.folder);
    let partition = record.audit.partition.clone();
    for (seed, path) in record.predictions.into_iter().enumerate() {
        run.add_predictions(PredictionSet {
            corpus: record.corpus.clone(),
            encoder: record.encoder.clone(),
            partition: partition.clone(),
            seed,
            path,
        });
    }
    let data = run.data_mut();
    data.scores.runs.extend(record.runs);
    data.scores.dimensions.extend(record.dimensions);
    data.training.extend(record.training);
    for map in record.maps {
        add_map(&mut data.maps, map);
    }
    // If dimensions were learnt, there are no misclassifications.
    if record.errors.n > 0 {
        data.errors.push(record.errors);
    }
    data.layers.extend(record.layers);
    if !data.audits.contains(&record.audit) {
        data.audits.push(record.audit);
    }
}

/// The losses from perturbations, and a note on each that failed.
fn add_perturbed(plan: &Plan, states: &States, run: &mut BenchRun) {
    for (at, job) in plan.stage(JobStage::Perturb) {
        let done = *states.get(at) == JobState::Done;
        let receipt = Receipt::read(plan, job).filter(|_| done);
        let record = receipt.and_then(|receipt| read_json(&receipt.outputs.first()?.path).ok());
        if let Some(record) = record {
            run.data_mut().scores.perturbed.push(record);
            continue;
        }
        // A cell without scores gives its own reason.
        if let JobState::Failed(failure) = states.get(at) {
            let note = format!("{} could not be done: {}.", job.name, failure.reason);
            run.add_skipped(1);
            run.data_mut().notes.push(note);
        }
    }
}

/// Another partition's map of the same utterances differs only in their outcomes.
fn add_map(maps: &mut Vec<UtteranceMap>, map: UtteranceMap) {
    let same = |known: &&mut UtteranceMap| {
        (&known.corpus, &known.encoder, &known.method) == (&map.corpus, &map.encoder, &map.method)
            && known.keys == map.keys
    };
    match maps.iter_mut().find(same) {
        None => maps.push(map),
        Some(known) => {
            let new = map.colourings.into_iter();
            let new = new.filter(|one| known.colourings.iter().all(|old| old.by != one.by));
            let new: Vec<_> = new.collect();
            known.colourings.extend(new);
        }
    }
}

/// A finished or empty cell in one line, without a reason that the user has been told.
pub(crate) fn row(
    plan: &Plan,
    at: usize,
    states: &States,
    has_told: &dyn Fn(&str) -> bool,
) -> String {
    let job = &plan.jobs[at];
    let scheme = job.work.scheme();
    let scheme = scheme.filter(|_| plan.experiment.schemes.are_several());
    let on = job.work.tested_on();
    let cell = format!(
        "{}{} with {}{}",
        job.work.corpus().unwrap_or_default(),
        on.map_or_else(String::new, |on| format!(" tested on {on}")),
        job.work.encoder().unwrap_or_default(),
        scheme.map_or_else(String::new, |scheme| format!(" ({scheme})"))
    );
    if let Some(tested) = cross::tested(plan, job, states.get(at)) {
        return format!("{cell}: accuracy {:.2}", 100.0 * tested.cell.accuracy);
    }
    let record = record(plan, job, states.get(at));
    let rated = record.as_ref().and_then(|record| {
        let mut scores = record.dimensions.iter();
        scores.find(|scores| scores.headline)
    });
    if let Some(scores) = rated {
        let name = |score: &Concordance| match score.ccc {
            Some(ccc) => format!("{} {ccc:.3}", score.dimension),
            None => format!("{} –", score.dimension),
        };
        let each: Vec<String> = scores.scores.iter().map(name).collect();
        return format!("{cell}: CCC {}", each.join(" "));
    }
    let mean = record.as_ref().and_then(|record| {
        let mut runs = record.runs.iter();
        runs.find(|run| run.headline)
    });
    match mean {
        Some(run) => format!(
            "{cell}: UA {:.2} WA {:.2} macro F1 {:.2}",
            100.0 * run.ua,
            100.0 * run.wa,
            100.0 * run.macro_f1
        ),
        None => {
            let absent = absent(plan, at, states);
            match has_told(&absent.reason) {
                true => format!("{cell}: empty, {} failed", absent.stage),
                false => format!("{cell}: empty ({}: {})", absent.stage, absent.reason),
            }
        }
    }
}

/// What a reader of the report must know first.
fn notes(plan: &Plan, states: &States) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.experiment.corpora.iter().any(|c| c.name == "demo") {
        notes.push(
            "The corpus demo is synthetic speech made by this program: its scores show that \
             the pipeline works and are no benchmark result."
                .to_owned(),
        );
    }
    let home = Home::new(&plan.home);
    for (at, job) in plan.stage(JobStage::Prepare) {
        let Some(corpus) = job.work.corpus() else {
            continue;
        };
        if let Some((_, failure)) = states.failure(plan, at).filter(|(_, f)| f.left_out) {
            notes.push(failure.reason.clone());
            continue;
        }
        let record = read_json::<crate::PrepareRecord>(home.prepare_report(corpus));
        if let Some(record) = record.ok().filter(|record| record.skipped > 0) {
            notes.push(format!(
                "{corpus}: {} skipped while reading the raw release; {} has their names.",
                match record.skipped {
                    1 => "1 file was".to_owned(),
                    n => format!("{n} files were"),
                },
                home.prepare_report(corpus).display()
            ));
        }
    }
    notes
}

/// Writes `scores.json`, `predictions/<corpus>/<encoder>.jsonl` and `report.json`.
pub(crate) fn write_scores(run: &BenchRun, out: &Path) -> Result<(), BenchError> {
    for set in run.predictions() {
        let path = place(run, set, out);
        let mut from =
            std::fs::File::open(&set.path).map_err(|e| FileError::io("read", &set.path, e))?;
        write_atomic_with(path, |mut to| std::io::copy(&mut from, &mut to).map(drop))?;
    }
    write_json(out.join("scores.json"), run.scores())?;
    // For programs only: with line breaks, 320 cells would take half as much space again.
    let data = serde_json::to_vec(run.data()).unwrap_or_default();
    write_atomic(out.join(REPORT_DATA), &data)?;
    Ok(())
}

/// What the last job of a plan reads and writes.
pub(crate) fn report_files(plan: &Plan, run: &BenchRun) -> Done {
    let out = &plan.out;
    let mut done = Done::default();
    for name in ["scores.json", REPORT_DATA, "report.html"] {
        done.outputs.push(out.join(name));
    }
    for set in run.predictions() {
        done.inputs.push(set.path.clone());
        done.outputs.push(place(run, set, out));
    }
    done
}

/// The path of a set of predictions in the output folder: `predictions/<corpus>/<encoder>.jsonl`; with several partition
/// schemes `<encoder>@<scheme>`, followed by `@seed<n>` for the training seeds after the first.
fn place(run: &BenchRun, set: &PredictionSet, out: &Path) -> PathBuf {
    let several = run
        .predictions()
        .iter()
        .any(|other| other.partition != set.partition);
    let name = match several {
        true => format!("{}@{}", set.encoder, set.partition),
        false => set.encoder.clone(),
    };
    let folder = out.join("predictions").join(&set.corpus);
    folder.join(seed_file(&name, set.seed))
}

/// The path of the predictions of a corpus with an encoder and training seed (from 0) in the output folder of a run.
pub fn predictions_path(
    out: &Path,
    corpus: &str,
    encoder: &str,
    partition: &str,
    seed: usize,
) -> PathBuf {
    let folder = out.join("predictions").join(corpus);
    let told_apart = folder.join(seed_file(&format!("{encoder}@{partition}"), seed));
    match told_apart.exists() {
        true => told_apart,
        false => folder.join(seed_file(encoder, seed)),
    }
}

/// Writes `report.html`.
pub(crate) fn write_page(run: &BenchRun, out: &Path) -> Result<(), BenchError> {
    write_atomic(out.join("report.html"), html(run.data()).as_bytes())?;
    // From here on the folder contains all of it.
    Ok(remove_file(out.join(PROGRESS))?)
}

/// Every constant of a protocol, in reading order.
pub fn protocol_facts(protocol: &Protocol) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(protocol) {
        for (name, value) in fields {
            add_fact(&mut facts, name, &value);
        }
    }
    let constants = protocol.constants();
    for fact in &mut facts {
        let known = constants.iter().find(|constant| constant.name == fact.name);
        fact.origin = known.map(|constant| constant.origin.to_string());
        fact.reason = known.map(|constant| constant.reason.to_owned());
    }
    facts
}

/// Objects are flattened, lists written as lists, so that a page shows no JSON.
fn add_fact(facts: &mut Vec<Fact>, name: String, value: &serde_json::Value) {
    use serde_json::Value;
    let value = match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                add_fact(facts, format!("{name}.{field}"), value);
            }
            return;
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        other => plain(other),
    };
    facts.push(Fact::new(name, value));
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
