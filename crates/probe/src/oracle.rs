//! The test-selected ("oracle") score: what scoring every epoch on the test part, as the published recipe does, would report.
//! It is computed beside the result and never influences it.

use crate::select::{ValidRecord, better};

/// The point and epoch of one seed that scored best on the test part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OracleBest {
    pub(crate) point: usize,
    pub(crate) epoch: usize,
    pub(crate) ua: f64,
    pub(crate) loss: f64,
    /// Log-probabilities on the test part, `[utterance, class]`.
    pub(crate) scores: Vec<f64>,
}

/// Keeps the one that is better on the test part; ties as in the selection.
pub(crate) fn offer(best: &mut Option<OracleBest>, candidate: OracleBest) {
    let on_test = |o: &OracleBest| ValidRecord {
        ua: o.ua,
        loss: o.loss,
    };
    let wins = best
        .as_ref()
        .is_none_or(|old| better(on_test(&candidate), on_test(old)));
    if candidate.loss < f64::MAX && wins {
        *best = Some(candidate);
    }
}
