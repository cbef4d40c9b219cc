//! Training on one corpus, testing on the balanced sets of the others.

mod labels;
mod matrix;
mod sets;

use crate::bench::{check_writable, lock};
use crate::evaluate::scores_file;
use crate::grid::Grid;
use crate::results::{protocol_facts, write_page, write_scores};
use crate::{BenchError, BenchRun, Context, EncoderChoice, Experiment, Home};
use emobox_files::sha256_bytes;
use emobox_report::ReportData;
use emobox_score::{Provenance, Source};
use sets::Pool;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a cross-corpus run needs beyond its experiment.
#[derive(Debug, Clone, Default)]
pub struct CrossRequest {
    /// Shared classes with the corpora's own classes that belong to each, as `happy` → `Happy`, `Excited`; empty for
    /// every class that all corpora have.
    pub classes: Vec<(String, Vec<String>)>,
    /// Who says which utterances sound like their label.
    pub labeller: Labeller,
    /// Pseudo-labels from predictions files, by corpus; they come before the labeller.
    pub label_files: BTreeMap<String, PathBuf>,
    /// Balanced sets that exist already, by corpus: one `{"key", "label", "speaker"}` a line.
    pub set_files: BTreeMap<String, PathBuf>,
    /// Utterances of each class from each speaker; none for the largest set.
    pub per_cell: Option<usize>,
    /// Speakers of each set; none for the largest set.
    pub speakers: Option<usize>,
}

/// Where pseudo-labels come from.
#[derive(Debug, Clone, Default)]
pub enum Labeller {
    /// The first encoder of the experiment.
    #[default]
    FirstEncoder,
    /// Nobody: every annotation counts.
    Nobody,
    /// An encoder (by its own emotion head where it has one, else by probes trained on the other speakers of the
    /// corpus), or the folder of a saved probe as its path.
    Named(EncoderChoice),
}

/// Trains on each corpus of the experiment, tests on the balanced sets of the others, and writes `scores.json`,
/// `predictions/`, `balanced/`, `pseudo-labels/`, `report.json` and `report.html` to `out`.
pub fn cross(
    home: &Home,
    experiment: &Experiment,
    request: &CrossRequest,
    out: &Path,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    experiment.check()?;
    if experiment.corpora.len() < 2 {
        return Err(BenchError::Call(
            "a cross-corpus run needs two corpora or more: add --corpus NAME[=DIR]".to_owned(),
        ));
    }
    check_corpora("--pseudo-labels", experiment, request.label_files.keys())?;
    check_corpora("--balanced-set", experiment, request.set_files.keys())?;
    check_writable(out)?;
    let _lock = lock(home, context)?;
    let grid = Grid::open(home, experiment, context)?;
    let classes = class_map(&grid, &request.classes)?;
    let shared: BTreeSet<&String> = classes.values().collect();
    let shared: Vec<String> = shared.into_iter().cloned().collect();
    grid.extract(None, None, context)?;
    let labels = labels::all(&grid, request, &classes, context)?;
    let mut pools = Vec::new();
    for (corpus, labels) in grid.corpora.iter().zip(&labels) {
        pools.push(Pool::new(&grid, corpus, labels, &classes, request)?);
    }
    let scored = matrix::all(&grid, &pools, &shared, context)?;

    let mut data = ReportData::new(
        "emobox across corpora",
        scores_file(provenance(&grid, &pools), Vec::new()),
    );
    data.scores.cross = scored.matrices;
    data.protocol = protocol_facts(&grid.protocol);
    data.training = scored.training;
    data.audits = pools.iter().map(Pool::findings).collect();
    data.notes = notes(&labels, request);
    let mut run = BenchRun::of(data);
    run.add_skipped(grid.corpora.iter().map(|corpus| corpus.skipped).sum());
    run.add_skipped(scored.left_out);
    for set in scored.predictions {
        run.add_predictions(set);
    }
    for folder in scored.folders {
        run.add_folder(folder);
    }
    for (pool, labels) in pools.iter().zip(&labels) {
        let name = format!("{}.jsonl", pool.corpus.name);
        pool.set.write(&out.join("balanced").join(&name))?;
        if let Some(labels) = labels {
            labels.write(&out.join("pseudo-labels").join(&name))?;
        }
    }
    write_scores(&run, out)?;
    write_page(&run, out)?;
    Ok(run)
}

