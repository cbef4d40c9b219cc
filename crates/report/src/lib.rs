//! Scores as tables and pages for people: terminal, HTML with inline SVG.
//!
//! Everything is a pure function of [`ReportData`], which the bench fills: no clock, no network, no
//! files, so the same data give the same bytes. Names, keys and labels come from users' files and
//! are escaped for the medium they are written to.

mod chart;
mod data;
mod format;
mod html;
mod scores_table;
mod table;

pub use chart::{Figure, FigureTable, figures};
pub use data::{AuditFindings, Fact, ReportData, Training, TrainingPoint};
pub use html::html;
pub use scores_table::scores_table;
pub use table::{Align, Cell, Column, Table};

/// The benchmark table as text: one row for each corpus and encoder, with 95 % intervals, the audit's
/// verdict, and the test-selected score in a column of its own that says so.
pub fn terminal_table(data: &ReportData) -> String {
    scores_table(data).terminal()
}
