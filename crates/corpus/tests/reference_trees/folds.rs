use crate::harness::{Published, put};
use emobox_corpus::{
    CorpusError, Manifest, Partition, PartitionOptions, PublishedFolds, Role, Rule, Scheme, audit,
    entry, partition,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

type Lists<'a> = BTreeMap<(u32, String), BTreeSet<&'a str>>;

/// The published lists of keys by fold and part. MER2023's `test1` repeats its `test`.
fn lists(rows: &[Published]) -> Lists<'_> {
    let mut lists = Lists::new();
    for row in rows {
        for (part, fold) in row.split.split(' ').filter_map(|list| list.split_once(':')) {
            if part != "test1" {
                lists
                    .entry((fold.parse().unwrap(), part.to_owned()))
                    .or_default()
                    .insert(&row.key);
            }
        }
    }
    lists
}

/// Scheme `published` gives every published list, restricted to the rows that our manifest keeps: without metadata if a rule
/// suffices, otherwise from a copy of the metadata with only the full list (seeded draw) or with fold lists (EmoDB).
pub(crate) fn published(
    corpus: &str,
    rows: &[Published],
    manifest: &Manifest,
    folder: &Path,
) -> Partition {
    let expected = lists(rows);
    let folds = entry(corpus).unwrap().card.folds;
    let mut options = PartitionOptions {
        scheme: Scheme::Published,
        ..PartitionOptions::default()
    };
    if matches!(
        folds,
        PublishedFolds::Stratified | PublishedFolds::FixedLists(_)
    ) {
        let message = partition(manifest, &options).unwrap_err().to_string();
        assert!(message.contains("--metadata DIR"), "{message}");
    } else {
        compare(corpus, manifest, &options, &expected);
    }
    let data = folder.join("metadata copy").join("data").join(corpus);
    let line = |row: &Published| {
        format!(
            "{}\n",
            serde_json::json!({"key": row.key, "emo": row.raw_label})
        )
    };
    if folds == PublishedFolds::Stratified {
        put(
            &data,
            &format!("{corpus}.jsonl"),
            rows.iter().map(line).collect::<String>(),
        );
        options.metadata = Some(folder.join("metadata copy"));
        compare(corpus, manifest, &options, &expected);
    }
    // Fold lists exist under two names: the second is read if the first is absent.
    for ((fold, part), keys) in &expected {
        let members = || rows.iter().filter(|row| keys.contains(row.key.as_str()));
        if fold % 2 == 1 {
            let path = format!("fold_{fold}/{corpus}_{part}_fold_{fold}.jsonl");
            put(&data, &path, members().map(line).collect::<String>());
        } else {
            let object: serde_json::Map<_, _> = members()
                .map(|row| (row.key.clone(), serde_json::json!({"emo": row.raw_label})))
                .collect();
            put(
                &data,
                &format!("fold_{fold}/{corpus}_{part}_fold{fold}.json"),
                serde_json::to_string(&object).unwrap(),
            );
        }
    }
    options.metadata = Some(data);
    // MSP-Podcast's train list is lost.
    if corpus == "msppodcast" {
        options.metadata = None;
    }
    let made = compare(corpus, manifest, &options, &expected);
    assert_eq!(
        made.info.rule == Rule::PublishedLists,
        options.metadata.is_some()
    );
    made
}

fn compare(
    corpus: &str,
    manifest: &Manifest,
    options: &PartitionOptions,
    expected: &Lists<'_>,
) -> Partition {
    let made = partition(manifest, options).unwrap_or_else(|error| panic!("{error}"));
    let known: BTreeSet<&str> = manifest.utterances.iter().map(|u| u.key.as_str()).collect();
    let mut ours = Lists::new();
    for a in &made.assignments {
        ours.entry((a.fold, a.role.to_string()))
            .or_default()
            .insert(&a.key);
    }
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{corpus}: lists"
    );
    let mut differences = String::new();
    for (list, keys) in expected {
        let kept: BTreeSet<&str> = keys.intersection(&known).copied().collect();
        if kept != ours[list] {
            let _ = writeln!(
                differences,
                "{list:?}: {} published, {} ours",
                kept.len(),
                ours[list].len()
            );
        }
    }
    assert!(
        differences.is_empty(),
        "{corpus} ({:?}):\n{differences}",
        made.info.rule
    );
    made
}

/// Scheme `speaker` leaks no speaker, or is refused for lack of speakers.
pub(crate) fn no_speaker_on_both_sides(manifest: &Manifest) {
    let options = PartitionOptions {
        scheme: Scheme::Speaker,
        ..PartitionOptions::default()
    };
    match partition(manifest, &options) {
        Ok(made) => {
            let found = audit(manifest, &made, None);
            assert!(
                found.verdict.starts_with("no test speaker is in train"),
                "{}: {}",
                manifest.corpus,
                found.verdict
            );
            let tested: BTreeSet<&str> = (1..=made.info.folds)
                .flat_map(|fold| made.keys(fold, &Role::Test))
                .collect();
            assert!(
                made.info.rule == Rule::OfficialSplit || tested.len() == manifest.utterances.len()
            );
        }
        Err(CorpusError::NoPartition { reason, .. }) => {
            let unknown = manifest.utterances.iter().any(|u| u.speaker.is_none());
            assert!(
                unknown || manifest.speakers().len() < 3,
                "{}: {reason}",
                manifest.corpus
            );
        }
        Err(error) => panic!("{error}"),
    }
}
