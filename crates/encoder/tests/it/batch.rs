//! The result for an utterance depends on the utterance alone.

use crate::made::waveform;
use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, LayerSelection};

/// Eight lengths at once on one, two and three threads: bit for bit the results of one call each.
pub(crate) fn batch_is_one_by_one(encoder: &Encoder, what: &str) {
    let lengths = [400, 719, 1040, 2222, 3600, 4801, 6000, 7777];
    let waves: Vec<_> = lengths
        .iter()
        .map(|&n| waveform(&format!("batch {n}"), n))
        .collect();
    let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
    let alone: Vec<_> = waves
        .iter()
        .map(|wave| encoder.encode(wave, &LayerSelection::All).unwrap())
        .collect();
    for threads in [1, 2, 3] {
        let together = encoder.encode_batch(&waves, &LayerSelection::All, threads);
        let together: Vec<_> = together.into_iter().map(Result::unwrap).collect();
        assert_eq!(together, alone, "{what} on {threads} threads");
    }
}

#[test]
fn fbank_has_one_hidden_state_and_no_weights() {
    let encoder = Encoder::open(&EncoderSource::from("fbank"), &EncoderOptions::default()).unwrap();
    let info = encoder.info();
    assert_eq!((info.hidden_states, info.parameters, info.hop), (1, 0, 320));
    batch_is_one_by_one(&encoder, "fbank");
    let states = encoder
        .encode(&waveform("x", 16_000), &LayerSelection::Last)
        .unwrap();
    assert_eq!(
        (states.frames, states.dim, states.data.len()),
        (50, info.dim, 50 * info.dim)
    );
}
