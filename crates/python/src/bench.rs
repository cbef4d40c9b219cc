use crate::corpus::{json, manifest, parse};
use crate::errors::{exception, wrong};
use crate::job::{run, use_threads};
use emobox_app::ReportFormat;
use emobox_bench::{BenchError, BenchRun, Experiment, Home};
use emobox_score::{Confusion, Prediction, Rates, classes_of, read_predictions};
use pyo3::prelude::*;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Sets the number of threads of all calls that follow.
#[pyfunction]
pub(crate) fn set_threads(threads: usize) -> PyResult<()> {
    let threads = NonZeroUsize::new(threads).ok_or_else(|| wrong("threads: at least 1"))?;
    use_threads(threads).map_err(exception)
}

/// Writes the synthetic demo corpus into a folder.
#[pyfunction]
pub(crate) fn demo_corpus(py: Python<'_>, folder: PathBuf, seed: u64) -> PyResult<()> {
    py.detach(|| emobox_demo::write_demo(&folder, seed))
        .map_err(exception)
}

/// Corpus, encoder, partition, training seed, predictions as a JSON list.
type Kept = (String, String, String, usize, String);

/// A finished benchmark, evaluation or comparison.
#[pyclass(frozen, module = "emobox._emobox")]
pub(crate) struct Run(pub(crate) BenchRun);

#[pymethods]
impl Run {
    /// `scores.json`.
    fn scores(&self) -> PyResult<String> {
        json(self.0.scores())
    }

    /// The tables in the format `terminal`, `html` (the whole report page), `markdown`, `latex` or `csv`.
    fn render(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let format = match format {
            "terminal" => ReportFormat::Terminal,
            "html" => ReportFormat::Html,
            "markdown" => ReportFormat::Markdown,
            "latex" => ReportFormat::Latex,
            "csv" => ReportFormat::Csv,
            other => {
                return Err(wrong(format!(
                    "format {other:?}: expected terminal, html, markdown, latex or csv"
                )));
            }
        };
        py.detach(|| emobox_app::render(&self.0, format, None))
            .map_err(exception)
    }

    /// The test predictions behind the scores, each as (corpus, encoder, partition, training seed, a JSON list).
    fn predictions(&self) -> PyResult<Vec<Kept>> {
        let sets = self.0.predictions().iter();
        sets.map(|set| {
            let items = set.read().map_err(exception)?;
            let (corpus, encoder) = (set.corpus.clone(), set.encoder.clone());
            Ok((
                corpus,
                encoder,
                set.partition.clone(),
                set.seed,
                json(&items)?,
            ))
        })
        .collect()
    }

    /// The folders of the trained probes.
    fn folders(&self) -> Vec<PathBuf> {
        self.0.folders().map(PathBuf::from).collect()
    }

    /// Number of inputs that were skipped.
    fn skipped(&self) -> usize {
        self.0.skipped()
    }
}

/// Runs an experiment, given as JSON or as the path of its file.
#[pyfunction]
#[pyo3(signature = (out, experiment=None, path=None, home=None, progress=None))]
pub(crate) fn bench(
    py: Python<'_>,
    out: PathBuf,
    experiment: Option<&str>,
    path: Option<PathBuf>,
    home: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Run> {
    let mut experiment = described(experiment, path)?;
    let home = Home::resolve(home.as_deref());
    run(py, progress.as_ref(), |context| {
        experiment.fetch_encoders(context)?;
        emobox_bench::bench(&home, &experiment, &out, context)
    })
    .map(Run)
}

pub(crate) fn described(text: Option<&str>, path: Option<PathBuf>) -> PyResult<Experiment> {
    match (text, path) {
        (Some(text), None) => {
            let mut experiment: Experiment = parse(text)?;
            experiment.settle_names();
            Ok(experiment)
        }
        (None, Some(path)) => Experiment::read(&path).map_err(exception),
        _ => Err(wrong("an experiment, or the path of its file")),
    }
}

/// Reads the run in an output folder of `bench`.
#[pyfunction]
pub(crate) fn read_run(out: PathBuf) -> PyResult<Run> {
    emobox_bench::read_run(&out).map(Run).map_err(exception)
}

/// Scores predictions, given as jsonl lines, with the utterances of a manifest if there is one.
#[pyfunction]
#[pyo3(signature = (name, predictions, corpus=None, utterances=None, seed=0))]
pub(crate) fn evaluate(
    py: Python<'_>,
    name: &str,
    predictions: &str,
    corpus: Option<String>,
    utterances: Option<&str>,
    seed: u64,
) -> PyResult<Run> {
    let items = lines(name, predictions)?;
    let manifest = match (corpus, utterances) {
        (Some(corpus), Some(utterances)) => Some(manifest(corpus, utterances)?),
        _ => None,
    };
    run(py, None, |_| {
        emobox_bench::evaluate_items(name, items, manifest.as_ref(), seed)
    })
    .map(Run)
}

/// Compares two systems, each given by its name and jsonl lines.
#[pyfunction]
#[pyo3(signature = (corpus, a, b, seed=0))]
pub(crate) fn compare(
    py: Python<'_>,
    corpus: &str,
    a: (String, String),
    b: (String, String),
    seed: u64,
) -> PyResult<Run> {
    let (items_a, items_b) = (lines(&a.0, &a.1)?, lines(&b.0, &b.1)?);
    run(py, None, |_| {
        emobox_app::compare_items(corpus, (&a.0, &items_a), (&b.0, &items_b), seed)
    })
    .map(Run)
}

/// Counts over `classes` and their summary scores, as JSON: `[rates, counts, class scores]`.
#[pyfunction]
pub(crate) fn confusion(
    labels: Vec<String>,
    predictions: Vec<String>,
    classes: Vec<String>,
) -> PyResult<String> {
    if labels.len() != predictions.len() {
        return Err(wrong(format!(
            "{} labels and {} predictions",
            labels.len(),
            predictions.len()
        )));
    }
    let pairs = labels.into_iter().zip(predictions).enumerate();
    let items: Vec<Prediction> = pairs
        .map(|(at, (label, prediction))| Prediction {
            key: at.to_string(),
            fold: 1,
            label,
            prediction,
            scores: Default::default(),
            speaker: None,
            votes: std::collections::BTreeMap::new(),
            gender: None,
        })
        .collect();
    let classes = if classes.is_empty() {
        classes_of(&[], &items).map_err(exception)?
    } else {
        classes
    };
    let confusion = Confusion::of(&items, &classes).map_err(exception)?;
    let rates: Rates = confusion.rates();
    json(&(rates, &confusion.counts, confusion.class_scores()))
}

fn lines(name: &str, text: &str) -> PyResult<Vec<Prediction>> {
    let items = read_predictions(text.as_bytes(), name);
    items.map_err(|e| exception(BenchError::Score(e)))
}
