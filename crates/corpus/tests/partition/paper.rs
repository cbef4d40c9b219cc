//! The paper's rules and the release's own parts.

use crate::{CAFE, make, manifest, parts, registered};
use emobox_corpus::{Manifest, Role, Rule, Scheme};
use std::collections::BTreeMap;

#[test]
fn the_papers_rules_apply_by_speakers_and_balance() {
    let rule = |counts: &[Vec<usize>]| {
        let info = make(&manifest(counts), Scheme::Paper, 0).info;
        (info.rule, info.folds)
    };
    assert_eq!(rule(&vec![vec![8, 8]; 3]), (Rule::Stratified, 1));
    assert_eq!(rule(&vec![vec![8, 8]; 4]), (Rule::LeaveOneSpeakerOut, 4));
    assert_eq!(rule(&vec![vec![8, 8]; 6]), (Rule::LeaveOneSpeakerOut, 6));
    assert_eq!(rule(&vec![vec![8, 8]; 7]), (Rule::SpeakerFolds, 4));
    let mut unbalanced = vec![vec![8, 8]; 7];
    unbalanced[3] = vec![8, 7];
    assert_eq!(rule(&unbalanced), (Rule::Stratified, 1));
    let names = ["train", "valid", "test", "test2"];
    let official = parts(manifest(&unbalanced), |at| Some(names[at % 4]));
    let made = make(&official, Scheme::Paper, 0);
    assert_eq!(made.info.rule, Rule::OfficialSplit);
    assert_eq!(made.sizes()[0][&Role::Extra("test2".to_owned())], 27);
    let names = ["session0", "session1", "session2"];
    let official = parts(official, |at| Some(names[at % 3]));
    let made = make(&official, Scheme::Paper, 0);
    assert_eq!((made.info.rule, made.info.folds), (Rule::OfficialGroups, 3));
}

#[test]
fn a_quarter_of_each_raw_label_is_test_and_the_seed_matters() {
    let manifest = manifest(&[vec![9, 20, 3]]);
    let made = make(&manifest, Scheme::Paper, 0);
    let mut tested: BTreeMap<&str, usize> = BTreeMap::new();
    for key in made.keys(1, &Role::Test) {
        *tested.entry(key.split('-').nth(2).unwrap()).or_default() += 1;
    }
    assert_eq!(tested, BTreeMap::from([("0", 2), ("1", 5)]));
    assert_ne!(
        make(&manifest, Scheme::Paper, 1).assignments,
        made.assignments
    );
    assert!(
        made.info.reason.contains("1 speakers, fewer than 4"),
        "{}",
        made.info.reason
    );
}

#[test]
fn what_the_release_says_of_its_parts_decides() {
    let all = || manifest(&[vec![6, 6]]);
    let rule = |manifest: &Manifest| make(manifest, Scheme::Paper, 0).info.rule;
    let two = parts(all(), |at| Some(["train", "test"][at / 9]));
    let info = make(&two, Scheme::Paper, 0).info;
    assert_eq!(info.rule, Rule::OfficialSplit);
    assert!(info.reason.contains("(test 3, train 9)"), "{}", info.reason);
    // One of the two is not enough, nor is one group, nor parts beside groups, nor utterances of no group.
    let rest = |at: usize, part| Some(if at < 5 { part } else { "session1" });
    for part in ["train", "test", "valid", "test2", "session1"] {
        assert_eq!(
            rule(&parts(all(), |at| rest(at, part))),
            Rule::Stratified,
            "{part}"
        );
    }
    let some = parts(all(), |at| (at > 0).then_some(["a", "b"][at % 2]));
    assert_eq!(rule(&some), Rule::Stratified);
    assert_eq!(
        rule(&parts(all(), |at| Some(["a", "b"][at % 2]))),
        Rule::OfficialGroups
    );
    // Utterances of no part are in no fold of a split.
    let made = make(
        &parts(all(), |at| [Some("train"), Some("test"), None][at % 3]),
        Scheme::Paper,
        0,
    );
    assert_eq!((made.assignments.len(), made.info.in_no_fold), (8, 4));
}

