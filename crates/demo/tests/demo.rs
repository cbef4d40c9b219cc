//! The synthetic corpus: the same bytes every time, with the expected differences between voices and manners.

use emobox_demo::{DEMO_EMOTIONS, DemoOptions, DemoUtterance, demo_utterances, write_demo};
use std::collections::BTreeMap;

fn small(seed: u64) -> Vec<DemoUtterance> {
    demo_utterances(&DemoOptions {
        speakers: 4,
        sentences: 3,
        seed,
    })
}

#[test]
fn a_seed_gives_the_same_corpus_every_time_and_another_seed_another() {
    assert_eq!(small(1), small(1));
    assert_ne!(small(1), small(2));
    // A larger corpus contains the smaller one.
    let larger = demo_utterances(&DemoOptions {
        speakers: 6,
        sentences: 4,
        seed: 1,
    });
    for utterance in small(1) {
        assert!(
            larger.contains(&utterance),
            "{} {}",
            utterance.speaker,
            utterance.sentence
        );
    }
}

#[test]
fn utterances_are_as_long_and_as_loud_as_speech() {
    for utterance in demo_utterances(&DemoOptions::default()) {
        let DemoUtterance {
            speaker,
            emotion,
            sentence,
            samples,
        } = utterance;
        let name = format!("{speaker}_{emotion}_{sentence:02}");
        let seconds = samples.len() as f64 / 16_000.0;
        assert!((0.8..3.0).contains(&seconds), "{name}: {seconds} s");
        let peak = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.03..0.99).contains(&peak), "{name}: peak {peak}");
        assert!(samples.iter().all(|x| x.is_finite()), "{name}");
    }
}

/// The lag with the largest autocorrelation in the loudest 60 ms, as a frequency.
fn pitch(samples: &[f32]) -> f64 {
    let energy = |chunk: &[f32]| chunk.iter().map(|x| x * x).sum::<f32>();
    let loudest = samples
        .chunks_exact(960)
        .max_by(|a, b| energy(a).total_cmp(&energy(b)))
        .unwrap();
    let similarity = |lag: usize| -> f32 {
        let product: f32 = loudest
            .iter()
            .zip(&loudest[lag..])
            .map(|(a, b)| a * b)
            .sum();
        product / (loudest.len() - lag) as f32
    };
    let lag = (40..200)
        .max_by(|&a, &b| similarity(a).total_cmp(&similarity(b)))
        .unwrap();
    16_000.0 / lag as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A number of every utterance, by emotion.
fn by_emotion(number: impl Fn(&DemoUtterance) -> f64) -> BTreeMap<&'static str, f64> {
    let mut numbers: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for utterance in demo_utterances(&DemoOptions::default()) {
        let of_emotion = numbers.entry(utterance.emotion).or_default();
        of_emotion.push(number(&utterance));
    }
    assert!(numbers.keys().copied().eq(DEMO_EMOTIONS));
    numbers
        .into_iter()
        .map(|(emotion, of)| (emotion, median(of)))
        .collect()
}

fn energy(samples: impl Iterator<Item = f32>) -> f64 {
    samples.map(|x| f64::from(x * x)).sum()
}

#[test]
fn women_speak_higher_than_men_and_the_angry_sharper_than_the_sad() {
    let mut pitches: BTreeMap<bool, Vec<f64>> = BTreeMap::new();
    for utterance in demo_utterances(&DemoOptions::default()) {
        let of_gender = pitches
            .entry(utterance.speaker.starts_with('f'))
            .or_default();
        of_gender.push(pitch(&utterance.samples));
    }
    let [men, women] = [false, true].map(|female| median(pitches[&female].clone()));
    assert!(
        women > 1.4 * men && (80.0..200.0).contains(&men),
        "{men} Hz and {women} Hz"
    );
    // The energy of the differences of samples, where high frequencies weigh more.
    let sharpness = by_emotion(|utterance| {
        let differences = utterance.samples.windows(2).map(|pair| pair[1] - pair[0]);
        energy(differences) / energy(utterance.samples.iter().copied())
    });
    let order = ["sad", "neutral", "angry"].map(|emotion| sharpness[emotion]);
    assert!(
        order[1] > 1.1 * order[0] && order[2] > 1.1 * order[1],
        "{order:?}"
    );
}

#[test]
fn length_and_level_tell_nothing_of_the_emotion() {
    let seconds = by_emotion(|utterance| utterance.samples.len() as f64 / 16_000.0);
    let levels = by_emotion(|utterance| {
        let mean = energy(utterance.samples.iter().copied()) / utterance.samples.len() as f64;
        10.0 * mean.log10()
    });
    let spread = |of: &BTreeMap<&str, f64>| {
        let values = of.values().copied();
        values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
    };
    assert!(spread(&seconds) < 0.08, "{seconds:?}");
    assert!(spread(&levels) < 1.5, "{levels:?}");
}

#[test]
fn the_folder_holds_the_corpus_its_table_and_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_demo(folder.path(), 1).unwrap();
    let table = std::fs::read_to_string(folder.path().join("utterances.tsv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 8 * 4 * 6);
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let info = emobox_audio::probe(folder.path().join(fields[0])).unwrap();
        let seconds = info.frames.unwrap() as f64 / 16_000.0;
        assert_eq!(format!("{seconds:.3}"), fields[5], "{line}");
    }
    let readme = std::fs::read_to_string(folder.path().join("README.md")).unwrap();
    assert!(readme.contains("no benchmark result"));
}
