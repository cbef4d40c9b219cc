//! w2v-BERT 2.0 and wav2vec 2.0 conformers (parity/encoder/conformer.py).

use crate::batch::batch_is_one_by_one;
use crate::made::{Golden, waveform, write_json};
use crate::speech_golden::{compare, open};
use emobox_encoder::{EncoderError, LayerSelection, WaveformNormalisation, check_dir};
use serde_json::json;
use std::path::Path;

const VARIANTS: [(&str, &str); 6] = [
    ("w2v-bert", "wav2vec2_bert."),
    ("w2v-bert-relative", "wav2vec2_bert."),
    ("w2v-bert-rotary", "model."),
    ("w2v-bert-none", "module."),
    ("conformer-relative", "wav2vec2_conformer."),
    ("conformer-rotary", "wav2vec2_conformer."),
];

/// Calls `check` with every golden's name, data and folder.
pub(crate) fn every_golden(mut check: impl FnMut(&str, &Golden, &Path)) {
    for (name, _) in VARIANTS {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        check(name, &golden, folder.path());
    }
}

#[test]
fn every_hidden_state_is_that_of_transformers() {
    for (name, prefix) in VARIANTS {
        let golden = Golden::read(name);
        for prefix in ["", prefix] {
            let folder = tempfile::tempdir().unwrap();
            golden.write_folder(folder.path(), |name| format!("{prefix}{name}"));
            let report = check_dir(folder.path()).unwrap();
            assert!(report.opens, "{report}");
            let encoder = open(folder.path());
            compare(&golden, &encoder, name);
            let expected = match name.starts_with("w2v") {
                true => WaveformNormalisation::None,
                false => WaveformNormalisation::Transformers,
            };
            assert_eq!(encoder.info().normalisation, expected);
        }
    }
}

#[test]
fn a_batch_is_one_by_one_for_any_number_of_threads() {
    for (name, _) in VARIANTS {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let encoder = open(folder.path());
        if name.starts_with("conformer") {
            batch_is_one_by_one(&encoder, name);
        }
        assert_eq!(encoder.info().hop, 320);
        let shortest = if name.starts_with("w2v") { 560 } else { 400 };
        assert_eq!(encoder.info().shortest, shortest, "{name}");
        let least = encoder.encode(&waveform("least", shortest), &LayerSelection::All);
        assert_eq!(least.unwrap().frames, 1);
        let short = encoder.encode(&waveform("less", shortest - 1), &LayerSelection::All);
        assert!(matches!(short, Err(EncoderError::TooShort { .. })));
        // The spectrum of a constant recording has no variance, but the states are still finite.
        for value in [0.0, 0.5] {
            let states = encoder.encode(&vec![value; 8_000], &LayerSelection::All);
            assert!(states.unwrap().data.iter().all(|v| v.is_finite()), "{name}");
        }
    }
}

#[test]
fn other_spectra_are_refused() {
    let golden = Golden::read("w2v-bert");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let preprocessor = folder.path().join("preprocessor_config.json");
    for (key, value) in [
        ("num_mel_bins", 40),
        ("stride", 1),
        ("sampling_rate", 8_000),
    ] {
        write_json(&preprocessor, &json!({ key: value }));
        let error = check_dir(folder.path()).unwrap_err();
        assert!(
            matches!(&error, EncoderError::BadConfigValue { key: found, .. } if found == key),
            "{error}"
        );
    }
    std::fs::remove_file(&preprocessor).unwrap();
    let mut config = golden.description["config"].clone();
    config["position_embeddings_type"] = json!("learned");
    write_json(&folder.path().join("config.json"), &config);
    let error = check_dir(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("`relative_key` or `relative` or `rotary`"),
        "{error}"
    );
}
