use crate::adam::Weights;
use crate::engine::{Engine, EngineData, Trainer};
use crate::heads::{self, Head, Sizes};
use crate::team::Team;
use crate::{FeatureSource, Item, Point, ProbeError, Protocol, Role, Selected, Target, ViewSource};
use emobox_features::{
    ComputePrecision, FeatureNormalisation, FrameView, HiddenView, StoreHeader, StorePrecision,
    StoredItem,
};
use emobox_files::{FileError, read_json, sha256_bytes, write_atomic, write_json};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The features that a probe was trained on, described so that the same can be extracted again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureDescription {
    /// The encoder's name.
    pub encoder: String,
    /// The digest of its weights.
    pub weights_digest: String,
    /// The hidden states used.
    pub layers: Vec<usize>,
    /// The width of a frame.
    pub dim: usize,
    /// Samples of 16 kHz audio from one frame to the next.
    pub hop: usize,
    /// Normalisation of the frames.
    pub normalisation: FeatureNormalisation,
    /// How frames are rounded before the probe sees them.
    pub precision: StorePrecision,
    /// The encoder's computing precision.
    pub compute: ComputePrecision,
    /// Revision of the extraction's arithmetic.
    pub revision: u32,
}

impl From<&StoreHeader> for FeatureDescription {
    fn from(header: &StoreHeader) -> Self {
        Self {
            encoder: header.encoder.clone(),
            weights_digest: header.weights_digest.clone(),
            layers: header.layers.clone(),
            dim: header.dim,
            hop: header.hop,
            normalisation: header.normalisation,
            precision: header.precision,
            compute: header.compute,
            revision: header.revision,
        }
    }
}

/// `probe.json`: everything about a probe except its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeDescription {
    /// Format version, 1.
    pub schema: u32,
    /// The classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The features it reads.
    pub features: FeatureDescription,
    /// The corpus it was trained on.
    pub corpus: String,
    /// The fold, from 1.
    pub fold: u32,
    /// The selected sweep point.
    pub point: Point,
    /// The selected epoch, from 1.
    pub epoch: usize,
    /// The protocol it was trained by, with every constant.
    pub protocol: Protocol,
    /// The protocol's digest.
    pub protocol_digest: String,
    /// The version of the program that trained it.
    pub program_version: String,
    /// The digest of `probe.safetensors`; it detects files of two different probes.
    pub weights_sha256: String,
}

/// A trained probe, ready to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    description: ProbeDescription,
    weights: Vec<f32>,
}

/// What a probe is made from, besides the training's selection.
#[derive(Clone, Debug)]
pub struct ProbeOrigin<'a> {
    /// The classes, in the order of the outputs.
    pub classes: &'a [String],
    /// The store's header.
    pub header: &'a StoreHeader,
    /// The corpus.
    pub corpus: &'a str,
    /// The fold, from 1.
    pub fold: u32,
    /// The protocol.
    pub protocol: &'a Protocol,
    /// The program's version.
    pub program_version: &'a str,
}

impl Probe {
    /// The probe selected by a training.
    pub fn new(selected: &Selected, origin: &ProbeOrigin<'_>) -> Result<Self, ProbeError> {
        let mut probe = Self {
            weights: selected.weights.clone(),
            description: ProbeDescription {
                schema: 1,
                classes: origin.classes.to_vec(),
                features: origin.header.into(),
                corpus: origin.corpus.to_owned(),
                fold: origin.fold,
                point: selected.point,
                epoch: selected.epoch,
                protocol: origin.protocol.clone(),
                protocol_digest: origin.protocol.digest().as_str().to_owned(),
                program_version: origin.program_version.to_owned(),
                weights_sha256: String::new(),
            },
        };
        let digest = sha256_bytes(&probe.weight_bytes(Path::new(""))?);
        probe.description.weights_sha256 = digest.as_str().to_owned();
        Ok(probe)
    }

    /// What is known about the probe.
    pub fn description(&self) -> &ProbeDescription {
        &self.description
    }

