use super::Metric;
use super::grid::Differing;
use super::intra::paper_note;
use crate::format::{coordinate, count};
use crate::paper::{PaperScore, PaperSource, paper};
use crate::{Cell, Column, ReportData, Table};
use emobox_score::{IntervalUnit, Oracle, Run};

/// One row for each corpus and encoder: UA, WA and macro F1 in per cent with their intervals, the
/// test-selected UA in a column that says what it is, and the audit's verdict.
pub fn scores_table(data: &ReportData) -> Table {
    let runs = data.headline();
    let differing = Differing::of(&runs);
    let extras = Extras {
        words: runs.iter().any(|run| !differing.words(run).is_empty()),
        paper: runs.iter().any(|run| published(run, data.beside).is_some()),
        oracle: runs.iter().any(|run| run.oracle.is_some()),
        audit: runs.iter().any(|run| run.audit.is_some()),
    };
    let rows = runs
        .iter()
        .map(|run| {
            let mut row = vec![Cell::text(&run.corpus), Cell::text(&run.encoder)];
            if extras.words {
                row.push(Cell::text(differing.words(run)));
            }
            row.push(match run.n {
                0 => Cell::missing(),
                n => Cell::number(n.to_string(), n as f64),
            });
            let intervals = [run.ua_ci, run.wa_ci, run.macro_f1_ci];
            for (metric, interval) in Metric::ALL.into_iter().zip(intervals) {
                row.push(Cell::score(metric.of(run)).with_interval(interval));
                if extras.paper {
                    row.extend(beside(run, metric, data.beside));
                }
            }
            if extras.oracle {
                row.push(Cell::optional_score(run.oracle.as_ref().map(|o| o.ua)));
            }
            if extras.audit {
                row.push(run.audit.as_ref().map_or_else(Cell::missing, Cell::text));
            }
            row
        })
        .collect();
    let mut notes = notes(&runs);
    if extras.paper {
        notes.push(paper_note());
    }
    Table {
        caption: caption(&runs, differing),
        columns: extras.columns(),
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
    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::left("corpus"), Column::left("encoder")];
        if self.words {
            columns.push(Column::left("setting"));
        }
        columns.push(Column::right("n"));
        for metric in Metric::ALL {
            columns.push(Column::right(format!("{} %", metric.name())));
            if self.paper {
                columns.extend(["paper", "difference"].map(Column::right));
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

fn caption(runs: &[&Run], differing: Differing) -> String {
    let Some(first) = runs.first() else {
        return "Scores".to_owned();
    };
    let shared = [
        (differing.partition, "partition ", &first.partition),
        (differing.protocol, "protocol ", &first.protocol),
        (differing.config, "", &first.config),
    ];
    let mut caption = "Scores: mean over folds".to_owned();
    for (differs, what, value) in shared {
        if !differs && !value.is_empty() {
            caption += &format!(", {what}{value}");
        }
    }
    caption
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
    let mut few: Vec<String> = runs
        .iter()
        .filter_map(|run| run.interval.map(|how| (run, how)))
        .filter(|(_, how)| how.unit == IntervalUnit::Speaker && how.units < 10)
        .map(|(run, how)| format!("{} ({})", run.corpus, how.units))
        .collect();
    few.dedup();
    if !few.is_empty() {
        notes.push(format!(
            "Fewer than ten speakers, so the interval is likely too narrow: {}.",
            few.join(", ")
        ));
    }
    for run in runs {
        for skipped in &run.skipped {
            let n = usize::try_from(skipped.count).unwrap_or(usize::MAX);
            let (corpus, encoder) = (&run.corpus, &run.encoder);
            let utterances = count(n, "utterance");
            notes.push(format!(
                "{corpus} with {encoder}: {utterances} left out: {}.",
                skipped.reason
            ));
        }
    }
    notes.dedup();
    notes
}
