//! Training on one corpus, testing on the balanced sets of the others, as jobs of a plan.

mod labels;
mod matrix;
mod sets;

pub(crate) use matrix::{test, train_all};

use crate::heard::facts;
use crate::job_stage::JobStage;
use crate::plan::{Done, Job, JobState, Plan, Receipt, States};
use crate::record::{absent, is_wrong_call};
use crate::workshop::Workshop;
use crate::{BenchError, BenchRun, CallError, Corpus, CrossOptions, Experiment, PredictionSet};
use emobox_corpus::PublishedSet;
use emobox_encoder::TrainingFact;
use emobox_files::{read_json, sha256_bytes, write_json};
use emobox_score::{CrossMatrix, Source};
use labels::PseudoLabels;
use matrix::Tested;
use serde::de::DeserializeOwned;
use sets::{Drawn, Pool};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

fn options<'a>(shop: &Workshop<'a>) -> Result<&'a CrossOptions, BenchError> {
    let cross = shop.experiment.cross.as_ref();
    cross.ok_or(BenchError::Internal(
        "a job across corpora in an experiment without [cross]",
    ))
}

/// Labels a corpus if needed, and draws its balanced set.
pub(crate) fn draw(shop: &Workshop<'_>, corpus: &str) -> Result<Done, BenchError> {
    let classes = class_map(shop)?;
    check_classes(shop.experiment, &*shop.corpus(corpus)?)?;
    let path = drawn_path(shop, corpus, &classes)?;
    let labels = match shop.experiment.has_set(corpus) {
        true => None,
        false => PseudoLabels::of(shop, corpus, &classes)?,
    };
    let pool = Pool::new(shop, corpus, &classes)?;
    let drawn = Drawn::new(shop, &*shop.corpus(corpus)?, labels, &classes)?;
    drawn.check(&pool)?;
    write_json(&path, &drawn)?;
    Ok(Done {
        inputs: inputs_of_set(shop, corpus)?,
        outputs: vec![path],
    })
}

/// What determines the balanced set of a corpus: its manifest, the set or the labels that are given, or who labels.
fn inputs_of_set(shop: &Workshop<'_>, corpus: &str) -> Result<Vec<PathBuf>, BenchError> {
    let (cross, experiment) = (options(shop)?, shop.experiment);
    let mut inputs = shop.origin(corpus);
    if let Some(set) = cross.balanced_sets.get(corpus) {
        inputs.push(set.clone());
    } else if let Some(metadata) = &experiment.metadata
        && experiment.has_set(corpus)
    {
        inputs.push(PublishedSet::path(metadata, corpus)?);
    } else if let Some(labels) = cross.pseudo_labels.get(corpus) {
        inputs.push(labels.clone());
    } else if let Some(choice) = experiment.labeller() {
        match &choice.path {
            Some(folder) if choice.is_probe() => inputs.push(folder.join("probe.json")),
            _ => inputs.push(shop.home.encoder(&choice.name)),
        }
    }
    Ok(inputs)
}

/// The balanced set of a corpus, as its job has drawn it.
fn drawn(
    shop: &Workshop<'_>,
    corpus: &str,
    classes: &BTreeMap<String, String>,
) -> Result<Drawn, BenchError> {
    Ok(read_json(drawn_path(shop, corpus, classes)?)?)
}

/// The name contains everything that determines the draw.
fn drawn_path(
    shop: &Workshop<'_>,
    corpus: &str,
    classes: &BTreeMap<String, String>,
) -> Result<PathBuf, BenchError> {
    let cross = options(shop)?;
    let identity = serde_json::json!([
        classes,
        shop.experiment.labeller(),
        cross.pseudo_labels.get(corpus),
        cross.balanced_sets.get(corpus),
        shop.experiment.metadata,
        cross.shape(corpus),
        shop.experiment.partition_seed,
        shop.corpus(corpus)?.digest,
        shop.protocol,
    ]);
    let name = sha256_bytes(identity.to_string().as_bytes());
    let folder = shop.home.corpus(corpus).join("balanced");
    Ok(folder.join(format!("{}.json", name.short())))
}

/// The output that a finished job wrote first.
fn made<T: DeserializeOwned>(plan: &Plan, job: &Job, state: &JobState) -> Option<T> {
    let receipt = Receipt::read(plan, job).filter(|_| *state == JobState::Done)?;
    read_json(&receipt.outputs.first()?.path).ok()
}

