use super::grid::{Slot, reason};
use super::intra::paper_note;
use super::{Grid, Metric};
use crate::format::coordinate;
use crate::paper::{PaperScore, PaperSource, paper};
use crate::{Cell, Column, ReportData, Table};
use emobox_score::{Absent, IntervalUnit, Oracle, Run};

/// Above this many rows a terminal gets the table in groups of columns where it is wide.
const MANY: usize = 24;

/// One row for each corpus and encoder: UA, WA and macro F1 in per cent with their intervals, the
/// test-selected UA in a column that says what it is, and the audit's verdict. A row without scores says why.
pub fn scores_table(data: &ReportData) -> Table {
    let grid = Grid::of(data);
    let runs: Vec<&Run> = grid.runs().map(|(.., run)| run).collect();
    let words = |run: &Run| grid.naming.words(run);
    let extras = Extras {
        words: runs.iter().any(|run| !words(run).is_empty()),
        paper: runs.iter().any(|run| published(run, data.beside).is_some()),
        oracle: runs.iter().any(|run| run.oracle.is_some()),
        audit: runs.iter().any(|run| run.audit.is_some()),
    };
    let mut rows: Vec<Vec<Cell>> = grid
        .slots()
        .filter_map(|(.., slot)| match slot {
            Slot::Run(run) => Some(extras.row(run, words(run), data.beside)),
            Slot::Absent(absent) => Some(extras.absent_row(absent)),
            Slot::Nothing => None,
        })
        .collect();
    // A cell that is open under one partition and done under another has its scores in the grid.
    let shown = |absent: &Absent| {
        let mut slots = grid.slots();
        slots.any(|(.., slot)| matches!(slot, Slot::Absent(known) if known == absent))
    };
    let hidden = data.scores.absent.iter().filter(|absent| !shown(absent));
    rows.extend(hidden.map(|absent| extras.absent_row(absent)));
    let mut notes = notes(&runs);
    notes.extend_from_slice(grid.naming.notes());
    if extras.paper {
        notes.push(paper_note());
    }
    let caption = match grid.naming.shared().as_str() {
        _ if runs.is_empty() => "Scores".to_owned(),
        "" => "Scores: mean over folds".to_owned(),
        shared => format!("Scores: mean over folds, {shared}"),
    };
    Table {
        caption,
        columns: extras.columns(),
        keys: if rows.len() > MANY { extras.keys() } else { 0 },
        rows,
        notes,
        ..Table::default()
    }
}

/// The columns that a report has only where it has something for them.
struct Extras {
    words: bool,
    paper: bool,
    oracle: bool,
    audit: bool,
}

impl Extras {
    /// How many columns name a row.
    fn keys(&self) -> usize {
        if self.words { 3 } else { 2 }
    }

    fn row(&self, run: &Run, words: String, source: Option<PaperSource>) -> Vec<Cell> {
        let mut row = vec![Cell::text(&run.corpus), Cell::text(&run.encoder)];
        if self.words {
            row.push(Cell::text(words));
        }
        row.push(match run.n {
            0 => Cell::missing(),
            n => Cell::number(n.to_string(), n as f64),
        });
        let intervals = [run.ua_ci, run.wa_ci, run.macro_f1_ci];
        for (metric, interval) in Metric::ALL.into_iter().zip(intervals) {
            row.push(Cell::score(metric.of(run)).with_interval(interval));
            if self.paper {
                row.extend(beside(run, metric, source));
            }
        }
        if self.oracle {
            row.push(Cell::optional_score(run.oracle.as_ref().map(|o| o.ua)));
        }
        if self.audit {
            row.push(run.audit.as_ref().map_or_else(Cell::missing, Cell::text));
        }
        row
    }

