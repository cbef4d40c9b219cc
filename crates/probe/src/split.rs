use crate::random::{Purpose, shuffle, stream};
use crate::{FoldTask, ProbeError, Role, ValidationRule, ValidationScheme};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The utterances for training and for validation, and how they were split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationSplit {
    /// Positions of the training utterances.
    #[serde(skip)]
    pub train: Vec<usize>,
    /// Positions of the validation utterances.
    #[serde(skip)]
    pub valid: Vec<usize>,
    /// How the validation part was made.
    pub origin: ValidationOrigin,
    /// Number of training utterances.
    pub train_count: usize,
    /// Number of validation utterances.
    pub valid_count: usize,
    /// Speakers held out, if whole speakers were.
    pub speakers: Vec<String>,
    /// Why the speaker-disjoint split was impossible, if it was.
    pub fallback: Option<String>,
}

/// Where a validation part came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationOrigin {
    /// The partition's own.
    Official,
    /// Drawn at random within each label.
    Random,
    /// Whole speakers.
    SpeakerDisjoint,
}

/// Takes the partition's own validation part, or draws one from the training part by the rule. A pure function of the task's
/// items and the rule.
pub fn validation_split(
    task: &FoldTask<'_>,
    rule: &ValidationRule,
) -> Result<ValidationSplit, ProbeError> {
    let train = task.with_role(Role::Train);
    let official = task.with_role(Role::Valid);
    if !official.is_empty() {
        return Ok(split(train, official, ValidationOrigin::Official));
    }
    let fallback = match rule.scheme {
        ValidationScheme::Random => None,
        ValidationScheme::SpeakerDisjoint => match by_speaker(task, &train, rule) {
            Ok(found) => return Ok(found),
            Err(reason) => Some(reason),
        },
    };
    let valid = at_random(task, &train, rule);
    let rest = without(&train, &valid);
    if valid.is_empty() || rest.is_empty() {
        return Err(task.refuse(format!(
            "{} training utterances are too few to hold some out for validation",
            train.len()
        )));
    }
    Ok(ValidationSplit {
        fallback,
        ..split(rest, valid, ValidationOrigin::Random)
    })
}

fn split(train: Vec<usize>, valid: Vec<usize>, origin: ValidationOrigin) -> ValidationSplit {
    ValidationSplit {
        train_count: train.len(),
        valid_count: valid.len(),
        train,
        valid,
        origin,
        speakers: Vec::new(),
        fallback: None,
    }
}

fn without(all: &[usize], taken: &[usize]) -> Vec<usize> {
    // Both are sorted.
    let keep = |at: &&usize| taken.binary_search(at).is_err();
    all.iter().filter(keep).copied().collect()
}

/// The share of each label, rounded to the nearest count; one utterance of the most frequent label if all counts round to 0.
fn at_random(task: &FoldTask<'_>, train: &[usize], rule: &ValidationRule) -> Vec<usize> {
    let mut by_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in train {
        by_label.entry(task.items[at].label).or_default().push(at);
    }
    let mut rng = stream(rule.seed, Purpose::Validation);
    let mut valid = Vec::new();
    for members in by_label.values_mut() {
        shuffle(&mut rng, members);
        let wanted = (members.len() as f64 * rule.share).round() as usize;
        valid.extend_from_slice(&members[..wanted]);
    }
    if valid.is_empty() {
        let largest = by_label.values().max_by_key(|members| members.len());
        valid.extend(largest.and_then(|members| members.first()));
    }
    valid.sort_unstable();
    valid
}

/// Label counts of one speaker.
struct Speaker<'a> {
    name: &'a str,
    counts: Vec<f64>,
}

