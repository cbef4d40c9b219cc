//! Which architecture a folder or file has, how its tensors are named, and how its waveform is normalised.

use crate::config::Config;
use crate::families::beats::BeatsConfig;
use crate::families::conformer::ConformerConfig;
use crate::families::dasheng::DashengConfig;
use crate::families::data2vec2::{self, Data2Vec2Config};
use crate::families::omni::OmniConfig;
use crate::families::sensevoice::SenseVoiceConfig;
use crate::families::sew_d::SewDConfig;
use crate::families::speech::{
    Kind, SpeechConfig, Translated, spell_fairseq, spell_fairseq_layer_norm, translate_config,
};
use crate::families::whisper::{Tower, WhisperConfig, spell_openai, translate_dims};
use crate::model::ModelConfig;
use crate::parts::{FrontNorm, PositionalConfig};
use crate::weights::{Naming, verbatim};
use crate::{EncoderError, WaveformNormalisation};
use emobox_checkpoint::Checkpoint;
use emobox_checkpoint::{Choice, SPEECHBRAIN, choose};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A checkpoint whose architecture is known.
pub(crate) struct Detected {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) model: ModelConfig,
    pub(crate) naming: Naming,
    pub(crate) normalisation: WaveformNormalisation,
    /// File from which the configuration was read.
    pub(crate) config_from: String,
    /// File from which the normalisation was read, or a note that none specifies it.
    pub(crate) normalisation_from: String,
}

/// Limit on the size of configuration files (Whisper's vocabulary lists included).
const LARGEST_CONFIG: u64 = 16 << 20;

/// Examines a folder (or a checkpoint file beside its `config.json`).
pub(crate) fn detect(path: &Path) -> Result<Detected, EncoderError> {
    if !path.exists() {
        return Err(EncoderError::NoSuchPath {
            path: path.to_owned(),
        });
    }
    let folder = folder(path);
    refuse_other_forms(path, folder)?;
    if let Some(config) = read_json(&folder.join("config.json"))?
        && (config.get("model_type").is_some() || config.get("architectures").is_some())
    {
        return transformers(path, folder, &config);
    }
    let yaml = folder.join("config.yaml");
    if let Some(text) = read_text(&yaml)? {
        let value = emobox_files::parse_yaml(&text).map_err(|reason| bad_file(&yaml, &reason))?;
        return funasr(path, &value);
    }
    let checkpoint = Checkpoint::open(path)?;
    let config = checkpoint.config().ok_or_else(|| EncoderError::NoConfig {
        path: path.to_owned(),
    })?;
    if let Some(settings) = config.get("dims").and_then(translate_dims) {
        return openai(checkpoint, &settings);
    }
    if let Some(cfg) = config.get("cfg")
        && cfg.pointer("/model/_name").and_then(Value::as_str) == Some("data2vec_multi")
    {
        let normalise = Config::root(cfg).at("/task").flag("normalize", false)?;
        return data2vec2(
            checkpoint,
            cfg,
            ["/model", "/model/modalities/audio"],
            normalise,
        );
    }
    if let Some(cfg) = config
        .get("cfg")
        .filter(|cfg| cfg.get("input_patch_size").is_some())
    {
        let model = BeatsConfig::read(&Config::root(cfg).named("cfg"))?;
        let anchor = "feature_projection.layer_norm.weight";
        let naming = Naming::find(&checkpoint, &["", "model."], anchor, spell_fairseq);
        return Ok(of_spectra(
            checkpoint,
            ModelConfig::Beats(model),
            naming,
            "the checkpoint (BEATs)",
        ));
    }
    if let Some(own) = config.get("config")
        && checkpoint
            .names()
            .any(|name| name.ends_with("time_pos_embed"))
    {
        let naming = Naming::find(&checkpoint, &["", "encoder."], DASHENG, verbatim);
        let own = Config::root(own).named("config");
        let model = ModelConfig::Dasheng(DashengConfig::of_file(&own, &checkpoint)?);
        return Ok(of_spectra(
            checkpoint,
            model,
            naming,
            "the checkpoint (Dasheng)",
        ));
    }
    if let Some(translated) = translate_config(&config) {
        return fairseq(checkpoint, &translated);
    }
    let found = [
        "/cfg/model/_name",
        "/args/_name",
        "/args/arch",
        "/model_cfg/_name",
    ]
    .iter()
    .find_map(|pointer| config.pointer(pointer)?.as_str());
    Err(unsupported(path, found.unwrap_or("unnamed")))
}

