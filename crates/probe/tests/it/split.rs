//! Properties of the validation draw, over made-up corpora of every shape.

use emobox_features::{FrameData, FrameView};
use emobox_probe::{
    FoldTask, Item, Protocol, Role, ValidationOrigin, ValidationRule, ValidationSplit, ViewSource,
    validation_split,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn draw(items: &[Item], rule: &ValidationRule) -> Result<ValidationSplit, String> {
    let view = FrameView {
        layers: 1,
        frames: 1,
        dim: 1,
        data: FrameData::F32(&[0.0]),
    };
    let source = ViewSource::new(vec![view; items.len()]).unwrap();
    let classes: Vec<String> = (0..5).map(|c| c.to_string()).collect();
    let task = FoldTask {
        corpus: "made-up",
        fold: 1,
        classes: &classes,
        items,
        source: &source,
    };
    validation_split(&task, rule).map_err(|e| e.to_string())
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0usize..5, 0usize..9, 0usize..6);
    proptest::collection::vec(item, 3..150).prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(|(at, (label, speaker, role))| Item {
                key: format!("k{at:03}"),
                label,
                // Speakers of very different sizes.
                target: Vec::new(),
                speaker: Some(format!("s{}", speaker * speaker / 9)),
                role: if role == 0 { Role::Test } else { Role::Train },
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn parts_are_disjoint_and_complete(items in items(), seed in 0u64..100, strict: bool) {
        let base = if strict { Protocol::strict() } else { Protocol::paper() };
        let rule = ValidationRule { seed, ..base.validation };
        let Ok(split) = draw(&items, &rule) else {
            let trained = items.iter().filter(|i| i.role == Role::Train).count();
            prop_assert!(trained < 2);
            return Ok(());
        };
        prop_assert!(!split.train.is_empty() && !split.valid.is_empty());
        let mut all: Vec<usize> = split.train.iter().chain(&split.valid).copied().collect();
        all.sort_unstable();
        let trained: Vec<usize> = (0..items.len()).filter(|&i| items[i].role == Role::Train).collect();
        prop_assert_eq!(&all, &trained);
        prop_assert_eq!(&split, &draw(&items, &rule).unwrap());

        let speakers = |part: &[usize]| -> BTreeSet<_> {
            part.iter().map(|&at| items[at].speaker.clone()).collect()
        };
        let labels = |part: &[usize]| -> BTreeSet<usize> {
            part.iter().map(|&at| items[at].label).collect()
        };
        match split.origin {
            ValidationOrigin::SpeakerDisjoint => {
                prop_assert!(strict);
                prop_assert!(speakers(&split.train).is_disjoint(&speakers(&split.valid)));
                prop_assert_eq!(labels(&split.train), labels(&trained));
                let share = split.valid.len() as f64 / trained.len() as f64;
                prop_assert!(share <= rule.max_share);
                let held = speakers(&split.valid);
                let reached = distance(&items, &rule, &held).unwrap();
                let exchanged = held.iter().flat_map(|out| {
                    let (items, rule, held) = (&items, &rule, &held);
                    speakers(&split.train).into_iter().filter_map(move |into| {
                        let others = held.iter().filter(|name| *name != out).cloned();
                        distance(items, rule, &others.chain([into]).collect())
                    })
                });
                for other in exchanged {
                    prop_assert!(other > reached - 1e-6, "{} instead of {}", other, reached);
                }
            }
            ValidationOrigin::Random => {
                prop_assert_eq!(strict, split.fallback.is_some());
                for label in 0..5 {
                    let of = |part: &[usize]| part.iter().filter(|&&at| items[at].label == label).count();
                    let wanted = (of(&trained) as f64 * rule.share).round() as usize;
                    prop_assert!(of(&split.valid) == wanted || split.valid.len() == 1);
                }
            }
            ValidationOrigin::Official => prop_assert!(false),
        }
    }
}

/// How far the labels of these speakers are from the share of every label; none where a label would leave training, or too much.
fn distance(items: &[Item], rule: &ValidationRule, held: &BTreeSet<Option<String>>) -> Option<f64> {
    let trained = items.iter().filter(|item| item.role == Role::Train);
    let (mut all, mut own) = ([0.0; 5], [0.0; 5]);
    for item in trained {
        all[item.label] += 1.0;
        own[item.label] += f64::from(u8::from(held.contains(&item.speaker)));
    }
    let total = |counts: &[f64; 5]| counts.iter().sum::<f64>();
    let emptied = (0..5).any(|label| all[label] > 0.0 && own[label] == all[label]);
    let allowed = !emptied && total(&own) <= rule.max_share * total(&all);
    let apart = (0..5).map(|label| (own[label] - rule.share * all[label]).abs());
    allowed.then(|| apart.sum())
}

fn balanced(speakers: usize, each: usize) -> Vec<Item> {
    (0..speakers * each)
        .map(|at| Item {
            key: format!("k{at:03}"),
            label: at % 5,
            target: Vec::new(),
            speaker: Some(format!("s{}", at / each)),
            role: Role::Train,
        })
        .collect()
}

#[test]
fn ten_equal_speakers_give_two() {
    let split = draw(&balanced(10, 20), &Protocol::strict().validation).unwrap();
    assert_eq!(split.speakers.len(), 2);
    assert_eq!((split.train_count, split.valid_count), (160, 40));
    let rule = ValidationRule {
        seed: 2,
        ..Protocol::strict().validation
    };
    let other = draw(&balanced(10, 20), &rule).unwrap();
    assert_ne!(
        split.speakers, other.speakers,
        "the seed chooses among equals"
    );
}

#[test]
fn fallbacks_say_why() {
    let rule = Protocol::strict().validation;
    let two = draw(&balanced(2, 50), &rule).unwrap();
    assert_eq!(two.origin, ValidationOrigin::Random);
    assert!(two.fallback.unwrap().contains("at most 40 %"));
    let one = draw(&balanced(1, 50), &rule).unwrap();
    assert!(one.fallback.unwrap().contains("one speaker"));
    let mut nameless = balanced(10, 20);
    nameless[3].speaker = None;
    let nameless = draw(&nameless, &rule).unwrap();
    assert!(
        nameless
            .fallback
            .unwrap()
            .contains("1 of 200 training utterances")
    );
}

#[test]
fn an_official_part_is_kept() {
    let mut items = balanced(10, 20);
    items[7].role = Role::Valid;
    let split = draw(&items, &Protocol::strict().validation).unwrap();
    assert_eq!(
        (split.origin, split.valid),
        (ValidationOrigin::Official, vec![7])
    );
}

#[test]
fn the_limit_itself_is_allowed_and_a_class_may_be_absent() {
    // 40 and 60 of 100 utterances, of two of the five classes.
    let mut items = balanced(10, 10);
    for (at, item) in items.iter_mut().enumerate() {
        item.label = at % 2;
        item.speaker = Some(if at < 40 { "few" } else { "many" }.to_owned());
    }
    let split = draw(&items, &Protocol::strict().validation).unwrap();
    assert_eq!(split.origin, ValidationOrigin::SpeakerDisjoint);
    assert_eq!(split.speakers, ["few"]);
}
