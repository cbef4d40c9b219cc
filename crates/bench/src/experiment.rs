use crate::SlurmOptions;
use crate::choice::{as_text, as_text_or_none};
use crate::encoders::describe_encoder;
use crate::job_stage::JobStage;
use crate::named::{CorpusChoice, EncoderChoice, check_name, is_default};
use crate::{
    BenchError, CallError, CrossOptions, Devices, KeepFeatures, Labeller, LayerHead, Maps,
    Perturbations, ProtocolName, Schemes, usual_precision,
};
use emobox_corpus::{PUBLISHED_SETS, corpus_name};
use emobox_encoder::LayerSelection;
use emobox_features::{ComputePrecision, FeatureNormalisation, StorePrecision};
use emobox_probe::{ClassWeighting, Protocol, Target};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Training seeds of an experiment that gives no number: one cannot rank systems, three show how much they vary.
const TRAINING_SEEDS: usize = 3;

/// More training seeds than this are a typing error.
const MOST_SEEDS: usize = 100;

/// What to compute: corpora × encoders under one probe protocol and one or more partition schemes.
///
/// The same value comes from an experiment file and from `--corpus`/`--encoder` on the command line.
///
/// ```toml
/// scheme = "paper"        # or "speaker", "published", or several: "paper,speaker"
/// protocol = "strict"     # or "paper"
/// layers = "last"         # or "all", "0,4,7-9"
/// partition_seed = 0
/// training_seeds = 3
///
/// [[corpus]]
/// name = "emodb"
/// raw = "/data/emodb"     # not needed once prepared in this home
///
/// [[corpus]]
/// name = "mine"
/// raw = "/data/mine/clips.csv"
/// columns = { path = "clip", label = "feeling" }  # if the names are unknown
/// channel = "mix"                                 # or a number from 1
///
/// [[encoder]]
/// name = "whisper-tiny.en"
/// path = "/models/whisper-tiny.en"
///
/// [[encoder]]
/// name = "fbank"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The corpora, in the order of the table's columns.
    #[serde(default, rename = "corpus")]
    pub corpora: Vec<CorpusChoice>,
    /// The encoders, in the order of the table's rows.
    #[serde(default, rename = "encoder")]
    pub encoders: Vec<EncoderChoice>,
    /// The partition schemes: `paper`, `published`, `speaker`, or several of them, which share the features.
    #[serde(default, rename = "scheme")]
    pub schemes: Schemes,
    /// The probe protocol: `strict` or `paper`.
    #[serde(default)]
    pub protocol: ProtocolName,
    /// Seed of the partitions; also the seed of the validation part and of the batch order.
    #[serde(default, alias = "seed")]
    pub partition_seed: u64,
    /// Number of trainings per fold, with initial weights from the seeds 0, 1, …; they are trained together.
    #[serde(default = "training_seeds")]
    pub training_seeds: usize,
    /// A copy of the published metadata folder, for the scheme `published`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PathBuf>,
    /// Continue with the existing files if a corpus is incomplete.
    #[serde(default)]
    pub allow_missing: bool,
    /// Use published labels and speakers even if they are known to be wrong.
    #[serde(default)]
    pub as_published: bool,
    /// Arithmetic of the encoder: `f32`, `bf16`, or on a GPU `f16`. [default: `f32`, on a GPU `bf16`]
    #[serde(default)]
    pub precision: ComputePrecision,
    /// Precision of stored features: `f16` or `f32`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub store_precision: StorePrecision,
    /// Where the encoder computes: `cpu`, `cuda`, `cuda:N`, or on several GPUs, `cuda:0,1`.
    #[serde(default, with = "as_text")]
    pub device: Devices,
    /// Where probes are trained; if not given, where encoders compute.
    #[serde(
        default,
        with = "as_text_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub train_device: Option<Devices>,
    /// Which hidden states the probe reads: `last`, `all` (summed with learnt weights), or `0,4,7-9`.
    #[serde(default, with = "as_text")]
    pub layers: LayerSelection,
    /// Layer normalisation of the features before the probe: over the `utterance`, each `frame`, or `none`.
    #[serde(default)]
    pub normalisation: FeatureNormalisation,
    /// The probe's head by name; if not given, the protocol's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Number of epochs; if not given, the protocol's 100. A tenth of them are warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// What probes learn: `classes`, `votes` (what annotators said, as a distribution), or `dimensions`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Target,
    /// Class weights in the training loss: `none`, or `balanced` for equal total weight per class.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class_weighting: ClassWeighting,
    /// Strength of logit adjustment by the classes' shares in training: 0 is off, 1 the usual.
    #[serde(default, skip_serializing_if = "is_default")]
    pub logit_adjustment: f64,
    /// Also train a small probe on every layer, to see which layer carries emotion.
    #[serde(default)]
    pub layer_curve: bool,
    /// The head for that: `pooled`, or `own` for the table's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub layer_curve_head: LayerHead,
    /// What happens to the features of a cell once its folds are trained: `keep` or `discard`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: KeepFeatures,
    /// Which maps of the utterances are drawn: `pca`, `tsne` or `none`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub maps: Maps,
    /// The perturbations of the test parts, to measure the loss for each: `"noise:10dB,reverb:small"`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub perturb: Perturbations,
    /// Leave out corpora whose raw folder does not exist, instead of failing their cells.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_absent: bool,
    /// Train on each corpus and test on the balanced sets of the others, instead of folds within a corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross: Option<CrossOptions>,
    /// Settings for a Slurm cluster; ignored on a single machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm: Option<SlurmOptions>,
}

