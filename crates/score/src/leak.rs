use crate::distribution::student_quantile;
use crate::{FEWEST_DEGREES, FoldName, Run, StandardError};
use serde::{Deserialize, Serialize};

/// The scheme without a speaker on both sides; the other schemes are compared with it.
const CLEAN: &str = "speaker";

/// How much higher scores are on a partition with speakers on both sides, with the same corpus, encoder and protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The corpus.
    pub corpus: String,
    /// The encoder.
    pub encoder: String,
    /// The partition compared with `speaker`, as `paper`.
    pub partition: String,
    /// Unweighted accuracy on it minus that on `speaker`.
    pub ua: LeakWorth,
    /// The same for the weighted accuracy.
    pub wa: LeakWorth,
    /// The same for the macro F1.
    pub macro_f1: LeakWorth,
}

/// A difference of two scores on different partitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeakWorth {
    /// The score minus that on `speaker`; fractions, not points.
    pub difference: f64,
    /// Its interval. The errors of both scores are taken as independent; they share speakers, so the true interval is narrower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<[f64; 2]>,
}

/// For every configuration that was also run on `speaker`, how much higher its headline scores are than there.
pub fn leaks(runs: &[Run]) -> Vec<Leak> {
    let headline = |r: &&Run| {
        r.headline || (r.fold == FoldName::Mean && !runs.iter().any(|other| other.headline))
    };
    let clean_of = |run: &Run| {
        runs.iter().filter(headline).find(|other| {
            other.partition == CLEAN
                && (
                    &other.corpus,
                    &other.encoder,
                    &other.protocol,
                    &other.config,
                ) == (&run.corpus, &run.encoder, &run.protocol, &run.config)
        })
    };
    let judged = runs
        .iter()
        .filter(headline)
        .filter(|r| r.partition != CLEAN);
    judged
        .filter_map(|run| {
            let clean = clean_of(run)?;
            let [ua, wa, macro_f1] = [0, 1, 2].map(|i| worth(run, clean, i));
            Some(Leak {
                corpus: run.corpus.clone(),
                encoder: run.encoder.clone(),
                partition: run.partition.clone(),
                ua,
                wa,
                macro_f1,
            })
        })
        .collect()
}

fn worth(run: &Run, clean: &Run, score: usize) -> LeakWorth {
    let difference = run.rates().three()[score] - clean.rates().three()[score];
    let error = |run: &Run| -> Option<StandardError> { Some(run.errors?.all()[score]) };
    let known = |e: &StandardError| e.degrees >= FEWEST_DEGREES && e.error > 0.0;
    let errors = error(run).filter(known).zip(error(clean).filter(known));
    let level = run.interval.map_or(0.95, |how| how.level);
    let ci = errors.map(|(a, b)| {
        let both = a.plus(&b);
        let half = student_quantile(f64::midpoint(1.0, level), both.degrees) * both.error;
        [(difference - half).max(-1.0), (difference + half).min(1.0)]
    });
    LeakWorth { difference, ci }
}
