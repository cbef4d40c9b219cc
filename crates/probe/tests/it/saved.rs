//! A probe in its files.

use crate::dummy::{DIM, dummy, short};
use crate::train::{run, threads};
use emobox_features::{
    ComputePrecision, FeatureNormalisation, FrameData, FrameView, SCHEMA, StoreHeader,
    StorePrecision,
};
use emobox_probe::{Probe, ProbeOrigin};

fn header() -> StoreHeader {
    StoreHeader {
        schema: SCHEMA,
        corpus: "dummy".into(),
        encoder: "dummy-encoder".into(),
        weights_digest: "abc".into(),
        layers: vec![4],
        pooled_layers: 0,
        perturbation: None,
        dim: DIM,
        hop: 320,
        precision: StorePrecision::F32,
        compute: ComputePrecision::F32,
        normalisation: FeatureNormalisation::None,
        revision: 1,
        program_version: "0.1.0".into(),
    }
}

#[test]
fn a_saved_probe_predicts_what_the_training_predicted() {
    let mut data = dummy(90);
    let protocol = short(5);
    let outcome = run(&data, &protocol, &threads(1)).unwrap();
    let origin = ProbeOrigin {
        classes: &data.classes,
        header: &header(),
        corpus: "dummy",
        fold: 1,
        protocol: &protocol,
        program_version: "0.1.0",
    };
    let dir = tempfile::tempdir().unwrap();
    let probe = Probe::new(&outcome.selected[0], &origin).unwrap();
    probe.save(dir.path()).unwrap();
    let loaded = Probe::load(&dir.path().join("probe.json")).unwrap();
    assert_eq!(loaded, probe);
    for predicted in &outcome.selected[0].predictions {
        let at: usize = predicted.key[6..].parse().unwrap();
        let frames = data.frames_mut(at).clone();
        let view = FrameView {
            layers: 1,
            frames: frames.len() / DIM,
            dim: DIM,
            data: FrameData::F32(&frames),
        };
        assert_eq!(loaded.predict(&view).unwrap(), predicted.log_probabilities);
        let hidden = emobox_features::HiddenView {
            layers: &[4],
            frames: view.frames,
            dim: DIM,
            data: &frames,
        };
        let scores = loaded.predict_hidden("x", &hidden).unwrap();
        assert_eq!(scores, predicted.log_probabilities);
    }
    let narrow = FrameView {
        layers: 1,
        frames: 1,
        dim: 3,
        data: FrameData::F32(&[0.0; 3]),
    };
    let error = loaded.predict(&narrow).unwrap_err().to_string();
    assert!(
        error.contains("3 dimensions, the probe reads 24"),
        "{error}"
    );

    let path = dir.path().join("probe.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = Probe::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not of one probe"), "{error}");
    std::fs::write(&path, &bytes[..50]).unwrap();
    assert!(Probe::load(dir.path()).is_err());

    // Sizes that no file can have, refused before anything of that size is made.
    probe.save(dir.path()).unwrap();
    let path = dir.path().join("probe.json");
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let many = serde_json::json!(vec!["x"; 65_537]);
    let huge = serde_json::json!(65_537);
    for (place, value) in [
        ("/point/hidden", &huge),
        ("/features/dim", &huge),
        ("/features/dim", &serde_json::json!(0)),
        ("/features/layers", &serde_json::json!([])),
        ("/features/layers", &serde_json::json!(vec![4; 1_025])),
        ("/classes", &many),
        ("/classes", &serde_json::json!(["angry"])),
    ] {
        let mut changed = written.clone();
        *changed.pointer_mut(place).unwrap() = value.clone();
        std::fs::write(&path, changed.to_string()).unwrap();
        let error = Probe::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("impossible sizes"), "{place}: {error}");
    }
    // Sizes that are possible, but not those of the weights.
    for (place, value) in [("/point/hidden", 21), ("/features/dim", 25)] {
        let mut changed = written.clone();
        *changed.pointer_mut(place).unwrap() = value.into();
        std::fs::write(&path, changed.to_string()).unwrap();
        let error = Probe::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("expected F32"), "{place}: {error}");
    }
}
