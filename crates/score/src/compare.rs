use crate::Mismatch;
use crate::clusters::{Clusters, Over, Tables};
use crate::correction::holm;
use crate::distribution::{chi_square_sf, fair_binomial_cdf, student_quantile, student_two_sided};
use crate::inference::{FEWEST_CLUSTERS, FEWEST_DEGREES, Score, differences, least_variance};
use crate::{
    Confusion, FoldName, InferenceOptions, Interval, IntervalMethod, IntervalUnit, NoInterval,
    Prediction, Rates, ScoreError, SignFlip, StandardError, sign_flip,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Power at which the smallest detectable difference is given.
const POWER: f64 = 0.8;

/// Two systems on the same items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The corpus, or another name for the items.
    pub corpus: String,
    /// Partition scheme, where known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// Name of the first system.
    pub a: String,
    /// Name of the second system.
    pub b: String,
    /// Number of items.
    pub n: u64,
    /// Which score is compared: the mean over folds, or the pooled one where a fold lacks a class.
    #[serde(default = "mean_over_folds")]
    pub over: FoldName,
    /// Unweighted accuracy of `a` minus that of `b`.
    pub ua: Difference,
    /// The same for the weighted accuracy.
    pub wa: Difference,
    /// The same for the macro F1.
    pub macro_f1: Difference,
    /// McNemar's test on correct and incorrect items; only where the items are independent: no two share a speaker, or no
    /// speakers are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcnemar: Option<McNemar>,
    /// How the intervals were made, or why there are none.
    pub interval: Interval,
    /// Training seeds of `a` and of `b`; with one each, no number here includes the variance between seeds.
    #[serde(default = "one_each")]
    pub seeds: [u32; 2],
}

fn mean_over_folds() -> FoldName {
    FoldName::Mean
}

fn one_each() -> [u32; 2] {
    [1, 1]
}

/// A difference of two scores; fractions, not points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Score of the first system.
    pub a: f64,
    /// Score of the second.
    pub b: f64,
    /// `a − b`.
    pub difference: f64,
    /// Confidence interval: Student's t on the standard error over speakers and seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<[f64; 2]>,
    /// Two-sided p value that decides significance: the larger of `flips` and `p_t`. Sign flips over speakers are valid for any
    /// number of speakers if the systems are exchangeable; t includes the variance between seeds and allows for the systems
    /// differing on a few speakers only.
    pub p: f64,
    /// The sign-flip test alone; absent from files of earlier versions, whose p is from a bootstrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flips: Option<SignFlip>,
    /// Two-sided p value by Student's t on the standard error of the interval; `None` where there is no standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_t: Option<f64>,
    /// `p` after Holm's correction over the table that it belongs to, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_corrected: Option<f64>,
    /// The true difference that this many speakers and seeds would detect with a power of 80 %: (t(1 − α/2) + t(0.8)) times the
    /// standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_detectable: Option<f64>,
}

/// McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Items that only the first system got right.
    pub only_a: u64,
    /// Items that only the second got right.
    pub only_b: u64,
    /// Two-sided exact binomial p value.
    pub p_exact: f64,
    /// (|b − c| − 1)² / (b + c), with continuity correction (Edwards 1948).
    pub chi_square: f64,
    /// The p value of `chi_square`.
    pub p_asymptotic: f64,
}

/// McNemar's test from the counts of discordant pairs.
pub fn mcnemar(only_a: u64, only_b: u64) -> McNemar {
    let n = only_a + only_b;
    let gap = only_a.abs_diff(only_b) as f64;
    // Without discordant pairs there is no evidence of a difference.
    let chi_square = if n == 0 {
        0.0
    } else {
        (gap - 1.0).powi(2) / n as f64
    };
    let p_exact = 2.0 * fair_binomial_cdf(only_a.min(only_b), n);
    McNemar {
        only_a,
        only_b,
        p_exact: p_exact.min(1.0),
        chi_square,
        p_asymptotic: chi_square_sf(chi_square, 1.0),
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct CompareRequest<'a> {
    /// The corpus, or another name for the items.
    pub corpus: &'a str,
    /// Name and predictions of the first system.
    pub a: (&'a str, &'a [Prediction]),
    /// Name and predictions of the second.
    pub b: (&'a str, &'a [Prediction]),
    /// The classes of the corpus.
    pub classes: &'a [String],
    /// How intervals are computed; speakers are taken from the first system's predictions.
    pub inference: InferenceOptions,
}

/// A system and its predictions from each training seed, all on the same items.
#[derive(Debug, Clone, Copy)]
pub struct SeededSystem<'a> {
    /// Its name.
    pub name: &'a str,
    /// A list of predictions for each seed.
    pub seeds: &'a [&'a [Prediction]],
}

