//! Real weights: whisper-tiny.en against the states that transformers computed in f32.

use crate::shared::{largest_difference, shared};
use emobox_audio::{LoadOptions, load};
use emobox_checkpoint::Checkpoint;
use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, LayerSelection};

/// Activations reach 12, and f32 products of 384 terms summed in another order differ by parts in a million.
const TOLERANCE: f32 = 1e-3;

fn open() -> Encoder {
    let path = shared("weights/whisper-tiny.en");
    let source = EncoderSource::Local {
        name: "whisper-tiny.en".into(),
        path,
    };
    Encoder::open(&source, &EncoderOptions::default()).unwrap()
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn every_hidden_state_is_that_of_transformers() {
    let encoder = open();
    assert_eq!((encoder.info().hidden_states, encoder.info().dim), (5, 384));
    for name in ["de_03a01Wa", "en_03-01-01-01-01-01-01"] {
        let wav = shared(&format!("weights/whisper-tiny.en/ref/{name}.wav"));
        let reference = Checkpoint::open(wav.with_extension("safetensors")).unwrap();
        let samples = load(&wav, &LoadOptions::default()).unwrap();
        let states = encoder.encode(&samples, &LayerSelection::All).unwrap();
        assert_eq!(states.layers, [0, 1, 2, 3, 4]);
        assert_eq!((states.frames, states.dim), (samples.len() / 320, 384));
        assert_eq!(states.cut_to, None);
        for layer in 0..5 {
            let expected = reference.read(&format!("hidden_states.{layer}")).unwrap();
            let difference =
                largest_difference(states.layer(layer), &expected[..states.frames * states.dim]);
            eprintln!("{name} layer {layer}: largest difference {difference:e}");
            assert!(difference < TOLERANCE, "{name} layer {layer}: {difference}");
        }
        // The last block does not compute rows that are not kept; this must not change the result.
        let last = encoder.encode(&samples, &LayerSelection::Last).unwrap();
        assert_eq!(last.data, states.layer(4));
        let some = encoder
            .encode(&samples, &LayerSelection::List(vec![3, 1]))
            .unwrap();
        assert_eq!(some.data, [states.layer(1), states.layer(3)].concat());
    }
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn a_long_clip_is_cut_to_thirty_seconds_and_says_so() {
    let encoder = open();
    let samples: Vec<f32> = (0..500_000)
        .map(|i| ((i * 37) % 1000) as f32 / 5000.0)
        .collect();
    let first = LayerSelection::List(vec![0]);
    let states = encoder.encode(&samples, &first).unwrap();
    assert_eq!((states.frames, states.cut_to), (1500, Some(480_000)));
    let cut = encoder.encode(&samples[..480_000], &first).unwrap();
    assert_eq!((cut.data, cut.cut_to), (states.data, None));
    assert_eq!(encoder.encode(&samples[..10], &first).unwrap().frames, 1);
    assert_eq!(encoder.frames(500_000), 1500);
}
