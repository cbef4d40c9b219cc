//! The contents of a checkpoint folder, as a one-screen report.

use crate::detect::{Detected, detect, folder};
use crate::head::EmotionHead;
use crate::weights::{Loader, Need, left_over, refuse_left_over, require, unused};
use crate::{EncoderError, WaveformNormalisation};
use emobox_checkpoint::Checkpoint;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The contents of a folder or checkpoint file, and what is missing. Displayed, it fits one screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FolderReport {
    /// The path examined.
    pub path: PathBuf,
    /// Whether it opens as an encoder.
    pub opens: bool,
    /// Why it does not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The files with the tensors, and their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// The architecture's family.
    pub family: String,
    /// File from which the configuration was read.
    pub config_from: String,
    /// Blocks; there is one more hidden state.
    pub layers: usize,
    /// Width of a frame.
    pub dim: usize,
    /// Attention heads per block.
    pub heads: usize,
    /// Sampling rate of the input in samples per second.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Tensors that the encoder needs.
    pub tensors: usize,
    /// Number of parameters in them.
    pub parameters: u64,
    /// Number of tensors by element type.
    pub element_types: BTreeMap<String, usize>,
    /// Normalisation of the waveform.
    pub normalisation: WaveformNormalisation,
    /// File from which the normalisation was read.
    pub normalisation_from: String,
    /// Prefix of all tensor names, if no known program writes it: `module.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Missing tensors, with the shape they should have.
    pub missing: Vec<String>,
    /// Tensors whose shape differs from the configuration, with both shapes.
    pub misshaped: Vec<String>,
    /// Tensors with infinities or NaN, with the index of the first.
    pub not_finite: Vec<String>,
    /// Tensors of the encoder's layers that the configured model does not use: it is not the model of these weights.
    pub left_over: Vec<String>,
    /// Other tensors that are not used: heads, quantisers, decoders.
    pub unused: Vec<String>,
    /// The classes or dimensions of its head.
    pub labels: Vec<String>,
}

/// Checks a folder or checkpoint file as opening it does; reads every weight once and keeps none.
///
/// # Errors
/// [`EncoderError`] if not even the architecture can be determined; what a known one lacks is in the report.
pub fn check_dir(path: &Path) -> Result<FolderReport, EncoderError> {
    let detected = detect(path)?;
    let Detected {
        checkpoint,
        model,
        naming,
        ..
    } = &detected;
    let mut census = Loader::census(checkpoint, naming.clone());
    model.take_census(&mut census)?;
    let mut needs = census.needs;
    let (tensors, parameters) = (needs.len(), parameters(&needs));
    let describe = |need: &&Need| format!("{} {:?}", need.tensor, need.shape);
    let mut why = require(&needs).err();
    let missing = needs.iter().filter(|need| need.found.is_none());
    let missing = missing.map(|need| describe(&need)).collect();
    let misshaped = needs.iter().filter_map(|need| {
        let found = need.found.as_ref().filter(|_| !need.fits())?;
        Some(format!(
            "{} {found:?}, expected {:?}",
            need.tensor, need.shape
        ))
    });
    let misshaped = misshaped.collect();
    let mut not_finite = Vec::new();
    for need in needs.iter().filter(|need| need.fits()) {
        let values = checkpoint.read(&need.tensor)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            not_finite.push(format!("{}: element {at} is {}", need.tensor, values[at]));
            why.get_or_insert(EncoderError::NonFiniteTensor {
                tensor: need.tensor.clone(),
                index: at,
                value: values[at],
            });
        }
    }
    let of_model = needs.clone();
    let head = EmotionHead::read(checkpoint, naming, folder(path), model)?;
    let labels = head.map_or_else(Vec::new, |(head, used)| {
        needs.extend(used);
        head.labels().to_vec()
    });
    let left_over = left_over(checkpoint, &of_model, &needs);
    let why = why.or(refuse_left_over(&left_over).err());
    let gathered = unused(checkpoint, &needs, &left_over);
    Ok(FolderReport {
        path: path.to_owned(),
        opens: why.is_none(),
        why: why.map(|error| error.to_string()),
        files: files(checkpoint),
        family: model.family().to_owned(),
        layers: model.layers(),
        dim: model.dim(),
        heads: model.heads(),
        sample_rate: model.sample_rate(),
        hop: model.hop(),
        tensors,
        parameters,
        element_types: element_types(checkpoint, &needs),
        prefix: naming.unusual.then(|| naming.prefix.clone()),
        missing,
        misshaped,
        not_finite,
        left_over,
        unused: gathered,
        labels,
        normalisation: detected.normalisation,
        config_from: detected.config_from,
        normalisation_from: detected.normalisation_from,
    })
}

