use super::{Assignment, Plan, Role, Rule, cross_validation, draw, official};
use crate::{CorpusError, Manifest, PublishedFolds, registry};
use std::collections::{BTreeMap, BTreeSet};

/// The four rules of the paper's section 2.2.
///
/// "Balanced" means what it does in the published code: every speaker has exactly the same number of utterances of each raw
/// label. "25 % of each emotion" is, as there, floor(n / 4) of each raw label. Rule 2 precedes rule 3, so a corpus with an
/// official split keeps it even where the paper's text names it (M3ED) as an example of rule 3.
pub(super) fn plan(manifest: &Manifest, seed: u64) -> Result<Plan, CorpusError> {
    if let Some(plan) = official::plan(manifest) {
        return Ok(plan);
    }
    let speakers = manifest.speakers();
    let released = released_speakers(manifest, &speakers);
    let lacks = released
        .as_ref()
        .filter(|released| released.len() > speakers.len() || imbalance(manifest).is_some());
    if let Some(released) = lacks {
        return Ok(as_if_complete(manifest, &speakers, released, seed));
    }
    let without = manifest
        .utterances
        .iter()
        .filter(|u| u.speaker.is_none())
        .count();
    let reason = if without > 0 {
        format!("rule 3: {without} utterances have no known speaker")
    } else if speakers.len() < 4 {
        format!("rule 3: {} speakers, fewer than 4", speakers.len())
    } else if let Some(imbalance) = imbalance(manifest) {
        format!(
            "rule 3: {} speakers, unbalanced ({imbalance})",
            speakers.len()
        )
    } else {
        return Ok(speaker_folds(manifest, &speakers, seed));
    };
    Ok(Plan {
        rule: Rule::Stratified,
        reason,
        assignments: stratified(manifest, seed),
        not_in_manifest: Vec::new(),
    })
}

/// All speakers of a registered corpus for which the paper tests on held-out speakers: in the complete release all have the
/// same number of utterances of each emotion. `None` if the manifest has a speaker who is not in the release.
fn released_speakers(manifest: &Manifest, speakers: &[String]) -> Option<Vec<String>> {
    let mut registered = registry().iter();
    let entry = registered.find(|entry| entry.card.name == manifest.corpus)?;
    let mut released: Vec<String> = match entry.card.folds {
        PublishedFolds::LeaveOneSpeakerOut(list) => list.iter().map(|s| (*s).to_owned()).collect(),
        PublishedFolds::SpeakerLists(lists) => {
            let all = lists.iter().flat_map(|list| list.iter());
            all.map(|s| (*s).to_owned()).collect()
        }
        _ => return None,
    };
    released.sort_unstable();
    let all_known = manifest.utterances.iter().all(|u| u.speaker.is_some());
    let is_released = |speaker: &String| released.binary_search(speaker).is_ok();
    (all_known && speakers.iter().all(is_released)).then_some(released)
}

/// Rule 4 for a part of a corpus that is balanced when complete: every utterance is assigned as in the complete corpus, so that
/// a missing file does not change the assignment of others. If a fold would have nothing to test, the speakers present are
/// divided into folds of their own.
fn as_if_complete(
    manifest: &Manifest,
    speakers: &[String],
    released: &[String],
    seed: u64,
) -> Plan {
    let here = manifest.utterances.len();
    let plan = speaker_folds(manifest, released, seed);
    let folds = if released.len() <= 6 {
        released.len()
    } else {
        4
    };
    let tested: BTreeSet<u32> = plan
        .assignments
        .iter()
        .filter(|a| a.role == Role::Test)
        .map(|a| a.fold)
        .collect();
    let n = released.len();
    if tested.len() == folds {
        let reason = format!(
            "rule 4 as for the complete corpus, whose {n} speakers have the same number of utterances of each emotion; \
             {here} utterances of {} speakers are here",
            speakers.len()
        );
        return Plan { reason, ..plan };
    }
    let warning = format!(
        "NOT the folds of the complete corpus, which tests its {n} speakers apart: {here} utterances of {} speakers are \
         here, and some of its folds would have nothing to test",
        speakers.len()
    );
    if speakers.len() >= 4 {
        let plan = speaker_folds(manifest, speakers, seed);
        let reason = format!("{warning}; folds of the speakers that are here");
        return Plan { reason, ..plan };
    }
    Plan {
        rule: Rule::Stratified,
        reason: format!("{warning}; rule 3 with speakers on both sides"),
        assignments: stratified(manifest, seed),
        not_in_manifest: Vec::new(),
    }
}

/// Rule 4: as many folds as speakers if there are 4, 5 or 6, otherwise 4 with several speakers each.
fn speaker_folds(manifest: &Manifest, speakers: &[String], seed: u64) -> Plan {
    let n = speakers.len();
    let (folds, rule, order) = if n <= 6 {
        (
            n as u32,
            Rule::LeaveOneSpeakerOut,
            speakers.iter().map(String::as_str).collect(),
        )
    } else {
        (
            4,
            Rule::SpeakerFolds,
            draw::shuffled(seed, "speakers", speakers.iter().map(String::as_str)),
        )
    };
    let fold_of: BTreeMap<&str, u32> = order
        .into_iter()
        .enumerate()
        .map(|(i, speaker)| (speaker, i as u32 % folds + 1))
        .collect();
    let test_fold = |index: usize| {
        let speaker = manifest.utterances[index]
            .speaker
            .as_deref()
            .unwrap_or_default();
        fold_of.get(speaker).copied().unwrap_or(0)
    };
    Plan {
        rule,
        reason: format!(
            "rule 4: {n} speakers, each with the same number of utterances of each emotion"
        ),
        assignments: cross_validation(manifest, folds, test_fold),
        not_in_manifest: Vec::new(),
    }
}

/// Rule 3: a quarter of each raw label, drawn by the seed.
fn stratified(manifest: &Manifest, seed: u64) -> Vec<Assignment> {
    let mut by_label: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for utterance in &manifest.utterances {
        by_label
            .entry(&utterance.emo)
            .or_default()
            .push(&utterance.key);
    }
    let mut test = BTreeSet::new();
    for (label, keys) in by_label {
        let quarter = keys.len() / 4;
        test.extend(draw::shuffled(seed, label, keys).into_iter().take(quarter));
    }
    let role = |key: &str| {
        if test.contains(key) {
            Role::Test
        } else {
            Role::Train
        }
    };
    let assign = |u: &crate::Utterance| Assignment {
        fold: 1,
        key: u.key.clone(),
        role: role(&u.key),
    };
    manifest.utterances.iter().map(assign).collect()
}

/// How far the speakers are from equal counts of each raw label; `None` if they are equal.
fn imbalance(manifest: &Manifest) -> Option<String> {
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for utterance in &manifest.utterances {
        let speaker = utterance.speaker.as_deref().unwrap_or_default();
        *counts
            .entry(speaker)
            .or_default()
            .entry(&utterance.emo)
            .or_default() += 1;
    }
    let mut alike: BTreeMap<&BTreeMap<&str, usize>, usize> = BTreeMap::new();
    for count in counts.values() {
        *alike.entry(count).or_default() += 1;
    }
    let most = alike.values().max().copied().unwrap_or(0);
    match (alike.len(), most) {
        (1, _) => None,
        (_, 1) => Some("no two have the same number of utterances of each emotion".to_owned()),
        _ => Some(format!(
            "only {most} share the same number of utterances of each emotion"
        )),
    }
}