fn training_seeds() -> usize {
    TRAINING_SEEDS
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            corpora: Vec::new(),
            encoders: Vec::new(),
            schemes: Schemes::default(),
            protocol: ProtocolName::default(),
            partition_seed: 0,
            training_seeds: TRAINING_SEEDS,
            metadata: None,
            allow_missing: false,
            as_published: false,
            precision: ComputePrecision::default(),
            store_precision: StorePrecision::default(),
            device: Devices::default(),
            train_device: None,
            layers: LayerSelection::default(),
            normalisation: FeatureNormalisation::default(),
            head: None,
            epochs: None,
            target: Target::Classes,
            class_weighting: ClassWeighting::None,
            logit_adjustment: 0.0,
            layer_curve: false,
            layer_curve_head: LayerHead::default(),
            features: KeepFeatures::default(),
            maps: Maps::default(),
            perturb: Perturbations::default(),
            skip_absent: false,
            cross: None,
            slurm: None,
        }
    }
}

impl Experiment {
    /// Reads an experiment file; relative paths in it are relative to the file.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| emobox_files::FileError::io("read", path, e))
            .map_err(BenchError::ExperimentFile)?;
        // Some editors put a byte-order mark before UTF-8.
        let text = text.trim_start_matches('\u{feff}');
        let mut experiment: Self = toml::from_str(text).map_err(|e| BenchError::Experiment {
            path: path.to_owned(),
            problem: e.to_string(),
        })?;
        // The default precision on a GPU differs from that of the CPU.
        let says =
            |key: &str| toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key(key));
        if !says("precision") {
            experiment.precision = usual_precision(experiment.device.first());
        }
        let base = path.parent().unwrap_or(Path::new(""));
        for path in experiment.paths() {
            *path = base.join(&*path);
        }
        experiment.settle_names();
        Ok(experiment)
    }

    /// Gives registered corpora their canonical names, however they were written: `RAVDESS`, `CREMA-D`.
    pub fn settle_names(&mut self) {
        for choice in &mut self.corpora {
            // A refused name is refused where the corpus is prepared.
            if let Ok(name) = corpus_name(&choice.name, choice.custom) {
                choice.name = name;
            }
        }
        for choice in &mut self.encoders {
            if choice.path.is_none() {
                *choice = EncoderChoice::named(&choice.name);
            }
        }
    }

    /// Fetches the encoders that are named as on the hub and are not on this machine.
    ///
    /// # Errors
    /// The reason why a checkpoint cannot be fetched.
    pub fn fetch_encoders(&mut self, context: crate::Context<'_>) -> Result<(), BenchError> {
        for choice in &mut self.encoders {
            if choice.is_away() {
                crate::pull_encoder(&choice.name, context)?;
                *choice = EncoderChoice::named(&choice.name);
            }
        }
        Ok(())
    }

    /// The same experiment for a process in another folder.
    pub(crate) fn absolute(&self) -> Result<Self, BenchError> {
        let mut experiment = self.clone();
        for path in experiment.paths() {
            *path = emobox_files::absolute(path)?;
        }
        Ok(experiment)
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let corpora = self.corpora.iter_mut().filter_map(|c| c.raw.as_mut());
        let encoders = self.encoders.iter_mut().filter_map(|e| e.path.as_mut());
        let cross = self.cross.iter_mut().flat_map(CrossOptions::paths);
        corpora
            .chain(encoders)
            .chain(self.metadata.as_mut())
            .chain(cross)
    }

    /// The protocol with the experiment's own settings applied.
    pub fn resolved_protocol(&self) -> Result<Protocol, BenchError> {
        let mut protocol = match self.protocol {
            ProtocolName::Strict => Protocol::strict(),
            ProtocolName::Paper => Protocol::paper(),
        };
        protocol = protocol
            .partitioned_by(self.partition_seed)
            .with_training_seeds(0, self.training_seeds);
        if let Some(head) = &self.head {
            protocol = protocol.with_head(head)?;
        }
        if let Some(epochs) = self.epochs {
            protocol = protocol.with_epochs(epochs);
        }
        protocol = protocol.with_target(self.target);
        protocol.class_weighting = self.class_weighting;
        protocol.logit_adjustment = self.logit_adjustment;
        protocol.layer_sum = self.keeps_several_layers();
        protocol.check()?;
        Ok(protocol)
    }

    /// Whether the features of a cell are deleted before those of the next are made: across corpora a test needs those of all.
    pub(crate) fn discards_cell_by_cell(&self) -> bool {
        self.features == KeepFeatures::Discard && self.cross.is_none()
    }

    /// Where probes are trained.
    pub fn probe_devices(&self) -> &Devices {
        self.train_device.as_ref().unwrap_or(&self.device)
    }

    /// Every pair of a training corpus and another test corpus.
    pub(crate) fn pairs_of_corpora(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = || self.corpora.iter().map(|choice| choice.name.as_str());
        let others = move |train| names().filter(move |test| *test != train);
        names().flat_map(move |train| others(train).map(move |test| (train, test)))
    }

    /// Who labels the corpora of a cross-corpus experiment, if anybody.
    pub(crate) fn labeller(&self) -> Option<&EncoderChoice> {
        match &self.cross.as_ref()?.labeller {
            Labeller::Nobody => None,
            Labeller::FirstEncoder => self.encoders.first(),
            Labeller::Named(choice) => Some(choice),
        }
    }

    /// Whether the balanced set of a corpus already exists, given or published.
    pub(crate) fn has_set(&self, corpus: &str) -> bool {
        let mut given = self.cross.iter();
        let published = PUBLISHED_SETS.iter().any(|(name, _)| *name == corpus);
        given.any(|cross| cross.balanced_sets.contains_key(corpus))
            || (published && self.metadata.is_some())
    }

    /// The encoder whose features are needed to label a corpus: none if its set or its labels already exist, or if
    /// the labeller is a saved probe or has an emotion head, which encode the audio themselves.
    pub(crate) fn features_to_label(&self, corpus: &str) -> Option<&EncoderChoice> {
        let choice = self.labeller()?;
        let is_needed = !self.has_set(corpus)
            && !self
                .cross
                .iter()
                .any(|cross| cross.pseudo_labels.contains_key(corpus))
            && !choice.is_probe()
            && !describe_encoder(choice).is_ok_and(|known| known.has_head());
        is_needed.then_some(choice)
    }

    /// Whether more than one hidden state is requested; an encoder that has only one still keeps only one.
    fn keeps_several_layers(&self) -> bool {
        match &self.layers {
            LayerSelection::Last => false,
            LayerSelection::All => true,
            LayerSelection::List(layers) => layers.iter().any(|layer| *layer != layers[0]),
        }
    }

    /// Checks everything that can be checked before any work, and returns the first problem found.
    pub fn check(&self) -> Result<(), BenchError> {
        if self.corpora.is_empty() {
            return Err(BenchError::Call(CallError::Nothing {
                what: "corpus",
                how: "add --corpus NAME=DIR, or [[corpus]] in the experiment file",
            }));
        }
        if self.encoders.is_empty() {
            return Err(BenchError::Call(CallError::Nothing {
                what: "encoder",
                how: "add --encoder NAME=DIR (or --encoder fbank, which needs no weights), or [[encoder]] in the experiment file",
            }));
        }
        if !(1..=MOST_SEEDS).contains(&self.training_seeds) {
            return Err(BenchError::Call(CallError::value(
                "training seeds",
                self.training_seeds,
                format!("1 to {MOST_SEEDS}"),
            )));
        }
        if self.layer_curve
            && self.layer_curve_head == LayerHead::Own
            && !self.keeps_several_layers()
        {
            return Err(BenchError::Call(CallError::Contradiction(
                "a layer curve with the table's own head compares layers that are stored: name them with --layers all, or 0,4,7-9"
                    .to_owned(),
            )));
        }
        let extras = [
            (self.layer_curve, "a layer curve"),
            (
                self.perturb != Perturbations::default(),
                "what perturbations cost",
            ),
            (
                self.cross.is_some(),
                "training on one corpus and testing on another",
            ),
        ];
        let asked = extras.iter().find(|(asked, _)| *asked);
        if let (true, Some((_, what))) = (self.target != Target::Classes, asked) {
            return Err(BenchError::Call(CallError::Contradiction(format!(
                "{what} is of classes: leave it out, or --target {}",
                self.target.name()
            ))));
        }
        check_names("corpus", self.corpora.iter().map(|c| c.name.as_str()))?;
        if let Some(away) = self.encoders.iter().find(|choice| choice.is_away()) {
            return Err(BenchError::Call(CallError::Away(away.name.clone())));
        }
        check_names("encoder", self.encoders.iter().map(|e| e.name.as_str()))?;
        for choice in self.encoders.iter().filter(|choice| choice.path.is_none()) {
            crate::encoder_card(&choice.name)?;
        }
        self.resolved_protocol()?;
        if let Some(cross) = &self.cross {
            let corpora: Vec<&str> = self.corpora.iter().map(|c| c.name.as_str()).collect();
            cross.check(&corpora)?;
            if self.perturb != Perturbations::default() {
                return Err(BenchError::Call(CallError::Contradiction(
                    "test parts are perturbed within a corpus; across corpora there are none"
                        .to_owned(),
                )));
            }
        }
        let Some(slurm) = &self.slurm else {
            return Ok(());
        };
        let cards = |stage| slurm.gpus_of(stage).unwrap_or(0);
        if self.probe_devices().are_gpus()
            && cards(JobStage::Extract) > 0
            && cards(JobStage::Train) == 0
        {
            return Err(BenchError::Call(CallError::Contradiction(format!(
                "[slurm.extract] asks for GPUs and [slurm.train] for none, but probes are trained on {}: \
                 say `gpus = 1` in [slurm.train], or `train_device = \"cpu\"` for the experiment",
                self.probe_devices()
            ))));
        }
        slurm.check()
    }
}

