//! Resampling against torchaudio, and its independence of how the input is divided.

mod common;

use common::{floats, golden, largest_difference};
use emobox_audio::{Resampler, SampleRate, resample};
use proptest::prelude::*;

/// At every rate; only the order of f32 sums differs.
const TOLERANCE: f32 = 1e-6;

fn signal(rate: u32) -> Vec<f32> {
    let bytes = std::fs::read(golden(&format!("resample-{rate}.i16"))).unwrap();
    let (samples, _) = bytes.as_chunks::<2>();
    samples
        .iter()
        .map(|&b| f32::from(i16::from_le_bytes(b)) / 32_768.0)
        .collect()
}

#[test]
fn every_rate_agrees_with_torchaudio() {
    let text = std::fs::read_to_string(golden("resample.json")).unwrap();
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
    let (every, edge) = (number(&table["every"]), number(&table["edge"]));
    for case in table["cases"].as_array().unwrap() {
        let rate = number(&case["rate"]) as u32;
        let ours = resample(&signal(rate), SampleRate(rate), SampleRate::SPEECH);
        assert_eq!(ours.len(), number(&case["output"]), "{rate} Hz");
        let picked: Vec<f32> = (0..ours.len())
            .filter(|&i| i % every == 0 || i < edge || i + edge >= ours.len())
            .map(|i| ours[i])
            .collect();
        let theirs = floats(&std::fs::read(golden(&format!("resample-{rate}.f32"))).unwrap());
        let difference = largest_difference(&picked, &theirs);
        assert!(difference < TOLERANCE, "{rate} Hz: {difference}");
    }
}

#[test]
fn rates_without_common_factors_need_no_bank() {
    // 767,999 Hz would need a bank of 16,000 filters of 592 taps; a constant stays one.
    let out = resample(&vec![0.5; 40_000], SampleRate(767_999), SampleRate::SPEECH);
    assert_eq!(out.len(), 834);
    assert!(
        out[50..700].iter().all(|x| (x - 0.5).abs() < 1e-3),
        "{:?}",
        &out[50..60]
    );
    assert!(resample(&[], SampleRate(44_100), SampleRate::SPEECH).is_empty());
    assert_eq!(
        resample(&[1.0], SampleRate(8_000), SampleRate::SPEECH).len(),
        2
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_cut_of_the_input_does_not_show(
        rate in prop::sample::select(vec![8_000, 22_050, 24_414, 44_100, 48_000, 96_000]),
        length in 0..3_000_usize,
        cuts in prop::collection::vec(1..700_usize, 1..20),
    ) {
        let samples: Vec<f32> = (0..length).map(|i| ((i * i) as f32 * 0.01).sin()).collect();
        let whole = resample(&samples, SampleRate(rate), SampleRate::SPEECH);
        let mut resampler = Resampler::new(SampleRate(rate), SampleRate::SPEECH);
        let (mut rest, mut pieces) = (samples.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            resampler.push(piece, &mut pieces);
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        resampler.finish(&mut pieces);
        prop_assert_eq!(whole, pieces);
    }
}
