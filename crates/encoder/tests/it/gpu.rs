//! The whole GPU device on its host backend, or on the device in `EMOBOX_TEST_DEVICE`: the same goldens as the CPU's.

use crate::data2vec2_golden::{file, write_funasr};
use crate::made::{Golden, waveform};
use crate::shared::largest_difference;
use crate::speech_golden::{VARIANTS, compare, open, open_with};
use emobox_encoder::{
    Device, Encoder, EncoderError, EncoderOptions, HiddenStates, LayerSelection, Precision,
};
use std::path::Path;

/// The device under test: the host's kernels, or for example `EMOBOX_TEST_DEVICE=cuda:0`.
pub(crate) fn device() -> Device {
    std::env::var("EMOBOX_TEST_DEVICE").map_or(Device::HOST, |text| text.parse().unwrap())
}

pub(crate) fn options(precision: Precision) -> EncoderOptions {
    EncoderOptions {
        device: device(),
        precision,
        ..EncoderOptions::default()
    }
}

/// Calls `check` with every golden's name, data and folder.
fn every_golden(mut check: impl FnMut(&str, &Golden, &Path)) {
    for (variant, _) in VARIANTS {
        let golden = Golden::read(variant);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        check(variant, &golden, folder.path());
    }
    for name in [
        "data2vec2-base",
        "data2vec2-large",
        "data2vec2-other",
        "hubert-fairseq-base",
        "hubert-fairseq-large",
    ] {
        check(name, &Golden::read(name), &file(&format!("{name}.pt")));
    }
    for name in ["emotion2vec-plus", "emotion2vec-base"] {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        write_funasr(&golden, folder.path(), str::to_owned);
        check(name, &golden, folder.path());
    }
}

#[test]
fn every_family_is_within_the_tolerance_of_its_reference() {
    every_golden(|name, golden, path| {
        compare(golden, &open_with(path, &options(Precision::F32)), name);
    });
}

/// The largest difference of any hidden state from the reference.
pub(crate) fn error(golden: &Golden, encoder: &Encoder) -> f32 {
    let mut worst = 0.0f32;
    for (utterance, samples) in golden.utterances() {
        let states = encoder.encode(&samples, &LayerSelection::All).unwrap();
        for layer in 0..golden.states() {
            let (_, expected) = golden.state(&utterance, layer);
            worst = worst.max(largest_difference(states.layer(layer), &expected));
        }
    }
    worst
}

/// The device rounds a few more values than the CPU (between two products, and softmax's weights), and f16 has three bits more
/// than bf16.
pub(crate) fn sixteen_bits_are_near(name: &str, golden: &Golden, path: &Path) {
    let on_cpu = EncoderOptions {
        precision: Precision::Bf16,
        ..EncoderOptions::default()
    };
    let cpu = error(golden, &open_with(path, &on_cpu));
    let bf16 = error(golden, &open_with(path, &options(Precision::Bf16)));
    let f16 = error(golden, &open_with(path, &options(Precision::F16)));
    let all = format!("{name}: bf16 on the CPU {cpu:e}, on the device {bf16:e}, f16 {f16:e}");
    assert!(bf16 < 2.5 * cpu, "{all}");
    assert!(f16 < bf16 / 2.0, "{all}");
}

#[test]
fn sixteen_bits_are_as_near_as_they_can_be() {
    every_golden(sixteen_bits_are_near);
}

/// Seven lengths, from the shortest possible to several blocks of attention.
fn seven() -> Vec<Vec<f32>> {
    let lengths = [400, 22_000, 719, 9000, 1040, 3333, 5801];
    lengths
        .iter()
        .map(|&n| waveform(&format!("seven {n}"), n))
        .collect()
}

