//! Log-mel spectra against transformers, NumPy and torchaudio.

mod common;

use common::{golden, largest_difference, noise, shared, tensor};
use emobox_audio::{LoadOptions, load, log_mel};

/// The remaining difference is the rounding of two f32 transforms.
const WHISPER_TOLERANCE: f32 = 1e-5;
/// The reference is f64; natural logarithms of f32 energies.
const FBANK_TOLERANCE: f32 = 2e-4;

fn table() -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(golden("log_mel.json")).unwrap()).unwrap()
}

fn number(value: &serde_json::Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn values(value: &serde_json::Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap() as f32)
        .collect()
}

/// `waveform` of `parity/audio/log_mel.py`.
fn waveform(case: &serde_json::Value) -> Vec<f32> {
    let envelope = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / 4096.0).cos();
    let noise = noise(number(&case["seed"]) as u64, number(&case["length"]));
    noise
        .iter()
        .enumerate()
        .map(|(i, &x)| (f64::from(x) / 32_768.0 * envelope(i)) as f32)
        .collect()
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn whisper_spectra_of_speech_are_those_of_transformers() {
    let folder = shared("weights/whisper-tiny.en/ref");
    for name in ["de_03a01Wa", "en_03-01-01-01-01-01-01"] {
        let reference = folder.join(format!("{name}.safetensors"));
        let samples = load(folder.join(format!("{name}.wav")), &LoadOptions::default()).unwrap();
        assert_eq!(samples, tensor(&reference, "audio"), "{name}: waveform");
        let ours = log_mel::whisper(&samples, 80);
        let difference = largest_difference(&ours, &tensor(&reference, "input_features"));
        assert!(difference < WHISPER_TOLERANCE, "{name}: {difference}");
    }
}

#[test]
fn whisper_spectra_with_80_and_128_bands_shorter_and_longer_than_30_s() {
    for case in table()["whisper"].as_array().unwrap() {
        let ours = log_mel::whisper(&waveform(case), number(&case["bands"]));
        let theirs = values(&case["values"]);
        let last = theirs.len() - 1;
        let sampled: Vec<f32> = (0..=last)
            .map(|i| ours[i * (ours.len() - 1) / last])
            .collect();
        let difference = largest_difference(&sampled, &theirs);
        assert!(
            difference < WHISPER_TOLERANCE,
            "{}: {difference}",
            case["length"]
        );
        let mean = ours.iter().map(|&x| f64::from(x)).sum::<f64>() / ours.len() as f64;
        assert!(
            (mean - case["mean"].as_f64().unwrap()).abs() < 1e-6,
            "{}",
            case["length"]
        );
    }
}

#[test]
fn silence_is_the_floor() {
    // log10(1e-10), raised by nothing, through (x + 4) / 4.
    assert!(log_mel::whisper(&[], 80).iter().all(|&x| x == -1.5));
    assert_eq!(log_mel::whisper(&[0.0; 100], 128).len(), 128 * 3000);
}

#[test]
fn fbank_is_its_definition_in_numpy_with_the_deltas_of_torchaudio() {
    for case in table()["fbank"].as_array().unwrap() {
        let ours = log_mel::fbank(&waveform(case), &log_mel::FbankOptions::default());
        assert_eq!((ours.frames, ours.dim), (number(&case["frames"]), 240));
        let difference = largest_difference(&ours.data, &values(&case["values"]));
        assert!(difference < FBANK_TOLERANCE, "{difference}");
    }
}

#[test]
fn fbank_counts_frames_as_the_encoders_do() {
    let options = log_mel::FbankOptions {
        bands: 40,
        delta_orders: 0,
    };
    for (samples, frames) in [
        (0, 0),
        (1, 1),
        (319, 1),
        (320, 1),
        (639, 1),
        (640, 2),
        (16_000, 50),
    ] {
        let features = log_mel::fbank(&vec![0.1; samples], &options);
        assert_eq!(
            (features.frames, features.dim),
            (frames, 40),
            "{samples} samples"
        );
        assert_eq!(features.data.len(), frames * 40);
    }
}
