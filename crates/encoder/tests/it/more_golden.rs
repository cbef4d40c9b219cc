//! Dasheng, BEATs, MERT, SEW-D and SenseVoice against their references (parity/encoder/dasheng_encoder.py, beats.py, mert.py, sew_d.py,
//! sensevoice.py).

use crate::data2vec2_golden::file;
use crate::made::{Golden, waveform, write_json, write_safetensors};
use crate::shared::largest_difference;
use crate::speech_golden::{open, open_with};
use emobox_encoder::{
    Encoder, EncoderError, EncoderOptions, LayerSelection, Precision, WaveformNormalisation,
    check_dir,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Relative to a layer's largest value.
pub(crate) const TOLERANCE: f32 = 1e-4;

/// Goldens in transformers' folder layout, with an optional prefix of their tensors.
const FOLDERS: [(&str, &str, &str); 9] = [
    ("dasheng", "encoder.", "Dasheng"),
    ("mert", "mert_model.", "MERT"),
    ("mert-large", "module.", "MERT"),
    ("mert-deepnorm", "mert_model.", "MERT"),
    ("sew-d", "sew_d.", "SEW-D"),
    ("sew-d-other", "sew_d.", "SEW-D"),
    ("sew-d-near", "sew_d.", "SEW-D"),
    ("sew-d-far", "module.sew_d.", "SEW-D"),
    ("sew-d-none", "sew_d.", "SEW-D"),
];
/// Goldens in files with the configuration inside.
const FILES: [(&str, &str); 5] = [
    ("dasheng-pt", "Dasheng"),
    ("beats", "BEATs"),
    ("beats-tuned", "BEATs"),
    ("beats-other", "BEATs"),
    ("beats-plain", "BEATs"),
];
const SENSEVOICE: [&str; 2] = ["sensevoice", "sensevoice-other"];

/// The model in FunASR's layout.
fn write_sensevoice(golden: &Golden, folder: &Path) {
    for (name, part) in [("config.yaml", "yaml"), ("am.mvn", "mvn")] {
        let text = golden.description[part].as_str().unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    }
    write_safetensors(&folder.join("model.safetensors"), &golden.tensors());
}

/// Calls `check` with every golden's name and folder.
pub(crate) fn every_golden(mut check: impl FnMut(&str, &Golden, &Path)) {
    for (name, ..) in FOLDERS {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        check(name, &golden, folder.path());
    }
    for (name, _) in FILES {
        check(name, &Golden::read(name), &file(&format!("{name}.pt")));
    }
    for name in SENSEVOICE {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        write_sensevoice(&golden, folder.path());
        check(name, &golden, folder.path());
    }
}

/// Every hidden state of every utterance, relative to the largest value of each.
#[expect(
    clippy::print_stderr,
    reason = "the measured difference is worth seeing"
)]
pub(crate) fn compare(golden: &Golden, encoder: &Encoder, name: &str) {
    assert_eq!(encoder.info().hidden_states, golden.states(), "{name}");
    let mut worst = 0.0f32;
    for (utterance, samples) in golden.utterances() {
        let states = encoder.encode(&samples, &LayerSelection::All).unwrap();
        for layer in 0..golden.states() {
            let (shape, expected) = golden.state(&utterance, layer);
            assert_eq!([states.frames, states.dim], *shape, "{name} {utterance}");
            assert_eq!(encoder.frames(samples.len()), states.frames);
            let scale = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let difference = largest_difference(states.layer(layer), &expected) / scale;
            assert!(
                difference < TOLERANCE,
                "{name} {utterance} layer {layer}: {difference} of {scale}"
            );
            worst = worst.max(difference);
        }
    }
    eprintln!("{name}: largest difference {worst:e} of the layer's scale");
}

#[test]
fn every_hidden_state_is_that_of_the_reference() {
    every_golden(|name, golden, path| compare(golden, &open(path), name));
}

#[test]
fn what_is_found_is_told() {
    for (name, prefix, family) in FOLDERS {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), |name| format!("{prefix}{name}"));
        let report = check_dir(folder.path()).unwrap();
        assert!(report.opens && report.family == family, "{report}");
        compare(&golden, &open(folder.path()), name);
    }
    for (name, family) in FILES {
        let report = check_dir(&file(&format!("{name}.pt"))).unwrap();
        assert!(report.opens && report.family == family, "{report}");
        let predictor = report.unused.iter().any(|part| part.contains("predictor"));
        assert_eq!(predictor, name == "beats-tuned", "{report}");
    }
    for name in SENSEVOICE {
        let folder = tempfile::tempdir().unwrap();
        write_sensevoice(&Golden::read(name), folder.path());
        let report = check_dir(folder.path()).unwrap();
        assert!(report.opens && report.family == "SenseVoice", "{report}");
    }
}

