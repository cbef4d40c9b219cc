//! Folds of whole speakers.

use crate::{make, manifest, test_speakers};
use emobox_corpus::{
    GroupBy, Manifest, Partition, PartitionOptions, Role, Rule, Scheme, partition,
};
use proptest::prelude::*;

fn divide(manifest: &Manifest, folds: Option<u32>, group_by: GroupBy) -> Result<Partition, String> {
    let options = PartitionOptions {
        scheme: Scheme::Speaker,
        folds,
        group_by,
        ..PartitionOptions::default()
    };
    partition(manifest, &options).map_err(|error| error.to_string())
}

#[test]
fn speaker_folds_refuse_what_cannot_be_split_and_offer_texts() {
    let mut two = manifest(&[vec![6], vec![6]]);
    let refused = |manifest: &Manifest| divide(manifest, None, GroupBy::Speaker).unwrap_err();
    assert!(
        refused(&two).contains("2 speakers (s00, s01), at least 3 are needed"),
        "{}",
        refused(&two)
    );
    for (index, u) in two.utterances.iter_mut().enumerate() {
        u.text = Some(format!("t{}", index % 3));
    }
    assert!(refused(&two).contains("3 texts"), "{}", refused(&two));
    let made = divide(&two, None, GroupBy::Text).unwrap();
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

/// The cost that speaker folds lower: squared distances from equal shares, each class weighted by its share.
fn unevenness(counts: &[Vec<usize>], fold_of: &[u32], folds: u32) -> f64 {
    let classes = 0..counts[0].len();
    let present = classes.filter(|&c| counts.iter().any(|speaker| speaker[c] > 0));
    let of_class = |class: usize| -> f64 {
        let total: usize = counts.iter().map(|speaker| speaker[class]).sum();
        let share = total as f64 / f64::from(folds);
        let apart = (1..=folds).map(|fold| {
            let own = counts.iter().zip(fold_of).filter(|(_, of)| **of == fold);
            let filled: usize = own.map(|(speaker, _)| speaker[class]).sum();
            (filled as f64 - share).powi(2) / share
        });
        apart.sum()
    };
    present.map(of_class).sum()
}

proptest! {
    #[test]
    fn no_move_and_no_exchange_of_speakers_makes_the_folds_more_even(
        counts in prop::collection::vec(prop::collection::vec(1..30_usize, 2..3), 7..14),
        folds in 2..6_u32,
    ) {
        let all = manifest(&counts);
        let made = divide(&all, Some(folds), GroupBy::Speaker).unwrap();
        let mut fold_of = vec![0; counts.len()];
        for fold in 1..=folds {
            for speaker in test_speakers(&all, &made, fold) {
                fold_of[speaker[1..].parse::<usize>().unwrap()] = fold;
            }
        }
        let reached = unevenness(&counts, &fold_of, folds);
        for a in 0..counts.len() {
            let alone = fold_of.iter().filter(|fold| **fold == fold_of[a]).count() == 1;
            for to in (1..=folds).filter(|_| !alone) {
                let mut moved = fold_of.clone();
                moved[a] = to;
                prop_assert!(unevenness(&counts, &moved, folds) > reached - 1e-6, "{} to fold {}", a, to);
            }
            for b in 0..a {
                let mut exchanged = fold_of.clone();
                exchanged.swap(a, b);
                prop_assert!(unevenness(&counts, &exchanged, folds) > reached - 1e-6, "{} for {}", a, b);
            }
        }
    }
}

#[test]
fn a_number_of_speaker_folds_is_possible_or_refused() {
    let all = manifest(&vec![vec![3, 3]; 8]);
    let made = |folds| divide(&all, Some(folds), GroupBy::Speaker);
    for folds in [0, 1, 9] {
        let refused = made(folds).unwrap_err();
        assert!(refused.contains("from 2 to 8 are possible"), "{refused}");
    }
    assert_eq!(made(2).unwrap().info.rule, Rule::SpeakerFolds);
    assert_eq!(made(8).unwrap().info.rule, Rule::LeaveOneSpeakerOut);
    assert_eq!(made(8).unwrap().info.folds, 8);
}

#[test]
fn two_texts_are_not_offered_instead_of_two_speakers() {
    let mut two = manifest(&[vec![6], vec![6]]);
    for (index, u) in two.utterances.iter_mut().enumerate() {
        u.text = Some(format!("t{}", index % 2));
    }
    for group_by in [GroupBy::Speaker, GroupBy::Text] {
        let refused = divide(&two, None, group_by).unwrap_err();
        assert!(refused.ends_with("at least 3 are needed"), "{refused}");
    }
}
