use crate::cell::Cell;
use crate::extract::load_utterance;
use crate::predictions::prediction;
use crate::split::Split;
use crate::train::FoldJob;
use crate::workshop::Workshop;
use crate::{BenchError, CallError, Corpus, EncoderChoice, Predictor, Stage};
use emobox_audio::SampleRate;
use emobox_corpus::{
    GroupBy, Manifest, Partition, PartitionOptions, Scheme, Utterance, audit, class_of, partition,
    read_pseudo_labels,
};
use emobox_encoder::Encoder;
use emobox_files::{Stamp, read_json, sha256_bytes, write_atomic_with, write_json};
use emobox_probe::most_probable;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Up to this many speakers each get their own probe for labelling; more share five.
const ONE_A_FOLD: usize = 6;
/// Folds of larger corpora.
const FOLDS: usize = 5;
/// Utterances encoded between two saves of their labels: the most that a killed run repeats.
const PIECE: usize = 64;

/// A class for each utterance from a labeller other than the annotators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PseudoLabels {
    /// Class by key.
    pub(super) by_key: BTreeMap<String, String>,
    /// Who made them, for people.
    pub(super) maker: String,
}

impl PseudoLabels {
    /// The labels of a corpus from the file or the labeller that the experiment names; none if it names none.
    pub(super) fn of(
        shop: &Workshop<'_>,
        corpus: &str,
        classes: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, BenchError> {
        let cross = super::options(shop)?;
        if let Some(path) = cross.pseudo_labels.get(corpus) {
            return Ok(Some(Self {
                by_key: read_pseudo_labels(path)?,
                maker: path.display().to_string(),
            }));
        }
        let Some(choice) = shop.experiment.labeller() else {
            return Ok(None);
        };
        if choice.is_probe() {
            return by_probe(shop, choice, corpus, classes).map(Some);
        }
        if shop.description(&choice.name)?.has_head() {
            return by_its_head(shop, choice, corpus, classes).map(Some);
        }
        by_other_speakers(shop, choice, corpus).map(Some)
    }

    /// One `{"key", "prediction"}` per line, as `--pseudo-labels` reads them.
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

/// A saved probe with its encoder.
fn by_probe(
    shop: &Workshop<'_>,
    choice: &EncoderChoice,
    corpus: &str,
    classes: &BTreeMap<String, String>,
) -> Result<PseudoLabels, BenchError> {
    let folder = choice.path.as_deref().unwrap_or(Path::new(""));
    let predictor = Predictor::open(folder, None, shop.experiment.device.first())?;
    let Some(probe) = predictor.probe() else {
        return Err(BenchError::Internal("a folder of a probe that holds none"));
    };
    let origin = probe.description();
    let maker = format!(
        "a probe on {} trained on {}",
        origin.features.encoder, origin.corpus
    );
    let identity = format!("probe {}", origin.weights_sha256);
    let hear = |samples: &[f32]| {
        let answer = predictor.answer(Path::new(corpus), samples)?;
        Ok(answer.prediction)
    };
    let rate = predictor.rate();
    let by_key = heard(shop, corpus, classes, &identity, (rate, hear))?;
    Ok(PseudoLabels { by_key, maker })
}

/// An encoder with its own emotion head, such as emotion2vec+.
fn by_its_head(
    shop: &Workshop<'_>,
    choice: &EncoderChoice,
    corpus: &str,
    classes: &BTreeMap<String, String>,
) -> Result<PseudoLabels, BenchError> {
    let encoders = shop.encoders(&choice.name)?;
    let encoder = &encoders[0];
    let identity = format!("head {}", encoder.info().weights_digest);
    let hear = |samples: &[f32]| by_head(encoder, samples);
    let rate = SampleRate(encoder.info().sample_rate);
    let by_key = heard(shop, corpus, classes, &identity, (rate, hear))?;
    Ok(PseudoLabels {
        by_key,
        maker: choice.name.clone(),
    })
}

/// The label of an utterance, none if it cannot be heard, and the audio that was heard.
#[derive(Serialize, Deserialize)]
struct Heard {
    label: Option<String>,
    audio: Stamp,
}

/// Labels every utterance of the participating classes, on all cores. Results are saved piece by piece:
/// a killed run resumes from there, and a finished one is reused, unless the audio is another one.
fn heard(
    shop: &Workshop<'_>,
    corpus: &str,
    classes: &BTreeMap<String, String>,
    identity: &str,
    (rate, hear): (
        SampleRate,
        impl Fn(&[f32]) -> Result<String, BenchError> + Sync,
    ),
) -> Result<BTreeMap<String, String>, BenchError> {
    let corpus = shop.corpus(corpus)?;
    let corpus: &Corpus = &corpus;
    let names: Vec<&String> = classes.keys().collect();
    let identity = format!("{identity} {} {names:?}", corpus.digest.as_str());
    let name = format!("{}.json", sha256_bytes(identity.as_bytes()).short());
    let path = shop
        .home
        .corpus(&corpus.name)
        .join("pseudo-labels")
        .join(name);
    let mut by_key: BTreeMap<String, Heard> = read_json(&path).unwrap_or_default();
    let wanted = corpus.manifest.utterances.iter();
    let wanted: Vec<&Utterance> = wanted.filter(|u| classes.contains_key(&u.label)).collect();
    let is_heard = |utterance: &Utterance| {
        let heard = by_key.get(&utterance.key);
        let path = utterance.audio_path(&corpus.root);
        heard.is_some_and(|heard| path.is_ok_and(|p| !p.exists() || heard.audio.holds(&p)))
    };
    let open = wanted.iter().copied().filter(|u| !is_heard(u));
    let open: Vec<&Utterance> = open.collect();
    let progress = shop.context.progress;
    progress.begin(&Stage {
        label: format!("labelling {}", corpus.name),
        total: wanted.len() as u64,
        unit: "utterances",
        already: (wanted.len() - open.len()) as u64,
    });
    let label = |utterance: &&Utterance| -> Result<(String, Heard), BenchError> {
        let audio = Stamp::of(&utterance.audio_path(&corpus.root)?)?;
        let label = match load_utterance(corpus, utterance, rate) {
            Ok(samples) => Some(spelled_as_ours(&hear(&samples)?, classes)),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => {
                progress.note(&format!("{} stays without a label: {error}", utterance.key));
                None
            }
        };
        progress.advance(1);
        Ok((utterance.key.clone(), Heard { label, audio }))
    };
    let mut result = Ok(());
    for piece in open.chunks(PIECE) {
        if shop.context.stopped() {
            result = Err(BenchError::Interrupted);
            break;
        }
        match piece.par_iter().map(label).collect::<Result<Vec<_>, _>>() {
            Ok(labels) => by_key.extend(labels),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
        write_json(&path, &by_key)?;
    }
    progress.end();
    result?;
    let labelled = by_key.into_iter();
    Ok(labelled
        .filter_map(|(key, heard)| Some((key, heard.label?)))
        .collect())
}

fn by_head(encoder: &Encoder, samples: &[f32]) -> Result<String, BenchError> {
    let failed = |e| BenchError::encoder(&encoder.info().name, e);
    let Some(head) = encoder.head() else {
        return Ok(String::new());
    };
    let states = encoder.encode(samples, &head.layers()).map_err(failed)?;
    let best = most_probable(&head.scores(&states));
    Ok(head.labels().get(best).cloned().unwrap_or_default())
}

/// A labeller's class name in the spelling of the corpora: `生气/angry` is `Angry`, `fearful` is `Fear`.
fn spelled_as_ours(word: &str, classes: &BTreeMap<String, String>) -> String {
    let ours = class_of(word, classes.keys().chain(classes.values()));
    let bare = || word.rsplit('/').next().unwrap_or(word).trim().to_owned();
    ours.cloned().unwrap_or_else(bare)
}

/// Each utterance is labelled by a probe that was not trained on its speaker (or on its text, if fewer than three speakers
/// are known), over all classes of the corpus.
fn by_other_speakers(
    shop: &Workshop<'_>,
    choice: &EncoderChoice,
    corpus: &str,
) -> Result<PseudoLabels, BenchError> {
    let cell = Cell::open(shop, corpus, &choice.name)?;
    let corpus = &*cell.corpus;
    let partition = folds(&corpus.manifest, shop.experiment.partition_seed)?;
    let audit = audit(&corpus.manifest, &partition, None);
    let split = Split { partition, audit };
    let outcomes = cell.with_folds(corpus, &split, |jobs| {
        let all: Vec<&FoldJob<'_>> = jobs.jobs.iter().collect();
        cell.train_folds(&all)
    })?;
    let mut by_key = BTreeMap::new();
    for outcome in &outcomes {
        // One seed labels: a vote of several would be a different labeller.
        for item in outcome.selected.iter().take(1).flat_map(|s| &s.predictions) {
            let line = prediction(corpus, outcome, item);
            by_key.insert(line.key, line.prediction);
        }
    }
    Ok(PseudoLabels {
        by_key,
        maker: format!("{} with probes that never heard the speaker", choice.name),
    })
}

/// Folds of whole speakers in which every utterance is tested once.
fn folds(manifest: &Manifest, seed: u64) -> Result<Partition, BenchError> {
    let utterances = || manifest.utterances.iter();
    let speakers = utterances().map(|u| u.speaker.as_deref());
    let speakers = speakers.collect::<BTreeSet<_>>().len();
    let texts = utterances().map(|u| u.text.as_deref());
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
    partition(manifest, &options).map_err(|reason| {
        BenchError::Call(CallError::NoLabeller {
            corpus: manifest.corpus.clone(),
            reason: reason.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::{PrepareHow, prepare_choice};
    use crate::tiny::Tiny;
    use crate::{CrossOptions, Labeller};
    use emobox_corpus::Role;

    /// A probe labels only speakers (or, with two speakers, texts) that it was not trained on.
    #[test]
    fn folds_of_the_labeller_share_no_speaker() {
        for (speakers, by_text) in [(4, false), (2, true)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("manifest.jsonl");
            let mut lines = String::new();
            for i in 0..48 {
                let (speaker, text, label) = (i % speakers, i / 8 % 6, ["sad", "angry"][i / 4 % 2]);
                lines.push_str(&format!(
                    "{{\"key\":\"x-{i}\",\"dataset\":\"x\",\"wav\":\"{i}.wav\",\"sample_rate\":16000,\"num_frame\":16000,\"length\":1.0,\
                     \"emo\":\"{label}\",\"channel\":1,\"label\":\"{label}\",\"speaker\":\"s{speaker}\",\"text\":\"t{text}\"}}\n"
                ));
            }
            std::fs::write(&path, lines).unwrap();
            let manifest = Manifest::read(&path).unwrap();
            let made = folds(&manifest, 1).unwrap();
            let group = |key: &str| {
                let mut all = manifest.utterances.iter();
                let found = all.find(|u| u.key == key).unwrap();
                let of = if by_text { &found.text } else { &found.speaker };
                of.clone().unwrap()
            };
            assert!(made.info.folds > 1);
            for fold in 1..=made.info.folds {
                let of = |role: &Role| -> BTreeSet<String> {
                    made.keys(fold, role).iter().map(|key| group(key)).collect()
                };
                let (tested, trained) = (of(&Role::Test), of(&Role::Train));
                assert!(!tested.is_empty() && !trained.is_empty());
                assert!(
                    tested.is_disjoint(&trained),
                    "fold {fold}: {tested:?} {trained:?}"
                );
            }
        }
    }

    #[test]
    fn a_label_holds_for_the_recording_that_was_heard() {
        let mut tiny = Tiny::new(&["a"]);
        let folder = tiny.path("head");
        std::fs::create_dir_all(&folder).unwrap();
        tiny.golden("head-wav2vec2.pt", "head/pytorch_model.bin");
        let config = serde_json::json!({
            "model_type": "wav2vec2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 48, "conv_dim": [16, 16, 16, 16, 16, 16, 24], "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 4, "use_weighted_layer_sum": true,
            "id2label": {"0": "neu", "1": "hap", "2": "ang", "3": "sad"},
        });
        write_json(folder.join("config.json"), &config).unwrap();
        let labeller = EncoderChoice {
            name: "head".to_owned(),
            path: Some(folder),
        };
        tiny.experiment.cross = Some(CrossOptions {
            labeller: Labeller::Named(labeller),
            ..CrossOptions::default()
        });
        let (home, choice) = (tiny.home(), &tiny.experiment.corpora[0]);
        let how = PrepareHow::default();
        prepare_choice(&home, choice, how, false, tiny.context()).unwrap();
        let classes = ["happy", "sad"].map(|class| (class.to_owned(), class.to_owned()));
        let classes = BTreeMap::from(classes);
        // How many labels an earlier call made, and how many this one.
        let heard = || {
            let shop = Workshop::new(&home, &tiny.experiment, tiny.context()).unwrap();
            tiny.told.take_steps();
            let labels = PseudoLabels::of(&shop, "a", &classes).unwrap().unwrap();
            assert_eq!(labels.by_key.len(), 8);
            let (stage, steps) = tiny.told.take_steps().remove(0);
            (stage.already, steps.len())
        };
        assert_eq!(heard(), (0, 8));
        assert_eq!(heard(), (8, 0));
        tiny.tone("a", "happy0.wav", 700.0);
        assert_eq!(heard(), (7, 1));
        // Without the recording, its label stays.
        std::fs::remove_file(tiny.path("a/happy0.wav")).unwrap();
        assert_eq!(heard(), (8, 0));
    }

    #[test]
    fn labellers_words_become_the_corpora_s() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let classes = BTreeMap::from([pair("Angry", "angry"), pair("Fear", "fear")]);
        assert_eq!(spelled_as_ours("生气/angry", &classes), "Angry");
        assert_eq!(spelled_as_ours("fearful", &classes), "Fear");
        assert_eq!(spelled_as_ours("<unk>", &classes), "<unk>");
    }
}
