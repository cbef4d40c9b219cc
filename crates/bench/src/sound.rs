//! Acoustic measurements of a corpus, made once and saved, and the score that they give without hearing any emotion.

use crate::split::listen;
use crate::{BenchError, Context, Corpus, Home};
use emobox_audio::probe;
use emobox_corpus::{Partition, Role, Sound};
use emobox_files::{Sha256, Stamp, read_json, write_json};
use emobox_probe::nuisance_baseline;
use emobox_score::{InferenceOptions, Prediction, RunLabels, ScoreRequest, score_folds};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A baseline this far above chance means that a partition can be solved without hearing emotion.
const MUCH: f64 = 0.1;

/// `sound.json`: one pass over the audio of a corpus. It is valid while the manifest and the files are unchanged.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    manifest: Sha256,
    /// Size and modification time of every utterance's file.
    files: Vec<Option<(u64, u64)>>,
    channels: Vec<u16>,
    sounds: Vec<Sound>,
}

/// The measurements of the recordings of a corpus.
pub(crate) struct Heard {
    pub(crate) sounds: Vec<Sound>,
    channels: Vec<u16>,
}

impl Heard {
    /// Measures a corpus, or loads the saved measurements; none if the audio no longer exists.
    pub(crate) fn of(
        home: &Home,
        corpus: &Corpus,
        context: Context<'_>,
    ) -> Result<Option<Self>, BenchError> {
        let path = home.corpus(&corpus.name).join("sound.json");
        let utterances = corpus.manifest.utterances.iter();
        let paths: Vec<_> = utterances
            .map(|u| u.audio_path(&corpus.root).ok())
            .collect();
        let files: Vec<_> = paths
            .iter()
            .map(|path| Stamp::outside_of(path.as_deref()?).ok())
            .collect();
        let known = read_json::<Remembered>(&path).ok().filter(|known| {
            let same = |(now, then): (&Option<_>, &Option<_>)| now.is_none() || now == then;
            known.manifest == corpus.digest
                && known.sounds.len() == files.len()
                && files.iter().zip(&known.files).all(same)
        });
        let known = match known {
            Some(known) => known,
            None if files.iter().any(Option::is_none) => return Ok(None),
            None => {
                let channels = |path: &Option<std::path::PathBuf>| {
                    let info = path.as_ref().and_then(|path| probe(path).ok());
                    info.map_or(0, |info| info.channels)
                };
                let heard = Remembered {
                    manifest: corpus.digest.clone(),
                    channels: paths.par_iter().map(channels).collect(),
                    sounds: listen(corpus, context),
                    files,
                };
                write_json(&path, &heard)?;
                heard
            }
        };
        Ok(Some(Self {
            sounds: known.sounds,
            channels: known.channels,
        }))
    }

    /// The pooled UA that duration, level, noise floor, rate and channels alone give on a partition, and its chance level; none
    /// if nothing can be measured.
    pub(crate) fn nuisance(&self, corpus: &Corpus, partition: &Partition) -> Option<Nuisance> {
        let utterances = &corpus.manifest.utterances;
        let classes = corpus.manifest.classes();
        let mut place = std::collections::HashMap::new();
        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for (at, (utterance, sound)) in utterances.iter().zip(&self.sounds).enumerate() {
            let label = classes.iter().position(|class| *class == utterance.label)?;
            labels.push(label);
            features.push(vec![
                utterance.length,
                sound.level_db,
                sound.floor_db,
                f64::from(utterance.sample_rate),
                f64::from(self.channels[at]),
            ]);
            if sound.error.is_none() {
                place.insert(utterance.key.as_str(), at);
            }
        }
        let mut items = Vec::new();
        for fold in 1..=partition.info.folds {
            let (mut train, mut test) = (Vec::new(), Vec::new());
            for assignment in partition.fold(fold) {
                let Some(&at) = place.get(assignment.key.as_str()) else {
                    continue;
                };
                match assignment.role {
                    Role::Train | Role::Valid => train.push(at),
                    Role::Test => test.push(at),
                    Role::Extra(_) => {}
                }
            }
            let found = nuisance_baseline(&features, &labels, &train, &test).ok()?;
            items.extend(test.iter().zip(found).map(|(&at, answer)| Prediction {
                key: utterances[at].key.clone(),
                fold,
                label: utterances[at].label.clone(),
                prediction: classes[answer].clone(),
                scores: Default::default(),
                speaker: utterances[at].speaker.clone(),
                votes: std::collections::BTreeMap::new(),
                gender: None,
            }));
        }
        let runs = score_folds(&ScoreRequest {
            labels: &RunLabels::default(),
            classes: &classes,
            predictions: &items,
            oracle: None,
            inference: InferenceOptions::default(),
        });
        let run = runs.ok()?.into_iter().find(|run| run.headline)?;
        let met = run
            .per_class
            .iter()
            .filter(|class| class.support > 0)
            .count();
        Some(Nuisance {
            ua: run.ua,
            chance: 1.0 / met.max(1) as f64,
        })
    }
}

/// A score without hearing any emotion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nuisance {
    pub(crate) ua: f64,
    pub(crate) chance: f64,
}

impl Nuisance {
    /// Whether it is far above chance.
    pub(crate) fn is_much(&self) -> bool {
        self.ua > self.chance + MUCH
    }

    /// The finding in a sentence.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "duration, level, noise floor, rate and channels alone give UA {:.1} % (chance {:.1} %)",
            100.0 * self.ua,
            100.0 * self.chance
        )
    }
}