/// A tensor whose presence identifies Dasheng and its prefix.
const DASHENG: &str = "patch_embed.proj.weight";

/// The detected checkpoint of a model whose input is a spectrum.
fn of_spectra(
    checkpoint: Checkpoint,
    model: ModelConfig,
    naming: Naming,
    config_from: &str,
) -> Detected {
    Detected {
        checkpoint,
        model,
        naming,
        normalisation: WaveformNormalisation::None,
        config_from: config_from.to_owned(),
        normalisation_from: "the architecture".to_owned(),
    }
}

/// The folder itself, or the folder of a checkpoint file.
pub(crate) fn folder(path: &Path) -> &Path {
    if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    }
}

fn transformers(path: &Path, folder: &Path, value: &Value) -> Result<Detected, EncoderError> {
    let config = Config::root(value);
    let class = value.pointer("/architectures/0").and_then(Value::as_str);
    let found = config.text("model_type").unwrap_or_else(|| {
        let class = class.unwrap_or("unnamed");
        model_type(class).unwrap_or(class)
    });
    let preprocessor = preprocessor(folder)?;
    let extractor = preprocessor.as_ref().map(|(value, _)| Config::root(value));
    let extractor = extractor.as_ref();
    let (model, prefixes, anchor) = if let Some(tower) = Tower::of(found) {
        let model = WhisperConfig::read(tower, &config, extractor)?;
        (
            ModelConfig::Whisper(model),
            tower.prefixes(),
            "conv1.weight",
        )
    } else if let Some(&(_, kind)) = Kind::ALL.iter().find(|(name, _)| *name == found) {
        let model = ModelConfig::Speech(SpeechConfig::read(kind, &config, extractor)?);
        (
            model,
            kind.prefixes(),
            "feature_projection.projection.weight",
        )
    } else if let Some(&(_, at)) = OmniConfig::PLACES.iter().find(|(name, _)| *name == found) {
        let model = OmniConfig::read(at, &config, extractor)?;
        (
            ModelConfig::Omni(model),
            vec![
                "thinker.audio_tower.",
                "audio_tower.",
                "model.audio_tower.",
                "",
            ],
            "conv2d1.weight",
        )
    } else if ConformerConfig::ALL.contains(&found) {
        let model = ConformerConfig::read(found, &config, extractor)?;
        let own = match found {
            "wav2vec2-bert" => "wav2vec2_bert.",
            _ => "wav2vec2_conformer.",
        };
        (
            ModelConfig::Conformer(model),
            vec!["", own, "model.", "encoder."],
            "feature_projection.projection.weight",
        )
    } else if found == "dasheng" {
        (
            ModelConfig::Dasheng(DashengConfig::read(&config, extractor)?),
            vec!["encoder.", "", "dasheng.encoder."],
            DASHENG,
        )
    } else if found == "sew-d" {
        (
            ModelConfig::SewD(SewDConfig::read(&config)?),
            vec!["", "sew_d.", "model."],
            "encoder.upsample.projection.weight",
        )
    } else {
        return Err(unsupported(path, found));
    };
    if value
        .get("quantization_config")
        .is_some_and(|quantised| !quantised.is_null())
    {
        return Err(bad_file(
            &folder.join("config.json"),
            "quantization_config: the weights are quantised, which is not supported; use the checkpoint that they were made from",
        ));
    }
    let (normalisation, normalisation_from) = match (&model, &preprocessor) {
        (model, _) if model.hears_spectra() => {
            (WaveformNormalisation::None, "the architecture".to_owned())
        }
        (_, Some((value, file))) => {
            let rate = model.sample_rate() as usize;
            Config::root(value).count("sampling_rate", Some(16_000), rate..=rate)?;
            // The default of Wav2Vec2FeatureExtractor, as is the one below.
            let on = Config::root(value).flag("do_normalize", true)?;
            let normalisation = if on {
                WaveformNormalisation::Transformers
            } else {
                WaveformNormalisation::None
            };
            (normalisation, (*file).to_owned())
        }
        (_, None) => (
            WaveformNormalisation::Transformers,
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

/// The `model_type` of a class of transformers: `wavlm` for `WavLMForCTC`.
fn model_type(class: &str) -> Option<&'static str> {
    let stem = class.split("For").next().unwrap_or(class);
    match stem.strip_suffix("Model").unwrap_or(stem) {
        "Wav2Vec2" => Some("wav2vec2"),
        "Hubert" => Some("hubert"),
        "WavLM" => Some("wavlm"),
        "Data2VecAudio" => Some("data2vec-audio"),
        "UniSpeechSat" => Some("unispeech-sat"),
        "UniSpeech" => Some("unispeech"),
        "MERT" => Some("mert_model"),
        "SEWD" => Some("sew-d"),
        "Dasheng" => Some("dasheng"),
        "Wav2Vec2Bert" => Some("wav2vec2-bert"),
        "Wav2Vec2Conformer" => Some("wav2vec2-conformer"),
        "Whisper" => Some("whisper"),
        "Qwen2Audio" => Some("qwen2_audio"),
        "Qwen2AudioEncoder" => Some("qwen2_audio_encoder"),
        "Qwen2_5Omni" => Some("qwen2_5_omni"),
        "Qwen2_5OmniThinker" => Some("qwen2_5_omni_thinker"),
        "Voxtral" => Some("voxtral"),
        "VoxtralEncoder" => Some("voxtral_encoder"),
        "AudioFlamingo3" => Some("audioflamingo3"),
        _ => None,
    }
}

/// Rejects common formats that are not a usable encoder, saying how to convert each.
fn refuse_other_forms(path: &Path, folder: &Path) -> Result<(), EncoderError> {
    let other = |what: String| {
        Err(EncoderError::OtherForm {
            path: path.to_owned(),
            what,
        })
    };
    let is_nemo = |name: &Path| name.extension().is_some_and(|ending| ending == "nemo");
    if is_nemo(path) || !path.is_file() && names_of(folder).iter().any(|n| is_nemo(Path::new(n))) {
        return other("an archive of NeMo, whose encoders are not read".to_owned());
    }
    if !path.is_dir() {
        return Ok(());
    }
    let has = |name: &str| folder.join(name).is_file();
    let whole = ["model.safetensors", "pytorch_model.bin"]
        .iter()
        .any(|name| has(name));
    if let Some(adapter) = read_json(&folder.join("adapter_config.json"))?
        && !whole
    {
        let base = adapter
            .get("base_model_name_or_path")
            .and_then(Value::as_str);
        return other(format!(
            "a PEFT adapter, weights that change those of {}: merge the two (`merge_and_unload()` of PEFT), save the \
             result with `save_pretrained` and name that folder",
            base.unwrap_or("another model")
        ));
    }
    if has("config.json") {
        return Ok(());
    }
    if let Some(settings) = read_text(&folder.join("hyperparams.yaml"))?
        && has(SPEECHBRAIN)
    {
        let named = settings.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let value = value.split('#').next()?.trim().trim_matches(['"', '\'']);
            (key.trim().ends_with("_hub") && !value.is_empty()).then(|| value.to_owned())
        });
        return other(format!(
            "a SpeechBrain pipeline, whose {SPEECHBRAIN} says nothing of its architecture: copy config.json and \
             preprocessor_config.json of {} beside it",
            named
                .as_deref()
                .unwrap_or("the model that it was made from")
        ));
    }
    if has("config.yaml") || !matches!(choose(&names_of(folder)), Choice::None) {
        return Ok(());
    }
    let inside = encoders_below(folder, 3);
    if inside.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = inside.iter().take(SHOWN).map(String::as_str).collect();
    let more = match inside.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    other(format!(
        "a folder of checkpoints; name one of those in it: {}{more}",
        shown.join(", ")
    ))
}

