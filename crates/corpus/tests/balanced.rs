//! Balanced sets: agreement, cells, shortfalls, and independence of order.

use emobox_corpus::{
    BalanceOptions, Manifest, SpeakerChoice, Utterance, balanced_set, read_pseudo_labels,
};
use std::collections::BTreeMap;

fn manifest() -> Manifest {
    let line = |speaker: usize, class: &str, n: usize| {
        let text = serde_json::json!({
            "key": format!("mine-{speaker}-{class}-{n}"), "dataset": "mine", "wav": format!("{speaker}{class}{n}.wav"),
            "sample_rate": 16000, "num_frame": 16000, "length": 1.0, "emo": class, "label": class, "speaker": format!("s{speaker}"),
        });
        serde_json::from_value::<Utterance>(text).unwrap()
    };
    let mut utterances = Vec::new();
    for speaker in 0..5 {
        for class in ["Angry", "Excited", "Happy", "Sad"] {
            // Speaker 4 has one angry utterance only.
            let count = if speaker == 4 && class == "Angry" {
                1
            } else {
                6
            };
            utterances.extend((0..count).map(|n| line(speaker, class, n)));
        }
    }
    Manifest {
        corpus: "mine".to_owned(),
        utterances,
    }
}

fn options(per_cell: usize, speakers: SpeakerChoice) -> BalanceOptions {
    let pairs = [("Angry", "angry"), ("Happy", "happy"), ("Excited", "happy")];
    let classes = pairs
        .iter()
        .map(|(class, shared)| ((*class).to_owned(), (*shared).to_owned()))
        .collect();
    BalanceOptions {
        classes,
        per_cell,
        speakers,
        seed: 3,
    }
}

#[test]
fn every_cell_holds_the_same_number_whatever_the_order() {
    let all = manifest();
    let drawn = balanced_set(&all, None, &options(4, SpeakerChoice::Any(3))).unwrap();
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for item in &drawn.items {
        *cells.entry((&item.speaker, &item.label)).or_default() += 1;
    }
    assert_eq!(cells.len(), 6);
    assert!(
        cells.values().all(|n| *n == 4) && !cells.keys().any(|(speaker, _)| *speaker == "s4"),
        "{cells:?}"
    );
    assert_eq!(drawn.agreement["happy"], (60, 60));
    let mut reversed = all.clone();
    reversed.utterances.reverse();
    assert_eq!(
        balanced_set(&reversed, None, &options(4, SpeakerChoice::Any(3))).unwrap(),
        drawn
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.jsonl");
    drawn.write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 24);
}

#[test]
fn shortfalls_are_listed_cell_by_cell() {
    let text = balanced_set(&manifest(), None, &options(7, SpeakerChoice::All))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("5 cells cannot be filled with 7 utterances each"),
        "{text}"
    );
    assert!(
        text.contains("s0 × angry has 6") && text.contains("s4 × angry has 1"),
        "{text}"
    );
    let named = SpeakerChoice::Named(vec!["s9".to_owned()]);
    let text = balanced_set(&manifest(), None, &options(1, named))
        .unwrap_err()
        .to_string();
    assert!(text.contains("s9 × happy has 0"), "{text}");
    let text = balanced_set(&manifest(), None, &options(2, SpeakerChoice::Any(9)))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("5 speakers of these classes are known, 9 are wanted"),
        "{text}"
    );
}

#[test]
fn only_utterances_that_the_labeller_agrees_with_stay() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut lines = String::new();
    for u in &manifest().utterances {
        // The labeller calls every sixth sad, contradicts itself on another, and has no label for a third.
        let says = match u.key.rsplit('-').next() {
            Some("0") => vec!["Sad"],
            Some("1") => vec!["Angry", "Happy"],
            Some("2") => vec![],
            _ if u.label == "Excited" => vec!["happy"],
            _ => vec![u.label.as_str()],
        };
        for prediction in says {
            lines += &format!(
                "{}\n",
                serde_json::json!({"key": u.key, "prediction": prediction, "fold": 1})
            );
        }
    }
    std::fs::write(file.path(), &lines).unwrap();
    let labels = read_pseudo_labels(file.path()).unwrap();
    let drawn = balanced_set(
        &manifest(),
        Some(&labels),
        &options(3, SpeakerChoice::Any(4)),
    )
    .unwrap();
    assert!(drawn.items.iter().all(|item| !item.key.ends_with("-0")
        && !item.key.ends_with("-1")
        && !item.key.ends_with("-2")));
    assert_eq!((drawn.agreement["angry"], drawn.unlabelled), ((25, 12), 14));
    std::fs::write(file.path(), "{\"key\": 1}\n").unwrap();
    assert!(
        read_pseudo_labels(file.path())
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}