/// The scores of a pair of corpora, once it is tested.
pub(crate) fn tested(plan: &Plan, job: &Job, state: &JobState) -> Option<Tested> {
    job.work.tested_on()?;
    made(plan, job, state)
}

/// The matrices of everything that is tested, and the sets.
pub(crate) fn assemble(plan: &Plan, states: &States, run: &mut BenchRun) -> Result<(), BenchError> {
    let mut matrices: Vec<CrossMatrix> = Vec::new();
    let taking_part = plan.stage(JobStage::Prepare).filter(|(at, _)| {
        let failure = states.failure(plan, *at);
        failure.is_none_or(|(_, failure)| !failure.left_out)
    });
    let corpora = taking_part.filter_map(|(_, job)| job.work.corpus());
    let corpora: Vec<String> = corpora.map(str::to_owned).collect();
    let mut trained = BTreeSet::new();
    for (at, job) in plan.stage(JobStage::Score) {
        let Some(tested) = tested(plan, job, states.get(at)) else {
            run.add_absent(absent(plan, at, states), is_wrong_call(plan, at, states));
            continue;
        };
        let known = matrices.iter_mut().find(|m| m.encoder == tested.encoder);
        let matrix = match known {
            Some(matrix) => matrix,
            None => {
                matrices.push(CrossMatrix {
                    encoder: tested.encoder.clone(),
                    classes: tested.classes.clone(),
                    corpora: corpora.clone(),
                    cells: Vec::new(),
                });
                let last = matrices.len() - 1;
                &mut matrices[last]
            }
        };
        let on = tested.cell.test.clone();
        matrix.cells.push(tested.cell);
        for source in tested.sources {
            run.add_source(source);
        }
        run.count_corpus(&tested.corpus, tested.corpus_skipped);
        run.add_skipped(tested.left_out);
        // One trained probe is tested on the sets of all other corpora.
        if trained.insert((tested.corpus.clone(), tested.encoder.clone())) {
            run.add_skipped(tested.not_trained_on);
            run.add_folder(tested.folder);
            run.data_mut().training.push(tested.training);
        }
        for (seed, path) in tested.predictions.into_iter().enumerate() {
            run.add_predictions(PredictionSet {
                corpus: format!("{}-to-{on}", tested.corpus),
                encoder: tested.encoder.clone(),
                partition: String::new(),
                seed,
                path,
            });
        }
    }
    let mut makers = BTreeSet::new();
    let mut everything_annotated = true;
    for (at, job) in plan.stage(JobStage::Draw) {
        let Some(drawn) = made::<Drawn>(plan, job, states.get(at)) else {
            continue;
        };
        let set = serde_json::to_vec(&drawn.set.items).unwrap_or_default();
        run.add_source(Source {
            kind: "balanced set".to_owned(),
            name: drawn.set.corpus.clone(),
            digest: sha256_bytes(&set).to_string(),
        });
        let name = format!("{}.jsonl", drawn.set.corpus);
        drawn.set.write(&plan.out.join("balanced").join(&name))?;
        if let Some(labels) = &drawn.labels {
            labels.write(&plan.out.join("pseudo-labels").join(&name))?;
            makers.insert(labels.maker.clone());
        }
        everything_annotated &= drawn.labels.is_none() && !drawn.is_given;
        run.data_mut().audits.push(drawn.findings);
    }
    run.data_mut().scores.cross = matrices;
    let note = note(&makers, everything_annotated);
    run.data_mut().notes.extend(note);
    run.data_mut().notes.extend(contamination(&plan.experiment));
    Ok(())
}

