use super::{
    GroupBy, PartitionOptions, Plan, Role, Rule, Scheme, cross_validation, draw, official, refuse,
};
use crate::{CorpusError, Manifest};
use std::collections::{BTreeMap, BTreeSet};

/// Number of folds if there are more speakers than [`ONE_A_FOLD`].
const FOLDS: u32 = 5;
/// Up to this many speakers, each has a fold of its own.
const ONE_A_FOLD: usize = 6;
/// Pairwise exchange is tried up to this many speakers; beyond it single moves are enough to balance the folds.
const EXCHANGE_UP_TO: usize = 2000;
/// Largest number of improvement passes; in practice far fewer are needed.
const PASSES: usize = 50;

/// No speaker (or text) on both sides: the official split if it has that property, otherwise folds of whole speakers with label
/// counts made as equal as greedy placement and exchange can.
pub(super) fn plan(manifest: &Manifest, options: &PartitionOptions) -> Result<Plan, CorpusError> {
    let (word, by_text) = match options.group_by {
        GroupBy::Speaker => ("speaker", false),
        GroupBy::Text => ("text", true),
    };
    let group_of = |u: &'_ crate::Utterance| {
        if by_text {
            u.text.clone()
        } else {
            u.speaker.clone()
        }
    };
    let without = manifest
        .utterances
        .iter()
        .filter(|u| group_of(u).is_none())
        .count();
    if without > 0 {
        let all = manifest.utterances.len();
        return Err(refuse(
            manifest,
            Scheme::Speaker,
            format!("{without} of {all} utterances have no known {word}"),
        ));
    }
    let groups: Vec<String> = manifest.utterances.iter().filter_map(group_of).collect();
    let distinct: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
    if distinct.len() < 3 {
        let texts: BTreeSet<_> = manifest
            .utterances
            .iter()
            .filter_map(|u| u.text.as_deref())
            .collect();
        let instead = if !by_text && texts.len() >= 3 {
            format!(
                "; the corpus has {} texts: split by text if that is what you want",
                texts.len()
            )
        } else {
            String::new()
        };
        let reason = format!(
            "{} {word}s ({}), at least 3 are needed{instead}",
            distinct.len(),
            some(&distinct)
        );
        return Err(refuse(manifest, Scheme::Speaker, reason));
    }
    if options.folds.is_none()
        && let Some(official) =
            official::plan(manifest).filter(|plan| is_disjoint(manifest, plan, &groups))
    {
        let reason = format!("{}, and no {word} is on both sides", official.reason);
        return Ok(Plan { reason, ..official });
    }
    let n = distinct.len();
    let folds = options
        .folds
        .unwrap_or(if n <= ONE_A_FOLD { n as u32 } else { FOLDS });
    if folds < 2 || folds as usize > n {
        let reason =
            format!("{folds} folds asked for, from 2 to {n} are possible with {n} {word}s");
        return Err(refuse(manifest, Scheme::Speaker, reason));
    }
    let rule = match (by_text, folds as usize == n) {
        (true, _) => Rule::TextFolds,
        (false, true) => Rule::LeaveOneSpeakerOut,
        (false, false) => Rule::SpeakerFolds,
    };
    let fold_of = level_folds(manifest, &groups, folds as usize, options.seed);
    let test_fold = |index: usize| {
        fold_of
            .get(groups[index].as_str())
            .map_or(0, |fold| *fold as u32 + 1)
    };
    Ok(Plan {
        rule,
        reason: format!(
            "{n} {word}s in {folds} folds, label counts as equal as whole {word}s allow"
        ),
        assignments: cross_validation(manifest, folds, test_fold),
        not_in_manifest: Vec::new(),
    })
}