/// The last state alone equals that of all, and results do not depend on threads or other utterances.
#[test]
fn a_batch_is_one_by_one_for_any_number_of_threads() {
    every_golden(|name, _, path| {
        let encoder = open(path);
        let shortest = encoder.info().shortest;
        let lengths = [shortest, shortest + 1, 9_000, 22_222, 3_600];
        let waves = lengths.map(|n| waveform(&format!("company {n}"), n));
        let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
        let together = encoder.encode_batch(&waves, &LayerSelection::All, 3);
        for (wave, states) in waves.iter().zip(together) {
            let alone = encoder.encode(wave, &LayerSelection::All).unwrap();
            assert_eq!(states.unwrap(), alone, "{name}");
            let last = encoder.encode(wave, &LayerSelection::Last).unwrap();
            assert_eq!(last.data, alone.layer(alone.layers.len() - 1), "{name}");
        }
        let least = encoder.encode(waves[0], &LayerSelection::All).unwrap();
        assert!(least.frames > 0, "{name}");
        let short = encoder.encode(&waves[0][1..], &LayerSelection::All);
        assert!(
            matches!(short, Err(EncoderError::TooShort { .. })),
            "{name}"
        );
        // The spectrum of a constant recording has no variance, but the states are still finite.
        for value in [0.0, 0.5] {
            let states = encoder.encode(&vec![value; 8_000], &LayerSelection::All);
            assert!(states.unwrap().data.iter().all(|v| v.is_finite()), "{name}");
        }
    });
}

/// On the CPU in bf16: the error is that of bf16's own rounding.
#[test]
fn sixteen_bits_are_near() {
    every_golden(|name, golden, path| {
        let bf16 = EncoderOptions {
            precision: Precision::Bf16,
            ..EncoderOptions::default()
        };
        let encoder = open_with(path, &bf16);
        for (utterance, samples) in golden.utterances() {
            let states = encoder.encode(&samples, &LayerSelection::Last).unwrap();
            let (_, expected) = golden.state(&utterance, golden.states() - 1);
            let scale = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let difference = largest_difference(&states.data, &expected) / scale;
            assert!(
                (1e-5..0.1).contains(&difference),
                "{name} {utterance}: {difference}"
            );
        }
    });
}

#[test]
fn rates_and_hops_are_those_of_the_models() {
    for (name, rate, hop) in [
        ("mert", 24_000, 320),
        ("dasheng", 16_000, 640),
        ("sew-d", 16_000, 320),
    ] {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let info = open(folder.path()).info().clone();
        assert_eq!((info.sample_rate, info.hop), (rate, hop), "{name}");
    }
    let beats = open(&file("beats.pt")).info().clone();
    assert_eq!(
        (beats.hop, beats.shortest, beats.normalisation),
        (320, 2_800, WaveformNormalisation::None)
    );
}

/// A configuration of a different model is rejected, by `check` and `open` alike, and missing tensors are named.
#[test]
fn other_models_are_refused_by_name() {
    let refused = |name: &str, file: &str, key: &str, value: serde_json::Value| {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let part = if file == "config.json" {
            "config"
        } else {
            "preprocessor"
        };
        let mut config = golden.description[part].clone();
        match key.split_once('.') {
            None => config[key] = value,
            Some((outer, inner)) => config[outer][inner] = value,
        }
        write_json(&folder.path().join(file), &config);
        let error = check_dir(folder.path()).unwrap_err();
        assert!(
            matches!(&error, EncoderError::BadConfigValue { key: found, .. } if found == key),
            "{name} {key}: {error}"
        );
    };
    for (key, value) in [
        ("encoder_kwargs.patch_size", json!([16, 16])),
        ("encoder_kwargs.patch_stride", json!([64, 2])),
        ("encoder_kwargs.target_length", json!(101)),
        ("encoder_kwargs.pooling", json!("token")),
        ("encoder_kwargs.init_values", json!(1e-5)),
        ("encoder_kwargs.num_heads", json!(5)),
    ] {
        refused("dasheng", "config.json", key, value);
    }
    for (key, value) in [
        ("hop_size", 320),
        ("n_fft", 400),
        ("feature_size", 128),
        ("sampling_rate", 24_000),
    ] {
        refused("dasheng", "preprocessor_config.json", key, json!(value));
    }
    refused("mert", "config.json", "feature_extractor_cqt", json!(true));
    refused("mert", "config.json", "sample_rate", json!(16_000));
    refused(
        "mert",
        "preprocessor_config.json",
        "sampling_rate",
        json!(4_000),
    );
    refused("mert-large", "config.json", "deepnorm", json!(true));
    for (key, value) in [
        ("squeeze_factor", json!(20)),
        ("conv_kernel_size", json!(3)),
        ("pos_att_type", json!(["p2p"])),
        ("pos_att_type", json!("p2c")),
        ("position_buckets", json!(3)),
        ("attention_head_size", json!(64)),
        ("num_attention_heads", json!(5)),
    ] {
        let key = if key == "squeeze_factor" {
            ("num_conv_pos_embeddings", key)
        } else {
            (key, key)
        };
        let golden = Golden::read("sew-d");
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let mut config = golden.description["config"].clone();
        config[key.1] = value;
        write_json(&folder.path().join("config.json"), &config);
        let error = check_dir(folder.path()).unwrap_err().to_string();
        assert!(error.contains(key.0), "{error}");
    }
}

