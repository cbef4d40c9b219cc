//! An encoder with 24 kHz input receives the recordings themselves, not a version limited to 16 kHz.

use emobox_audio::{LoadOptions, Perturbation, SampleRate, load, resample};
use emobox_bench::{
    Context, ExtractOptions, Home, Perturbed, PrepareHow, Silent, StorePrecision, extract,
    open_corpus, prepare,
};
use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, LayerSelection};
use emobox_features::{FeatureNormalisation, Store};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const MERT: SampleRate = SampleRate(24_000);

/// A second and a half at 48 kHz with equal energy above and below 8 kHz.
fn recording(folder: &Path, name: &str, pitch: f32) {
    let rate = 48_000u32;
    let samples = (0..rate * 3 / 2).map(|i| {
        let t = i as f32 / rate as f32;
        let tone = |hertz: f32| (t * hertz * std::f32::consts::TAU).sin();
        ((tone(pitch) + tone(9_000.0 + pitch)) * 9_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(rate.to_le_bytes());
    wav.extend((2 * rate).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    let size = wav.len() as u32 - 8;
    wav[4..8].copy_from_slice(&size.to_le_bytes());
    std::fs::write(folder.join(name), wav).unwrap();
}

/// The MERT of `parity/encoder/mert.py`, laid out as on the hub.
fn mert(folder: &Path) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden/mert.pt");
    let place = folder.join("mert");
    std::fs::create_dir(&place).unwrap();
    std::fs::copy(golden, place.join("pytorch_model.bin")).unwrap();
    let config = json!({
        "model_type": "mert_model", "sample_rate": MERT.0, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "conv_dim": [12, 12, 12, 12, 12, 12, 16], "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    });
    let extractor = json!({"do_normalize": true, "sampling_rate": MERT.0});
    std::fs::write(place.join("config.json"), config.to_string()).unwrap();
    std::fs::write(
        place.join("preprocessor_config.json"),
        extractor.to_string(),
    )
    .unwrap();
    place
}

#[test]
fn the_recording_is_brought_to_the_encoders_rate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("tones");
    std::fs::create_dir(&raw).unwrap();
    let mut table = String::from("path,label,speaker\n");
    for (at, label) in ["angry", "happy", "sad", "angry"].iter().enumerate() {
        recording(&raw, &format!("{at}.wav"), 200.0 + 90.0 * at as f32);
        table += &format!("{at}.wav,{label},s{at}\n");
    }
    std::fs::write(raw.join("labels.csv"), table).unwrap();
    let home = Home::new(folder.path().join("home"));
    let context = Context {
        progress: &Silent,
        stop: &AtomicBool::new(false),
    };
    prepare(&home, "tones", &raw, PrepareHow::default(), context).unwrap();
    let corpus = open_corpus(&home, "tones").unwrap();
    let source = EncoderSource::Local {
        name: "mert".to_owned(),
        path: mert(folder.path()),
    };
    let encoder = Encoder::open(&source, &EncoderOptions::default()).unwrap();
    assert_eq!(encoder.info().sample_rate, MERT.0);
    let loaded = |sample_rate: SampleRate| {
        let options = LoadOptions {
            sample_rate,
            ..LoadOptions::default()
        };
        load(raw.join("1.wav"), &options).unwrap()
    };
    let states = |samples: &[f32]| encoder.encode(samples, &LayerSelection::Last).unwrap();
    let key = &corpus.manifest.utterances[1].key;
    let stored = |name: &str, options: &ExtractOptions| {
        let dir = folder.path().join(name);
        extract(&corpus, &encoder, &dir, options, context).unwrap();
        let store = Store::open_any(&dir).unwrap();
        let mut out = vec![0.0; store.frames(key).unwrap() * encoder.info().dim];
        let frames = 0..store.frames(key).unwrap();
        store.read(key, 0, frames, &mut out).unwrap();
        out
    };
    let mut options = ExtractOptions {
        precision: StorePrecision::F32,
        normalisation: FeatureNormalisation::None,
        ..ExtractOptions::default()
    };
    let whole = states(&loaded(MERT));
    // 75 frames per second.
    assert_eq!(whole.frames, 112);
    assert_eq!(stored("clean", &options), whole.data);
    let lowered = resample(&loaded(SampleRate::SPEECH), SampleRate::SPEECH, MERT);
    assert_ne!(
        states(&lowered).data,
        whole.data,
        "the upper octave is heard"
    );
    // Perturbations are applied at 16 kHz, as for every other encoder.
    let perturbation: Perturbation = "gain:-20dB".parse().unwrap();
    options.perturbed = Some(Perturbed {
        perturbation,
        identity: perturbation.identity().unwrap(),
        keys: Arc::new(BTreeSet::from([key.clone()])),
    });
    let softer = perturbation
        .apply(&loaded(SampleRate::SPEECH), key)
        .unwrap();
    let softer = states(&resample(&softer, SampleRate::SPEECH, MERT));
    assert_eq!(stored("softer", &options), softer.data);
}