/// Number of parameters in the tensors needed.
pub(crate) fn parameters(needs: &[Need]) -> u64 {
    needs
        .iter()
        .map(|need| need.shape.iter().product::<usize>() as u64)
        .sum()
}

fn files(checkpoint: &Checkpoint) -> Vec<(String, u64)> {
    let describe = |path: &Path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        (name, std::fs::metadata(path).map_or(0, |meta| meta.len()))
    };
    checkpoint.files().map(describe).collect()
}

fn element_types(checkpoint: &Checkpoint, needs: &[Need]) -> BTreeMap<String, usize> {
    let mut types = BTreeMap::new();
    for dtype in needs
        .iter()
        .filter_map(|need| checkpoint.dtype(&need.tensor))
    {
        *types.entry(dtype.to_string()).or_default() += 1;
    }
    types
}

/// Lines of a list that are shown; the others are counted.
const SHOWN: usize = 8;

impl fmt::Display for FolderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        for (name, bytes) in &self.files {
            writeln!(
                f,
                "  weights         {name} ({:.1} MB)",
                *bytes as f64 / 1e6
            )?;
        }
        let types: Vec<_> = self
            .element_types
            .iter()
            .map(|(name, count)| format!("{name} × {count}"))
            .collect();
        writeln!(
            f,
            "  architecture    {}, by {}",
            self.family, self.config_from
        )?;
        writeln!(
            f,
            "  shape           {} layers, {} dims, {} heads, a frame every {} samples",
            self.layers, self.dim, self.heads, self.hop
        )?;
        writeln!(
            f,
            "  encoder         {:.1} M parameters in {} tensors ({})",
            self.parameters as f64 / 1e6,
            self.tensors,
            types.join(", ")
        )?;
        let normalisation = match self.normalisation {
            WaveformNormalisation::None => "as it is",
            WaveformNormalisation::Transformers | WaveformNormalisation::Fairseq => {
                "to mean 0 and variance 1"
            }
        };
        let rate = match self.sample_rate {
            16_000 => String::new(),
            rate => format!("{rate} Hz, "),
        };
        writeln!(
            f,
            "  waveform        {rate}{normalisation}, by {}",
            self.normalisation_from
        )?;
        if !self.labels.is_empty() {
            writeln!(f, "  classes         {}", self.labels.join(", "))?;
        }
        if let Some(prefix) = &self.prefix {
            writeln!(
                f,
                "  tensor names    begin with {prefix}, which is passed over"
            )?;
        }
        list(f, "not used", &self.unused)?;
        list(f, "MISSING", &self.missing)?;
        list(f, "WRONG SHAPE", &self.misshaped)?;
        list(f, "NOT FINITE", &self.not_finite)?;
        list(f, "UNKNOWN", &self.left_over)?;
        match &self.why {
            None => write!(f, "  verdict         complete: it opens"),
            Some(_) => write!(f, "  verdict         it does not open"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, items: &[String]) -> fmt::Result {
    for (index, item) in items.iter().take(SHOWN).enumerate() {
        let title = if index == 0 { title } else { "" };
        writeln!(f, "  {title:<15} {item}")?;
    }
    match items.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "  {:<15} and {more} more", ""),
    }
}
