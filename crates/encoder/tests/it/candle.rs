//! The device backend on candle's CPU device: the same goldens, the same tolerance.

use crate::data2vec2_golden::{file, write_funasr};
use crate::made::Golden;
use crate::shared::{largest_difference, shared};
use crate::speech_golden::{VARIANTS, compare, open, open_with};
use emobox_encoder::checkpoint::Checkpoint;
use emobox_encoder::{Device, EncoderOptions, LayerSelection};

fn options() -> EncoderOptions {
    EncoderOptions {
        device: Device::CandleCpu,
        ..EncoderOptions::default()
    }
}

#[test]
fn every_family_is_within_the_tolerance_of_its_reference() {
    for (variant, _) in VARIANTS {
        let golden = Golden::read(variant);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        compare(&golden, &open_with(folder.path(), &options()), variant);
    }
    for name in [
        "data2vec2-base",
        "data2vec2-large",
        "data2vec2-other",
        "hubert-fairseq-large",
    ] {
        let encoder = open_with(&file(&format!("{name}.pt")), &options());
        compare(&Golden::read(name), &encoder, name);
    }
    let golden = Golden::read("emotion2vec-plus");
    let folder = tempfile::tempdir().unwrap();
    write_funasr(&golden, folder.path(), str::to_owned);
    compare(
        &golden,
        &open_with(folder.path(), &options()),
        "emotion2vec-plus",
    );
}

#[test]
fn whisper_agrees_with_the_cpu() {
    let Some(path) = shared("weights/whisper-tiny.en") else {
        return;
    };
    let reference = Checkpoint::open(path.join("ref/de_03a01Wa.safetensors")).unwrap();
    let samples = reference.read("audio").unwrap();
    let layers = LayerSelection::List(vec![0, 1]);
    let ours = open(&path).encode(&samples, &layers).unwrap();
    let theirs = open_with(&path, &options())
        .encode(&samples, &layers)
        .unwrap();
    assert!(largest_difference(&ours.data, &theirs.data) < 1e-4);
}
