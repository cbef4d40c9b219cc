use crate::bootstrap::{Clusters, Draws, Scratch, percentiles};
use crate::distribution::{chi_square_sf, fair_binomial_cdf, normal_quantile};
use crate::matching::Mismatch;
use crate::{BootstrapOptions, Interval, Prediction, Rates, Resampling, ScoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Power at which the smallest detectable difference is stated.
const POWER: f64 = 0.8;

/// Two systems on the same items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Corpus, or what else the items are.
    pub corpus: String,
    /// Name of the first system.
    pub a: String,
    /// Name of the second system.
    pub b: String,
    /// Number of items.
    pub n: u64,
    /// Unweighted accuracy of `a` less that of `b`, both as means over folds.
    pub ua: Difference,
    /// The same of the weighted accuracy.
    pub wa: Difference,
    /// The same of the macro F1.
    pub macro_f1: Difference,
    /// McNemar's test on right and wrong, which takes the items as independent.
    pub mcnemar: McNemar,
    /// How intervals and p values were made.
    pub interval: Interval,
}

/// A difference of scores with what is known about it; fractions, not points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Score of the first system.
    pub a: f64,
    /// Score of the second.
    pub b: f64,
    /// `a − b`.
    pub difference: f64,
    /// Its interval from the paired bootstrap.
    pub ci: [f64; 2],
    /// Two-sided p value of no difference: twice the smaller tail of the bootstrap distribution beyond 0,
    /// (r + 1) / (R + 1) so that it is never 0 (Davison & Hinkley 1997, equation 4.11).
    pub p: f64,
    /// p after the correction for the table it stands in, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_corrected: Option<f64>,
    /// The difference that this many items and speakers would show as significant four times in five:
    /// (z(1 − α/2) + z(0.8)) times the bootstrap's standard error.
    pub smallest_detectable: f64,
}

/// McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Items that only the first system has right.
    pub only_a: u64,
    /// Items that only the second has right.
    pub only_b: u64,
    /// Two-sided exact binomial p value.
    pub p_exact: f64,
    /// (|b − c| − 1)² / (b + c), with continuity correction (Edwards 1948).
    pub chi_square: f64,
    /// The p value of that.
    pub p_asymptotic: f64,
}

/// McNemar's test from the counts of discordant pairs.
pub fn mcnemar(only_a: u64, only_b: u64) -> McNemar {
    let n = only_a + only_b;
    let gap = only_a.abs_diff(only_b) as f64;
    // Without discordant pairs nothing speaks against equality.
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
    /// Corpus, or what else the items are.
    pub corpus: &'a str,
    /// Name and predictions of the first system.
    pub a: (&'a str, &'a [Prediction]),
    /// Name and predictions of the second.
    pub b: (&'a str, &'a [Prediction]),
    /// The classes of the corpus.
    pub classes: &'a [String],
    /// How intervals are drawn; speakers are taken from the first system's predictions.
    pub bootstrap: BootstrapOptions,
}

/// Compares two systems by a paired bootstrap over speakers and by McNemar's test.
///
/// # Errors
/// The systems were not scored on the same items with the same labels (the keys are named), a class outside
/// `classes`, bootstrap options out of range.
pub fn compare(request: &CompareRequest<'_>) -> Result<Comparison, ScoreError> {
    let options = request.bootstrap;
    options.check()?;
    let (a, b) = paired(request.a, request.b)?;
    let clusters = Clusters::of(&a);
    let tables = [
        Resampling::with_clusters(&a, request.classes, &clusters)?,
        Resampling::with_clusters(&b, request.classes, &clusters)?,
    ];
    let mut scratch = Scratch::default();
    let whole: Vec<u32> = (0..clusters.count() as u32).collect();
    let [score_a, score_b] = [0, 1].map(|i| tables[i].replicate(&whole, &mut scratch).mean);
    let mut draws = Draws::new(options.seed, clusters.count());
    let replicates: Vec<[Rates; 2]> = (0..options.replicates)
        .map(|_| {
            let drawn = draws.next();
            [0, 1].map(|i| tables[i].replicate(drawn, &mut scratch).mean)
        })
        .collect();
    let difference = |pick: fn(&Rates) -> f64| {
        let drawn = replicates.iter().map(|[a, b]| pick(a) - pick(b)).collect();
        difference([pick(&score_a), pick(&score_b)], drawn, options.level)
    };
    let right = |p: &Prediction| p.label == p.prediction;
    let only = |x: &[Prediction], y: &[Prediction]| {
        x.iter()
            .zip(y)
            .filter(|(x, y)| right(x) && !right(y))
            .count() as u64
    };
    Ok(Comparison {
        corpus: request.corpus.to_owned(),
        a: request.a.0.to_owned(),
        b: request.b.0.to_owned(),
        n: a.len() as u64,
        ua: difference(|r| r.ua),
        wa: difference(|r| r.wa),
        macro_f1: difference(|r| r.macro_f1),
        mcnemar: mcnemar(only(&a, &b), only(&b, &a)),
        interval: tables[0].describe(&options),
    })
}

/// Both lists in the order of (fold, key), once they are known to be about the same items, with the speakers of the
/// first: the bootstrap draws the same speakers for both.
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

fn difference([a, b]: [f64; 2], drawn: Vec<f64>, level: f64) -> Difference {
    let count = drawn.len() as f64;
    let tail = |keep: fn(f64) -> bool| drawn.iter().filter(|d| keep(**d)).count() as f64;
    let smaller = tail(|d| d <= 0.0).min(tail(|d| d >= 0.0));
    let mean = drawn.iter().sum::<f64>() / count;
    let squares: f64 = drawn.iter().map(|d| (d - mean).powi(2)).sum();
    let error = (squares / (count - 1.0)).sqrt();
    let factor = normal_quantile(f64::midpoint(1.0, level)) + normal_quantile(POWER);
    Difference {
        a,
        b,
        difference: a - b,
        ci: percentiles(drawn.into_iter(), level),
        p: (2.0 * (smaller + 1.0) / (count + 1.0)).min(1.0),
        p_corrected: None,
        smallest_detectable: factor * error,
    }
}

impl Difference {
    /// Whether the difference is told from 0 at `alpha`, by the corrected p value where there is one.
    pub fn is_significant(&self, alpha: f64) -> bool {
        self.p_corrected.unwrap_or(self.p) < alpha
    }
}
