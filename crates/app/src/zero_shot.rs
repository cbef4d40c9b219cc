//! The head that comes with a checkpoint, on a corpus that this program did not train it on.

use emobox_audio::SampleRate;
use emobox_bench::{
    BenchError, BenchRun, CallError, Context, Corpus, CorpusChoice, EncoderChoice, Home,
    PrepareHow, Stage, head_of, heard, load_utterance, open_encoder, prepare_choice, scores_file,
    usual_precision,
};
use emobox_corpus::{Utterance, class_of};
use emobox_encoder::{Device, EmotionHead, Encoder};
use emobox_files::write_atomic_with;
use emobox_report::ReportData;
use emobox_score::{
    InferenceOptions, Prediction, Provenance, RunLabels, ScoreRequest, Skipped, classes_of,
    score_folds,
};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Utterances encoded between two checks for a stop.
const PIECE: usize = 64;

/// The settings of an evaluation.
#[derive(Debug, Clone)]
pub struct ZeroShot {
    /// A checkpoint with a head.
    pub encoder: EncoderChoice,
    /// The corpus.
    pub corpus: CorpusChoice,
    /// The corpus class for each class of the head, where the words do not show it.
    pub classes: BTreeMap<String, String>,
    /// The device.
    pub device: Device,
    /// The path of the predictions.
    pub predictions: Option<PathBuf>,
}

/// Which class of the head corresponds to which class of the corpus.
struct Mapping {
    /// The class of the corpus, a class of the head.
    ours: Vec<Option<String>>,
    /// The corpus's classes that the head can predict.
    told: BTreeSet<String>,
}