/// Compares two systems by sign flips over speakers, by Student's t, and by McNemar's test where the items are
/// independent.
///
/// # Errors
/// The systems were not scored on the same items with the same labels (the keys are named), a class outside
/// `classes`, options out of range.
pub fn compare(request: &CompareRequest<'_>) -> Result<Comparison, ScoreError> {
    let [a, b] = [request.a, request.b];
    compare_seeds(
        request.corpus,
        SeededSystem {
            name: a.0,
            seeds: &[a.1],
        },
        SeededSystem {
            name: b.0,
            seeds: &[b.1],
        },
        request.classes,
        &request.inference,
    )
}

/// As [`compare`], for systems with several training seeds each: the scores are means over seeds, and the intervals and t
/// include the variance between seeds.
///
/// # Errors
/// As [`compare`], for every seed of both systems.
pub fn compare_seeds(
    corpus: &str,
    a: SeededSystem<'_>,
    b: SeededSystem<'_>,
    classes: &[String],
    options: &InferenceOptions,
) -> Result<Comparison, ScoreError> {
    options.check()?;
    let reference = (a.name, first_seed(&a)?);
    first_seed(&b)?;
    let ordered = |system: &SeededSystem<'_>| -> Result<Vec<Vec<Prediction>>, ScoreError> {
        let lists = system.seeds.iter();
        lists
            .map(|list| Ok(paired(reference, (system.name, list))?.1))
            .collect()
    };
    let lists = [ordered(&a)?, ordered(&b)?];
    let items = &lists[0][0];
    let clusters = Clusters::of(items);
    let views: [Vec<&[Prediction]>; 2] =
        [0, 1].map(|i| lists[i].iter().map(Vec::as_slice).collect());
    let tables = [
        Tables::of(&views[0], classes, &clusters)?,
        Tables::of(&views[1], classes, &clusters)?,
    ];
    let over = if lacks_a_class(items) {
        Over::Pooled
    } else {
        Over::Mean
    };
    let mut rates: [Vec<Rates>; 2] = [Vec::new(), Vec::new()];
    for (rates, lists) in rates.iter_mut().zip(&lists) {
        for list in lists {
            rates.push(rates_of(list, classes, over)?);
        }
    }
    let pair = Pair {
        lists: &lists,
        tables: &tables,
        rates: &rates,
        over,
        options,
    };
    let [ua, wa, macro_f1] = [0, 1, 2].map(|i| pair.difference(Score::ALL[i], i));
    let seeds = [a.seeds.len() as u32, b.seeds.len() as u32];
    let keys: BTreeSet<&String> = items.iter().map(|p| &p.key).collect();
    let independent = clusters.count() == items.len() && keys.len() == items.len();
    let refused = match (ua.ci, pair.error(Score::Ua, 0)) {
        (Some(_), _) => None,
        _ if clusters.count() < FEWEST_CLUSTERS => Some(NoInterval::FewClusters),
        (None, None) => Some(NoInterval::FewDegrees),
        (None, Some(_)) => Some(NoInterval::NoSpread),
    };
    Ok(Comparison {
        corpus: corpus.to_owned(),
        partition: String::new(),
        a: a.name.to_owned(),
        b: b.name.to_owned(),
        n: items.len() as u64,
        over: match over {
            Over::Mean => FoldName::Mean,
            Over::Pooled => FoldName::Pooled,
        },
        ua,
        wa,
        macro_f1,
        mcnemar: (independent && seeds == [1, 1]).then(|| {
            let right = |p: &Prediction| p.label == p.prediction;
            let only = |x: &[Prediction], y: &[Prediction]| {
                let pairs = x.iter().zip(y);
                pairs.filter(|(x, y)| right(x) && !right(y)).count() as u64
            };
            let [x, y] = [&lists[0][0], &lists[1][0]];
            mcnemar(only(x, y), only(y, x))
        }),
        interval: Interval {
            unit: tables[0].unit,
            units: clusters.count(),
            level: options.level,
            method: IntervalMethod::ClusterT,
            refused,
        },
        seeds,
    })
}

fn first_seed<'a>(system: &SeededSystem<'a>) -> Result<&'a [Prediction], ScoreError> {
    let empty = || ScoreError::Empty {
        subject: system.name.to_owned(),
    };
    system.seeds.first().copied().ok_or_else(empty)
}