/// Encoders known to have been trained on these corpora, and a labeller that competes or was trained on labels.
fn contamination(experiment: &Experiment) -> Vec<String> {
    // Each fact with the corpora of this run that it concerns.
    let of = |name: &str| {
        let mut known: Vec<(TrainingFact, String)> = Vec::new();
        for corpus in &experiment.corpora {
            for fact in facts(name, &corpus.name) {
                match known.iter_mut().find(|(other, _)| *other == fact) {
                    Some((_, heard)) => {
                        heard.push_str(", ");
                        heard.push_str(&corpus.name);
                    }
                    None => known.push((fact, corpus.name.clone())),
                }
            }
        }
        known
    };
    let mut notes = Vec::new();
    for encoder in &experiment.encoders {
        for (fact, heard) in of(&encoder.name) {
            let (name, how, source) = (&encoder.name, fact.how, fact.source);
            notes.push(format!(
                "† {name} is known to have heard test corpora in training ({heard}): {how} ({source})."
            ));
        }
    }
    let labels = experiment.corpora.iter().any(|corpus| {
        let cross = experiment.cross.as_ref();
        let given = cross.is_some_and(|cross| cross.pseudo_labels.contains_key(&corpus.name));
        !given && !experiment.has_set(&corpus.name)
    });
    let Some(labeller) = experiment.labeller().filter(|_| labels) else {
        return notes;
    };
    if experiment.encoders.iter().any(|e| e.name == labeller.name) {
        notes.push(format!(
            "{} chose the test utterances and is one of the encoders that are compared on them: its scores, and those of \
             encoders that err alike, are too high. Name a labeller that does not compete (--labeller).",
            labeller.name
        ));
    }
    for (fact, heard) in of(&labeller.name)
        .into_iter()
        .filter(|(fact, _)| fact.labels)
    {
        notes.push(format!(
            "The labeller {} was trained with emotion labels on corpora that it labels here ({heard}): {} ({}). Its agreement \
             with the annotation is partly memory.",
            labeller.name, fact.how, fact.source
        ));
    }
    notes
}

/// What a reader must know before trusting the matrix.
fn note(makers: &BTreeSet<String>, everything_annotated: bool) -> Option<String> {
    let names: Vec<&str> = makers.iter().map(String::as_str).collect();
    match &names[..] {
        [] if everything_annotated => Some(
            "The balanced sets hold what the annotation says; no labeller was asked.".to_owned(),
        ),
        [] => None,
        names => Some(format!(
            "The balanced sets that were drawn hold only utterances on which {} with the annotation; an encoder that \
             chose them has an advantage on them.",
            match names {
                [one] => format!("{one} agrees"),
                several => format!("{} agree", several.join(", ")),
            }
        )),
    }
}

/// The shared class of each participating corpus class: as the experiment names them, else the classes that all
/// corpora have.
pub(crate) fn class_map(shop: &Workshop<'_>) -> Result<Rc<BTreeMap<String, String>>, BenchError> {
    shop.classes(|| find_classes(shop))
}

fn find_classes(shop: &Workshop<'_>) -> Result<BTreeMap<String, String>, BenchError> {
    let asked = &options(shop)?.classes;
    let mut map = BTreeMap::new();
    for (shared, own) in asked {
        for class in own {
            if map.insert(class.clone(), shared.clone()).is_some() {
                return Err(BenchError::Call(CallError::twice("class", class)));
            }
        }
    }
    let mut lines = Vec::new();
    if asked.is_empty() {
        let mut common: Option<BTreeSet<String>> = None;
        for choice in &shop.experiment.corpora {
            let corpus = shop.corpus(&choice.name)?;
            lines.push(classes_of(&corpus));
            let classes = corpus.manifest.classes();
            common = Some(match common {
                None => classes.into_iter().collect(),
                Some(common) => common.into_iter().filter(|c| classes.contains(c)).collect(),
            });
        }
        let common = common.into_iter().flatten();
        map.extend(common.map(|class| (class.clone(), class.to_lowercase())));
    }
    let shared: BTreeSet<&String> = map.values().collect();
    if shared.len() < 2 {
        let listed = match lines.is_empty() {
            true => String::new(),
            false => format!(": {}", lines.join("; ")),
        };
        return Err(BenchError::Call(CallError::Classes(format!(
            "{} shared classes, at least 2 are needed{listed}; name them as --class SHARED=CLASS,CLASS",
            shared.len()
        ))));
    }
    Ok(map)
}

/// Whether a corpus has every class that the experiment names.
pub(crate) fn check_classes(experiment: &Experiment, corpus: &Corpus) -> Result<(), BenchError> {
    let asked = experiment.cross.iter().flat_map(|cross| &cross.classes);
    let classes = corpus.manifest.classes();
    for (shared, own) in asked {
        if !own.iter().any(|class| classes.contains(class)) {
            return Err(BenchError::Call(CallError::Classes(format!(
                "{} has no class {} for the shared class {shared}: {}",
                corpus.name,
                own.join(" or "),
                classes_of(corpus)
            ))));
        }
    }
    Ok(())
}

fn classes_of(corpus: &Corpus) -> String {
    let classes: Vec<String> = corpus.manifest.classes().into_iter().collect();
    format!("{} has {}", corpus.name, classes.join(", "))
}
