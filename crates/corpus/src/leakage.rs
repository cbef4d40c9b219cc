//! The audit of a partition: what its sides share, and what a side lacks.

use crate::audit::{Absent, Audit, FoldAudit, LabelConflict, Overlap, Shared, Sound};
use crate::audit::{findings, recordings, same_place, verdict};
use crate::{Manifest, Partition, Role, Utterance};
use std::collections::{BTreeMap, BTreeSet};

/// Number of examples kept of a list of names.
const EXAMPLES: usize = 10;

/// Audits a partition. Without `sound` only the manifest is checked, which is fast; with the result of [`crate::scan_audio`],
/// recordings are compared by their samples.
pub fn audit(manifest: &Manifest, partition: &Partition, sound: Option<&[Sound]>) -> Audit {
    let of_key: BTreeMap<&str, usize> = manifest
        .utterances
        .iter()
        .enumerate()
        .map(|(i, u)| (u.key.as_str(), i))
        .collect();
    let recordings = match sound {
        Some(sound) => recordings(manifest, sound),
        None => same_place(manifest),
    };
    let view = View {
        manifest,
        recordings: &recordings,
    };
    let folds: Vec<FoldAudit> = (1..=partition.info.folds)
        .map(|fold| {
            let mut parts: BTreeMap<&Role, Vec<usize>> = BTreeMap::new();
            for assignment in partition.fold(fold) {
                if let Some(&index) = of_key.get(assignment.key.as_str()) {
                    parts.entry(&assignment.role).or_default().push(index);
                }
            }
            view.fold(fold, &parts)
        })
        .collect();
    let label_conflicts = conflicts(manifest, &recordings);
    let audio = sound.map(|sound| findings(manifest, sound));
    let verdict = verdict(manifest, &folds, &label_conflicts);
    Audit {
        verdict,
        folds,
        label_conflicts,
        audio,
    }
}

struct View<'a> {
    manifest: &'a Manifest,
    /// A number for each utterance; equal numbers mean the same recording.
    recordings: &'a [usize],
}

impl View<'_> {
    fn fold(&self, fold: u32, parts: &BTreeMap<&Role, Vec<usize>>) -> FoldAudit {
        let sizes = parts
            .iter()
            .map(|(role, members)| (role.to_string(), members.len()))
            .collect();
        let mut overlaps = Vec::new();
        for (seen, judged) in pairs(parts) {
            let (seen_in, judged_in) = (&parts[seen], &parts[judged]);
            let speaker = |index: usize| self.manifest.utterances[index].speaker.clone();
            let text = |index: usize| self.manifest.utterances[index].text.clone();
            let recording =
                |index: usize| Some(self.manifest.utterances[self.recordings[index]].key.clone());
            let found = [
                shared(Shared::Speakers, seen_in, judged_in, speaker),
                shared(Shared::Texts, seen_in, judged_in, text),
                shared(Shared::Recordings, seen_in, judged_in, recording),
            ];
            for overlap in found.into_iter().flatten() {
                overlaps.push(Overlap {
                    seen: seen.to_string(),
                    judged: judged.to_string(),
                    ..overlap
                });
            }
        }
        let test = parts
            .get(&Role::Test)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let speakers: Option<BTreeSet<&str>> = test
            .iter()
            .map(|&i| self.manifest.utterances[i].speaker.as_deref())
            .collect();
        let mut absent = Vec::new();
        for class in self.manifest.classes() {
            for (role, members) in parts {
                if !members
                    .iter()
                    .any(|&i| self.manifest.utterances[i].label == class)
                {
                    absent.push(Absent {
                        class: class.clone(),
                        part: role.to_string(),
                    });
                }
            }
        }
        let test_speakers = speakers.filter(|_| !test.is_empty()).map(|set| set.len());
        FoldAudit {
            fold,
            sizes,
            overlaps,
            test_speakers,
            absent,
        }
    }
}

/// Pairs of a part and one evaluated after it: train before all, valid before the test parts.
fn pairs<'a>(parts: &BTreeMap<&'a Role, Vec<usize>>) -> Vec<(&'a Role, &'a Role)> {
    let roles: Vec<&Role> = parts.keys().copied().collect();
    let mut pairs = Vec::new();
    for &seen in roles
        .iter()
        .filter(|role| matches!(role, Role::Train | Role::Valid))
    {
        let judged = roles
            .iter()
            .filter(|judged| **judged > seen && ***judged != Role::Train);
        pairs.extend(judged.map(|&judged| (seen, judged)));
    }
    pairs
}

fn shared(
    what: Shared,
    seen: &[usize],
    judged: &[usize],
    value: impl Fn(usize) -> Option<String>,
) -> Option<Overlap> {
    let seen: BTreeSet<String> = seen.iter().filter_map(|&index| value(index)).collect();
    let of: BTreeSet<String> = judged.iter().filter_map(|&index| value(index)).collect();
    let both: BTreeSet<&String> = of.intersection(&seen).collect();
    if both.is_empty() {
        return None;
    }
    Some(Overlap {
        what,
        seen: String::new(),
        judged: String::new(),
        of: of.len(),
        shared: both.len(),
        utterances: judged
            .iter()
            .filter(|&&index| value(index).is_some_and(|value| both.contains(&value)))
            .count(),
        of_utterances: judged.len(),
        examples: both
            .iter()
            .take(EXAMPLES)
            .map(|value| (*value).clone())
            .collect(),
    })
}

fn conflicts(manifest: &Manifest, recordings: &[usize]) -> Vec<LabelConflict> {
    let mut groups: BTreeMap<usize, Vec<&Utterance>> = BTreeMap::new();
    for (utterance, recording) in manifest.utterances.iter().zip(recordings) {
        groups.entry(*recording).or_default().push(utterance);
    }
    let differ = |group: &&Vec<&Utterance>| group.iter().any(|u| u.label != group[0].label);
    let conflict = |group: &Vec<&Utterance>| LabelConflict {
        keys: group.iter().map(|u| u.key.clone()).collect(),
        labels: group.iter().map(|u| u.emo.clone()).collect(),
    };
    groups.values().filter(differ).map(conflict).collect()
}
