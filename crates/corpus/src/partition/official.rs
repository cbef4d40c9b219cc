use super::{Assignment, Plan, Role, Rule, cross_validation};
use crate::Manifest;
use std::collections::BTreeMap;

/// The release's own partition, if the manifest's `split` fields define one.
///
/// Parts named `train` and `test` make one fold (with `valid` and `test2`…); otherwise each part is a group, tested in its own
/// fold. Utterances without a part are in no fold.
pub(super) fn plan(manifest: &Manifest) -> Option<Plan> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for split in manifest
        .utterances
        .iter()
        .filter_map(|u| u.split.as_deref())
    {
        *sizes.entry(split).or_default() += 1;
    }
    let list = sizes
        .iter()
        .map(|(part, n)| format!("{part} {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    if sizes.contains_key("train") && sizes.contains_key("test") {
        return Some(Plan {
            rule: Rule::OfficialSplit,
            reason: format!("the release has its own split ({list})"),
            assignments: split(manifest),
            not_in_manifest: Vec::new(),
        });
    }
    let is_part = |part: &&str| matches!(*part, "train" | "valid") || part.starts_with("test");
    let whole = manifest.utterances.iter().all(|u| u.split.is_some());
    if sizes.len() < 2 || !whole || sizes.keys().any(is_part) {
        return None;
    }
    let groups: Vec<&str> = sizes.keys().copied().collect();
    Some(Plan {
        rule: Rule::OfficialGroups,
        reason: format!("the release has its own groups ({list})"),
        assignments: by_group(manifest, &groups),
        not_in_manifest: Vec::new(),
    })
}

/// One fold from the parts.
pub(super) fn split(manifest: &Manifest) -> Vec<Assignment> {
    let part = |u: &crate::Utterance| {
        let role = Role::from(u.split.as_deref()?);
        Some(Assignment {
            fold: 1,
            key: u.key.clone(),
            role,
        })
    };
    manifest.utterances.iter().filter_map(part).collect()
}

/// Fold k tests the k-th group.
pub(super) fn by_group(manifest: &Manifest, groups: &[&str]) -> Vec<Assignment> {
    let fold_of = |index: usize| {
        let split = manifest.utterances[index]
            .split
            .as_deref()
            .unwrap_or_default();
        groups
            .iter()
            .position(|group| *group == split)
            .map_or(0, |k| k as u32 + 1)
    };
    cross_validation(manifest, groups.len() as u32, fold_of)
}