#[test]
fn fold_k_tests_the_kth_group() {
    let groups = parts(manifest(&[vec![9]]), |at| Some(["b", "c", "a"][at % 3]));
    let made = make(&groups, Scheme::Paper, 0);
    assert_eq!(made.info.folds, 3);
    for (fold, group) in [(1, "a"), (2, "b"), (3, "c")] {
        let of_group = groups
            .utterances
            .iter()
            .filter(|u| u.split.as_deref() == Some(group));
        let keys: Vec<&str> = of_group.map(|u| u.key.as_str()).collect();
        assert_eq!(made.keys(fold, &Role::Test), keys);
        assert_eq!(made.keys(fold, &Role::Train).len(), 6);
    }
}

#[test]
fn a_part_of_a_balanced_corpus_is_tested_as_the_whole() {
    let info = |manifest: &Manifest| make(manifest, Scheme::Paper, 0).info;
    let whole = info(&registered("cafe", &CAFE, 4));
    assert_eq!((whole.rule, whole.folds), (Rule::SpeakerFolds, 4));
    assert!(
        whole.reason.starts_with("rule 4: 12 speakers"),
        "{}",
        whole.reason
    );
    // One utterance is missing: all others stay where they were.
    let all = registered("cafe", &CAFE, 4);
    let mut part = all.clone();
    let lost = part.utterances.remove(17).key;
    let (before, after) = (make(&all, Scheme::Paper, 5), make(&part, Scheme::Paper, 5));
    assert!(
        after
            .info
            .reason
            .starts_with("rule 4 as for the complete corpus")
    );
    let rest: Vec<_> = before
        .assignments
        .into_iter()
        .filter(|a| a.key != lost)
        .collect();
    assert_eq!(after.assignments, rest);
    // A speaker is missing, and the others are balanced.
    let eleven = info(&registered("cafe", &CAFE[1..], 4));
    assert!(
        eleven.reason.contains("88 utterances of 11 speakers"),
        "{}",
        eleven.reason
    );
    // So few that a fold would have nothing to test.
    let few = info(&registered("cafe", &CAFE[..3], 4));
    assert_eq!(few.rule, Rule::Stratified);
    assert!(few.reason.starts_with("NOT the folds"), "{}", few.reason);
    let savee = info(&registered("savee", &["JE", "KL", "DC"], 4));
    assert!(
        savee.reason.ends_with("rule 3 with speakers on both sides"),
        "{}",
        savee.reason
    );
    let emovo = info(&registered("emovo", &["f1", "f2", "f3", "m1"], 4));
    assert!(
        emovo
            .reason
            .ends_with("folds of the speakers that are here"),
        "{}",
        emovo.reason
    );
    assert_eq!((emovo.rule, emovo.folds), (Rule::LeaveOneSpeakerOut, 4));
    // Four of six folds are enough for nobody, all six are.
    let emovo = info(&registered(
        "emovo",
        &["f1", "f2", "f3", "m1", "m2", "m3"],
        4,
    ));
    assert_eq!(emovo.folds, 6);
    // A speaker who is not of the release, or not known: no longer a part of it.
    let stranger = info(&registered("savee", &["JE", "KL", "XX"], 4));
    assert!(
        stranger.reason.starts_with("rule 3: 3 speakers"),
        "{}",
        stranger.reason
    );
    let mut unknown = registered("savee", &["JE", "KL", "DC"], 4);
    unknown.utterances[0].speaker = None;
    let unknown = info(&unknown).reason;
    assert!(
        unknown.contains("1 utterances have no known speaker"),
        "{unknown}"
    );
}

#[test]
fn an_imbalance_is_described() {
    let reason = |counts: &[Vec<usize>]| make(&manifest(counts), Scheme::Paper, 0).info.reason;
    let none = reason(&[vec![1, 2], vec![2, 2], vec![3, 2], vec![4, 2]]);
    assert!(none.contains("no two have the same number"), "{none}");
    let three = reason(&[vec![4, 2], vec![4, 2], vec![3, 2], vec![4, 2]]);
    assert!(three.contains("only 3 share the same number"), "{three}");
}
