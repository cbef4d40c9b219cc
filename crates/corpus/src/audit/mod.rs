//! Leaks and gaps of a partition: speakers, texts and recordings on both sides, absent classes, label conflicts, and, if the
//! audio was read, twins, clipping, silence, offsets and unusual lengths.

mod sound;
mod text;

use crate::{Manifest, Partition, Role, Utterance};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use sound::{AudioAudit, Flagged, Sound, Twins, scan_audio};

/// Number of examples kept of a list of names.
const EXAMPLES: usize = 10;

/// Findings on one manifest and partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The most important findings, in one line.
    pub verdict: String,
    /// Fold by fold.
    pub folds: Vec<FoldAudit>,
    /// Groups of utterances with the same part of the same file but different labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_conflicts: Vec<LabelConflict>,
    /// Findings in the audio itself, if it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioAudit>,
}

/// Findings on one fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldAudit {
    /// The fold, from 1.
    pub fold: u32,
    /// Utterances by part.
    pub sizes: BTreeMap<String, usize>,
    /// What two parts share; empty if nothing is shared.
    pub overlaps: Vec<Overlap>,
    /// Distinct speakers of the test part, if all are known.
    pub test_speakers: Option<usize>,
    /// Classes of the corpus that a part lacks.
    pub absent: Vec<Absent>,
}

/// What two parts of a fold share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// What is shared.
    pub what: Shared,
    /// The part trained or validated on.
    pub seen: String,
    /// The part evaluated.
    pub judged: String,
    /// Distinct values in the evaluated part.
    pub of: usize,
    /// Those that also occur in the other part.
    pub shared: usize,
    /// Utterances of the evaluated part that have a shared value.
    pub utterances: usize,
    /// Utterances of the evaluated part.
    pub of_utterances: usize,
    /// Some of the shared values.
    pub examples: Vec<String>,
}

/// Kinds of things that two parts can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shared {
    /// The same person.
    Speakers,
    /// The same sentence.
    Texts,
    /// Overlapping parts of the same file, or, if the audio was read, the same samples up to gain.
    Recordings,
}

impl Shared {
    /// The plural noun.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Speakers => "speakers",
            Self::Texts => "texts",
            Self::Recordings => "recordings",
        }
    }
}

/// A class that a part lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The harmonised class.
    pub class: String,
    /// The part.
    pub part: String,
}

/// The same audio under different labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelConflict {
    /// The utterances.
    pub keys: Vec<String>,
    /// Their raw labels, in the same order.
    pub labels: Vec<String>,
}

/// Audits a partition. Without `sound` only the manifest is checked, which is fast; with the result of [`scan_audio`],
/// recordings are compared by their samples.
pub fn audit(manifest: &Manifest, partition: &Partition, sound: Option<&[Sound]>) -> Audit {
    let of_key: BTreeMap<&str, usize> = manifest
        .utterances
        .iter()
        .enumerate()
        .map(|(i, u)| (u.key.as_str(), i))
        .collect();
    let recordings = match sound {
        Some(sound) => sound::recordings(manifest, sound),
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
    let audio = sound.map(|sound| sound::findings(manifest, sound));
    let verdict = text::verdict(manifest, &folds, &label_conflicts);
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

/// Groups recordings by the manifest alone: overlapping segments of one channel of one file are the same recording.
fn same_place(manifest: &Manifest) -> Vec<usize> {
    let mut recordings: Vec<usize> = (0..manifest.utterances.len()).collect();
    let place = |index: usize| {
        let u = &manifest.utterances[index];
        (&u.wav, u.channel, u.start_time.unwrap_or(0.0))
    };
    let mut order = recordings.clone();
    order.sort_by(|&a, &b| {
        let ((wav_a, channel_a, start_a), (wav_b, channel_b, start_b)) = (place(a), place(b));
        (wav_a, channel_a)
            .cmp(&(wav_b, channel_b))
            .then(start_a.total_cmp(&start_b))
            .then(a.cmp(&b))
    });
    let mut end = f64::NEG_INFINITY;
    for pair in order.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let (u, v) = (&manifest.utterances[before], &manifest.utterances[after]);
        let same_file = (&u.wav, u.channel) == (&v.wav, v.channel);
        end = if same_file {
            end.max(end_of(u))
        } else {
            f64::NEG_INFINITY
        };
        // Adjacent segments may share a rounded border.
        if same_file && v.start_time.unwrap_or(0.0) + BORDER < end {
            recordings[after] = recordings[before];
        }
    }
    recordings
}

/// Segments that overlap by less than this many seconds are adjacent, not twins.
const BORDER: f64 = 0.05;

fn end_of(utterance: &Utterance) -> f64 {
    utterance.end_time.unwrap_or(f64::INFINITY)
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
