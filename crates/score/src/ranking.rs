use crate::ScoreError;
use crate::distribution::{chi_square_sf, f_sf, range_cdf, range_quantile};
use serde::{Deserialize, Serialize};

/// Systems ranked over corpora: Friedman's test and Nemenyi's critical difference (Demšar 2006, section 3.2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The systems, in the order given.
    pub systems: Vec<String>,
    /// Number of corpora that every system has a score on.
    pub corpora: usize,
    /// Mean rank of each system; 1 is best, ties share their ranks.
    pub mean_ranks: Vec<f64>,
    /// Friedman's chi-square with the correction for ties (as scipy's `friedmanchisquare`).
    pub friedman_chi_square: f64,
    /// Its p value.
    pub friedman_p: f64,
    /// Iman and Davenport's less conservative F from the same ranks.
    pub iman_davenport_f: f64,
    /// Its p value.
    pub iman_davenport_p: f64,
    /// Mean ranks that differ by less than this are not significantly different at `alpha`.
    pub critical_difference: f64,
    /// The level of the critical difference.
    pub alpha: f64,
    /// Nemenyi's p value of every pair, `[system][system]`.
    pub pairwise_p: Vec<Vec<f64>>,
    /// Groups of systems (indices, best first) that are not significantly different: the bars of the diagram.
    pub groups: Vec<Vec<usize>>,
}

/// Ranks systems by `scores[corpus][system]` (more is better). Rows with a missing score are left out.
///
/// # Errors
/// Fewer than two systems or fewer than two complete corpora, rows of unequal length.
pub fn rank(
    systems: &[String],
    scores: &[Vec<Option<f64>>],
    alpha: f64,
) -> Result<Ranking, ScoreError> {
    let invalid = |subject: &str, expected: String, got: usize| ScoreError::Invalid {
        subject: subject.to_owned(),
        expected,
        got: got.to_string(),
    };
    let k = systems.len();
    if k < 2 {
        return Err(invalid("systems to rank", "at least 2".to_owned(), k));
    }
    if let Some(row) = scores.iter().find(|row| row.len() != k) {
        return Err(invalid(
            "scores of a corpus",
            format!("{k}, one a system"),
            row.len(),
        ));
    }
    let complete: Vec<Vec<f64>> = scores
        .iter()
        .filter_map(|row| row.iter().copied().collect())
        .collect();
    let n = complete.len();
    if n < 2 {
        return Err(invalid(
            "corpora with a score of every system",
            "at least 2".to_owned(),
            n,
        ));
    }
    let ranks: Vec<Vec<f64>> = complete.iter().map(|row| descending_ranks(row)).collect();
    let mean_ranks: Vec<f64> = (0..k)
        .map(|s| ranks.iter().map(|row| row[s]).sum::<f64>() / n as f64)
        .collect();
    let (nf, kf) = (n as f64, k as f64);
    let squares: f64 = mean_ranks.iter().map(|r| (r * nf).powi(2)).sum();
    let plain = 12.0 / (kf * nf * (kf + 1.0)) * squares - 3.0 * nf * (kf + 1.0);
    let ties: f64 = ranks.iter().map(|row| tie_term(row)).sum();
    let correction = 1.0 - ties / (nf * kf * (kf * kf - 1.0));
    // All systems are tied on every corpus: there is no ranking.
    let friedman = if correction > 0.0 {
        (plain / correction).max(0.0)
    } else {
        0.0
    };
    let room = nf * (kf - 1.0) - friedman;
    let f = if room > 0.0 {
        (nf - 1.0) * friedman / room
    } else {
        f64::INFINITY
    };
    let unit = (kf * (kf + 1.0) / (6.0 * nf)).sqrt();
    let critical_difference = range_quantile(1.0 - alpha, k) / 2.0_f64.sqrt() * unit;
    let pairwise_p = (0..k)
        .map(|i| {
            (0..k)
                .map(|j| {
                    let gap = (mean_ranks[i] - mean_ranks[j]).abs() / unit;
                    if i == j {
                        1.0
                    } else {
                        1.0 - range_cdf(gap * 2.0_f64.sqrt(), k)
                    }
                })
                .collect()
        })
        .collect();
    Ok(Ranking {
        systems: systems.to_vec(),
        corpora: n,
        groups: groups(&mean_ranks, critical_difference),
        mean_ranks,
        friedman_chi_square: friedman,
        friedman_p: chi_square_sf(friedman, kf - 1.0),
        iman_davenport_f: f,
        iman_davenport_p: f_sf(f, kf - 1.0, (kf - 1.0) * (nf - 1.0)),
        critical_difference,
        alpha,
        pairwise_p,
    })
}

/// 1 for the highest score; equal scores share the mean of their ranks.
pub fn descending_ranks(scores: &[f64]) -> Vec<f64> {
    scores
        .iter()
        .map(|own| {
            let above = scores.iter().filter(|other| *other > own).count() as f64;
            let level = scores.iter().filter(|other| *other == own).count() as f64;
            above + f64::midpoint(level, 1.0)
        })
        .collect()
}

/// Σ (t³ − t) over groups of t equal ranks.
fn tie_term(ranks: &[f64]) -> f64 {
    // Each member of a group of t adds t² − 1.
    ranks
        .iter()
        .map(|own| ranks.iter().filter(|other| *other == own).count() as f64)
        .map(|t| t * t - 1.0)
        .sum()
}

/// The longest runs of systems within one critical difference; none is contained in another.
fn groups(mean_ranks: &[f64], critical_difference: f64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..mean_ranks.len()).collect();
    order.sort_by(|&a, &b| mean_ranks[a].total_cmp(&mean_ranks[b]));
    let mut groups = Vec::new();
    let mut reached = 0;
    for start in 0..order.len() {
        let within = |&i: &usize| mean_ranks[i] - mean_ranks[order[start]] < critical_difference;
        let end = start + order[start..].iter().take_while(|i| within(i)).count();
        if end > reached && end - start > 1 {
            groups.push(order[start..end].to_vec());
        }
        reached = reached.max(end);
    }
    groups
}
