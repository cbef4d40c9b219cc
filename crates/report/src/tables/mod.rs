//! The tables of a report.

mod comparison;
mod cross;
mod grid;
mod groups;
mod intra;
mod naming;
mod runs;
mod scores;

use emobox_score::Run;

pub use comparison::comparison_table;
pub use cross::{cross_average_table, cross_pairs_table, cross_table};
pub(crate) use grid::Grid;
pub use groups::{calibration_table, gender_table};
pub use intra::{intra_table, ranking};
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

    /// As tables write it.
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
