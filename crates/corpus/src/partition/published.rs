use super::cpython_random::CpythonRandom;
use super::metadata::{ListedRow, Metadata};
use super::{Assignment, Plan, Role, Rule, Scheme, cross_validation, official, refuse};
use crate::{CorpusError, Manifest, PublishedFolds, entry};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

/// The seed of the published draw.
const SEED: u32 = 0;

/// The test keys of the published 25 % draw, in drawn order: `random.seed(0)`, then for each raw label in order of first
/// appearance `random.sample(keys, int(0.25 * n))`. `rows` are (key, raw label) in published order.
pub fn seeded_test_keys<'a>(rows: &[(&'a str, &str)]) -> Vec<&'a str> {
    let mut labels: Vec<&str> = Vec::new();
    let mut keys: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    for &(key, label) in rows {
        let list = keys.entry(label).or_default();
        if list.is_empty() {
            labels.push(label);
        }
        list.push(key);
    }
    let mut random = CpythonRandom::new(SEED);
    let mut test = Vec::new();
    for label in labels {
        let list = &keys[label];
        test.extend(
            random
                .sample(list.len(), list.len() / 4)
                .into_iter()
                .map(|index| list[index]),
        );
    }
    test
}

/// The published folds: read from the metadata if given, otherwise from the card's rule if that is sufficient.
pub(super) fn plan(manifest: &Manifest, metadata: Option<&Path>) -> Result<Plan, CorpusError> {
    let folds = match entry(&manifest.corpus) {
        Ok(entry) if entry.card.folds != PublishedFolds::NotPublished => entry.card.folds,
        _ => {
            return Err(refuse(
                manifest,
                Scheme::Published,
                "the corpus is not part of the published benchmark",
            ));
        }
    };
    if let Some(root) = metadata {
        return from_lists(manifest, root, folds);
    }
    let plan = |rule, assignments| {
        Ok(Plan {
            rule,
            reason: format!("published: {}", folds.describe()),
            assignments,
            not_in_manifest: Vec::new(),
        })
    };
    match folds {
        PublishedFolds::LeaveOneSpeakerOut(speakers) => {
            let lists: Vec<&[&str]> = speakers.iter().map(std::slice::from_ref).collect();
            plan(Rule::LeaveOneSpeakerOut, by_speaker(manifest, &lists)?)
        }
        PublishedFolds::SpeakerLists(lists) => {
            plan(Rule::SpeakerFolds, by_speaker(manifest, lists)?)
        }
        PublishedFolds::OfficialSplit | PublishedFolds::OfficialGroups(_)
            if manifest.utterances.iter().all(|u| u.split.is_none()) =>
        {
            Err(refuse(
                manifest,
                Scheme::Published,
                "the manifest has no `split`; prepare the corpus again or use --metadata DIR",
            ))
        }
        PublishedFolds::OfficialSplit => plan(Rule::OfficialSplit, official::split(manifest)),
        PublishedFolds::OfficialGroups(groups) => {
            plan(Rule::OfficialGroups, official::by_group(manifest, groups))
        }
        PublishedFolds::Stratified
        | PublishedFolds::FixedLists(_)
        | PublishedFolds::NotPublished => {
            let reason = format!(
                "its published folds ({}) are known only from the published metadata; name a copy with --metadata DIR",
                folds.describe()
            );
            Err(refuse(manifest, Scheme::Published, reason))
        }
    }
}

