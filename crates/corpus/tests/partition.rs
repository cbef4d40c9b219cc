//! Properties of partitions, and the published seeded draw on the published orders.

use emobox_corpus::{
    GroupBy, Manifest, Partition, PartitionOptions, Role, Rule, Scheme, Utterance, audit,
    partition, seeded_test_keys,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

fn utterance(key: &str, emo: &str, speaker: Option<&str>) -> Utterance {
    Utterance {
        key: key.to_owned(),
        dataset: "mine".to_owned(),
        wav: format!("{key}.wav"),
        r#type: "raw".to_owned(),
        sample_rate: 16_000,
        num_frame: 16_000,
        task: "category".to_owned(),
        length: 1.0,
        emo: emo.to_owned(),
        channel: 1,
        start_time: None,
        end_time: None,
        label: emo.to_owned(),
        speaker: speaker.map(str::to_owned),
        gender: None,
        language: None,
        text: None,
        split: None,
        valence: None,
        arousal: None,
        dominance: None,
        votes: BTreeMap::new(),
    }
}

/// `counts[speaker][label]` utterances.
fn manifest(counts: &[Vec<usize>]) -> Manifest {
    let mut utterances = Vec::new();
    for (speaker, labels) in counts.iter().enumerate() {
        for (label, &count) in labels.iter().enumerate() {
            for n in 0..count {
                utterances.push(utterance(
                    &format!("mine-{speaker}-{label}-{n}"),
                    &format!("label{label}"),
                    Some(&format!("s{speaker:02}")),
                ));
            }
        }
    }
    Manifest {
        corpus: "mine".to_owned(),
        utterances,
    }
}

fn make(manifest: &Manifest, scheme: Scheme, seed: u64) -> Partition {
    partition(
        manifest,
        &PartitionOptions {
            scheme,
            seed,
            ..PartitionOptions::default()
        },
    )
    .unwrap()
}

fn test_speakers(manifest: &Manifest, made: &Partition, fold: u32) -> BTreeSet<String> {
    let keys: BTreeSet<&str> = made.keys(fold, &Role::Test).into_iter().collect();
    manifest
        .utterances
        .iter()
        .filter(|u| keys.contains(u.key.as_str()))
        .filter_map(|u| u.speaker.clone())
        .collect()
}

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
    let mut official = manifest(&unbalanced);
    for (index, u) in official.utterances.iter_mut().enumerate() {
        u.split = Some(["train", "valid", "test", "test2"][index % 4].to_owned());
    }
    let made = make(&official, Scheme::Paper, 0);
    assert_eq!(made.info.rule, Rule::OfficialSplit);
    assert_eq!(made.sizes()[0][&Role::Extra("test2".to_owned())], 27);
    for (index, u) in official.utterances.iter_mut().enumerate() {
        u.split = Some(format!("session{}", index % 3));
    }
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
fn speaker_folds_refuse_what_cannot_be_split_and_offer_texts() {
    let mut two = manifest(&[vec![6], vec![6]]);
    let refused = |manifest: &Manifest| {
        let options = PartitionOptions {
            scheme: Scheme::Speaker,
            ..PartitionOptions::default()
        };
        partition(manifest, &options).unwrap_err().to_string()
    };
    assert!(
        refused(&two).contains("2 speakers (s00, s01), at least 3 are needed"),
        "{}",
        refused(&two)
    );
    for (index, u) in two.utterances.iter_mut().enumerate() {
        u.text = Some(format!("t{}", index % 3));
    }
    assert!(refused(&two).contains("3 texts"), "{}", refused(&two));
    let by_text = PartitionOptions {
        scheme: Scheme::Speaker,
        group_by: GroupBy::Text,
        ..PartitionOptions::default()
    };
    let made = partition(&two, &by_text).unwrap();
    assert_eq!((made.info.rule, made.info.folds), (Rule::TextFolds, 3));
    two.utterances[0].speaker = None;
    assert!(refused(&two).contains("1 of 12 utterances have no known speaker"));
    let none = PartitionOptions {
        scheme: Scheme::Published,
        ..PartitionOptions::default()
    };
    assert!(
        partition(&two, &none)
            .unwrap_err()
            .to_string()
            .contains("not part of the published benchmark")
    );
}

#[test]
fn speaker_folds_level_the_labels_and_keep_a_disjoint_official_split() {
    // Twelve speakers of very different sizes: no fold may miss its share of either label by much.
    let counts: Vec<Vec<usize>> = (0..12)
        .map(|s| vec![4 + 7 * (s % 5), 3 + 5 * (s % 3)])
        .collect();
    let all = manifest(&counts);
    let made = make(&all, Scheme::Speaker, 0);
    assert_eq!(made.info.folds, 5);
    for label in 0..2 {
        let total: usize = counts.iter().map(|c| c[label]).sum();
        for fold in 1..=5 {
            let keys = made.keys(fold, &Role::Test);
            let n = keys
                .iter()
                .filter(|key| key.split('-').nth(2) == Some(["0", "1"][label]))
                .count();
            let share = total as f64 / 5.0;
            assert!(
                (n as f64 - share).abs() < 0.35 * share,
                "fold {fold} label {label}: {n} of {share}"
            );
        }
    }
    let mut official = all.clone();
    for u in &mut official.utterances {
        u.split = Some(
            if u.speaker.as_deref() < Some("s09") {
                "train"
            } else {
                "test"
            }
            .to_owned(),
        );
    }
    assert_eq!(
        make(&official, Scheme::Speaker, 0).info.rule,
        Rule::OfficialSplit
    );
    official.utterances[0].split = Some("test".to_owned());
    assert_eq!(
        make(&official, Scheme::Speaker, 0).info.rule,
        Rule::SpeakerFolds
    );
}

#[test]
fn a_partition_survives_its_files_and_bad_lines_are_named() {
    let all = manifest(&vec![vec![5, 5]; 5]);
    let mut made = make(&all, Scheme::Paper, 7);
    made.info.audit = Some(audit(&all, &made, None));
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path()).unwrap();
    assert_eq!(Partition::read(folder.path()).unwrap(), made);
    made.check(&all).unwrap();
    let other = manifest(&[vec![1]]);
    assert!(
        made.check(&other)
            .unwrap_err()
            .to_string()
            .contains("49 of its keys"),
        "{:?}",
        made.check(&other)
    );
    let path = folder.path().join("partition.tsv");
    std::fs::write(
        &path,
        "key\tfold\trole\na\t1\ttest\na\t1\ttrain\nb\t9\ttest\nc\n",
    )
    .unwrap();
    let text = Partition::read(folder.path()).unwrap_err().to_string();
    for part in [
        "line 3: a is already in fold 1",
        "line 4: expected a key, a fold from 1 to 5",
        "line 5: expected 3",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_audit_counts_what_both_sides_share() {
    let mut all = manifest(&[vec![4, 4], vec![4, 4], vec![4, 4]]);
    for u in &mut all.utterances {
        u.text = Some(u.key.rsplit('-').next().unwrap().to_owned());
    }
    // A twin under another label: the same seconds of the same file.
    let twin = all.utterances[0].clone();
    all.utterances.push(Utterance {
        key: "mine-twin".to_owned(),
        emo: "label1".to_owned(),
        label: "label1".to_owned(),
        ..twin
    });
    let made = make(&all, Scheme::Paper, 0);
    let found = audit(&all, &made, None);
    assert!(
        found
            .verdict
            .contains("2 of 2 test speakers are in train (100.0 % of the test utterances)"),
        "{}",
        found.verdict
    );
    assert!(
        found
            .verdict
            .ends_with("1 recording has more than one label"),
        "{}",
        found.verdict
    );
    assert_eq!(found.label_conflicts[0].keys, ["mine-0-0-0", "mine-twin"]);
    let clean = audit(&all, &make(&all, Scheme::Speaker, 0), None);
    assert!(
        clean
            .verdict
            .starts_with("no test speaker is in train, 3 folds"),
        "{}",
        clean.verdict
    );
    let text = clean.to_string();
    assert!(text.contains("4 of 4 test texts are in train"), "{text}");
}

fn counts() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop_oneof![
        prop::collection::vec(prop::collection::vec(0..9_usize, 3), 1..12),
        (1..12_usize, prop::collection::vec(1..6_usize, 1..4))
            .prop_map(|(speakers, labels)| vec![labels; speakers]),
    ]
    .prop_filter("an utterance", |counts| {
        counts.iter().flatten().sum::<usize>() > 0
    })
}

proptest! {
    #[test]
    fn partitions_cover_everything_once_a_fold_and_ignore_order(counts in counts(), seed in any::<u64>(), shuffle in any::<u64>()) {
        let all = manifest(&counts);
        let mut mixed = all.clone();
        mixed.utterances.sort_by_key(|u| emobox_files::sha256_bytes(format!("{shuffle}{}", u.key).as_bytes()));
        for scheme in [Scheme::Paper, Scheme::Speaker] {
            let options = PartitionOptions { scheme, seed, ..PartitionOptions::default() };
            let made = partition(&all, &options);
            let again = partition(&mixed, &options);
            let (Ok(made), Ok(again)) = (made, again) else {
                prop_assert!(scheme == Scheme::Speaker && all.speakers().len() < 3);
                continue;
            };
            prop_assert_eq!(&made, &again);
            let keys: BTreeSet<&str> = all.utterances.iter().map(|u| u.key.as_str()).collect();
            for fold in 1..=made.info.folds {
                let fold: Vec<&str> = made.fold(fold).iter().map(|a| a.key.as_str()).collect();
                prop_assert_eq!(fold.len(), keys.len());
                prop_assert_eq!(fold.into_iter().collect::<BTreeSet<_>>(), keys.clone());
            }
            if made.info.rule != Rule::Stratified {
                let mut tested = BTreeSet::new();
                for fold in 1..=made.info.folds {
                    let speakers = test_speakers(&all, &made, fold);
                    prop_assert!(!speakers.is_empty());
                    for speaker in speakers {
                        prop_assert!(tested.insert(speaker), "a speaker is tested twice");
                    }
                    prop_assert!(audit(&all, &made, None).folds.iter().all(|fold| fold.overlaps.is_empty()));
                }
                prop_assert_eq!(tested.len(), all.speakers().len());
            }
        }
    }
}

const STRATIFIED: [&str; 16] = [
    "aesdd",
    "ased",
    "asvpesd",
    "cremad",
    "emns",
    "emovdb",
    "emozionalmente",
    "enterface",
    "mead",
    "mesd",
    "oreau",
    "pavoque",
    "shemo",
    "tess",
    "turevdb",
    "urdu",
];

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn the_published_draw_gives_the_test_lists_of_all_16_stratified_corpora() {
    for corpus in STRATIFIED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../../shared/reference/{corpus}.tsv.gz"));
        let file = std::fs::File::open(&path).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split('\t').collect())
            .collect();
        let pairs: Vec<(&str, &str)> = rows.iter().map(|row| (row[0], row[7])).collect();
        let drawn: BTreeSet<&str> = seeded_test_keys(&pairs).into_iter().collect();
        let published: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row[9] == "test:1")
            .map(|row| row[0])
            .collect();
        assert!(!published.is_empty());
        assert_eq!(drawn, published, "{corpus}");
    }
}

#[test]
fn a_scheme_has_one_name() {
    for (scheme, name) in [
        (Scheme::Paper, "paper"),
        (Scheme::Published, "published"),
        (Scheme::Speaker, "speaker"),
    ] {
        assert_eq!((scheme.name(), &*scheme.to_string()), (name, name));
        assert_eq!(name.parse(), Ok(scheme));
        assert_eq!(serde_json::to_value(scheme).unwrap(), name);
    }
    let unknown = "papers".parse::<Scheme>().unwrap_err();
    assert!(unknown.contains("paper, published, speaker"), "{unknown}");
}

#[test]
fn utterances_in_no_fold_are_counted() {
    let all = manifest(&vec![vec![5, 5]; 6]);
    for scheme in [Scheme::Paper, Scheme::Speaker] {
        let made = make(&all, scheme, 1);
        let keys = made.assignments.iter().map(|a| a.key.as_str());
        let covered: BTreeSet<&str> = keys.collect();
        assert_eq!(covered.len(), all.utterances.len());
        assert_eq!(made.info.in_no_fold, 0);
    }
}
