//! Audio towers with the architecture of Whisper's encoder (parity/encoder/towers.py).

use crate::gpu::{options, together};
use crate::made::{Golden, waveform, write_json};
use crate::shared::largest_difference;
use crate::speech_golden::{compare, open, open_with};
use emobox_encoder::{EncoderError, LayerSelection, Precision, check_dir};
use serde_json::json;
use std::path::Path;

const TOWERS: [(&str, &str); 5] = [
    ("qwen3-omni", "Qwen3-Omni"),
    ("qwen2-audio", "Qwen2-Audio"),
    ("audio-flamingo-3", "Audio Flamingo 3"),
    ("voxtral", "Voxtral"),
    ("qwen2-5-omni", "Qwen2.5-Omni"),
];

fn write(golden: &Golden, folder: &Path) {
    let prefix = golden.description["prefix"].as_str().unwrap().to_owned();
    golden.write_folder(folder, |name| format!("{prefix}{name}"));
}

/// Inside its model's checkpoint, and alone under its own configuration.
#[test]
fn every_hidden_state_is_that_of_transformers() {
    for (name, family) in TOWERS {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        write(&golden, folder.path());
        let report = check_dir(folder.path()).unwrap();
        assert!(report.opens && report.family == family, "{report}");
        let encoder = open(folder.path());
        compare(&golden, &encoder, name);
        let all = golden.utterances();
        let waves: Vec<&[f32]> = all.iter().map(|(_, wave)| wave.as_slice()).collect();
        let batch = encoder.encode_batch(&waves, &LayerSelection::All, 2);
        for (wave, states) in waves.iter().zip(batch) {
            let alone = encoder.encode(wave, &LayerSelection::All).unwrap();
            assert_eq!(states.unwrap(), alone, "{name}");
            let last = encoder.encode(wave, &LayerSelection::Last).unwrap();
            assert_eq!(last.data, alone.layer(alone.layers.len() - 1), "{name}");
        }
        let alone = tempfile::tempdir().unwrap();
        golden.write_folder(alone.path(), str::to_owned);
        let config = &golden.description["config"];
        let own = ["/audio_config", "/thinker_config/audio_config"]
            .iter()
            .find_map(|pointer| config.pointer(pointer))
            .unwrap();
        write_json(&alone.path().join("config.json"), own);
        compare(&golden, &open(alone.path()), name);
    }
}

/// Windows and chunks of several recordings in one batch, against the CPU one by one.
#[test]
fn the_device_takes_windows_and_chunks_together() {
    for name in ["qwen2-audio", "qwen2-5-omni", "qwen3-omni"] {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        write(&golden, folder.path());
        let (cpu, device) = (
            open(folder.path()),
            open_with(folder.path(), &options(Precision::F32)),
        );
        let waves = [9_000, 330, 4_160].map(|n| waveform(&format!("tower {n}"), n));
        let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
        for (wave, states) in waves.iter().zip(together(&device, &waves)) {
            let expected = cpu.encode(wave, &LayerSelection::All).unwrap();
            assert_eq!(states.frames, expected.frames, "{name}");
            let difference = largest_difference(&states.data, &expected.data);
            assert!(difference < 1e-4, "{name}: {difference}");
        }
    }
}

/// Ten minutes of Voxtral are twenty windows; Qwen2-Audio and Qwen2.5-Omni use what their processors keep.
#[test]
fn what_is_heard_of_long_recordings_is_said() {
    for (name, samples, frames, longest) in [
        ("qwen2-audio", 500_000, 1_500, Some(480_000)),
        ("voxtral", 9_600_000, 30_000, None),
        ("qwen2-5-omni", 9_600_000, 15_000, Some(4_800_000)),
    ] {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        write(&golden, folder.path());
        let encoder = open(folder.path());
        assert_eq!(encoder.info().longest, longest, "{name}");
        assert_eq!(encoder.frames(samples), frames, "{name}");
        assert!(encoder.frames(1) == 1 && encoder.frames(480_320) <= 1_501);
    }
}

/// Settings that would change the spectrum are rejected, by `check` and `open` alike.
#[test]
fn other_spectra_and_windows_are_refused() {
    let golden = Golden::read("qwen2-audio");
    let folder = tempfile::tempdir().unwrap();
    write(&golden, folder.path());
    let preprocessor = folder.path().join("preprocessor_config.json");
    for (key, value) in [
        ("chunk_length", 20),
        ("hop_length", 80),
        ("n_fft", 512),
        ("feature_size", 80),
        ("sampling_rate", 24_000),
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
    config["audio_config"]["max_source_positions"] = json!(750);
    write_json(&folder.path().join("config.json"), &config);
    let error = check_dir(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("audio_config.max_source_positions"),
        "{error}"
    );
}
