use crate::correction::holm;
use crate::distribution::student_two_sided;
use crate::{FEWEST_DEGREES, ScoreError, StandardError};
use serde::{Deserialize, Serialize};

/// A score and its standard error; `None` where the test part has too few speakers for one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The score, 0..1.
    pub score: f64,
    /// Its standard error over speakers and seeds.
    pub error: Option<StandardError>,
}

/// Which systems differ in their averages over corpora, given the standard error of every score.
///
/// [`crate::rank`] asks whether an order would hold on other corpora and takes each score as exact; this asks whether it would
/// hold on the same corpora with other speakers and seeds. A rank is an interval: from 1 + the systems shown to be better to
/// all minus those shown to be worse. It holds for all systems at once because the pairs are corrected together (Mogstad,
/// Romano, Shaikh & Wilhelm, "Inference for ranks", Review of Economic Studies 91, 2024, section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// The systems, in the order given.
    pub systems: Vec<String>,
    /// Corpora on which every system has a score with a standard error.
    pub corpora: usize,
    /// Corpora left out because a standard error is missing.
    pub without_error: usize,
    /// Mean score of each system over `corpora`.
    pub means: Vec<f64>,
    /// Two-sided p values for a difference of means, after Holm's correction over all pairs, `[system][system]`.
    pub pairwise_p: Vec<Vec<f64>>,
    /// Lowest and highest rank of each system, from 1, that are consistent with the standard errors.
    pub ranks: Vec<[usize; 2]>,
    /// The level of the ranks.
    pub alpha: f64,
}

impl Separation {
    /// Pairs of systems (places in `systems`) that are not significantly different.
    pub fn unseparated(&self) -> Vec<[usize; 2]> {
        let k = self.systems.len();
        let pairs = (0..k).flat_map(|i| (i + 1..k).map(move |j| [i, j]));
        pairs
            .filter(|&[i, j]| self.pairwise_p[i][j] >= self.alpha)
            .collect()
    }
}

/// Compares systems by `scores[corpus][system]` (more is better). The errors of two systems on one corpus are taken as
/// independent; they share speakers, so the true error of a difference is smaller and the test is conservative.
///
/// # Errors
/// Fewer than two systems, no corpus with a score and an error for every system, rows of unequal length.
pub fn separate(
    systems: &[String],
    scores: &[Vec<Option<Estimate>>],
    alpha: f64,
) -> Result<Separation, ScoreError> {
    let invalid = |subject: &str, expected: String, got: usize| ScoreError::Invalid {
        subject: subject.to_owned(),
        expected,
        got: got.to_string(),
    };
    let k = systems.len();
    if k < 2 {
        return Err(invalid("systems to tell apart", "at least 2".to_owned(), k));
    }
    if let Some(row) = scores.iter().find(|row| row.len() != k) {
        let expected = format!("{k}, one a system");
        return Err(invalid("scores of a corpus", expected, row.len()));
    }
    let scored: Vec<Vec<Estimate>> = scores
        .iter()
        .filter_map(|row| row.iter().copied().collect())
        .collect();
    let known: Vec<Vec<(f64, StandardError)>> = scored
        .iter()
        .filter_map(|row| {
            let known = |e: &Estimate| {
                let error = e.error.filter(|error| error.degrees >= FEWEST_DEGREES)?;
                Some((e.score, error))
            };
            row.iter().map(known).collect()
        })
        .collect();
    let n = known.len();
    if n == 0 {
        let expected = "at least 1".to_owned();
        return Err(invalid(
            "corpora with a standard error of every system",
            expected,
            n,
        ));
    }
    let means: Vec<f64> = (0..k)
        .map(|s| known.iter().map(|row| row[s].0).sum::<f64>() / n as f64)
        .collect();
    let mut pairs = Vec::new();
    for i in 0..k {
        for j in i + 1..k {
            pairs.push((i, j, p_of(&known, [i, j], means[i] - means[j])));
        }
    }
    let p: Vec<f64> = pairs.iter().map(|(_, _, p)| *p).collect();
    let mut pairwise_p = vec![vec![1.0; k]; k];
    for ((i, j, _), p) in pairs.iter().zip(holm(&p)) {
        pairwise_p[*i][*j] = p;
        pairwise_p[*j][*i] = p;
    }
    let ranks = (0..k)
        .map(|i| {
            let apart = |j: &usize| pairwise_p[i][*j] < alpha;
            let better = (0..k)
                .filter(apart)
                .filter(|&j| means[j] > means[i])
                .count();
            let worse = (0..k)
                .filter(apart)
                .filter(|&j| means[j] < means[i])
                .count();
            [1 + better, k - worse]
        })
        .collect();
    Ok(Separation {
        systems: systems.to_vec(),
        corpora: n,
        without_error: scored.len() - n,
        means,
        pairwise_p,
        ranks,
        alpha,
    })
}

/// P value of Student's t for the difference of two means, with Satterthwaite's degrees of freedom.
fn p_of(rows: &[Vec<(f64, StandardError)>], [i, j]: [usize; 2], difference: f64) -> f64 {
    let errors = rows.iter().flat_map(|row| [row[i].1, row[j].1]);
    let Some(sum) = errors.reduce(|a, b| a.plus(&b)) else {
        return 1.0;
    };
    let error = sum.error / rows.len() as f64;
    match (error > 0.0, difference == 0.0) {
        (true, _) => student_two_sided(difference / error, sum.degrees),
        (false, true) => 1.0,
        (false, false) => 0.0,
    }
}
