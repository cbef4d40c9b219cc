//! Which architecture a folder or file holds, how its tensors are called, how it wants its waveform.

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::families::speech::{
    Kind, SpeechConfig, Translated, spell_fairseq, spell_fairseq_layer_norm, translate_config,
};
use crate::families::whisper::WhisperConfig;
use crate::model::ModelConfig;
use crate::parts::FrontNorm;
use crate::weights::{Naming, verbatim};
use crate::{EncoderError, Normalisation};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A checkpoint whose architecture is known.
pub(crate) struct Detected {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) model: ModelConfig,
    pub(crate) naming: Naming,
    pub(crate) normalisation: Normalisation,
    /// Where the configuration was read.
    pub(crate) config_from: String,
    /// Where the waveform's normalisation was read, or that nothing said so.
    pub(crate) normalisation_from: String,
}

/// No configuration file is larger (Whisper's vocabulary lists included).
const LARGEST_CONFIG: u64 = 16 << 20;

/// Looks at a folder (or a checkpoint file beside its `config.json`).
pub(crate) fn detect(path: &Path) -> Result<Detected, EncoderError> {
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    if let Some(config) = read_json(&folder.join("config.json"))?
        && (config.get("model_type").is_some() || config.get("architectures").is_some())
    {
        return transformers(path, folder, &config);
    }
    let checkpoint = Checkpoint::open(path)?;
    let config = checkpoint.config().ok_or_else(|| EncoderError::NoConfig {
        path: path.to_owned(),
    })?;
    if let Some(translated) = translate_config(&config) {
        return fairseq(checkpoint, &translated);
    }
    let found = ["/cfg/model/_name", "/model/_name", "/args/arch", "/arch"]
        .iter()
        .find_map(|pointer| config.pointer(pointer)?.as_str());
    Err(unsupported(path, found.unwrap_or("unnamed")))
}

fn transformers(path: &Path, folder: &Path, value: &Value) -> Result<Detected, EncoderError> {
    let config = Config::root(value);
    let found = config.text("model_type").unwrap_or_else(|| {
        value
            .pointer("/architectures/0")
            .and_then(Value::as_str)
            .unwrap_or("unnamed")
    });
    let (model, prefixes, anchor) = if found == "whisper" {
        let model = ModelConfig::Whisper(WhisperConfig::read(&config)?);
        (
            model,
            vec!["model.encoder.", "encoder.", "", "whisper.encoder."],
            "conv1.weight",
        )
    } else if let Some(&(_, kind)) = Kind::ALL.iter().find(|(name, _)| *name == found) {
        let model = ModelConfig::Speech(SpeechConfig::read(kind, &config)?);
        (
            model,
            kind.prefixes(),
            "feature_projection.projection.weight",
        )
    } else {
        return Err(unsupported(path, found));
    };
    let preprocessor = read_json(&folder.join("preprocessor_config.json"))?;
    let (normalisation, normalisation_from) = match (&model, &preprocessor) {
        (ModelConfig::Whisper(_), _) => (Normalisation::None, "the architecture".to_owned()),
        (_, Some(value)) => {
            let rate = Config::root(value).count("sampling_rate", Some(16_000), 16_000..=16_000);
            rate?;
            // The default of Wav2Vec2FeatureExtractor, as is the one below.
            let on = Config::root(value).flag("do_normalize", true)?;
            let normalisation = if on {
                Normalisation::Transformers
            } else {
                Normalisation::None
            };
            (normalisation, "preprocessor_config.json".to_owned())
        }
        (_, None) => (
            Normalisation::Transformers,
            "nothing (no preprocessor_config.json; assumed as its class does by default)"
                .to_owned(),
        ),
    };
    let checkpoint = Checkpoint::open(path)?;
    let naming = Naming::find(&checkpoint, &prefixes, anchor, verbatim);
    let config_from = "config.json".to_owned();
    Ok(Detected {
        checkpoint,
        model,
        naming,
        normalisation,
        config_from,
        normalisation_from,
    })
}

fn fairseq(checkpoint: Checkpoint, translated: &Translated) -> Result<Detected, EncoderError> {
    let config = SpeechConfig::read(translated.kind, &Config::root(&translated.config))?;
    let spell = match config.front_end.norm {
        FrontNorm::Group => spell_fairseq,
        FrontNorm::Layer => spell_fairseq_layer_norm,
    };
    let anchor = "feature_projection.projection.weight";
    let naming = Naming::find(&checkpoint, &translated.kind.prefixes(), anchor, spell);
    let (normalisation, normalisation_from) = match translated.normalise {
        Some(true) => (Normalisation::Fairseq, "the checkpoint's configuration"),
        Some(false) => (Normalisation::None, "the checkpoint's configuration"),
        None => (Normalisation::None, "nothing (fairseq's default)"),
    };
    Ok(Detected {
        checkpoint,
        model: ModelConfig::Speech(config),
        naming,
        normalisation,
        config_from: "the checkpoint (fairseq)".to_owned(),
        normalisation_from: normalisation_from.to_owned(),
    })
}

fn unsupported(path: &Path, found: &str) -> EncoderError {
    let mut supported = vec!["whisper"];
    supported.extend(Kind::ALL.iter().map(|(name, _)| *name));
    EncoderError::UnsupportedArchitecture {
        path: path.to_owned(),
        found: found.to_owned(),
        supported: supported.join(", "),
    }
}

/// The JSON in a file, or `None` where there is no such file.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>, EncoderError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_str(&text);
    parsed
        .map(Some)
        .map_err(|error| bad_file(path, &error.to_string()))
}

/// The text of a small file, or `None` where there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, EncoderError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if meta.len() > LARGEST_CONFIG => {
            let reason = format!("{} bytes, expected at most {LARGEST_CONFIG}", meta.len());
            return Err(bad_file(path, &reason));
        }
        _ => {}
    }
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|error| bad_file(path, &error.to_string()))
}

fn bad_file(path: &Path, reason: &str) -> EncoderError {
    EncoderError::BadConfigFile {
        path: PathBuf::from(path),
        reason: reason.to_owned(),
    }
}