fn by_speaker(manifest: &Manifest, lists: &[&[&str]]) -> Result<Vec<Assignment>, CorpusError> {
    // The published speakers of JL-Corpus have the whole folder before the name.
    let name = |speaker: &str| speaker.rsplit('/').next().unwrap_or_default().to_owned();
    let fold_of = |speaker: &str| {
        lists
            .iter()
            .position(|list| list.contains(&name(speaker).as_str()))
    };
    let speakers = manifest
        .utterances
        .iter()
        .map(|u| u.speaker.as_deref().unwrap_or_default());
    let unlisted: BTreeSet<&str> = speakers
        .filter(|speaker| fold_of(speaker).is_none())
        .collect();
    if let Some(first) = unlisted.first() {
        let reason = format!(
            "{} speakers are in no published fold, the first is {first:?}",
            unlisted.len()
        );
        return Err(refuse(manifest, Scheme::Published, reason));
    }
    let test_fold = |index: usize| {
        let speaker = manifest.utterances[index]
            .speaker
            .as_deref()
            .unwrap_or_default();
        fold_of(speaker).map_or(0, |fold| fold as u32 + 1)
    };
    Ok(cross_validation(manifest, lists.len() as u32, test_fold))
}

fn from_lists(
    manifest: &Manifest,
    root: &Path,
    folds: PublishedFolds,
) -> Result<Plan, CorpusError> {
    let metadata = Metadata::open(root, &manifest.corpus)?;
    let mut lists = metadata.fold_lists()?;
    // MER2023 lists its test part twice, as `test` and as `test1`.
    lists.retain(|(_, part), _| part.as_str() != "test1");
    let mut rule = Rule::PublishedLists;
    let expected = folds.count() as u32;
    let complete = (1..=expected).all(|fold| {
        ["train", "test"]
            .iter()
            .all(|part| lists.contains_key(&(fold, (*part).to_owned())))
    });
    if !complete {
        let full = metadata.full_list()?;
        match (folds, full) {
            (PublishedFolds::Stratified, Some(full)) => {
                lists = draw_lists(&full);
                rule = Rule::PublishedDraw;
            }
            _ => {
                let found: Vec<String> = lists
                    .keys()
                    .map(|(fold, part)| format!("{part} {fold}"))
                    .collect();
                let reason = format!(
                    "{} lacks fold lists: train and test of {expected} folds are expected, found {}",
                    metadata.folder().display(),
                    if found.is_empty() {
                        "none".to_owned()
                    } else {
                        found.join(", ")
                    }
                );
                return Err(refuse(manifest, Scheme::Published, reason));
            }
        }
    }
    let known: HashSet<&str> = manifest.utterances.iter().map(|u| u.key.as_str()).collect();
    let mut assignments = Vec::new();
    let mut not_in_manifest = BTreeSet::new();
    let mut listed = 0;
    for ((fold, part), rows) in &lists {
        for row in rows {
            listed += 1;
            if known.contains(row.key.as_str()) {
                assignments.push(Assignment {
                    fold: *fold,
                    key: row.key.clone(),
                    role: Role::from(part.as_str()),
                });
            } else {
                not_in_manifest.insert(row.key.clone());
            }
        }
    }
    if assignments.is_empty() {
        let reason = format!(
            "none of the {listed} listed keys below {} is in the manifest",
            metadata.folder().display()
        );
        return Err(refuse(manifest, Scheme::Published, reason));
    }
    let joined = if not_in_manifest.is_empty() {
        "every listed key is in the manifest".to_owned()
    } else {
        format!(
            "{} listed keys are not in the manifest",
            not_in_manifest.len()
        )
    };
    let reason = format!("published: {}; {joined}", folds.describe());
    Ok(Plan {
        rule,
        reason,
        assignments,
        not_in_manifest: not_in_manifest.into_iter().collect(),
    })
}

/// The lists of the published draw, from the full list in published order.
fn draw_lists(full: &[ListedRow]) -> BTreeMap<(u32, String), Vec<ListedRow>> {
    let rows: Vec<(&str, &str)> = full
        .iter()
        .map(|row| (row.key.as_str(), row.emo.as_str()))
        .collect();
    let test: HashSet<&str> = seeded_test_keys(&rows).into_iter().collect();
    let (test, train) = full
        .iter()
        .cloned()
        .partition(|row| test.contains(row.key.as_str()));
    BTreeMap::from([
        ((1, "test".to_owned()), test),
        ((1, "train".to_owned()), train),
    ])
}