/// Bit-identical on the host's kernels. cuBLASLt may choose another algorithm for other numbers of rows: then within its
/// differences in rounding, where activations reach 5, and in proportion where they are larger.
pub(crate) fn same(
    found: &[HiddenStates],
    expected: &[HiddenStates],
    precision: Precision,
) -> bool {
    let tolerance = match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 0.02,
        Precision::Bf16 => 0.15,
    };
    match device() {
        Device::Cuda(_) => found.iter().zip(expected).all(|(found, expected)| {
            let largest = expected
                .data
                .iter()
                .fold(5.0f32, |most, x| most.max(x.abs()));
            largest_difference(&found.data, &expected.data) < tolerance * largest / 5.0
        }),
        Device::Cpu | Device::Host(_) => found == expected,
    }
}

pub(crate) fn together(encoder: &Encoder, waves: &[&[f32]]) -> Vec<HiddenStates> {
    let results = encoder.encode_together(waves, &LayerSelection::All);
    results.into_iter().map(Result::unwrap).collect()
}

/// Bit-identical on the host backend, whose products do not depend on the number of rows. cuBLASLt's may.
#[test]
fn a_ragged_batch_is_each_utterance_alone_in_any_order_and_company() {
    let waves = seven();
    let all: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
    every_golden(|name, _, path| {
        let precisions: &[Precision] = match name {
            "wavlm-base" | "emotion2vec-plus" => &[Precision::F32, Precision::Bf16, Precision::F16],
            _ => &[Precision::Bf16],
        };
        for &precision in precisions {
            let encoder = open_with(path, &options(precision));
            let alone: Vec<_> = all
                .iter()
                .map(|wave| encoder.encode(wave, &LayerSelection::All).unwrap())
                .collect();
            assert!(
                same(&together(&encoder, &all), &alone, precision),
                "{name} {precision:?}: all seven"
            );
            let order = [5, 2, 6, 0, 3];
            let some: Vec<&[f32]> = order.iter().map(|&index| all[index]).collect();
            let expected: Vec<_> = order.iter().map(|&index| alone[index].clone()).collect();
            assert!(
                same(&together(&encoder, &some), &expected, precision),
                "{name} {precision:?}: five in another order"
            );
        }
    });
}

/// One that is too short and one with NaN: each fails alone, and the results of `encode_batch` keep the order.
#[test]
fn what_cannot_be_encoded_does_not_take_the_batch_along() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let encoder = open_with(folder.path(), &options(Precision::F32));
    assert!(encoder.batch_frames().unwrap() > 1000);
    let (short, odd, long) = (
        waveform("short", 399),
        vec![f32::NAN; 500],
        waveform("long", 4000),
    );
    let waves: [&[f32]; 4] = [&short, &long, &odd, &long[..800]];
    let results = encoder.encode_batch(&waves, &LayerSelection::Last, 2);
    assert!(matches!(
        results[0],
        Err(EncoderError::TooShort { samples: 399, .. })
    ));
    assert_eq!(results[1].as_ref().unwrap().frames, 12);
    assert!(matches!(
        results[2],
        Err(EncoderError::NonFiniteSample { index: 0, .. })
    ));
    assert_eq!(results[3].as_ref().unwrap().frames, 2);
}

/// Both numbers of bins, in f32 against the reference; 1500 positions per window, two windows at once.
#[test]
fn whisper_is_within_the_tolerance_of_its_reference() {
    for name in ["whisper-80", "whisper-128"] {
        let golden = Golden::read(name);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let encoder = open_with(folder.path(), &options(Precision::F32));
        let utterances: Vec<_> = golden.utterances();
        let waves: Vec<&[f32]> = utterances
            .iter()
            .map(|(_, samples)| samples.as_slice())
            .collect();
        let all = together(&encoder, &waves);
        let cpu = open(folder.path());
        for ((utterance, samples), states) in utterances.iter().zip(&all) {
            let expected = cpu.encode(samples, &LayerSelection::All).unwrap();
            assert_eq!(states.frames, expected.frames, "{name} {utterance}");
            let difference = largest_difference(&states.data, &expected.data);
            assert!(difference < 1e-4, "{name} {utterance}: {difference}");
        }
    }
}