/// Whole speakers whose label counts come closest (in the sum of absolute differences) to the share of every label, found by
/// greedily adding the best speaker until none helps and then exchanging pairs. Every label keeps some training utterances, and
/// the share stays within its limit.
fn by_speaker(
    task: &FoldTask<'_>,
    train: &[usize],
    rule: &ValidationRule,
) -> Result<ValidationSplit, String> {
    let nameless = train.iter().filter(|&&at| task.items[at].speaker.is_none());
    let nameless = nameless.count();
    if nameless > 0 {
        return Err(format!(
            "{nameless} of {} training utterances have no known speaker",
            train.len()
        ));
    }
    let labels = task.items.iter().map(|item| item.label + 1);
    let classes = labels.max().unwrap_or(0).max(task.classes.len());
    let mut table: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut totals = vec![0.0; classes];
    for &at in train {
        let item = &task.items[at];
        let name = item.speaker.as_deref().unwrap_or_default();
        table.entry(name).or_insert_with(|| vec![0.0; classes])[item.label] += 1.0;
        totals[item.label] += 1.0;
    }
    if table.len() < 2 {
        return Err("the training part has one speaker only".into());
    }
    let mut speakers: Vec<Speaker<'_>> = table
        .into_iter()
        .map(|(name, counts)| Speaker { name, counts })
        .collect();
    // The seed, not the names, decides between equally good speakers.
    shuffle(&mut stream(rule.seed, Purpose::Validation), &mut speakers);
    let chosen = choose(&speakers, &totals, rule).ok_or_else(|| {
        format!(
            "no choice among the {} training speakers leaves every class in training and holds out \
             at most {:.0} % of the utterances",
            speakers.len(),
            rule.max_share * 100.0
        )
    })?;
    let mut names: Vec<&str> = chosen.iter().map(|&at| speakers[at].name).collect();
    names.sort_unstable();
    let held = |at: &usize| {
        let name = task.items[*at].speaker.as_deref().unwrap_or_default();
        names.binary_search(&name).is_ok()
    };
    let valid: Vec<usize> = train.iter().copied().filter(held).collect();
    let rest = without(train, &valid);
    Ok(ValidationSplit {
        speakers: names.into_iter().map(str::to_owned).collect(),
        ..split(rest, valid, ValidationOrigin::SpeakerDisjoint)
    })
}

fn choose(speakers: &[Speaker<'_>], totals: &[f64], rule: &ValidationRule) -> Option<Vec<usize>> {
    let all: f64 = totals.iter().sum();
    // The distance from the target counts; infinite where a condition is violated.
    let cost = |counts: &[f64]| {
        let emptied = counts.iter().zip(totals).any(|(c, t)| *t > 0.0 && c >= t);
        if emptied || counts.iter().sum::<f64>() > rule.max_share * all {
            return f64::INFINITY;
        }
        let distance = |(c, t): (&f64, &f64)| (c - rule.share * t).abs();
        counts.iter().zip(totals).map(distance).sum::<f64>()
    };
    let sum = |a: &[f64], b: &[f64], sign: f64| -> Vec<f64> {
        a.iter().zip(b).map(|(x, y)| x + sign * y).collect()
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut counts = vec![0.0; totals.len()];
    let mut best = f64::INFINITY;
    loop {
        let free = (0..speakers.len()).filter(|at| !chosen.contains(at));
        let next = free
            .map(|at| (cost(&sum(&counts, &speakers[at].counts, 1.0)), at))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        match next {
            Some((value, at)) if value < best => {
                best = value;
                counts = sum(&counts, &speakers[at].counts, 1.0);
                chosen.push(at);
            }
            _ => break,
        }
    }
    if chosen.is_empty() {
        return None;
    }
    // A few rounds of exchanges improve on the greedy choice; no round makes it worse.
    for _ in 0..4 {
        let before = best;
        for slot in 0..chosen.len() {
            let base = sum(&counts, &speakers[chosen[slot]].counts, -1.0);
            for (other, candidate) in speakers.iter().enumerate() {
                if chosen.contains(&other) {
                    continue;
                }
                let moved = sum(&base, &candidate.counts, 1.0);
                let value = cost(&moved);
                if value < best - 1e-9 {
                    (best, counts) = (value, moved);
                    chosen[slot] = other;
                    break;
                }
            }
        }
        if best == before {
            break;
        }
    }
    Some(chosen)
}
