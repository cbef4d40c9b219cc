use crate::compact::{read_series, write_series};
use crate::map::write_maps;
use crate::paper::PaperSource;
use crate::{Embedded, ErrorList, UtteranceMap};
use emobox_score::{Absent, FoldName, Run, ScoresFile};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything a report shows. Made by the bench; parts that are empty are left out of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportData {
    /// Heading of the page.
    pub title: String,
    /// Sentences that a reader must see first, for example that a corpus is synthetic or a run incomplete.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The scores, with versions and digests.
    pub scores: ScoresFile,
    /// Training curves.
    #[serde(default)]
    pub training: Vec<Training>,
    /// Scores of single layers.
    #[serde(default)]
    pub layers: Vec<LayerCurve>,
    /// Utterances laid out in two dimensions; see [`crate::utterance_maps`].
    #[serde(default, serialize_with = "write_maps")]
    pub maps: Vec<UtteranceMap>,
    /// The errors of each cell, with their recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorList>,
    /// Audio of errors to embed in the page; not kept in files.
    #[serde(skip)]
    pub embedded: Vec<Embedded>,
    /// The folders of the trained probes, a folder for each cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<PathBuf>,
    /// The published figures to print beside the scores, with the difference.
    #[serde(default)]
    pub beside: Option<PaperSource>,
    /// The findings of the partitions' audits.
    #[serde(default)]
    pub audits: Vec<AuditFindings>,
    /// The protocol's constants in reading order.
    #[serde(default)]
    pub protocol: Vec<Fact>,
    /// Corpora in the order of the tables' rows; those not named follow in order of appearance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corpora: Vec<String>,
    /// Encoders in the order of the tables' columns; those not named follow in order of appearance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encoders: Vec<String>,
}

/// The training of one fold: every point of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Corpus that was trained on.
    pub corpus: String,
    /// Encoder of the features.
    pub encoder: String,
    /// Fold, from 1.
    pub fold: u32,
    /// The points of the sweep, in the protocol's order.
    pub points: Vec<TrainingPoint>,
}

/// The curves of one point of the sweep; the three lists have one value per epoch, of which three digits
/// are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingPoint {
    /// As `learning rate 0.001, hidden 128`.
    pub name: String,
    /// The epoch (from 1) selected on validation, for the point selected on validation.
    #[serde(default)]
    pub selected_epoch: Option<usize>,
    /// Mean cross-entropy on the training part.
    #[serde(serialize_with = "write_series", deserialize_with = "read_series")]
    pub train_loss: Vec<f64>,
    /// Mean cross-entropy on the validation part.
    #[serde(serialize_with = "write_series", deserialize_with = "read_series")]
    pub valid_loss: Vec<f64>,
    /// Unweighted accuracy on the validation part, 0..1.
    #[serde(serialize_with = "write_series", deserialize_with = "read_series")]
    pub valid_ua: Vec<f64>,
}

/// The score of a probe on each layer of an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerCurve {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// The layers in order.
    pub points: Vec<LayerPoint>,
    /// The probe of the curve, which differs from the table's; empty in files of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub head: String,
    /// The layer selected on the validation parts. Selecting the best layer on the test parts would use the scores that it is judged on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<usize>,
}

/// The score on one layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerPoint {
    /// 0 is the embedding output, then the Transformer layers from 1.
    pub layer: usize,
    /// Unweighted accuracy, 0..1.
    pub ua: f64,
    /// Its interval.
    #[serde(default)]
    pub ua_ci: Option<[f64; 2]>,
    /// Mean unweighted accuracy on the validation parts, by which the layer is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_ua: Option<f64>,
}

/// The audit of one corpus's partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFindings {
    /// The corpus.
    pub corpus: String,
    /// The scheme that was audited.
    pub partition: String,
    /// The verdict in one line.
    pub verdict: String,
    /// Whether the verdict is clean: no speaker, text or recording in both train and test.
    pub clean: bool,
    /// Each finding as a sentence.
    #[serde(default)]
    pub findings: Vec<String>,
    /// What a reader must see before any score on this partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// As `epochs`.
    pub name: String,
    /// As `100`.
    pub value: String,
    /// The source of a protocol's constant: `paper`, `recipe` or `ours`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The reason for the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Fact {
    /// A value without an origin.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            origin: None,
            reason: None,
        }
    }
}

impl ReportData {
    /// A report with scores only.
    pub fn new(title: impl Into<String>, scores: ScoresFile) -> Self {
        Self {
            title: title.into(),
            notes: Vec::new(),
            scores,
            training: Vec::new(),
            layers: Vec::new(),
            maps: Vec::new(),
            errors: Vec::new(),
            probes: Vec::new(),
            embedded: Vec::new(),
            beside: None,
            audits: Vec::new(),
            protocol: Vec::new(),
            corpora: Vec::new(),
            encoders: Vec::new(),
        }
    }

    /// Corpus–encoder pairs without scores; not pairs of corpora.
    pub fn empty_cells(&self) -> impl Iterator<Item = &Absent> {
        let cells = self.scores.absent.iter();
        cells.filter(|absent| absent.tested_on.is_none())
    }

    /// Whether there are scores of classes, or cells that lack them: without any run, empty cells belong to the dimensions.
    pub fn has_classes(&self) -> bool {
        let has_empty = self.scores.dimensions.is_empty() && self.empty_cells().next().is_some();
        !self.scores.runs.is_empty() || has_empty
    }

    /// Whether there are scores across corpora, or pairs that lack them.
    pub fn is_across_corpora(&self) -> bool {
        let mut absent = self.scores.absent.iter();
        !self.scores.cross.is_empty() || absent.any(|absent| absent.tested_on.is_some())
    }

    /// The headline runs, in the file's order: for each configuration the run that is marked so; in files of earlier versions,
    /// where none is, the mean over folds, or if there is none the pooled run or the only fold.
    pub fn headline(&self) -> Vec<&Run> {
        let mut rows: Vec<&Run> = Vec::new();
        for run in &self.scores.runs {
            match rows.iter_mut().find(|row| same_configuration(row, run)) {
                None => rows.push(run),
                Some(row) if importance(run) < importance(row) => *row = run,
                Some(_) => {}
            }
        }
        rows
    }

    /// All runs of the same configuration as `run`.
    pub fn siblings<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = &'a Run> {
        self.scores
            .runs
            .iter()
            .filter(move |other| same_configuration(run, other))
    }
}

/// The smaller comes first.
fn importance(run: &Run) -> (bool, u32) {
    let fold = match run.fold {
        FoldName::Mean => 0,
        FoldName::Pooled => 1,
        FoldName::Fold(fold) => fold.saturating_add(1),
    };
    (!run.headline, fold)
}

fn same_configuration(a: &Run, b: &Run) -> bool {
    a.corpus == b.corpus
        && a.encoder == b.encoder
        && a.protocol == b.protocol
        && a.partition == b.partition
        && a.config == b.config
}