/// Holm's correction over all pairs of one table, for each of the three scores; a single pair is not corrected.
pub fn correct(comparisons: &mut [Comparison]) {
    let several = comparisons.len() > 1;
    let scores: [fn(&mut Comparison) -> &mut Difference; 3] =
        [|c| &mut c.ua, |c| &mut c.wa, |c| &mut c.macro_f1];
    for pick in scores {
        let p: Vec<f64> = comparisons.iter_mut().map(|c| pick(c).p).collect();
        for (comparison, p) in comparisons.iter_mut().zip(holm(&p)) {
            pick(comparison).p_corrected = several.then_some(p);
        }
    }
}

fn rates_of(list: &[Prediction], classes: &[String], over: Over) -> Result<Rates, ScoreError> {
    if over == Over::Pooled {
        return Ok(Confusion::of(list, classes)?.rates());
    }
    let mut folds = BTreeMap::<u32, Vec<&Prediction>>::new();
    for item in list {
        folds.entry(item.fold).or_default().push(item);
    }
    let rates: Vec<Rates> = folds
        .into_values()
        .map(|items| Ok(Confusion::of(items, classes)?.rates()))
        .collect::<Result<_, ScoreError>>()?;
    Ok(Rates::mean(&rates))
}

/// Whether a fold lacks a class that another fold has; see [`crate::Run::headline`].
fn lacks_a_class(items: &[Prediction]) -> bool {
    let mut folds = BTreeMap::<u32, BTreeSet<&String>>::new();
    for item in items {
        folds.entry(item.fold).or_default().insert(&item.label);
    }
    let all = items
        .iter()
        .map(|p| &p.label)
        .collect::<BTreeSet<_>>()
        .len();
    folds.values().any(|classes| classes.len() < all)
}

/// Two systems, prepared for comparison by any score.
struct Pair<'a> {
    /// Predictions in the same order in every list, `[system][seed]`.
    lists: &'a [Vec<Vec<Prediction>>; 2],
    tables: &'a [Tables; 2],
    /// `[system][seed]`.
    rates: &'a [Vec<Rates>; 2],
    over: Over,
    options: &'a InferenceOptions,
}

impl Pair<'_> {
    fn difference(&self, score: Score, place: usize) -> Difference {
        let mean = |system: usize| Rates::mean(&self.rates[system]).three()[place];
        let [a, b] = [mean(0), mean(1)];
        let parts = differences(&self.tables[0], &self.tables[1], score, self.over);
        let flips = sign_flip(&parts, self.options.sampled_flips, self.options.seed);
        let mut difference = Difference {
            a,
            b,
            difference: a - b,
            ci: None,
            p: flips.p,
            flips: Some(flips),
            p_t: None,
            p_corrected: None,
            smallest_detectable: None,
        };
        let Some(error) = self.error(score, place) else {
            return difference;
        };
        if error.error < 1e-12 {
            // Systems with the same answers are equal. Others may differ by the same amount for every speaker, with a least
            // variance of 0 too (one is right where the other is wrong in every second item): then there is no standard error.
            if self.tables[0].clusters == self.tables[1].clusters {
                difference.ci = Some([0.0, 0.0]);
                difference.p_t = Some(1.0);
            }
            return difference;
        }
        let quantile = |share| student_quantile(share, error.degrees);
        let outer = quantile(f64::midpoint(1.0, self.options.level));
        let half = outer * error.error;
        difference.ci = Some([(a - b - half).max(-1.0), (a - b + half).min(1.0)]);
        let p_t = student_two_sided((a - b) / error.error, error.degrees);
        difference.p = difference.p.max(p_t);
        difference.p_t = Some(p_t);
        difference.smallest_detectable = Some((outer + quantile(POWER)) * error.error);
        difference
    }

    /// Standard error of the difference; `None` with too few clusters or degrees of freedom.
    fn error(&self, score: Score, place: usize) -> Option<StandardError> {
        let [a, b] = [0, 1].map(|i| self.tables[i].shares(score, self.over));
        let residuals: Vec<f64> = a
            .residuals()
            .iter()
            .zip(b.residuals())
            .map(|(a, b)| a - b)
            .collect();
        let apart = only_one_right(self.lists, score, self.over);
        let least = apart.map(least_variance).iter().sum();
        let mut error = a.between(&b).error(&residuals, least);
        if residuals.len() < FEWEST_CLUSTERS || error.degrees < FEWEST_DEGREES {
            return None;
        }
        for seeds in self.rates {
            let deviation = Rates::deviation(seeds).map_or(0.0, |d| d.three()[place]);
            if deviation > 0.0 {
                error = error.plus(&StandardError {
                    error: deviation / (seeds.len() as f64).sqrt(),
                    degrees: (seeds.len() - 1) as f64,
                });
            }
        }
        Some(error)
    }
}

