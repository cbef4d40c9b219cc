//! Heads in checkpoints (parity/encoder/heads.py): their logits are those of the Python classes they were trained in.

use crate::made::{Golden, tensor, write_safetensors};
use crate::speech_golden::open;
use emobox_encoder::{Encoder, HiddenStates, LayerSelection, check_dir};
use std::collections::BTreeMap;
use std::path::Path;

/// f32 states with sums in another order; logits are of the order of one.
const TOLERANCE: f64 = 2e-5;

/// A name, its classes, and whether all hidden states are used.
const HEADS: [(&str, &[&str], bool); 5] = [
    ("head-wav2vec2", &["neu", "hap", "ang", "sad"], true),
    ("head-hubert", &["neu", "hap", "ang", "sad"], false),
    ("head-wavlm", &["LABEL_0", "LABEL_1", "LABEL_2"], true),
    ("head-w2v-bert", &["neu", "hap", "ang", "sad"], true),
    (
        "head-audeering",
        &["arousal", "dominance", "valence"],
        false,
    ),
];

fn states(encoder: &Encoder, samples: &[f32]) -> HiddenStates {
    let head = encoder.head().unwrap();
    encoder.encode(samples, &head.layers()).unwrap()
}

fn compare(golden: &Golden, encoder: &Encoder, name: &str) {
    let head = encoder.head().unwrap();
    for (utterance, samples) in golden.utterances() {
        let states = states(encoder, &samples);
        let found = head.outputs(&states);
        let (_, expected) = golden.state(&utterance, 0);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, &expected) in found.iter().zip(&expected) {
            let error = (found - f64::from(expected)).abs();
            assert!(
                error < TOLERANCE,
                "{name} {utterance}: {found} for {expected}"
            );
        }
        let scores = head.scores(&states);
        match head.of_dimensions() {
            true => assert!((f64::from(scores[0]) - found[0]).abs() < 1e-6),
            false => assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6),
        }
    }
}

#[test]
fn logits_are_those_of_the_classes_of_transformers_and_of_audeering() {
    for (name, labels, all) in HEADS {
        let golden = Golden::read(name);
        for prefix in ["", "module."] {
            let folder = tempfile::tempdir().unwrap();
            golden.write_folder(folder.path(), |name| format!("{prefix}{name}"));
            let encoder = open(folder.path());
            let head = encoder.head().unwrap();
            assert_eq!(head.labels(), labels, "{name}");
            let expected = if all {
                LayerSelection::All
            } else {
                LayerSelection::Last
            };
            assert_eq!(head.layers(), expected, "{name}");
            assert_eq!(head.of_dimensions(), name == "head-audeering");
            assert!(encoder.description().has_head());
            let unused = encoder.info().unused.join(" ");
            assert!(!unused.contains("classifier"), "{name}: {unused}");
            let report = check_dir(folder.path()).unwrap();
            assert_eq!(report.labels, labels, "{name}");
            compare(&golden, &encoder, name);
        }
    }
}

/// The weights of SpeechBrain's parts are in separate files, the classes in a list.
fn write_speechbrain(golden: &Golden, folder: &Path) {
    golden.write_folder(folder, str::to_owned);
    let weights = folder.join("model.safetensors");
    std::fs::rename(weights, folder.join("wav2vec2.ckpt")).unwrap();
    let name = "output_mlp.weight";
    let shape = vec![4, 32];
    let map = (shape.clone(), tensor(name, &shape));
    let map = BTreeMap::from([("0.w.weight".to_owned(), map)]);
    write_safetensors(&folder.join("model.ckpt"), &map);
    let settings = "wav2vec2: !new:HuggingFaceWav2Vec2\n    source: !ref <hub>\n    output_norm: True  # of all\n";
    std::fs::write(folder.join("hyperparams.yaml"), settings).unwrap();
    let list =
        "'neu' => 0\n'ang' => 1\n'hap' => 2\n'sad' => 3\n================\n'starting_index' => 0\n";
    std::fs::write(folder.join("label_encoder.txt"), list).unwrap();
}

#[test]
fn logits_are_those_of_speechbrains_pipeline() {
    let golden = Golden::read("head-speechbrain");
    let folder = tempfile::tempdir().unwrap();
    write_speechbrain(&golden, folder.path());
    let encoder = open(folder.path());
    compare(&golden, &encoder, "head-speechbrain");
    let head = encoder.head().unwrap();
    assert_eq!(head.labels()[1..], ["ang", "hap", "sad"]);
    assert!(check_dir(folder.path()).unwrap().opens);
}

/// A head whose maps do not fit together is rejected, and an encoder without a head has none.
#[test]
fn heads_are_checked_like_encoders() {
    let golden = Golden::read("head-hubert");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), |name| match name {
        "projector.weight" => "other.weight".to_owned(),
        _ => name.to_owned(),
    });
    assert!(open(folder.path()).head().is_none());
    let mut tensors = golden.tensors();
    let classifier = tensors.get_mut("classifier.weight").unwrap();
    *classifier = (vec![4, 9], vec![0.5; 36]);
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    let error = check_dir(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("classifier.weight") && error.contains("[4, 12]"),
        "{error}"
    );
    let classifier = tensors.get_mut("classifier.weight").unwrap();
    *classifier = (vec![4, 12], vec![f32::NAN; 48]);
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    let error = check_dir(folder.path()).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}
