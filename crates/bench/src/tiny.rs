//! For tests: an experiment on corpora of a few short tones, small enough to run within a second.

use crate::{Context, CorpusChoice, EncoderChoice, Experiment, Home, Plan, Progress, Stage};
use emobox_audio::{SampleRate, write_wav_16};
use emobox_corpus::Scheme;
use emobox_files::write_atomic;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The speakers of a corpus; a partition by speaker has a fold for each.
pub(crate) const SPEAKERS: usize = 4;

/// The classes of a corpus.
const CLASSES: [&str; 2] = ["happy", "sad"];

/// An experiment with its own home, and what it tells the user.
pub(crate) struct Tiny {
    folder: tempfile::TempDir,
    pub(crate) experiment: Experiment,
    pub(crate) told: Told,
    pub(crate) stop: AtomicBool,
}

/// The notes and stages of a run.
#[derive(Default)]
pub(crate) struct Told {
    notes: Mutex<Vec<String>>,
    /// The stages that began, and the steps by which each advanced.
    stages: Mutex<Vec<(Stage, Vec<u64>)>>,
    /// Whether a stage is running: never two at once.
    runs: AtomicBool,
}

impl Progress for Told {
    fn begin(&self, stage: &Stage) {
        assert!(!self.runs.swap(true, Ordering::Relaxed), "{stage:?}");
        self.stages
            .lock()
            .unwrap()
            .push((stage.clone(), Vec::new()));
    }

    fn advance(&self, units: u64) {
        self.stages
            .lock()
            .unwrap()
            .last_mut()
            .unwrap()
            .1
            .push(units);
    }

    fn end(&self) {
        assert!(self.runs.swap(false, Ordering::Relaxed));
    }

    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
    }
}

impl Told {
    /// The notes since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }

    /// The labels of the stages since the last call.
    pub(crate) fn take_stages(&self) -> Vec<String> {
        let stages = self.take_steps().into_iter();
        stages.map(|(stage, _)| stage.label).collect()
    }

    /// The same with their steps.
    pub(crate) fn take_steps(&self) -> Vec<(Stage, Vec<u64>)> {
        std::mem::take(&mut *self.stages.lock().unwrap())
    }
}

impl Tiny {
    /// These corpora with the encoder `fbank`: a tone of each class by each speaker.
    pub(crate) fn new(corpora: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let choice = |name: &&str| CorpusChoice {
            name: (*name).to_owned(),
            raw: Some(root.join(name).join("labels.csv")),
            ..CorpusChoice::default()
        };
        let tiny = Self {
            experiment: Experiment {
                corpora: corpora.iter().map(choice).collect(),
                encoders: vec![EncoderChoice::named(emobox_encoder::FBANK)],
                schemes: Scheme::Speaker.into(),
                epochs: Some(1),
                training_seeds: 1,
                ..Experiment::default()
            },
            folder,
            told: Told::default(),
            stop: AtomicBool::new(false),
        };
        for corpus in corpora {
            let mut table = String::from("path,label,speaker\n");
            for (at, class) in CLASSES.iter().enumerate() {
                for speaker in 0..SPEAKERS {
                    let name = format!("{class}{speaker}.wav");
                    tiny.tone(
                        corpus,
                        &name,
                        150.0 + 100.0 * at as f32 + 9.0 * speaker as f32,
                    );
                    table.push_str(&format!("{name},{class},s{speaker}\n"));
                }
            }
            tiny.write(&format!("{corpus}/labels.csv"), &table);
        }
        tiny
    }

    /// An experiment without recordings.
    pub(crate) fn of(experiment: Experiment) -> Self {
        Self {
            experiment,
            ..Self::new(&[])
        }
    }

    /// Adds an encoder of random weights by the name `tiny`.
    pub(crate) fn with_second_encoder(mut self) -> Self {
        self.golden("hubert-fairseq-base.pt", "tiny.pt");
        self.experiment.encoders.push(EncoderChoice {
            name: "tiny".to_owned(),
            path: Some(self.path("tiny.pt")),
        });
        self
    }

    /// Copies a checkpoint of the encoder's golden files to this place in the folder.
    pub(crate) fn golden(&self, golden: &str, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
        std::fs::copy(folder.join(golden), self.path(name)).unwrap();
    }

    /// Replaces what the table of a corpus says.
    pub(crate) fn relabel(&self, corpus: &str, from: &str, to: &str) {
        let table = format!("{corpus}/labels.csv");
        let text = std::fs::read_to_string(self.path(&table)).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        self.write(&table, &text.replace(from, to));
    }

    /// Gives all utterances of a corpus one speaker.
    pub(crate) fn one_speaker(&self, corpus: &str) {
        for speaker in 1..SPEAKERS {
            self.relabel(corpus, &format!(",s{speaker}\n"), ",s0\n");
        }
    }

    /// Writes a recording of a corpus: 0.2 seconds.
    pub(crate) fn tone(&self, corpus: &str, name: &str, pitch: f32) {
        self.long_tone(corpus, name, pitch, 3200);
    }

    /// The same of this many samples.
    pub(crate) fn long_tone(&self, corpus: &str, name: &str, pitch: f32, samples: u16) {
        let sample = |i: u16| 0.3 * (f32::from(i) * pitch * std::f32::consts::TAU / 16_000.0).sin();
        let samples: Vec<f32> = (0..samples).map(sample).collect();
        let path = self.path(corpus).join(name);
        write_wav_16(path, &samples, SampleRate::SPEECH).unwrap();
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write_atomic(self.path(name), text.as_bytes()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn home(&self) -> Home {
        Home::new(self.path("home"))
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::of(&self.home(), &self.experiment, &self.out()).unwrap()
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            progress: &self.told,
            stop: &self.stop,
        }
    }
}

/// The position of a job in a plan.
pub(crate) fn at(plan: &Plan, name: &str) -> usize {
    let found = plan.jobs.iter().position(|job| job.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in the plan"))
}