impl Mapping {
    fn new(
        head: &EmotionHead,
        corpus: &Corpus,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, BenchError> {
        let classes = corpus.manifest.classes();
        for (theirs, ours) in given {
            if !head.labels().contains(theirs) {
                return Err(unknown("the head", theirs, head.labels()));
            }
            if !classes.contains(ours) {
                return Err(unknown(&corpus.name, ours, &classes));
            }
        }
        let named = |label: &String| {
            let found = given.get(label).or_else(|| class_of(label, &classes));
            found.cloned()
        };
        let ours: Vec<Option<String>> = head.labels().iter().map(named).collect();
        let told: BTreeSet<String> = ours.iter().flatten().cloned().collect();
        if told.len() < 2 {
            return Err(BenchError::Call(CallError::Classes(format!(
                "the head tells {}, the corpus {} has {}: fewer than two are the same; name pairs with --class HEAD=CORPUS",
                head.labels().join(", "),
                corpus.name,
                classes.join(", ")
            ))));
        }
        Ok(Self { ours, told })
    }

    /// The log-probabilities of the corpus's classes, among those that the head can predict.
    fn log_probabilities(&self, scores: &[f32]) -> BTreeMap<String, f64> {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (class, &score) in self.ours.iter().zip(scores) {
            if let Some(class) = class {
                *sums.entry(class.clone()).or_default() += f64::from(score);
            }
        }
        let total: f64 = sums.values().sum();
        sums.into_iter()
            .map(|(class, sum)| (class, (sum / total).ln()))
            .collect()
    }
}

fn unknown(of: &str, class: &str, classes: &[String]) -> BenchError {
    BenchError::Call(CallError::unknown(of, "class", class, classes))
}

/// Scores the head of a checkpoint, unchanged, on the utterances of a corpus whose classes it can predict. The score is marked with what
/// is known of its training.
pub fn zero_shot(
    home: &Home,
    asked: &ZeroShot,
    context: Context<'_>,
) -> Result<BenchRun, BenchError> {
    let name = &asked.encoder.name;
    let precision = usual_precision(asked.device);
    let encoder = open_encoder(&asked.encoder, precision, asked.device)?;
    let head = head_of(&encoder)?;
    if head.of_dimensions() {
        return Err(BenchError::Call(CallError::HeadOfDimensions {
            encoder: name.clone(),
            dimensions: head.labels().to_vec(),
        }));
    }
    let record = prepare_choice(home, &asked.corpus, PrepareHow::default(), false, context)?;
    let corpus = Corpus::prepared(home, &record)?;
    let mapping = Mapping::new(head, &corpus, &asked.classes)?;
    let all = &corpus.manifest.utterances;
    let chosen: Vec<&Utterance> = all
        .iter()
        .filter(|u| mapping.told.contains(&u.label))
        .collect();
    if chosen.len() < all.len() {
        let others: BTreeSet<&str> = all
            .iter()
            .map(|u| u.label.as_str())
            .filter(|label| !mapping.told.contains(*label))
            .collect();
        let others: Vec<&str> = others.into_iter().collect();
        context.progress.note(&format!(
            "{} of {} utterances of {} have classes that the head does not predict and are left out: {}",
            all.len() - chosen.len(),
            all.len(),
            corpus.name,
            others.join(", ")
        ));
    }
    let (items, unheard) = hear(&corpus, &chosen, &encoder, &mapping, context)?;
    if let Some(path) = &asked.predictions {
        write_atomic_with(path, |out| {
            for item in &items {
                let line = serde_json::to_string(item).map_err(std::io::Error::other)?;
                writeln!(out, "{line}")?;
            }
            Ok(())
        })?;
    }
    let told: Vec<String> = mapping.told.iter().cloned().collect();
    let classes = classes_of(&told, &items)?;
    let labels = RunLabels {
        corpus: corpus.name.clone(),
        encoder: name.clone(),
        protocol: "its own head".to_owned(),
        partition: "–".to_owned(),
        config: "–".to_owned(),
    };
    let mut runs = score_folds(&ScoreRequest {
        labels: &labels,
        classes: &classes,
        predictions: &items,
        oracle: None,
        inference: InferenceOptions::default(),
    })?;
    for run in &mut runs {
        run.heard = heard(name, &corpus.name);
        run.skipped = [
            (
                "classes that the head cannot tell",
                all.len() - chosen.len(),
            ),
            ("could not be heard", unheard),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| Skipped {
            reason: reason.to_owned(),
            count: count as u64,
        })
        .collect();
    }
    let scores = scores_file(Provenance::default(), runs);
    Ok(BenchRun::of(ReportData::new(name, scores)))
}

/// Encodes utterances on all cores, in the order of the manifest; those that cannot be read are reported and counted.
fn hear(
    corpus: &Corpus,
    utterances: &[&Utterance],
    encoder: &Encoder,
    mapping: &Mapping,
    context: Context<'_>,
) -> Result<(Vec<Prediction>, usize), BenchError> {
    let head = head_of(encoder)?;
    let rate = SampleRate(encoder.info().sample_rate);
    let progress = context.progress;
    progress.begin(&Stage {
        label: format!("hearing {}", corpus.name),
        total: utterances.len() as u64,
        unit: "utterances",
        already: 0,
    });
    let ask = |utterance: &&Utterance| -> Result<Option<Prediction>, BenchError> {
        let heard = load_utterance(corpus, utterance, rate).and_then(|samples| {
            let states = encoder.encode(&samples, &head.layers());
            states.map_err(|e| BenchError::encoder(&encoder.info().name, e))
        });
        progress.advance(1);
        let states = match heard {
            Ok(states) => states,
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => {
                progress.note(&format!("skipped {}: {error}", utterance.key));
                return Ok(None);
            }
        };
        let scores = mapping.log_probabilities(&head.scores(&states));
        let mut best = scores.iter();
        let first = best.next();
        // The earlier class at a tie, as in the benchmark.
        let best = best.fold(first, |best, item| match best {
            Some(known) if known.1 >= item.1 => best,
            _ => Some(item),
        });
        Ok(Some(Prediction {
            key: utterance.key.clone(),
            fold: 1,
            label: utterance.label.clone(),
            prediction: best.map_or_else(String::new, |(class, _)| class.clone()),
            scores,
            speaker: utterance.speaker.clone(),
            votes: BTreeMap::new(),
            gender: utterance.gender.clone(),
        }))
    };
    let mut items = Vec::with_capacity(utterances.len());
    let mut result = Ok(());
    for piece in utterances.chunks(PIECE) {
        if context.stopped() {
            result = Err(BenchError::Interrupted);
            break;
        }
        match piece.par_iter().map(ask).collect::<Result<Vec<_>, _>>() {
            Ok(found) => items.extend(found),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    progress.end();
    result?;
    let skipped = items.iter().filter(|item| item.is_none()).count();
    Ok((items.into_iter().flatten().collect(), skipped))
}