/// How much of a score lies in items that only the first system has right, and in those that only the second has right; with
/// several seeds, averaged over all pairs of seeds.
fn only_one_right(lists: &[Vec<Vec<Prediction>>; 2], score: Score, over: Over) -> [f64; 2] {
    let items = &lists[0][0];
    // Items of one stratum have equal weights, as have the strata of a fold and the folds.
    let stratum = |item: &'_ Prediction| {
        let fold = if over == Over::Mean { item.fold } else { 0 };
        let class = if score == Score::Wa { "" } else { &item.label };
        (fold, class.to_owned())
    };
    let mut sizes = BTreeMap::<(u32, String), f64>::new();
    for item in items {
        *sizes.entry(stratum(item)).or_default() += 1.0;
    }
    let folds: BTreeSet<u32> = sizes.keys().map(|(fold, _)| *fold).collect();
    let right = |system: usize, i: usize| {
        let seeds = &lists[system];
        let hits = seeds
            .iter()
            .filter(|list| list[i].label == list[i].prediction);
        hits.count() as f64 / seeds.len() as f64
    };
    let mut only = [0.0; 2];
    for (i, item) in items.iter().enumerate() {
        let stratum = stratum(item);
        let strata = sizes.keys().filter(|(fold, _)| *fold == stratum.0).count();
        let weight = 1.0 / (sizes[&stratum] * (strata * folds.len()) as f64);
        let [a, b] = [right(0, i), right(1, i)];
        only[0] += weight * a * (1.0 - b);
        only[1] += weight * b * (1.0 - a);
    }
    only
}

/// Both lists in the order of (fold, key), after a check that they have the same items; both get the speakers of the first.
fn paired(
    a: (&str, &[Prediction]),
    b: (&str, &[Prediction]),
) -> Result<(Vec<Prediction>, Vec<Prediction>), ScoreError> {
    if a.1.is_empty() {
        return Err(ScoreError::Empty {
            subject: a.0.to_owned(),
        });
    }
    let name = |p: &Prediction| format!("{} (fold {})", p.key, p.fold);
    let names = [a.1, b.1].map(|list| list.iter().map(name).collect::<Vec<_>>());
    let texts = |i: usize| names[i].iter().map(String::as_str);
    Mismatch::between(texts(0), texts(1)).into_result()?;
    let ordered = |list: &[Prediction]| {
        let by_item: BTreeMap<(u32, &String), &Prediction> =
            list.iter().map(|p| ((p.fold, &p.key), p)).collect();
        by_item.into_values().cloned().collect::<Vec<_>>()
    };
    let (x, mut y) = (ordered(a.1), ordered(b.1));
    for (x, y) in x.iter().zip(&mut y) {
        y.speaker.clone_from(&x.speaker);
    }
    match x.iter().zip(&y).find(|(x, y)| x.label != y.label) {
        None => Ok((x, y)),
        Some((x, y)) => Err(ScoreError::Invalid {
            subject: format!("label of {} in {}", name(y), b.0),
            expected: format!("{:?} as in {}", x.label, a.0),
            got: format!("{:?}", y.label),
        }),
    }
}

impl Difference {
    /// Whether the difference is significant at `alpha`, by the corrected p value where there is one.
    pub fn is_significant(&self, alpha: f64) -> bool {
        self.p_corrected.unwrap_or(self.p) < alpha
    }
}

impl Comparison {
    /// Whether items, not speakers, are the independent units.
    pub fn is_by_utterance(&self) -> bool {
        self.interval.unit == IntervalUnit::Utterance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_score_is_in_what_only_one_has_right_where_the_other_has_nothing() {
        let item = |i: u32, prediction: [&str; 2]| Prediction {
            key: i.to_string(),
            fold: 1 + i / 4,
            label: ["a", "b"][i as usize % 2].into(),
            prediction: prediction[i as usize % 2].into(),
            scores: BTreeMap::new(),
            speaker: None,
            votes: BTreeMap::new(),
            gender: None,
        };
        let list = |told| vec![(0..12).map(|i| item(i, told)).collect::<Vec<_>>()];
        let lists = [list(["a", "b"]), list(["c", "c"])];
        for over in [Over::Mean, Over::Pooled] {
            for score in Score::ALL {
                let only = only_one_right(&lists, score, over);
                assert!((only[0] - 1.0).abs() < 1e-12 && only[1] == 0.0, "{only:?}");
            }
        }
    }
}