fn some(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Whether no group is both in train and in a test or validation part of the same fold.
fn is_disjoint(manifest: &Manifest, plan: &Plan, groups: &[String]) -> bool {
    let pairs = manifest.utterances.iter().zip(groups);
    let group_of: BTreeMap<&str, &str> = pairs
        .map(|(u, group)| (u.key.as_str(), group.as_str()))
        .collect();
    let mut sides: BTreeMap<(u32, &str), BTreeSet<bool>> = BTreeMap::new();
    for a in &plan.assignments {
        let group = group_of.get(a.key.as_str()).copied().unwrap_or_default();
        sides
            .entry((a.fold, group))
            .or_default()
            .insert(a.role == Role::Train);
    }
    sides.values().all(|sides| sides.len() == 1)
}

/// A speaker's number of utterances of each class.
type Counts = Vec<f64>;

/// Folds while they are filled. The cost is the sum over folds and classes of the squared distance from an equal share, each
/// class weighted by its share, so that rare classes count as much as common ones.
struct Level {
    share: Counts,
    filled: Vec<Counts>,
}

impl Level {
    fn cost(&self, fold: usize, change: impl Fn(usize) -> f64) -> f64 {
        let terms = self.share.iter().enumerate().map(|(class, share)| {
            let distance = self.filled[fold][class] + change(class) - share;
            distance * distance / share.max(f64::MIN_POSITIVE)
        });
        terms.sum()
    }

    fn add(&mut self, fold: usize, counts: &[f64], sign: f64) {
        for (filled, count) in self.filled[fold].iter_mut().zip(counts) {
            *filled += sign * count;
        }
    }

    /// The change in cost from moving `counts` from one fold to another (and `back` the other way).
    fn gain(&self, from: usize, to: usize, counts: &[f64], back: Option<&[f64]>) -> f64 {
        let net = |class: usize| counts[class] - back.map_or(0.0, |back| back[class]);
        let before = self.cost(from, |_| 0.0) + self.cost(to, |_| 0.0);
        before - self.cost(from, |class| -net(class)) - self.cost(to, net)
    }
}

/// The fold (from 0) of each group: the largest first, each into the fold where it costs least, then moves and exchanges while
/// they reduce the cost. The seed decides the order of groups of equal size.
fn level_folds<'a>(
    manifest: &Manifest,
    groups: &'a [String],
    folds: usize,
    seed: u64,
) -> BTreeMap<&'a str, usize> {
    let classes = manifest.classes();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for (utterance, group) in manifest.utterances.iter().zip(groups) {
        let class = classes.binary_search(&utterance.label).unwrap_or(0);
        counts
            .entry(group)
            .or_insert_with(|| vec![0.0; classes.len()])[class] += 1.0;
    }
    let mut total = vec![0.0; classes.len()];
    for count in counts.values() {
        total
            .iter_mut()
            .zip(count)
            .for_each(|(total, count)| *total += count);
    }
    let share = total.iter().map(|total| total / folds as f64).collect();
    let mut level = Level {
        share,
        filled: vec![vec![0.0; classes.len()]; folds],
    };
    let mut order: Vec<(&str, Counts)> = counts.into_iter().collect();
    order.sort_by(|(a, ca), (b, cb)| {
        let size = cb.iter().sum::<f64>().total_cmp(&ca.iter().sum::<f64>());
        size.then_with(|| draw::place(seed, "level", a).cmp(&draw::place(seed, "level", b)))
    });
    let mut fold_of = Vec::with_capacity(order.len());
    for (index, (_, count)) in order.iter().enumerate() {
        // The first groups go to one fold each, so that none stays empty.
        let added =
            |fold: usize| level.cost(fold, |class| count[class]) - level.cost(fold, |_| 0.0);
        let fold = if index < folds {
            index
        } else {
            (0..folds)
                .min_by(|&a, &b| added(a).total_cmp(&added(b)))
                .unwrap_or(0)
        };
        level.add(fold, count, 1.0);
        fold_of.push(fold);
    }
    for _ in 0..PASSES {
        let moved = improve_by_moves(&mut level, &order, &mut fold_of);
        let exchanged =
            order.len() <= EXCHANGE_UP_TO && improve_by_exchange(&mut level, &order, &mut fold_of);
        if !moved && !exchanged {
            break;
        }
    }
    order
        .into_iter()
        .map(|(group, _)| group)
        .zip(fold_of)
        .collect()
}

/// Far above the rounding error of sums of a few thousand terms, and below any real gain.
const LEAST_GAIN: f64 = 1e-9;

fn improve_by_moves(level: &mut Level, order: &[(&str, Counts)], fold_of: &mut [usize]) -> bool {
    let mut improved = false;
    for (index, (_, count)) in order.iter().enumerate() {
        // The only group of a fold never gains by leaving it: b + c lie no nearer to their shares than b and c apart.
        let from = fold_of[index];
        let others = (0..level.filled.len()).filter(|to| *to != from);
        let best = others
            .map(|to| (level.gain(from, to, count, None), to))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((gain, to)) = best.filter(|(gain, _)| *gain > LEAST_GAIN) {
            debug_assert!(gain.is_finite());
            level.add(from, count, -1.0);
            level.add(to, count, 1.0);
            fold_of[index] = to;
            improved = true;
        }
    }
    improved
}

fn improve_by_exchange(level: &mut Level, order: &[(&str, Counts)], fold_of: &mut [usize]) -> bool {
    let mut improved = false;
    for a in 0..order.len() {
        for b in a + 1..order.len() {
            let (from, to) = (fold_of[a], fold_of[b]);
            if from == to || level.gain(from, to, &order[a].1, Some(&order[b].1)) <= LEAST_GAIN {
                continue;
            }
            for (fold, index, sign) in
                [(from, a, -1.0), (to, a, 1.0), (to, b, -1.0), (from, b, 1.0)]
            {
                level.add(fold, &order[index].1, sign);
            }
            fold_of.swap(a, b);
            improved = true;
        }
    }
    improved
}