    /// The classes, in the order of the predictions.
    pub fn classes(&self) -> &[String] {
        &self.description.classes
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            layers: self.description.features.layers.len(),
            dim: self.description.features.dim,
            hidden: self.description.point.hidden,
            classes: self.description.classes.len(),
        }
    }

    fn head(&self) -> Result<&'static Head, ProbeError> {
        heads::find(&self.description.protocol.head)
    }

    /// Writes `probe.safetensors` and then `probe.json` into `dir`.
    pub fn save(&self, dir: &Path) -> Result<(), ProbeError> {
        let path = dir.join("probe.safetensors");
        write_atomic(&path, &self.weight_bytes(&path)?)?;
        Ok(write_json(dir.join("probe.json"), &self.description)?)
    }

    /// The head's tensors with their values.
    pub(crate) fn tensors(&self) -> Result<Vec<(heads::Tensor, &[f32])>, ProbeError> {
        let mut rest = self.weights.as_slice();
        let layout = self.head()?.layout(&self.sizes()).into_iter();
        let parts = layout.map(|tensor| {
            let (mine, others) = rest.split_at(tensor.len());
            rest = others;
            (tensor, mine)
        });
        Ok(parts.collect())
    }

    fn weight_bytes(&self, path: &Path) -> Result<Vec<u8>, ProbeError> {
        let unwritable = |e: safetensors::SafeTensorError| unreadable(path, e.to_string());
        let mut views = Vec::new();
        let mut rest = self.weights.as_slice();
        for tensor in self.head()?.layout(&self.sizes()) {
            let Some((mine, others)) = rest.split_at_checked(tensor.len()) else {
                return Err(unreadable(
                    path,
                    format!("too few numbers for {}", tensor.name),
                ));
            };
            rest = others;
            let view = TensorView::new(Dtype::F32, tensor.shape, bytemuck::cast_slice(mine));
            views.push((tensor.name, view.map_err(unwritable)?));
        }
        serialize(views, None).map_err(unwritable)
    }

    /// Reads a probe from its folder, or from the path of either of its files.
    pub fn load(path: &Path) -> Result<Self, ProbeError> {
        let dir = match path.extension().and_then(|e| e.to_str()) {
            Some("json" | "safetensors") => path.parent().unwrap_or(Path::new(".")),
            _ => path,
        };
        let description_path = dir.join("probe.json");
        let description: ProbeDescription = read_json(&description_path)?;
        if description.schema != 1 {
            let problem = format!("schema {}, this program reads 1", description.schema);
            return Err(unreadable(&description_path, problem));
        }
        description.protocol.check()?;
        let hidden = description.point.hidden;
        let least = match description.protocol.target {
            Target::Classes | Target::Votes => 2,
            Target::Dimensions => 1,
        };
        let sane = hidden <= 65_536
            && (1..=1_024).contains(&description.features.layers.len())
            && (1..=65_536).contains(&description.features.dim)
            && (least..=65_536).contains(&description.classes.len());
        if !sane {
            let problem = format!(
                "impossible sizes: {} dimensions, hidden size {hidden}, {} classes",
                description.features.dim,
                description.classes.len()
            );
            return Err(unreadable(&description_path, problem));
        }
        let path = dir.join("probe.safetensors");
        let bytes = std::fs::read(&path).map_err(|e| FileError::io("read", &path, e))?;
        let mut probe = Self {
            description,
            weights: Vec::new(),
        };
        probe.weights = probe.parse_weights(&path, &bytes)?;
        let digest = sha256_bytes(&bytes);
        if digest.as_str() != probe.description.weights_sha256 {
            let problem = format!(
                "its digest is {}, probe.json expects {}: the two files are not of one probe",
                digest.short(),
                probe.description.weights_sha256
            );
            return Err(unreadable(&path, problem));
        }
        Ok(probe)
    }

    fn parse_weights(&self, path: &Path, bytes: &[u8]) -> Result<Vec<f32>, ProbeError> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| unreadable(path, e.to_string()))?;
        let mut weights = Vec::new();
        for tensor in self.head()?.layout(&self.sizes()) {
            let found = file.tensor(tensor.name).map_err(|_| {
                let names = file.names().join(", ");
                unreadable(
                    path,
                    format!("no tensor {:?}; there are {names}", tensor.name),
                )
            })?;
            if found.dtype() != Dtype::F32 || found.shape() != tensor.shape {
                let problem = format!(
                    "tensor {:?} is {:?} {:?}, expected F32 {:?}",
                    tensor.name,
                    found.dtype(),
                    found.shape(),
                    tensor.shape
                );
                return Err(unreadable(path, problem));
            }
            weights.extend(bytemuck::pod_collect_to_vec::<u8, f32>(found.data()));
        }
        Ok(weights)
    }

    /// Log-probabilities of the classes (or the values of the dimensions, where the protocol learns these) for one utterance's
    /// features, as read from a store.
    pub fn predict(&self, frames: &FrameView<'_>) -> Result<Vec<f64>, ProbeError> {
        let problem = if frames.frames == 0 {
            Some("no frames, at least 1 is needed".to_owned())
        } else if frames.layers != self.description.features.layers.len() {
            let wanted = &self.description.features.layers;
            Some(format!(
                "{} layers, the probe reads {wanted:?}",
                frames.layers
            ))
        } else if frames.dim != self.description.features.dim {
            let wanted = self.description.features.dim;
            Some(format!(
                "{} dimensions, the probe reads {wanted}",
                frames.dim
            ))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(ProbeError::Features {
                key: "input".into(),
                problem,
            });
        }
        let source = ViewSource::new(vec![*frames])?;
        let items = [Item {
            key: "input".into(),
            label: 0,
            target: Vec::new(),
            speaker: None,
            role: Role::Test,
        }];
        let data = EngineData {
            source: &source as &dyn FeatureSource,
            items: &items,
            classes: self.description.classes.len(),
            team: &Team::new(1),
        };
        let hidden = [self.description.point.hidden];
        let weights = vec![Weights::new(self.weights.clone())];
        let protocol = &self.description.protocol;
        let mut engine = Engine::new(self.head()?, protocol, &hidden, data, weights);
        Ok(engine.evaluate(&[0], 1)?.remove(0).scores)
    }

    /// The same for hidden states directly from the encoder: normalised and rounded as the training features were, so an
    /// utterance gets the same scores as from a store.
    pub fn predict_hidden(
        &self,
        key: &str,
        hidden: &HiddenView<'_>,
    ) -> Result<Vec<f64>, ProbeError> {
        let features = &self.description.features;
        let header = StoreHeader {
            schema: emobox_features::SCHEMA,
            corpus: String::new(),
            encoder: features.encoder.clone(),
            weights_digest: features.weights_digest.clone(),
            layers: features.layers.clone(),
            pooled_layers: 0,
            perturbation: None,
            dim: features.dim,
            hop: features.hop,
            precision: features.precision,
            compute: features.compute,
            normalisation: features.normalisation,
            revision: features.revision,
            program_version: String::new(),
        };
        let item = StoredItem::new(&header, key, hidden)?;
        self.predict(&item.view())
    }
}

fn unreadable(path: &Path, problem: String) -> ProbeError {
    ProbeError::Unreadable {
        what: "probe",
        path: path.to_owned(),
        problem,
    }
}
