//! Properties of partitions of all schemes.

mod paper;
mod published;
mod speaker;

use emobox_corpus::{
    Manifest, Partition, PartitionOptions, Role, Rule, Scheme, Utterance, audit, partition,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn utterance(key: &str, emo: &str, speaker: Option<&str>) -> Utterance {
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
pub(crate) fn manifest(counts: &[Vec<usize>]) -> Manifest {
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

pub(crate) fn make(manifest: &Manifest, scheme: Scheme, seed: u64) -> Partition {
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

pub(crate) fn test_speakers(manifest: &Manifest, made: &Partition, fold: u32) -> BTreeSet<String> {
    let keys: BTreeSet<&str> = made.keys(fold, &Role::Test).into_iter().collect();
    manifest
        .utterances
        .iter()
        .filter(|u| keys.contains(u.key.as_str()))
        .filter_map(|u| u.speaker.clone())
        .collect()
}

/// Puts every utterance into the part that its position gives.
pub(crate) fn parts(
    mut manifest: Manifest,
    part: impl Fn(usize) -> Option<&'static str>,
) -> Manifest {
    for (index, u) in manifest.utterances.iter_mut().enumerate() {
        u.split = part(index).map(str::to_owned);
    }
    manifest
}

/// Utterances of a registered corpus: two labels of every speaker, `each` times.
pub(crate) fn registered(corpus: &str, speakers: &[&str], each: usize) -> Manifest {
    let mut made = manifest(&vec![vec![each; 2]; speakers.len()]);
    made.corpus = corpus.to_owned();
    for u in &mut made.utterances {
        let number = u.speaker.as_ref().unwrap()[1..].parse::<usize>().unwrap();
        u.speaker = Some(speakers[number].to_owned());
    }
    made
}

pub(crate) const CAFE: [&str; 12] = [
    "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12",
];

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

#[test]
fn every_rule_has_its_own_words() {
    let rules = [
        Rule::OfficialSplit,
        Rule::OfficialGroups,
        Rule::Stratified,
        Rule::LeaveOneSpeakerOut,
        Rule::SpeakerFolds,
        Rule::TextFolds,
        Rule::PublishedLists,
        Rule::PublishedDraw,
        Rule::WholeCorpus,
    ];
    let words: BTreeSet<&str> = rules.iter().map(|rule| rule.describe()).collect();
    assert_eq!(words.len(), rules.len());
    assert!(
        words
            .iter()
            .all(|words| words.contains(char::is_alphabetic) && *words != "xyzzy")
    );
}

#[test]
fn every_version_draws_the_same_partitions() {
    let uneven: Vec<Vec<usize>> = (0..40_usize)
        .map(|s| vec![1 + s * 7 % 11, 2 + s * 5 % 7, 1 + s * s % 5, s % 3])
        .collect();
    let (uneven, equal) = (manifest(&uneven), manifest(&vec![vec![6, 3]; 9]));
    let digests = [
        (&uneven, Scheme::Speaker),
        (&uneven, Scheme::Paper),
        (&equal, Scheme::Paper),
    ]
    .map(|(all, scheme)| {
        let made = make(all, scheme, 7);
        (made.info.rule, made.digest().short().to_owned())
    });
    let pinned = [
        (Rule::SpeakerFolds, "730fac80131b"),
        (Rule::Stratified, "bcd2c072625e"),
        (Rule::SpeakerFolds, "db5ea3985392"),
    ];
    assert_eq!(
        digests,
        pinned.map(|(rule, digest)| (rule, digest.to_owned()))
    );
}
