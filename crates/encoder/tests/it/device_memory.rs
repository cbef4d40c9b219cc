//! A device with too little memory, with the host's kernels.

use crate::gpu::together;
use crate::made::{Golden, waveform};
use crate::speech_golden::open_with;
use emobox_encoder::{
    Device, Encoder, EncoderError, EncoderOptions, HiddenStates, LayerSelection, Prepared,
};
use std::path::Path;

/// A tiny WavLM on a device with this many MiB.
fn open(folder: &Path, mebibytes: usize) -> Encoder {
    let options = EncoderOptions {
        device: Device::Host(mebibytes),
        ..EncoderOptions::default()
    };
    open_with(folder, &options)
}

fn ragged(count: usize) -> Vec<Vec<f32>> {
    let waves = (0..count).map(|at| waveform(&format!("ragged {at}"), 4000 + at * 733 % 9000));
    waves.collect()
}

/// A batch larger than the memory is halved until its parts fit; every state equals that of a device with enough memory.
#[test]
fn a_batch_that_does_not_fit_is_halved_until_it_does() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let waves = ragged(40);
    let all: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
    let enough = open(folder.path(), 256);
    let expected = together(&enough, &all);
    assert_eq!(enough.halved(), 0);
    let little = open(folder.path(), 1);
    assert!(together(&little, &all) == expected);
    assert!((2..40).contains(&little.halved()), "{}", little.halved());
}

/// An utterance that does not fit even alone is an error with its length; the others of its batch are encoded.
#[test]
fn what_does_not_fit_alone_is_refused_alone() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let little = open(folder.path(), 2);
    let mut waves = ragged(6);
    waves.insert(2, waveform("endless", 30 * 16_000));
    let all: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
    let results = little.encode_together(&all, &LayerSelection::All);
    for (at, result) in results.iter().enumerate() {
        match (at, result) {
            (2, Err(error @ EncoderError::DoesNotFit { .. })) => {
                let text = error.to_string();
                assert!(text.starts_with("its 30.0 s do not fit"), "{text}");
                assert!(text.contains("of 2097152 free"), "{text}");
                assert!(error.is_of_device());
            }
            (2, other) => panic!("{other:?}"),
            (_, Ok(_)) => {}
            (_, Err(error)) => panic!("{at}: {error}"),
        }
    }
}

/// Two threads, each with a batch that fits only alone: one waits for the other, and nothing is lost.
#[test]
fn batches_at_once_that_do_not_fit_together_wait_for_each_other() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let waves = ragged(12);
    let all: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
    let expected = together(&open(folder.path(), 256), &all);
    // The smallest memory that holds the batch alone.
    let least = (1..64).find(|&mebibytes| {
        let encoder = open(folder.path(), mebibytes);
        let results = encoder.encode_together(&all, &LayerSelection::All);
        encoder.halved() == 0 && results.iter().all(Result::is_ok)
    });
    let encoder = open(folder.path(), least.unwrap());
    let prepared: Vec<Prepared> = all.iter().map(|w| encoder.prepare(w).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let results = encoder.encode_prepared(&prepared, &LayerSelection::All);
                let states: Vec<HiddenStates> = results.into_iter().map(Result::unwrap).collect();
                assert!(states == expected);
            });
        }
    });
    assert_eq!(encoder.halved(), 0);
}
