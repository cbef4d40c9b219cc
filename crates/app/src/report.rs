use emobox_bench::{
    BenchError, BenchRun, CallError, add_speakers, each_pair, predictions_in, scores_file,
    seed_file,
};
use emobox_corpus::Manifest;
use emobox_files::write_atomic;
use emobox_report::{
    Exchange, Metric, PaperSource, ReportData, Table, comparison_table, cross_average_table,
    cross_pairs_table, cross_table, dimensions_csv, dimensions_table, errors_table, exchange,
    figures, html, intra_table, latex_document, perturbed_table, runs_csv, scores_table,
};
use emobox_score::{InferenceOptions, Prediction, Provenance, classes_of, correct};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The formats in which a finished run can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// Tables for a terminal.
    Terminal,
    /// The self-contained page.
    Html,
    /// Markdown tables.
    Markdown,
    /// A LaTeX document with booktabs tables.
    Latex,
    /// One line per run, every score.
    Csv,
}

/// Prints a run in the requested format; with `beside`, the published figures are shown next to its own.
///
/// # Errors
/// One CSV of classes and of dimensions, whose columns differ.
pub fn render(
    run: &BenchRun,
    format: ReportFormat,
    beside: Option<PaperSource>,
) -> Result<String, BenchError> {
    let mut data = run.data().clone();
    data.beside = beside.or(data.beside);
    let is_rated = !data.scores.dimensions.is_empty();
    if format == ReportFormat::Csv && is_rated && data.has_classes() {
        return Err(BenchError::Call(CallError::Contradiction(
            "scores of classes and of dimensions have columns of their own: print the CSV of each run by itself".to_owned(),
        )));
    }
    Ok(match format {
        ReportFormat::Terminal => texts(&tables(&data), Table::terminal),
        ReportFormat::Html => html(&data),
        ReportFormat::Markdown => texts(&tables(&data), Table::markdown),
        ReportFormat::Latex => latex_document(&tables(&data)),
        ReportFormat::Csv if data.is_across_corpora() => cross_pairs_table(&data).csv(),
        ReportFormat::Csv if is_rated => dimensions_csv(&data),
        ReportFormat::Csv => runs_csv(&data),
    })
}

/// Refuses what is made of classes for a run of dimensions alone.
fn wants_classes(run: &BenchRun, what: &str) -> Result<(), BenchError> {
    match run.scores().runs.is_empty() && !run.scores().dimensions.is_empty() {
        true => Err(BenchError::Call(CallError::Contradiction(format!(
            "{what} of classes, and this run learnt dimensions; their concordances are in scores.json and `emobox report --csv`, \
             the predictions below predictions/"
        )))),
        false => Ok(()),
    }
}

/// The most confident errors of each cell, at most this many, as a table for a terminal.
pub fn errors_text(run: &BenchRun, most: usize) -> Result<String, BenchError> {
    wants_classes(run, "lists of errors are")?;
    Ok(errors_table(run.data(), most).terminal())
}

/// The same as data: the list of each cell, truncated.
pub fn worst_errors(run: &BenchRun, most: usize) -> Result<Vec<serde_json::Value>, BenchError> {
    wants_classes(run, "lists of errors are")?;
    let lists = run.data().errors.iter().map(|list| {
        let rows = list.rows.iter().take(most).map(|row| {
            serde_json::json!({
                "key": row.key, "fold": row.fold, "speaker": row.speaker, "reference": row.reference,
                "predicted": row.predicted, "probability": row.probability.map(|[predicted, _]| predicted),
                "text": row.text, "file": row.clip.as_ref().map(|clip| format!("{}/{}", list.root, clip.path)),
                "part": row.clip.as_ref().and_then(|clip| clip.part),
            })
        });
        serde_json::json!({
            "corpus": list.corpus, "encoder": list.encoder, "partition": list.partition, "protocol": list.protocol,
            "config": list.config, "items": list.n, "wrong": list.wrong, "errors": rows.collect::<Vec<_>>(),
        })
    });
    Ok(lists.collect())
}

/// Writes every figure of a run as an SVG file into `folder`, and returns their names.
pub fn write_figures(run: &BenchRun, folder: &Path) -> Result<Vec<PathBuf>, BenchError> {
    wants_classes(run, "figures are")?;
    let mut paths = Vec::new();
    for figure in figures(run.data()) {
        let path = folder.join(format!("{}.svg", figure.id));
        write_atomic(&path, figure.svg_file().as_bytes())?;
        paths.push(path);
    }
    Ok(paths)
}