/// Features of other shifts and factors are others: the digest, which stores are kept under, knows them.
#[test]
fn the_digest_of_sensevoice_holds_what_its_spectra_are_normalised_with() {
    let golden = Golden::read("sensevoice");
    let folder = tempfile::tempdir().unwrap();
    write_sensevoice(&golden, folder.path());
    let digest = || open(folder.path()).info().weights_digest.clone();
    let first = digest();
    assert_eq!(digest(), first);
    let mvn = golden.description["mvn"].as_str().unwrap();
    let other = mvn.replacen("[ -", "[ -1", 1);
    assert_ne!(other, mvn);
    std::fs::write(folder.path().join("am.mvn"), other).unwrap();
    assert_ne!(digest(), first);
}

#[test]
fn what_a_folder_of_sensevoice_lacks_is_named() {
    let golden = Golden::read("sensevoice");
    let made = || {
        let folder = tempfile::tempdir().unwrap();
        write_sensevoice(&golden, folder.path());
        folder
    };
    let told = |folder: &Path| check_dir(folder).unwrap_err().to_string();
    let folder = made();
    std::fs::remove_file(folder.path().join("am.mvn")).unwrap();
    let error = told(folder.path());
    assert!(
        error.contains("am.mvn") && error.contains("missing"),
        "{error}"
    );
    let mvn = golden.description["mvn"].as_str().unwrap();
    for wrong in [
        String::new(),
        "<AddShift> 3 3\n<LearnRateCoef> 0 [ 1 2 3 ]\n".to_owned(),
        mvn.replacen("[ -", "[ nan -", 1),
        mvn.replace("<Rescale>", "<Scale>"),
        mvn.replacen(" ]", "", 3),
        mvn.replacen("0 [ ", "0 [ inf ", 2),
    ] {
        let folder = made();
        std::fs::write(folder.path().join("am.mvn"), wrong).unwrap();
        let error = told(folder.path());
        assert!(error.contains("am.mvn"), "{error}");
    }
    let yaml = golden.description["yaml"].as_str().unwrap();
    for (from, to, key) in [
        ("fs: 16000", "fs: 8000", "frontend_conf.fs"),
        ("window: hamming", "window: hann", "frontend_conf.window"),
        (
            "attention_heads: 4",
            "attention_heads: 5",
            "encoder_conf.attention_heads",
        ),
        ("sanm_shfit: 0", "sanm_shfit: 9", "encoder_conf.sanm_shfit"),
        (
            "encoder: SenseVoiceEncoderSmall",
            "encoder: SenseVoiceEncoderLarge",
            "encoder",
        ),
        (
            "model: SenseVoiceSmall",
            "model: SenseVoiceLarge",
            "SenseVoiceLarge",
        ),
    ] {
        let folder = made();
        std::fs::write(folder.path().join("config.yaml"), yaml.replace(from, to)).unwrap();
        let error = told(folder.path());
        assert!(error.contains(key), "{from}: {error}");
    }
    let folder = made();
    let mut tensors = golden.tensors();
    tensors.remove("embed.weight");
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    let report = check_dir(folder.path()).unwrap();
    assert_eq!(report.missing, ["embed.weight [16, 70]"]);
}

/// Files in the real layouts with bytes changed one by one: an error or a model, never a panic.
#[test]
fn damaged_files_are_errors() {
    for (name, _) in FILES {
        let bytes = std::fs::read(file(&format!("{name}.pt"))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("model.pt");
        // The configuration is in the pickle, which is the archive's first entry.
        for at in (0..6_000.min(bytes.len())).step_by(31) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x15;
            std::fs::write(&path, damaged).unwrap();
            let _ = check_dir(&path);
        }
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(check_dir(&path).is_err(), "{name}: half of it");
    }
}
