use crate::BenchError;
use crate::cluster::SlurmOptions;
use crate::home::is_plain_name;
use emobox_corpus::Scheme;
use emobox_features::Normalisation;
use emobox_probe::ClassWeighting;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What to compute: corpora × encoders under one partition scheme and one probe protocol.
///
/// The same value comes from an experiment file and from `--corpus`/`--encoder` on the command line.
///
/// ```toml
/// scheme = "paper"        # or "speaker", "published"
/// protocol = "strict"     # or "paper"
/// layers = "last"         # or "all", "0,4,7-9"
/// seed = 0
///
/// [[corpus]]
/// name = "emodb"
/// raw = "/data/emodb"     # not needed once prepared in this home
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
    /// The partition scheme: `paper`, `published` or `speaker`.
    #[serde(default)]
    pub scheme: Scheme,
    /// The probe protocol: `strict` or `paper`.
    #[serde(default = "default_protocol")]
    pub protocol: String,
    /// Seed of partitions, initial weights and batch orders.
    #[serde(default)]
    pub seed: u64,
    /// A copy of the published metadata folder, for the scheme `published`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<PathBuf>,
    /// Go on with the files that are there when a corpus is incomplete.
    #[serde(default)]
    pub allow_missing: bool,
    /// Take published labels and speakers even where they are known to be wrong.
    #[serde(default)]
    pub as_published: bool,
    /// Arithmetic of the encoder: `f32` or `bf16`.
    #[serde(default = "default_precision")]
    pub precision: String,
    /// Where the encoder computes: `cpu`, `cuda`, `cuda:N` or `metal`.
    #[serde(default = "default_device")]
    pub device: String,
    /// Which hidden states the probe reads: `last`, `all` (summed with learnt weights), or `0,4,7-9`.
    #[serde(default = "default_layers")]
    pub layers: String,
    /// Layer normalisation of the features before the probe: over the `utterance`, each `frame`, or `none`.
    #[serde(default)]
    pub normalisation: Normalisation,
    /// The probe's head by name; the protocol's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// What classes weigh in the training loss: `none`, or `balanced` for as much of each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class_weighting: ClassWeighting,
    /// Strength of logit adjustment by the classes' shares in training: 0 is off, 1 the usual.
    #[serde(default, skip_serializing_if = "is_default")]
    pub logit_adjustment: f64,
    /// Also train a small probe on every layer, to see which one carries emotion.
    #[serde(default)]
    pub layer_curve: bool,
    /// How a Slurm cluster runs it; of no account on one machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm: Option<SlurmOptions>,
}

/// A corpus of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusChoice {
    /// A registered corpus, or any other name for a corpus of one's own.
    pub name: String,
    /// The raw release (or one's own table or folders); absent when it is already prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<PathBuf>,
}

/// An encoder of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderChoice {
    /// A row of the zoo, or any other name for a local checkpoint.
    pub name: String,
    /// A local checkpoint folder or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_protocol() -> String {
    "strict".to_owned()
}

fn default_precision() -> String {
    "f32".to_owned()
}

fn default_device() -> String {
    "cpu".to_owned()
}

fn default_layers() -> String {
    "last".to_owned()
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            corpora: Vec::new(),
            encoders: Vec::new(),
            scheme: Scheme::default(),
            protocol: default_protocol(),
            seed: 0,
            metadata: None,
            allow_missing: false,
            as_published: false,
            precision: default_precision(),
            device: default_device(),
            layers: default_layers(),
            normalisation: Normalisation::default(),
            head: None,
            class_weighting: ClassWeighting::None,
            logit_adjustment: 0.0,
            layer_curve: false,
            slurm: None,
        }
    }
}

impl Experiment {
    /// Reads an experiment file; relative paths in it are relative to the file.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| emobox_files::FileError::io("read", path, e))?;
        let mut experiment: Self = toml::from_str(&text).map_err(|e| BenchError::Experiment {
            path: path.to_owned(),
            problem: e.to_string(),
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        for path in experiment.paths() {
            *path = base.join(&*path);
        }
        Ok(experiment)
    }

    /// The same experiment for a process in another folder.
    pub(crate) fn absolute(&self) -> Result<Self, BenchError> {
        let mut experiment = self.clone();
        for path in experiment.paths() {
            *path = std::path::absolute(&*path)
                .map_err(|e| emobox_files::FileError::io("find the place of", &*path, e))?;
        }
        Ok(experiment)
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let corpora = self.corpora.iter_mut().filter_map(|c| c.raw.as_mut());
        let encoders = self.encoders.iter_mut().filter_map(|e| e.path.as_mut());
        corpora.chain(encoders).chain(self.metadata.as_mut())
    }

    /// Checks everything that can be checked before any work, and returns the first problem found.
    pub fn check(&self) -> Result<(), BenchError> {
        if self.corpora.is_empty() {
            return Err(BenchError::Call(
                "no corpus is named: add --corpus NAME=DIR, or [[corpus]] in the experiment file"
                    .to_owned(),
            ));
        }
        if self.encoders.is_empty() {
            return Err(BenchError::Call(
                "no encoder is named: add --encoder NAME=DIR (or --encoder fbank, which needs no \
                 weights), or [[encoder]] in the experiment file"
                    .to_owned(),
            ));
        }
        check_names("corpus", self.corpora.iter().map(|c| c.name.as_str()))?;
        check_names("encoder", self.encoders.iter().map(|e| e.name.as_str()))?;
        self.slurm.as_ref().map_or(Ok(()), SlurmOptions::check)
    }
}

fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), BenchError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        check_name(name)?;
        if !seen.insert(name) {
            return Err(BenchError::Call(format!("{what} {name} is named twice")));
        }
    }
    Ok(())
}

/// Refuses a corpus or encoder name that cannot be the name of a folder.
pub fn check_name(name: &str) -> Result<(), BenchError> {
    if is_plain_name(name) {
        return Ok(());
    }
    Err(BenchError::Call(format!(
        "{name:?} cannot be the name of a corpus or encoder: use letters, digits, '.', '_', '-', '+'"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(experiment.scheme, Scheme::Speaker);
        assert_eq!(experiment.normalisation, Normalisation::Frame);
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
