//! data2vec 2.0 and fairseq's HuBERT from real checkpoint files, emotion2vec from FunASR's folder.

use crate::batch::batch_is_one_by_one;
use crate::made::{Golden, golden_folder, write_safetensors};
use crate::speech_golden::{compare, open};
use emobox_encoder::{LayerSelection, WaveformNormalisation};
use std::path::{Path, PathBuf};

pub(crate) fn file(name: &str) -> PathBuf {
    golden_folder().join(name)
}

/// The model as FunASR lays it out, its tensors renamed by `rename`.
pub(crate) fn write_funasr(golden: &Golden, folder: &Path, rename: impl Fn(&str) -> String) {
    let yaml = golden.description["yaml"].as_str().unwrap();
    std::fs::write(folder.join("config.yaml"), yaml).unwrap();
    let labels: Vec<String> = serde_json::from_value(golden.description["labels"].clone()).unwrap();
    std::fs::write(folder.join("tokens.txt"), labels.join("\n")).unwrap();
    let tensors = golden
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (rename(&name), tensor));
    write_safetensors(&folder.join("model.safetensors"), &tensors.collect());
}

#[test]
fn fairseq_checkpoints_load_by_the_configuration_inside() {
    for (name, normalisation, unused) in [
        (
            "data2vec2-base",
            WaveformNormalisation::Fairseq,
            "modality_encoders.AUDIO",
        ),
        (
            "data2vec2-large",
            WaveformNormalisation::Fairseq,
            "modality_encoders.AUDIO",
        ),
        (
            "data2vec2-other",
            WaveformNormalisation::Fairseq,
            "modality_encoders.AUDIO",
        ),
        (
            "hubert-fairseq-base",
            WaveformNormalisation::None,
            "final_proj",
        ),
        (
            "hubert-fairseq-large",
            WaveformNormalisation::Fairseq,
            "final_proj",
        ),
    ] {
        let encoder = open(&file(&format!("{name}.pt")));
        assert_eq!(encoder.info().normalisation, normalisation, "{name}");
        let named = encoder
            .info()
            .unused
            .iter()
            .any(|part| part.starts_with(unused));
        assert!(named, "{name}: {:?}", encoder.info().unused);
        assert!(encoder.head().is_none());
        compare(&Golden::read(name), &encoder, name);
        batch_is_one_by_one(&encoder, name);
    }
}

/// With fairseq's own key of the architecture (large) and without it.
#[test]
fn fairseq_checkpoints_as_s3prl_keeps_them() {
    for (size, normalisation) in [
        ("base", WaveformNormalisation::None),
        ("large", WaveformNormalisation::Fairseq),
    ] {
        let encoder = open(&file(&format!("hubert-s3prl-{size}.pt")));
        assert_eq!(encoder.info().normalisation, normalisation, "{size}");
        let golden = format!("hubert-fairseq-{size}");
        compare(&Golden::read(&golden), &encoder, &golden);
    }
}

#[test]
fn emotion2vec_loads_from_funasr_with_or_without_prefix() {
    for name in ["emotion2vec-plus", "emotion2vec-base"] {
        let golden = Golden::read(name);
        for prefix in ["", "d2v_model."] {
            let folder = tempfile::tempdir().unwrap();
            write_funasr(&golden, folder.path(), |name| {
                match name.starts_with("proj.") {
                    true => name.to_owned(),
                    false => format!("{prefix}{name}"),
                }
            });
            let encoder = open(folder.path());
            assert_eq!(encoder.info().family, "emotion2vec");
            assert_eq!(encoder.info().unused, [""; 0]);
            compare(&golden, &encoder, name);
            batch_is_one_by_one(&encoder, name);
        }
    }
}

#[test]
fn the_head_of_emotion2vec_scores_as_funasr_does() {
    let golden = Golden::read("emotion2vec-plus");
    let folder = tempfile::tempdir().unwrap();
    write_funasr(&golden, folder.path(), str::to_owned);
    let encoder = open(folder.path());
    let head = encoder.head().unwrap();
    assert_eq!(head.labels()[0], "生气/angry");
    for (utterance, samples) in golden.utterances() {
        let expected: Vec<f32> =
            serde_json::from_value(golden.description["scores"][&utterance].clone()).unwrap();
        let states = encoder.encode(&samples, &LayerSelection::Last).unwrap();
        let scores = head.scores(&states);
        for (score, expected) in scores.iter().zip(&expected) {
            assert!(
                (score - expected).abs() < 1e-6,
                "{scores:?} for {expected:?}"
            );
        }
        assert_eq!(scores[3], 0.0, "a class that is kept free");
    }
    std::fs::write(folder.path().join("tokens.txt"), "one\ntwo\n").unwrap();
    let error = crate::bad_input::open_error(folder.path());
    assert!(error.ends_with("2 classes, but the head has 5"), "{error}");
}
