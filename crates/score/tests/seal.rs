//! Sealed test sets: what is published reveals nothing of the labels, and binds the organiser.

use emobox_score::{Confusion, ReferenceItem, SealedAnswer, SealedSet, seal};
use std::collections::BTreeMap;

const SALT: &str = "0123456789abcdef0123456789abcdef";

fn classes() -> Vec<String> {
    ["anger", "fear"].map(String::from).to_vec()
}

fn items() -> Vec<ReferenceItem> {
    (0..20)
        .map(|i| ReferenceItem {
            key: format!("{i:02}a01{}", if i % 3 == 0 { "F" } else { "A" }),
            fold: 1 + i % 2,
            label: classes()[usize::from(i % 3 == 0)].clone(),
            speaker: Some(format!("speaker-{}", i % 5)),
            gender: None,
        })
        .collect()
}

fn answers(set: &SealedSet, prediction: &str) -> Vec<SealedAnswer> {
    set.ids
        .iter()
        .map(|id| SealedAnswer {
            id: id.clone(),
            prediction: prediction.to_owned(),
            scores: BTreeMap::new(),
        })
        .collect()
}

#[test]
fn what_is_given_out_tells_nothing_and_the_key_scores_it() {
    let (set, key) = seal("hidden", &classes(), &items(), SALT).unwrap();
    let text = serde_json::to_string(&set).unwrap();
    for item in items() {
        assert!(
            !text.contains(&item.key) && !text.contains("speaker-"),
            "{text}"
        );
    }
    assert!(set.ids.is_sorted() && set.ids.len() == 20);
    assert_eq!(serde_json::from_str::<SealedSet>(&text).unwrap(), set);
    let predictions = key.open(&set, &answers(&set, "fear")).unwrap();
    let confusion = Confusion::of(&predictions, &classes()).unwrap();
    assert_eq!(confusion.counts, [[0, 13], [0, 7]]);
    assert!(predictions.iter().all(|p| p.speaker.is_some()));
}

#[test]
fn labels_cannot_be_changed_afterwards() {
    let (set, mut key) = seal("hidden", &classes(), &items(), SALT).unwrap();
    let first = key.items.values_mut().next().unwrap();
    first.label = if first.label == "fear" {
        "anger"
    } else {
        "fear"
    }
    .to_owned();
    let message = key
        .open(&set, &answers(&set, "fear"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("changed after the set was given out"),
        "{message}"
    );
    let (mut set, key) = seal("hidden", &classes(), &items(), SALT).unwrap();
    let wider = [classes(), vec!["joy".to_owned()]].concat();
    let (_, others) = seal("hidden", &wider, &items(), SALT).unwrap();
    assert!(others.open(&set, &answers(&set, "fear")).is_err());
    set.ids[0].clone_from(&"0".repeat(16));
    assert!(key.open(&set, &answers(&set, "fear")).is_err());
    let (set, _) = seal("hidden", &classes(), &items(), SALT).unwrap();
    let (_, other) = seal("hidden", &classes(), &items(), &SALT.replace('0', "x")).unwrap();
    assert!(other.open(&set, &answers(&set, "fear")).is_err());
}

#[test]
fn incomplete_answers_and_weak_seals_are_refused() {
    let (set, key) = seal("hidden", &classes(), &items(), SALT).unwrap();
    let mut few = answers(&set, "fear");
    few.pop();
    assert!(
        key.open(&set, &few)
            .unwrap_err()
            .to_string()
            .contains("1 missing")
    );
    let message = key
        .open(&set, &answers(&set, "joy"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("none of the classes: anger, fear"),
        "{message}"
    );
    let mut contradicted = answers(&set, "fear");
    for (answer, fear) in contradicted
        .iter_mut()
        .zip((0..20).map(|i| f64::from(i) - 10.5))
    {
        answer.scores = BTreeMap::from([("fear".to_owned(), fear), ("anger".to_owned(), -1.0)]);
    }
    let message = key.open(&set, &contradicted).unwrap_err().to_string();
    assert!(message.contains("10 predictions are not the most probable class"));
    assert!(message.contains(&set.ids[0]) && !items().iter().any(|i| message.contains(&i.key)));
    assert!(seal("hidden", &classes(), &[], SALT).is_err());
    assert!(seal("hidden", &classes(), &items(), "short").is_err());
    let twice = [items(), items()].concat();
    assert!(seal("hidden", &classes(), &twice, SALT).is_err());
}
