//! The tables of a report.

mod comparison;
mod cross;
mod dimensions;
mod errors;
mod grid;
mod groups;
mod intra;
mod naming;
mod perturbed;
mod runs;
mod scores;

use emobox_score::Run;

pub use comparison::comparison_table;
pub use cross::{cross_average_table, cross_pairs_table, cross_table};
pub use dimensions::{dimensions_csv, dimensions_table};
pub use errors::errors_table;
pub(crate) use errors::named;
pub(crate) use grid::Grid;
pub use groups::{calibration_table, gender_table};
pub use intra::{intra_table, ranking};
pub use perturbed::perturbed_table;
pub use runs::runs_csv;
pub use scores::scores_table;

/// The three scores of the paper's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Unweighted accuracy.
    Ua,
    /// Weighted accuracy.
    Wa,
    /// Macro F1.
    MacroF1,
}

impl Metric {
    /// All of them, in the paper's order.
    pub const ALL: [Self; 3] = [Self::Ua, Self::Wa, Self::MacroF1];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ua => "UA",
            Self::Wa => "WA",
            Self::MacroF1 => "macro F1",
        }
    }

    /// The score of a run.
    pub fn of(self, run: &Run) -> f64 {
        match self {
            Self::Ua => run.ua,
            Self::Wa => run.wa,
            Self::MacroF1 => run.macro_f1,
        }
    }

    /// The published score.
    pub(crate) fn of_paper(self, score: &crate::paper::PaperScore) -> Option<f64> {
        match self {
            Self::Ua => score.ua,
            Self::Wa => score.wa,
            Self::MacroF1 => score.macro_f1,
        }
    }
}

/// The score of a run that is comparable with a published table: what the published recipe would have printed for the same
/// training, on its own partition and protocol, with the paper's head on one layer. Otherwise the reason why there is none.
pub(crate) fn as_published(run: &Run, metric: Metric) -> Result<f64, String> {
    let mut reasons = Vec::new();
    if run.partition != "published" {
        reasons.push(format!("partition {}", run.partition));
    }
    if run.protocol != "paper" {
        reasons.push(format!("protocol {}", run.protocol));
    }
    // A configuration is layer, norm and precision; anything else in it, such as a head or weights, is not the paper's.
    let parts: Vec<&str> = run.config.split(", ").collect();
    if parts.len() > 3 || parts[0].contains('+') {
        reasons.push(run.config.clone());
    }
    match (&run.as_published, reasons.is_empty()) {
        (Some(scores), true) => Ok(match metric {
            Metric::Ua => scores.ua,
            Metric::Wa => scores.wa,
            Metric::MacroF1 => scores.macro_f1,
        }),
        (None, true) => Err("no score as published".to_owned()),
        (_, false) => Err(reasons.join(", ")),
    }
}

/// A mark on a score whose encoder is known to have been trained on the corpus.
pub(crate) fn heard_mark(mut cell: crate::TableCell, heard: Option<&str>) -> crate::TableCell {
    if heard.is_some() {
        cell.text.push('†');
    }
    cell
}

/// That mark, and another if the encoder did not receive all of some utterances.
pub(crate) fn marks(run: &Run) -> &'static str {
    match (run.heard.is_some(), run.cut > 0) {
        (false, false) => "",
        (true, false) => "†",
        (false, true) => "‡",
        (true, true) => "†‡",
    }
}

/// The meaning of the second mark: how many utterances each encoder received only in part.
pub(crate) fn cut_note(runs: &[&Run]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for run in runs.iter().filter(|run| run.cut > 0) {
        let part = format!("{} on {} {}", run.encoder, run.corpus, run.cut);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| {
        format!(
            "‡ Utterances longer than what the encoder hears, of which it heard the beginning only: {}.",
            parts.join(", ")
        )
    })
}

/// The meaning of the mark for these runs: a sentence for each encoder and kind of exposure.
pub(crate) fn heard_notes(runs: &[&Run]) -> Vec<String> {
    let mut told: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for run in runs {
        let Some(how) = run.heard.as_deref() else {
            continue;
        };
        let corpus = run.corpus.as_str();
        match told
            .iter_mut()
            .find(|(e, h, _)| (*e, *h) == (run.encoder.as_str(), how))
        {
            None => told.push((&run.encoder, how, vec![corpus])),
            Some((.., corpora)) if corpora.contains(&corpus) => {}
            Some((.., corpora)) => corpora.push(corpus),
        }
    }
    let sentence = |(encoder, how, corpora): (&str, &str, Vec<&str>)| {
        format!("† {encoder} on {}: {how}.", corpora.join(", "))
    };
    told.into_iter().map(sentence).collect()
}

/// Which of these runs are shown beside a published figure that they are not comparable with, and why.
pub(crate) fn not_comparable<'a>(runs: impl Iterator<Item = &'a Run>) -> Option<String> {
    let mut reasons: Vec<String> = runs
        .filter_map(|run| as_published(run, Metric::Ua).err())
        .collect();
    reasons.sort();
    reasons.dedup();
    (!reasons.is_empty()).then(|| {
        format!(
            "No difference to the paper is given where a score is not comparable: {}. Compared is the score as published, on \
             partition “published” under protocol “paper” with the paper's head.",
            reasons.join("; ")
        )
    })
}
