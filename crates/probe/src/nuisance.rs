//! How well emotion can be predicted from properties of the recording that are unrelated to it.

use crate::ProbeError;

/// Number of neighbours that vote.
const NEIGHBOURS: usize = 15;

/// Predicts classes from a few numbers of each recording (duration, level, noise floor, rate, channels) by its nearest
/// neighbours in the training part: a baseline that should be near chance on a sound partition.
///
/// `features` are `[item][number]`; of `labels` only those of `train` are read. Numbers are replaced by their ranks among the
/// training items, so that units do not matter; each of the fifteen nearest (Cover & Hart, "Nearest neighbor pattern
/// classification", 1967) votes with weight 1 / (size of its class), so that frequent classes have no advantage. Ties go to the
/// earlier item and class. Predictions are those of `test`, in its order.
///
/// # Errors
/// No training items; items without features or labels; rows of unequal length; numbers that are not finite.
pub fn nuisance_baseline(
    features: &[Vec<f64>],
    labels: &[usize],
    train: &[usize],
    test: &[usize],
) -> Result<Vec<usize>, ProbeError> {
    let refuse = |problem: String| ProbeError::Fold {
        corpus: "nuisance baseline".to_owned(),
        fold: 0,
        problem,
    };
    let width = features.first().map_or(0, Vec::len);
    if train.is_empty() {
        return Err(refuse("no training items".to_owned()));
    }
    let whole = |at: usize| {
        let row = features.get(at).filter(|row| row.len() == width);
        row.is_some_and(|row| row.iter().all(|x| x.is_finite()))
    };
    let unfit = |&&at: &&usize| !whole(at);
    if let Some(at) = train.iter().chain(test).find(unfit) {
        return Err(refuse(format!("item {at} has not {width} finite numbers")));
    }
    if let Some(at) = train.iter().find(|&&at| at >= labels.len()) {
        return Err(refuse(format!("item {at} has no label")));
    }
    let classes = train.iter().map(|&at| labels[at] + 1).max().unwrap_or(0);
    let mut sizes = vec![0.0_f64; classes];
    for &at in train {
        sizes[labels[at]] += 1.0;
    }
    let sorted: Vec<Vec<f64>> = (0..width)
        .map(|column| {
            let mut values: Vec<f64> = train.iter().map(|&at| features[at][column]).collect();
            values.sort_by(f64::total_cmp);
            values
        })
        .collect();
    // Twice the middle of the range of ranks of a value among the training items: whole numbers, so that distances that should
    // tie do.
    let rank = |column: usize, value: f64| {
        let values = &sorted[column];
        let below = values.partition_point(|x| *x < value);
        let up_to = values.partition_point(|x| *x <= value);
        (below + up_to) as f64
    };
    let ranks = |at: usize| -> Vec<f64> {
        let row = features[at].iter().enumerate();
        row.map(|(column, &value)| rank(column, value)).collect()
    };
    let known: Vec<(Vec<f64>, usize)> = train.iter().map(|&at| (ranks(at), labels[at])).collect();
    let answer = |&at: &usize| {
        let own = ranks(at);
        let apart = known
            .iter()
            .map(|(other, _)| -> f64 { own.iter().zip(other).map(|(x, y)| (x - y).powi(2)).sum() });
        let mut near: Vec<(f64, usize)> = apart.zip(0..).collect();
        // Only which are the nearest is needed, not their order.
        let nearer = |x: &(f64, usize), y: &(f64, usize)| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1));
        if near.len() > NEIGHBOURS {
            near.select_nth_unstable_by(NEIGHBOURS, nearer);
            near.truncate(NEIGHBOURS);
        }
        let mut votes = vec![0.0; classes];
        for &(_, at) in &near {
            votes[known[at].1] += 1.0;
        }
        // Votes are divided once: equal shares of classes of different size are equal numbers.
        for (votes, size) in votes.iter_mut().zip(&sizes) {
            *votes /= size.max(1.0);
        }
        crate::most_probable(&votes)
    };
    Ok(test.iter().map(answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(counter: usize) -> f64 {
        // SplitMix64.
        let mut mixed = (counter as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn right(features: &[Vec<f64>], labels: &[usize]) -> f64 {
        let (train, test): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|i| i % 3 > 0);
        let found = nuisance_baseline(features, labels, &train, &test).unwrap();
        let hits = test
            .iter()
            .zip(&found)
            .filter(|(at, p)| labels[**at] == **p);
        hits.count() as f64 / test.len() as f64
    }

    #[test]
    fn a_duration_that_gives_the_class_away_is_found_and_noise_is_not() {
        let labels: Vec<usize> = (0..600).map(|i| i / 7 % 4).collect();
        let told: Vec<Vec<f64>> = (0..600)
            .map(|i| vec![labels[i] as f64 + number(2 * i), 1e6 * number(2 * i + 1)])
            .collect();
        assert!(right(&told, &labels) > 0.9);
        let noise: Vec<Vec<f64>> = (0..600).map(|i| vec![number(i), 16_000.0]).collect();
        let chance = right(&noise, &labels);
        assert!((0.15..0.35).contains(&chance), "{chance}");
    }

    #[test]
    fn many_items_of_a_class_do_not_win() {
        // Nine in ten are of class 0; the numbers are unrelated to the class, so both classes should be predicted about equally
        // often.
        let labels: Vec<usize> = (0..1000).map(|i| usize::from(i % 10 == 0)).collect();
        let noise: Vec<Vec<f64>> = (0..1000).map(|i| vec![number(i)]).collect();
        let (train, test): (Vec<usize>, Vec<usize>) = (0..1000).partition(|i| i % 3 > 0);
        let found = nuisance_baseline(&noise, &labels, &train, &test).unwrap();
        let rare = found.iter().filter(|p| **p == 1).count() as f64 / found.len() as f64;
        assert!((0.3..0.9).contains(&rare), "{rare}");
    }

    /// The rule word by word, without a sorted table or a selection of the nearest.
    fn by_the_rule(features: &[Vec<f64>], labels: &[usize], train: &[usize], at: usize) -> usize {
        let rank = |column: usize, value: f64| -> f64 {
            let count = |fits: &dyn Fn(f64) -> bool| {
                train
                    .iter()
                    .filter(|&&at| fits(features[at][column]))
                    .count() as f64
            };
            let (below, ties) = (count(&|x| x < value), count(&|x| x == value));
            (below + ties / 2.0) / train.len() as f64
        };
        let mut apart: Vec<(f64, usize)> = Vec::new();
        for (position, &other) in train.iter().enumerate() {
            let columns = features[at].iter().zip(&features[other]).enumerate();
            let squares = columns.map(|(c, (&x, &y))| (rank(c, x) - rank(c, y)).powi(2));
            apart.push((squares.sum(), position));
        }
        // A difference of rounding is a tie.
        apart.sort_by_key(|&(distance, position)| ((distance * 1e9).round() as u64, position));
        let vote = |class: usize| -> f64 {
            let of_class = |at: &&usize| labels[**at] == class;
            let size = train.iter().filter(of_class).count() as f64;
            let near = apart.iter().take(15).map(|&(_, position)| &train[position]);
            near.filter(of_class).count() as f64 / size
        };
        let votes: Vec<i64> = (0..3)
            .map(|class| (vote(class) * 1e9).round() as i64)
            .collect();
        let most = votes.iter().max().unwrap();
        votes.iter().position(|votes| votes == most).unwrap()
    }

    #[test]
    fn ties_of_values_and_distances_follow_the_rule() {
        // Few values, so that most ranks are shared and most distances tie; class 0 twice as often as the others.
        let labels: Vec<usize> = (0..240)
            .map(|i| (i * 7 % 4_usize).saturating_sub(1))
            .collect();
        let features: Vec<Vec<f64>> = (0..240)
            .map(|i| {
                let label = labels[i] as f64;
                vec![
                    (4.0 * number(2 * i) + label).floor(),
                    (6.0 * number(2 * i + 1)).floor(),
                ]
            })
            .collect();
        let (train, test): (Vec<usize>, Vec<usize>) = (0..240).partition(|i| i % 3 > 0);
        let found = nuisance_baseline(&features, &labels, &train, &test).unwrap();
        let expected: Vec<usize> = test
            .iter()
            .map(|&at| by_the_rule(&features, &labels, &train, at))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let rows = vec![vec![1.0], vec![f64::NAN], vec![1.0, 2.0]];
        assert!(nuisance_baseline(&rows, &[0, 1, 0], &[], &[0]).is_err());
        assert!(nuisance_baseline(&rows, &[0, 1, 0], &[0, 1], &[0]).is_err());
        assert!(nuisance_baseline(&rows, &[0, 1, 0], &[0], &[2]).is_err());
        assert!(nuisance_baseline(&rows, &[0], &[0], &[9]).is_err());
        assert_eq!(nuisance_baseline(&rows, &[3], &[0], &[0]).unwrap(), [3]);
    }
}
