//! The wav2vec 2.0 family against transformers, with generated weights (parity/encoder/speech.py).

use crate::made::Golden;
use crate::shared::largest_difference;
use emobox_encoder::{
    Encoder, EncoderOptions, EncoderSource, LayerSelection, Precision, WaveformNormalisation,
};
use std::path::Path;

/// Activations reach 5.
const TOLERANCE: f32 = 1e-4;

/// Twice the largest error observed, 0.12.
const BF16_TOLERANCE: f32 = 0.25;

/// Every shape variant with its model type.
pub(crate) const VARIANTS: [(&str, &str); 10] = [
    ("wav2vec2-base", "wav2vec2."),
    ("wav2vec2-large", "wav2vec2."),
    ("mms-adapter", "wav2vec2."),
    ("hubert-base", "hubert."),
    ("hubert-large", "hubert."),
    ("mhubert", "hubert."),
    ("wavlm-base", "wavlm."),
    ("wavlm-large", "wavlm."),
    ("data2vec-audio", "data2vec_audio."),
    ("unispeech-sat", "unispeech_sat."),
];

pub(crate) fn open(folder: &Path) -> Encoder {
    open_with(folder, &EncoderOptions::default())
}

pub(crate) fn open_with(folder: &Path, options: &EncoderOptions) -> Encoder {
    let source = EncoderSource::Local {
        name: "made".into(),
        path: folder.into(),
    };
    Encoder::open(&source, options).unwrap()
}

/// Compares every hidden state of every utterance, and the frame counts.
#[expect(
    clippy::print_stderr,
    reason = "the measured difference is worth seeing"
)]
pub(crate) fn compare(golden: &Golden, encoder: &Encoder, variant: &str) {
    assert_eq!(encoder.info().hidden_states, golden.states(), "{variant}");
    let mut worst = 0.0f32;
    for (utterance, samples) in golden.utterances() {
        let states = encoder.encode(&samples, &LayerSelection::All).unwrap();
        for layer in 0..golden.states() {
            let (shape, expected) = golden.state(&utterance, layer);
            assert_eq!([states.frames, states.dim], *shape, "{variant} {utterance}");
            assert_eq!(encoder.frames(samples.len()), states.frames);
            let difference = largest_difference(states.layer(layer), &expected);
            assert!(
                difference < TOLERANCE,
                "{variant} {utterance} layer {layer}: {difference}"
            );
            worst = worst.max(difference);
        }
    }
    eprintln!("{variant}: largest difference {worst:e}");
}

#[test]
fn every_hidden_state_is_that_of_transformers() {
    for (variant, _) in VARIANTS {
        let golden = Golden::read(variant);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        compare(&golden, &open(folder.path()), variant);
    }
}

/// On every path of the CPU's kernels, with native or emulated bf16: the error is bf16's own rounding; activations reach 5.
#[test]
fn every_hidden_state_in_bf16_is_near_that_of_transformers() {
    for (variant, _) in VARIANTS {
        let golden = Golden::read(variant);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let options = EncoderOptions {
            precision: Precision::Bf16,
            ..EncoderOptions::default()
        };
        let error = crate::gpu::error(&golden, &open_with(folder.path(), &options));
        eprintln!("{variant}: largest difference in bf16 {error:e}");
        assert!(error < BF16_TOLERANCE, "{variant}: {error}");
        assert!(error > TOLERANCE, "{variant}: {error} is not bf16's");
    }
}

/// A model saved with a head has a prefix; old checkpoints have the old names of weight norm.
#[test]
fn prefixes_and_both_spellings_of_weight_norm_load() {
    let old = |name: &str| {
        name.replace("parametrizations.weight.original0", "weight_g")
            .replace("parametrizations.weight.original1", "weight_v")
    };
    for (variant, prefix) in VARIANTS {
        let golden = Golden::read(variant);
        for prefix in [prefix, "model."] {
            let folder = tempfile::tempdir().unwrap();
            golden.write_folder(folder.path(), |name| format!("{prefix}{}", old(name)));
            compare(&golden, &open(folder.path()), variant);
        }
    }
}

/// Frames depend on their own utterance only, and threads do not affect each other.
#[test]
fn a_batch_is_one_by_one_for_any_number_of_threads() {
    for (variant, _) in VARIANTS {
        let golden = Golden::read(variant);
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        crate::batch::batch_is_one_by_one(&open(folder.path()), variant);
    }
}

/// Not a test: with `EMOBOX_ENCODERS=DIR` it writes the generated models of the paper's families below DIR, for
/// `tools/paper_in_miniature.sh`.
#[test]
#[ignore = "writes the encoders of tools/paper_in_miniature.sh"]
fn write_encoders() {
    let root = std::env::var_os("EMOBOX_ENCODERS").expect("EMOBOX_ENCODERS=DIR");
    for (variant, name) in [
        ("wav2vec2-base", "wav2vec2-base"),
        ("hubert-base", "hubert-base"),
        ("hubert-large", "hubert-large"),
        ("wavlm-base", "wavlm-base"),
        ("wavlm-large", "wavlm-large"),
        ("data2vec-audio", "data2vec-base"),
        ("data2vec-audio", "data2vec-large"),
    ] {
        let folder = Path::new(&root).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Golden::read(variant).write_folder(&folder, str::to_owned);
    }
}

/// A norm over time removes an offset: a recording of nothing but an offset equals silence, to the last bit.
#[test]
fn an_offset_alone_is_silence() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let encoder = open(folder.path());
    assert_eq!(encoder.info().normalisation, WaveformNormalisation::None);
    let states = |value: f32| {
        let constant = vec![value; 8_000];
        encoder
            .encode(&constant, &LayerSelection::All)
            .unwrap()
            .data
    };
    let silence = states(0.0);
    for offset in [0.25, -0.7, 0.1] {
        assert!(states(offset) == silence, "an offset of {offset}");
    }
}
