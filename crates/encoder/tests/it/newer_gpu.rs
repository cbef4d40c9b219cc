//! Conformers, Dasheng, BEATs, MERT, SEW-D and SenseVoice on the host's kernels, or on the device in `EMOBOX_TEST_DEVICE`.

use crate::gpu::{options, same, sixteen_bits_are_near, together};
use crate::made::{Golden, waveform};
use crate::shared::largest_difference;
use crate::speech_golden::{open, open_with};
use crate::{conformer_golden, more_golden};
use emobox_encoder::{LayerSelection, Precision};
use std::path::Path;

/// Calls `check` with every golden's name, data and folder.
fn every_golden(mut check: impl FnMut(&str, &Golden, &Path)) {
    conformer_golden::every_golden(&mut check);
    more_golden::every_golden(&mut check);
}

/// Four lengths from the shortest possible, which are 50 frames a second of the wave.
fn four(shortest: usize) -> [Vec<f32>; 4] {
    [9_000, shortest, 30_001, 4_160].map(|n| waveform(&format!("device {n}"), n.max(shortest)))
}

/// Against the reference alone, and against the CPU in a ragged batch.
#[test]
fn every_newer_family_is_within_the_tolerance_of_its_reference() {
    every_golden(|name, golden, path| {
        let device = open_with(path, &options(Precision::F32));
        more_golden::compare(golden, &device, name);
        let waves = four(device.info().shortest);
        let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
        let cpu = open(path);
        for (wave, states) in waves.iter().zip(together(&device, &waves)) {
            let expected = cpu.encode(wave, &LayerSelection::All).unwrap();
            assert_eq!(states.frames, expected.frames, "{name}");
            let scale = expected
                .data
                .iter()
                .fold(0.0f32, |most, x| most.max(x.abs()));
            let difference = largest_difference(&states.data, &expected.data) / scale;
            assert!(difference < more_golden::TOLERANCE, "{name}: {difference}");
        }
    });
}

#[test]
fn sixteen_bits_of_newer_families_are_as_near_as_they_can_be() {
    every_golden(sixteen_bits_are_near);
}

/// No utterance sees another: bit-identical on the host backend.
#[test]
fn a_ragged_batch_of_newer_families_is_each_utterance_alone_in_any_company() {
    every_golden(|name, _, path| {
        let precisions: &[Precision] = match name {
            "w2v-bert" | "conformer-relative" | "sew-d" | "sensevoice" => {
                &[Precision::F32, Precision::Bf16, Precision::F16]
            }
            _ => &[Precision::Bf16],
        };
        for &precision in precisions {
            let encoder = open_with(path, &options(precision));
            let waves = four(encoder.info().shortest);
            let alone: Vec<_> = waves
                .iter()
                .map(|wave| encoder.encode(wave, &LayerSelection::All).unwrap())
                .collect();
            for order in [&[0, 1, 2, 3][..], &[3, 1, 0]] {
                let some: Vec<&[f32]> = order.iter().map(|&at| waves[at].as_slice()).collect();
                let expected: Vec<_> = order.iter().map(|&at| alone[at].clone()).collect();
                assert!(
                    same(&together(&encoder, &some), &expected, precision),
                    "{name} {precision:?}: {order:?}"
                );
            }
        }
    });
}