/// Number of subfolders named in a message.
const SHOWN: usize = 8;

fn names_of(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Folders with a configuration below a trainer's output (`checkpoint-500`) or the hub's cache
/// (`models--NAME/snapshots/REVISION`), relative to it.
fn encoders_below(folder: &Path, depth: usize) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        let (path, name) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        if path.join("config.json").is_file() {
            found.push(name);
        } else if depth > 1 {
            let below = encoders_below(&path, depth - 1);
            found.extend(below.into_iter().map(|inner| format!("{name}/{inner}")));
        }
    }
    found.sort();
    found
}

/// The waveform's normalisation, and the file that specifies it: transformers 5 writes it into `processor_config.json`, as the
/// part `feature_extractor`.
fn preprocessor(folder: &Path) -> Result<Option<(Value, &'static str)>, EncoderError> {
    let (own, nested) = ("preprocessor_config.json", "processor_config.json");
    if let Some(value) = read_json(&folder.join(own))? {
        return Ok(Some((value, own)));
    }
    let value = read_json(&folder.join(nested))?;
    let part = value.and_then(|mut value| value.get_mut("feature_extractor").map(Value::take));
    Ok(part.filter(Value::is_object).map(|part| (part, nested)))
}

fn fairseq(checkpoint: Checkpoint, translated: &Translated) -> Result<Detected, EncoderError> {
    let config = Config::root(&translated.config);
    let config = SpeechConfig::read(translated.kind, &config, None)?;
    let spell = match config.front_end.norm {
        FrontNorm::Group => spell_fairseq,
        FrontNorm::Layer => spell_fairseq_layer_norm,
    };
    let anchor = "feature_projection.projection.weight";
    let naming = Naming::find(&checkpoint, &translated.kind.prefixes(), anchor, spell);
    let (normalisation, normalisation_from) = match translated.normalise {
        Some(true) => (
            WaveformNormalisation::Fairseq,
            "the checkpoint's configuration",
        ),
        Some(false) => (
            WaveformNormalisation::None,
            "the checkpoint's configuration",
        ),
        None => (WaveformNormalisation::None, "nothing (fairseq's default)"),
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

/// FunASR's `config.yaml`.
fn funasr(path: &Path, value: &Value) -> Result<Detected, EncoderError> {
    let found = value
        .get("model")
        .and_then(Value::as_str)
        .unwrap_or("unnamed");
    match found {
        "Emotion2vec" => {}
        "SenseVoiceSmall" => return sensevoice(path, value),
        _ => return Err(unsupported(path, found)),
    }
    let checkpoint = Checkpoint::open(path)?;
    let normalise = Config::root(value)
        .at("/model_conf")
        .flag("normalize", false)?;
    let mut detected = data2vec2(
        checkpoint,
        value,
        ["/model_conf", "/model_conf/modalities/audio"],
        normalise,
    )?;
    detected.config_from = "config.yaml (FunASR)".to_owned();
    detected.normalisation_from = "config.yaml".to_owned();
    Ok(detected)
}

/// SenseVoice-small, whose spectra are normalised with the statistics in `am.mvn`.
fn sensevoice(path: &Path, value: &Value) -> Result<Detected, EncoderError> {
    let file = folder(path).join("am.mvn");
    let mvn = read_text(&file)?.ok_or_else(|| {
        let reason = "it is missing: shifts and factors of the spectra, which the release has beside model.pt";
        bad_file(&file, reason)
    })?;
    let model = SenseVoiceConfig::read(&Config::root(value), &mvn)?;
    let checkpoint = Checkpoint::open(path)?;
    let anchor = "encoder.encoders0.0.self_attn.linear_q_k_v.weight";
    let naming = Naming::find(&checkpoint, &["", "model."], anchor, verbatim);
    let model = ModelConfig::SenseVoice(model);
    Ok(of_spectra(
        checkpoint,
        model,
        naming,
        "config.yaml (FunASR)",
    ))
}

fn data2vec2(
    checkpoint: Checkpoint,
    value: &Value,
    [model, audio]: [&str; 2],
    normalise: bool,
) -> Result<Detected, EncoderError> {
    let root = Config::root(value);
    let config = Data2Vec2Config::read(&root.at(model), &root.at(audio))?;
    let leading_norm = matches!(
        config.positional,
        PositionalConfig::Stack {
            leading_norm: true,
            ..
        }
    );
    let spell = match (config.front_end.norm, leading_norm) {
        (FrontNorm::Layer, false) => data2vec2::spell,
        (FrontNorm::Layer, true) => data2vec2::spell_leading_norm,
        (FrontNorm::Group, false) => data2vec2::spell_group_norm,
        (FrontNorm::Group, true) => data2vec2::spell_group_and_leading_norm,
    };
    let prefixes = ["", "d2v_model.", "model.", "model.d2v_model."];
    let naming = Naming::find(
        &checkpoint,
        &prefixes,
        "feature_projection.projection.weight",
        spell,
    );
    Ok(Detected {
        checkpoint,
        model: ModelConfig::Data2Vec2(config),
        naming,
        normalisation: if normalise {
            WaveformNormalisation::Fairseq
        } else {
            WaveformNormalisation::None
        },
        config_from: "the checkpoint (fairseq)".to_owned(),
        normalisation_from: "the checkpoint's configuration".to_owned(),
    })
}

/// OpenAI's own Whisper files.
fn openai(checkpoint: Checkpoint, settings: &Value) -> Result<Detected, EncoderError> {
    let config = WhisperConfig::read(Tower::whisper(), &Config::root(settings), None)?;
    let naming = Naming::find(&checkpoint, &["encoder.", ""], "conv1.weight", spell_openai);
    Ok(Detected {
        checkpoint,
        model: ModelConfig::Whisper(config),
        naming,
        normalisation: WaveformNormalisation::None,
        config_from: "the checkpoint (OpenAI)".to_owned(),
        normalisation_from: "the architecture".to_owned(),
    })
}

fn unsupported(path: &Path, found: &str) -> EncoderError {
    let mut supported = vec!["whisper"];
    supported.extend(Kind::ALL.iter().map(|(name, _)| *name));
    supported.extend(ConformerConfig::ALL);
    // Listed by model only: each tower can also be opened by its own name.
    let models = Tower::all().filter(|tower| tower.is_inside());
    supported.extend(models.map(|tower| tower.model_type));
    supported.push(OmniConfig::PLACES[0].0);
    supported.extend([
        "dasheng",
        "sew-d",
        "BEATs",
        "data2vec_multi (data2vec 2.0)",
        "Emotion2vec",
        "SenseVoiceSmall",
    ]);
    EncoderError::UnsupportedArchitecture {
        path: path.to_owned(),
        found: found.to_owned(),
        supported: supported.join(", "),
    }
}

/// The JSON in a file, or `None` if there is no such file.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>, EncoderError> {
    let Some(text) = read_text(path)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_str(&text);
    parsed
        .map(Some)
        .map_err(|error| bad_file(path, &error.to_string()))
}

/// The text of a small file, or `None` if there is no such file.
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