    /// A row whose every number is missing for one reason.
    fn absent_row(&self, absent: &Absent) -> Vec<Cell> {
        let mut row = vec![Cell::text(&absent.corpus), Cell::text(&absent.encoder)];
        let empty = Cell::absent(reason(absent));
        row.resize(self.columns().len(), empty);
        if self.words {
            row[2] = Cell::text("");
        }
        row
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::left("corpus"), Column::left("encoder")];
        if self.words {
            columns.push(Column::left("setting"));
        }
        columns.push(Column::right("n"));
        for metric in Metric::ALL {
            columns.push(Column::right(format!("{} %", metric.name())));
            if self.paper {
                columns.extend(["paper", "difference"].map(Column::joined));
            }
        }
        if self.oracle {
            columns.push(Column::right(format!("UA % {}", Oracle::SELECTION)));
        }
        if self.audit {
            columns.push(Column::left("audit of the partition"));
        }
        columns
    }
}

fn published(run: &Run, source: Option<PaperSource>) -> Option<PaperScore> {
    let model = paper().model(&run.encoder)?;
    let score = paper().score(model, &run.corpus, source?);
    (score != PaperScore::default()).then_some(score)
}

/// The published figure and the difference to it.
fn beside(run: &Run, metric: Metric, source: Option<PaperSource>) -> [Cell; 2] {
    let figure = published(run, source).and_then(|score| metric.of_paper(&score));
    let difference = figure.map(|figure| Cell::difference(metric.of(run) - figure));
    [
        Cell::optional_score(figure),
        difference.unwrap_or_else(Cell::missing),
    ]
}

/// What a reader of the numbers must know: how the intervals were made, and what was left out.
fn notes(runs: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let intervals: Vec<_> = runs.iter().filter_map(|run| run.interval).collect();
    if let Some(first) = intervals.first() {
        let utterances = intervals
            .iter()
            .filter(|how| how.unit == IntervalUnit::Utterance)
            .count();
        let what = match utterances {
            0 => "speakers",
            n if n == intervals.len() => "utterances, as no two speakers are known",
            _ => "speakers, or utterances where no two speakers are known",
        };
        notes.push(format!(
            "In brackets: {} % intervals, percentile bootstrap over {what} ({} resamples).",
            coordinate(100.0 * first.level),
            first.replicates
        ));
    }
    let few = runs
        .iter()
        .filter_map(|run| run.interval.map(|how| (run, how)))
        .filter(|(_, how)| how.unit == IntervalUnit::Speaker && how.units < 10)
        .map(|(run, how)| format!("{} ({})", run.corpus, how.units));
    let few = each_once(few);
    if !few.is_empty() {
        notes.push(format!(
            "Fewer than ten speakers, so the interval is likely too narrow: {}.",
            few.join(", ")
        ));
    }
    notes.extend(left_out(runs));
    notes
}

/// What was left out: a sentence a reason, a corpus once where all its encoders lost the same.
fn left_out(runs: &[&Run]) -> Vec<String> {
    let reasons = runs
        .iter()
        .flat_map(|run| &run.skipped)
        .map(|s| s.reason.as_str());
    let reasons = each_once(reasons);
    let sentence = |reason: &str| {
        let lost = |run: &Run| -> u64 {
            let of_it = run.skipped.iter().filter(|s| s.reason == reason);
            of_it.map(|s| s.count).sum()
        };
        let corpora = each_once(
            runs.iter()
                .filter(|r| lost(r) > 0)
                .map(|r| r.corpus.as_str()),
        );
        let parts = corpora.into_iter().map(|corpus| {
            let of_corpus: Vec<&&Run> = runs.iter().filter(|r| r.corpus == corpus).collect();
            let counts = each_once(of_corpus.iter().map(|run| lost(run)));
            if let [count] = counts[..] {
                return format!("{corpus} {count}");
            }
            let of_run = |run: &&&Run| format!("{} {}", run.encoder, lost(run));
            let each = each_once(of_corpus.iter().filter(|r| lost(r) > 0).map(of_run));
            format!("{corpus} ({})", each.join(", "))
        });
        let parts: Vec<String> = parts.collect();
        format!("Utterances left out, {reason}: {}.", parts.join(", "))
    };
    reasons.into_iter().map(sentence).collect()
}

/// Every item once, in order of appearance.
fn each_once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