/// Writes a run in the format of another program into `folder`, and returns the names of the files.
pub fn write_exchange(
    run: &BenchRun,
    form: Exchange,
    folder: &Path,
) -> Result<Vec<PathBuf>, BenchError> {
    wants_classes(run, "these forms hold scores")?;
    // MLflow's files name their own folder.
    let folder = emobox_files::absolute(folder)?;
    let mut paths = Vec::new();
    for (path, bytes) in exchange(run.data(), form, &folder) {
        let path = folder.join(path);
        write_atomic(&path, &bytes)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The scores with intervals; and, if there is more than one cell, the paper's layout.
fn tables(data: &ReportData) -> Vec<Table> {
    let mut tables = Vec::new();
    if data.has_classes() {
        tables.push(scores_table(data));
    }
    tables.extend(dimensions_table(data));
    let classes = data.has_classes();
    if data.headline().len() > 1 || (data.beside.is_some() && classes) {
        tables.push(intra_table(data, &Metric::ALL));
    }
    if !data.scores.comparisons.is_empty() {
        tables.push(comparison_table(data));
    }
    tables.extend(perturbed_table(data));
    if data.is_across_corpora() {
        tables.push(cross_table(data));
        tables.push(cross_average_table(data));
        tables.push(cross_pairs_table(data));
    }
    tables
}

fn texts(tables: &[Table], text: fn(&Table) -> String) -> String {
    tables.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Compares every two systems by their predictions on the same items: the difference with its interval and
/// p-values (sign flips over speakers, Student's t; Holm's correction over several pairs), and the smallest difference
/// detectable on these items. Predictions of further training seeds are found beside a file, as `NAME@seed1.jsonl`.
pub fn compare_files(
    files: &[PathBuf],
    manifest: Option<&Path>,
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let manifest = manifest.map(Manifest::read).transpose()?;
    let read = |path: &Path| -> Result<Vec<Prediction>, BenchError> {
        let mut items = predictions_in(path)?;
        if let Some(manifest) = &manifest {
            add_speakers(&mut items, manifest);
        }
        Ok(items)
    };
    let mut systems = Vec::new();
    for (path, name) in files.iter().zip(names(files)) {
        let mut seeds = vec![read(path)?];
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        // A file of a further seed stands for that seed alone.
        while !stem.contains("@seed") {
            let next = path.with_file_name(seed_file(&stem, seeds.len()));
            if !next.exists() {
                break;
            }
            seeds.push(read(&next)?);
        }
        systems.push((name, seeds));
    }
    let corpus = manifest.as_ref().map_or("–", |manifest| &manifest.corpus);
    compare_systems(corpus, &systems, seed)
}

/// Like [`compare_files`], for predictions in memory: each system has a name and a list for each training seed.
pub(crate) fn compare_systems(
    corpus: &str,
    systems: &[(String, Vec<Vec<Prediction>>)],
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let items = systems.iter().flat_map(|(_, seeds)| seeds.iter().flatten());
    let classes = classes_of(&[], items)?;
    let options = InferenceOptions {
        seed,
        ..InferenceOptions::default()
    };
    let mut scores = scores_file(Provenance::default(), Vec::new());
    for (_, compared) in each_pair(corpus, systems, &classes, &options) {
        scores.comparisons.push(compared?);
    }
    correct(&mut scores.comparisons);
    Ok(BenchRun::of(ReportData::new("comparison", scores)))
}

/// Like `compare_files`, for two systems with one training seed each.
pub fn compare_items(
    corpus: &str,
    a: (&str, &[Prediction]),
    b: (&str, &[Prediction]),
    seed: u64,
) -> Result<BenchRun, BenchError> {
    let systems = [a, b].map(|(name, items)| (name.to_owned(), vec![items.to_vec()]));
    compare_systems(corpus, &systems, seed)
}

/// The file stems, or the whole paths if two stems are the same.
fn names(files: &[PathBuf]) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let stems: Option<Vec<String>> = files.iter().map(stem).collect();
    let apart = |stems: &Vec<String>| stems.iter().collect::<BTreeSet<_>>().len() == stems.len();
    let paths = || {
        files
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    stems.filter(apart).unwrap_or_else(paths)
}

/// The table of a comparison for a terminal.
pub fn comparison_text(run: &BenchRun) -> String {
    comparison_table(run.data()).terminal()
}