fn check_names<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), BenchError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        check_name(name)?;
        if !seen.insert(name) {
            return Err(BenchError::Call(CallError::twice(what, name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use emobox_corpus::Scheme;

    #[test]
    fn files_are_read_with_paths_relative_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("experiment.toml");
        let text = "scheme = \"speaker\"\nnormalisation = \"frame\"\n\
                    [[corpus]]\nname = \"emodb\"\nraw = \"raw/emodb\"\n\
                    [[encoder]]\nname = \"fbank\"\n";
        std::fs::write(&path, text).unwrap();
        let experiment = Experiment::read(&path).unwrap();
        experiment.check().unwrap();
        assert_eq!(experiment.schemes, Scheme::Speaker.into());
        assert_eq!(experiment.resolved_protocol().unwrap().seeds, [0, 1, 2]);
        assert_eq!(experiment.normalisation, FeatureNormalisation::Frame);
        let raw = experiment.corpora[0].raw.as_deref();
        assert_eq!(raw, Some(folder.path().join("raw/emodb").as_path()));
        let again: Experiment = toml::from_str(&toml::to_string(&experiment).unwrap()).unwrap();
        assert_eq!(again, experiment);
    }

    #[test]
    fn doubled_and_impossible_names_are_refused() {
        let choice = |name: &str| CorpusChoice {
            name: name.to_owned(),
            raw: None,
            ..CorpusChoice::default()
        };
        let mut experiment = Experiment {
            corpora: vec![choice("a"), choice("a")],
            encoders: vec![EncoderChoice {
                name: "fbank".to_owned(),
                path: None,
            }],
            ..Experiment::default()
        };
        let message = experiment.check().unwrap_err().to_string();
        assert!(message.contains("named twice"), "{message}");
        experiment.corpora[1].name = "../b".to_owned();
        let message = experiment.check().unwrap_err().to_string();
        assert!(message.contains("../b"), "{message}");
    }
}
