use super::{CrossRequest, Labeller};
use crate::evaluate::prediction;
use crate::extract::{extract, load_utterance, open_store};
use crate::grid::Grid;
use crate::split::Split;
use crate::train::{Assignment, jobs, train_jobs};
use crate::{BenchError, Context, Corpus, EncoderChoice, Experiment, Predictor, Stage};
use emobox_corpus::{
    GroupBy, Partition, PartitionOptions, Scheme, audit, partition, read_pseudo_labels,
};
use emobox_encoder::{Encoder, LayerSelection};
use emobox_files::{sha256_bytes, write_atomic_with};
use emobox_probe::most_probable;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Up to so many speakers each is labelled by a probe of its own; more share five.
const ONE_A_FOLD: usize = 6;
/// Folds of larger corpora.
const FOLDS: usize = 5;

/// A class for each utterance from somebody who did not annotate it.
pub(super) struct PseudoLabels {
    /// Class by key.
    pub(super) by_key: BTreeMap<String, String>,
    /// Who made them, for people.
    pub(super) maker: String,
}

impl PseudoLabels {
    /// One `{"key", "prediction"}` a line, as `--pseudo-labels` reads them.
    pub(super) fn write(&self, path: &Path) -> Result<(), BenchError> {
        write_atomic_with(path, |out| {
            for (key, prediction) in &self.by_key {
                let line = serde_json::json!({"key": key, "prediction": prediction});
                writeln!(out, "{line}")?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// The pseudo-labels of each corpus, in the grid's order; none where none are wanted or needed.
pub(super) fn all(
    grid: &Grid<'_>,
    request: &CrossRequest,
    classes: &BTreeMap<String, String>,
    context: Context<'_>,
) -> Result<Vec<Option<PseudoLabels>>, BenchError> {
    let choice = match &request.labeller {
        Labeller::Nobody => None,
        Labeller::Named(choice) => Some(choice),
        Labeller::FirstEncoder => grid.experiment.encoders.first(),
    };
    let mut maker = None;
    let mut all = Vec::new();
    for corpus in &grid.corpora {
        if request.set_files.contains_key(&corpus.name) {
            all.push(None);
            continue;
        }
        if let Some(path) = request.label_files.get(&corpus.name) {
            all.push(Some(PseudoLabels {
                by_key: read_pseudo_labels(path)?,
                maker: path.display().to_string(),
            }));
            continue;
        }
        let Some(choice) = choice else {
            all.push(None);
            continue;
        };
        let maker = match &maker {
            Some(maker) => maker,
            None => maker.insert(Maker::open(grid, choice)?),
        };
        all.push(Some(maker.label(grid, corpus, classes, context)?));
    }
    Ok(all)
}

/// Something that labels utterances.
enum Maker {
    /// A saved probe on its encoder.
    Probe(Box<Predictor>),
    /// An encoder with an emotion head of its own, as emotion2vec+.
    Head(Box<Encoder>),
    /// Probes trained on the other speakers of the same corpus.
    OtherSpeakers(EncoderChoice),
}

impl Maker {
    fn open(grid: &Grid<'_>, choice: &EncoderChoice) -> Result<Self, BenchError> {
        let probe = choice
            .path
            .as_ref()
            .filter(|path| path.join("probe.json").exists());
        if let Some(folder) = probe {
            let predictor = Predictor::open(folder, None, &grid.experiment.device)?;
            return Ok(Self::Probe(Box::new(predictor)));
        }
        let experiment = grid.experiment;
        let encoder = crate::open_encoder(choice, &experiment.precision, &experiment.device)?;
        if encoder.head().is_some() {
            return Ok(Self::Head(Box::new(encoder)));
        }
        Ok(Self::OtherSpeakers(choice.clone()))
    }

    fn label(
        &self,
        grid: &Grid<'_>,
        corpus: &Corpus,
        classes: &BTreeMap<String, String>,
        context: Context<'_>,
    ) -> Result<PseudoLabels, BenchError> {
        match self {
            Self::OtherSpeakers(choice) => by_other_speakers(grid, choice, corpus, context),
            Self::Probe(predictor) => {
                let origin = predictor.probe().description();
                let maker = format!(
                    "a probe on {} trained on {}",
                    origin.features.encoder, origin.corpus
                );
                let identity = format!("probe {}", origin.weights_sha256);
                let hear = |samples: &[f32]| {
                    Ok(predictor
                        .answer(Path::new(&corpus.name), samples)?
                        .prediction)
                };
                let by_key = heard(grid, corpus, classes, &identity, hear, context)?;
                Ok(PseudoLabels { by_key, maker })
            }
            Self::Head(encoder) => {
                let info = encoder.info();
                let identity = format!("head {}", info.weights_digest);
                let hear = |samples: &[f32]| by_head(encoder, samples);
                let by_key = heard(grid, corpus, classes, &identity, hear, context)?;
                let maker = info.name.clone();
                Ok(PseudoLabels { by_key, maker })
            }
        }
    }
}

/// Labels every utterance of the classes that take part, once: the file in the home is found again.
fn heard(
    grid: &Grid<'_>,
    corpus: &Corpus,
    classes: &BTreeMap<String, String>,
    identity: &str,
    hear: impl Fn(&[f32]) -> Result<String, BenchError>,
    context: Context<'_>,
) -> Result<BTreeMap<String, String>, BenchError> {
    let names: Vec<&String> = classes.keys().collect();
    let identity = format!("{identity} {} {names:?}", corpus.digest.as_str());
    let name = format!("{}.jsonl", sha256_bytes(identity.as_bytes()).short());
    let path = grid
        .home
        .corpus(&corpus.name)
        .join("pseudo-labels")
        .join(name);
    if path.exists() {
        return Ok(read_pseudo_labels(&path)?);
    }
    let wanted = corpus.manifest.utterances.iter();
    let wanted: Vec<_> = wanted.filter(|u| classes.contains_key(&u.label)).collect();
    context.progress.begin(&Stage {
        label: format!("labelling {}", corpus.name),
        total: wanted.len() as u64,
        unit: "utterances",
        already: 0,
    });
    let mut by_key = BTreeMap::new();
    for utterance in wanted {
        if context.stopped() {
            return Err(BenchError::Interrupted);
        }
        // What cannot be read stays without a label, and is counted as such.
        if let Ok(samples) = load_utterance(corpus, utterance) {
            let label = spelled_as_ours(&hear(&samples)?, classes);
            by_key.insert(utterance.key.clone(), label);
        }
        context.progress.advance(1);
    }
    context.progress.end();
    let labels = PseudoLabels {
        by_key,
        maker: String::new(),
    };
    labels.write(&path)?;
    Ok(labels.by_key)
}

fn by_head(encoder: &Encoder, samples: &[f32]) -> Result<String, BenchError> {
    let failed = |e| BenchError::encoder(&encoder.info().name, e);
    let states = encoder
        .encode(samples, &LayerSelection::default())
        .map_err(failed)?;
    let Some(head) = encoder.head() else {
        return Ok(String::new());
    };
    let best = most_probable(&head.scores(&states));
    Ok(head.labels().get(best).cloned().unwrap_or_default())
}

/// A labeller's word as the corpora spell it: `生气/angry` is `angry`, `fearful` is `Fear`.
fn spelled_as_ours(word: &str, classes: &BTreeMap<String, String>) -> String {
    let word = word.rsplit('/').next().unwrap_or(word).trim();
    let lower = word.to_lowercase();
    let noun = match lower.as_str() {
        "disgusted" => "disgust",
        "fearful" => "fear",
        "surprised" => "surprise",
        other => other,
    };
    let same = |class: &&String| {
        let class = class.to_lowercase();
        class == lower || class == noun
    };
    let ours = classes.keys().chain(classes.values()).find(same);
    ours.map_or_else(|| word.to_owned(), Clone::clone)
}

/// Each utterance is labelled by a probe that has not heard its speaker (its text, where fewer than three speakers are
/// known), over all classes of the corpus.
fn by_other_speakers(
    grid: &Grid<'_>,
    choice: &EncoderChoice,
    corpus: &Corpus,
    context: Context<'_>,
) -> Result<PseudoLabels, BenchError> {
    let experiment = Experiment {
        encoders: vec![choice.clone()],
        ..grid.experiment.clone()
    };
    let labeller = Grid::open(grid.home, &experiment, context)?;
    let [encoder] = labeller.encoders.as_slice() else {
        return Err(BenchError::Call("one labeller is needed".to_owned()));
    };
    let folder = labeller.store(corpus, encoder);
    extract(corpus, encoder, &folder, &labeller.options, context)?;
    let store = open_store(corpus, encoder, &folder, &labeller.options)?;
    let partition = folds(corpus, experiment.seed)?;
    let audit = audit(&corpus.manifest, &partition, None);
    let split = Split { partition, audit };
    let assignment = Assignment {
        corpus,
        split: &split,
        store: &store,
        protocol: &labeller.protocol,
        checkpoint: choice.path.as_deref(),
    };
    let name = &encoder.info().name;
    let plan = jobs(assignment, &grid.home.runs(&corpus.name, name))?;
    let all: Vec<_> = plan.jobs.iter().collect();
    let label = format!("labelling {} by its other speakers", corpus.name);
    let outcomes = train_jobs(&all, label, context)?;
    let mut by_key = BTreeMap::new();
    for outcome in &outcomes {
        for item in outcome.selected.iter().flat_map(|s| &s.predictions) {
            let line = prediction(corpus, outcome, item);
            by_key.insert(line.key, line.prediction);
        }
    }
    Ok(PseudoLabels {
        by_key,
        maker: format!("{name} with probes that never heard the speaker"),
    })
}

/// Folds of whole speakers in which every utterance is tested once.
fn folds(corpus: &Corpus, seed: u64) -> Result<Partition, BenchError> {
    let speakers = corpus
        .manifest
        .utterances
        .iter()
        .map(|u| u.speaker.as_deref());
    let speakers = speakers.collect::<BTreeSet<_>>().len();
    let texts = corpus.manifest.utterances.iter().map(|u| u.text.as_deref());
    let texts = texts.collect::<BTreeSet<_>>().len();
    let (group_by, groups) = match speakers {
        0..3 => (GroupBy::Text, texts),
        _ => (GroupBy::Speaker, speakers),
    };
    let folds = if groups <= ONE_A_FOLD { groups } else { FOLDS };
    let options = PartitionOptions {
        scheme: Scheme::Speaker,
        seed,
        folds: Some(folds as u32),
        group_by,
        ..PartitionOptions::default()
    };
    partition(&corpus.manifest, &options).map_err(|reason| {
        let name = &corpus.name;
        BenchError::Call(format!(
            "{name} cannot be labelled by probes trained on itself: {reason}; name a saved probe or a model with an \
             emotion head as --labeller, give --pseudo-labels {name}=FILE, or take --labeller none"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labellers_words_become_the_corpora_s() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let classes = BTreeMap::from([pair("Angry", "angry"), pair("Fear", "fear")]);
        assert_eq!(spelled_as_ours("生气/angry", &classes), "Angry");
        assert_eq!(spelled_as_ours("fearful", &classes), "Fear");
        assert_eq!(spelled_as_ours("<unk>", &classes), "<unk>");
    }
}