fn check_corpora<'a>(
    option: &str,
    experiment: &Experiment,
    mut names: impl Iterator<Item = &'a String>,
) -> Result<(), BenchError> {
    let known = |name: &String| experiment.corpora.iter().any(|c| c.name == *name);
    match names.find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<&str> = experiment.corpora.iter().map(|c| c.name.as_str()).collect();
            Err(BenchError::Call(format!(
                "{option} {name}=…: {name} is no corpus of this run; these are: {}",
                known.join(", ")
            )))
        }
    }
}

/// The shared class of each corpus class that takes part.
fn class_map(
    grid: &Grid<'_>,
    asked: &[(String, Vec<String>)],
) -> Result<BTreeMap<String, String>, BenchError> {
    let of_corpora: Vec<(&str, BTreeSet<String>)> = grid
        .corpora
        .iter()
        .map(|c| {
            (
                c.name.as_str(),
                c.manifest.classes().into_iter().collect::<BTreeSet<_>>(),
            )
        })
        .collect();
    let listed = || {
        let lines = of_corpora.iter().map(|(name, classes)| {
            let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
            format!("{name} has {}", classes.join(", "))
        });
        lines.collect::<Vec<_>>().join("; ")
    };
    let mut map = BTreeMap::new();
    if asked.is_empty() {
        let mut common = of_corpora
            .first()
            .map(|(_, classes)| classes.clone())
            .unwrap_or_default();
        for (_, classes) in &of_corpora {
            common.retain(|class| classes.contains(class));
        }
        map.extend(
            common
                .into_iter()
                .map(|class| (class.clone(), class.to_lowercase())),
        );
    }
    for (shared, own) in asked {
        for class in own {
            if map.insert(class.clone(), shared.clone()).is_some() {
                return Err(BenchError::Call(format!("class {class} is named twice")));
            }
        }
        let lacks = of_corpora
            .iter()
            .find(|(_, classes)| !own.iter().any(|class| classes.contains(class)));
        if let Some((name, _)) = lacks {
            return Err(BenchError::Call(format!(
                "{name} has no class {} for the shared class {shared}: {}",
                own.join(" or "),
                listed()
            )));
        }
    }
    let shared: BTreeSet<&String> = map.values().collect();
    if shared.len() < 2 {
        return Err(BenchError::Call(format!(
            "{} shared classes, at least 2 are needed: {}; name them as --class SHARED=CLASS,CLASS",
            shared.len(),
            listed()
        )));
    }
    Ok(map)
}

fn provenance(grid: &Grid<'_>, pools: &[Pool]) -> Provenance {
    let mut provenance = Provenance::default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    provenance.versions.insert("emobox".to_owned(), version);
    let mut add = |kind: &str, name: &str, digest: &str| {
        provenance.sources.push(Source {
            kind: kind.to_owned(),
            name: name.to_owned(),
            digest: digest.to_owned(),
        });
    };
    for (corpus, pool) in grid.corpora.iter().zip(pools) {
        add("manifest", &corpus.name, corpus.digest.as_str());
        let set = serde_json::to_vec(&pool.set.items).unwrap_or_default();
        add("balanced set", &corpus.name, sha256_bytes(&set).as_str());
    }
    for encoder in &grid.encoders {
        let info = encoder.info();
        add("checkpoint", &info.name, &info.weights_digest);
    }
    let protocol = &grid.protocol;
    add("protocol", &protocol.name, protocol.digest().as_str());
    provenance
}

/// What a reader must know before believing the matrix.
fn notes(labels: &[Option<labels::PseudoLabels>], request: &CrossRequest) -> Vec<String> {
    let makers: BTreeSet<&str> = labels.iter().flatten().map(|l| l.maker.as_str()).collect();
    let mut notes = Vec::new();
    if !makers.is_empty() {
        let makers: Vec<&str> = makers.into_iter().collect();
        notes.push(format!(
            "The balanced sets hold only utterances on which {} with the annotation; an encoder that chose them \
             has an advantage on them.",
            match makers.as_slice() {
                [one] => format!("{one} agrees"),
                several => format!("{} agree", several.join(", ")),
            }
        ));
    } else if request.set_files.is_empty() {
        notes.push(
            "The balanced sets hold what the annotation says; no labeller was asked.".to_owned(),
        );
    }
    notes
}
