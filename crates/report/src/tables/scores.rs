use super::grid::Differing;
use super::intra::paper_note;
use super::{Metric, as_published, not_comparable};
use crate::format::{coordinate, count};
use crate::paper::{PaperScore, PaperSource, paper};
use crate::{Cell, Column, ReportData, Table};
use emobox_score::{FEW_CLUSTERS, FoldName, IntervalMethod, IntervalUnit, NoInterval, Oracle, Run};

/// One row for each corpus and encoder: UA, WA and macro F1 in per cent with their intervals, the
/// test-selected UA in a column that says what it is, and the audit's verdict.
pub fn scores_table(data: &ReportData) -> Table {
    let runs = data.headline();
    let differing = Differing::of(&runs);
    let extras = Extras {
        words: runs.iter().any(|run| !differing.words(run).is_empty()),
        paper: runs.iter().any(|run| published(run, data.beside).is_some()),
        oracle: runs.iter().any(|run| run.oracle.is_some()),
        seeds: runs.iter().any(|run| run.seeds.is_some()),
        as_published: runs.iter().any(|run| run.as_published.is_some()),
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
                if extras.seeds {
                    row.push(deviation(run, metric));
                }
                if extras.paper {
                    row.extend(beside(run, metric, data.beside));
                }
            }
            if extras.oracle {
                row.push(Cell::optional_score(run.oracle.as_ref().map(|o| o.ua)));
            }
            if extras.as_published {
                let ua = run.as_published.as_ref().map(|p| p.ua);
                row.push(Cell::optional_score(ua));
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
        let with_figure = runs.iter().copied();
        notes.extend(not_comparable(
            with_figure.filter(|run| published(run, data.beside).is_some()),
        ));
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
    seeds: bool,
    as_published: bool,
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
            if self.seeds {
                columns.push(Column::right("± seeds"));
            }
            if self.paper {
                columns.extend(["paper", "difference"].map(Column::right));
            }
        }
        if self.oracle {
            columns.push(Column::right(format!("UA % {}", Oracle::SELECTION)));
        }
        if self.as_published {
            columns.push(Column::right("UA % as published, not a result"));
        }
        if self.audit {
            columns.push(Column::left("audit of the partition"));
        }
        columns
    }
}

/// The standard deviation between training seeds.
fn deviation(run: &Run, metric: Metric) -> Cell {
    let deviation = run.seeds.map(|seeds| match metric {
        Metric::Ua => seeds.deviation.ua,
        Metric::Wa => seeds.deviation.wa,
        Metric::MacroF1 => seeds.deviation.macro_f1,
    });
    Cell::optional_score(deviation)
}

fn published(run: &Run, source: Option<PaperSource>) -> Option<PaperScore> {
    let model = paper().model(&run.encoder)?;
    let score = paper().score(model, &run.corpus, source?);
    (score != PaperScore::default()).then_some(score)
}

/// The published figure and the difference to it.
fn beside(run: &Run, metric: Metric, source: Option<PaperSource>) -> [Cell; 2] {
    let figure = published(run, source).and_then(|score| metric.of_paper(&score));
    let own = as_published(run, metric).ok();
    let difference = own
        .zip(figure)
        .map(|(own, figure)| Cell::difference(own - figure));
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
    let pooled = |run: &&Run| run.headline && run.fold == FoldName::Pooled;
    let mut caption = match runs.iter().filter(|run| pooled(run)).count() {
        0 => "Scores: mean over folds",
        n if n == runs.len() => "Scores: pooled over folds",
        _ => "Scores: mean over folds, or pooled where the notes say so",
    }
    .to_owned();
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
    notes.extend(interval_notes(runs));
    notes.extend(headline_note(runs));
    if let Some(seeds) = runs.iter().find_map(|run| run.seeds) {
        notes.push(format!(
            "Means over {} training seeds, with the standard deviation between them (±).",
            seeds.count
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

/// How the intervals were made, which are missing, and which stand on few speakers.
fn interval_notes(runs: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let intervals: Vec<_> = runs.iter().filter_map(|run| run.interval).collect();
    if let Some(first) = intervals.iter().find(|how| how.refused.is_none()) {
        let utterances = intervals
            .iter()
            .filter(|how| how.unit == IntervalUnit::Utterance)
            .count();
        let what = match utterances {
            0 => "speakers",
            n if n == intervals.len() => "utterances, as no two speakers are known",
            _ => "speakers, or utterances where no two speakers are known",
        };
        let how = match first.method {
            IntervalMethod::ClusterT => format!("Student's t on the standard error over {what}"),
            IntervalMethod::PercentileBootstrap => format!("percentile bootstrap over {what}"),
        };
        notes.push(format!(
            "In brackets: {} % intervals, {how}.",
            coordinate(100.0 * first.level)
        ));
    }
    let named = |keep: &dyn Fn(&emobox_score::Interval) -> bool| {
        let mut names: Vec<String> = runs
            .iter()
            .filter_map(|run| run.interval.map(|how| (run, how)))
            .filter(|(_, how)| keep(how))
            .map(|(run, how)| format!("{} ({})", run.corpus, how.units))
            .collect();
        names.dedup();
        names
    };
    let few = named(&|how| how.unit == IntervalUnit::Speaker && how.is_marked());
    if !few.is_empty() {
        notes.push(format!(
            "Fewer than {FEW_CLUSTERS} speakers, so the interval leans on its assumptions: {}.",
            few.join(", ")
        ));
    }
    for reason in [NoInterval::FewClusters, NoInterval::FewDegrees] {
        let refused = named(&|how| how.refused == Some(reason));
        if !refused.is_empty() {
            notes.push(format!("No interval, {reason}: {}.", refused.join(", ")));
        }
    }
    notes
}

/// Which rows are pooled scores, and why.
fn headline_note(runs: &[&Run]) -> Option<String> {
    let mut pooled: Vec<&str> = runs
        .iter()
        .filter(|run| run.headline && run.fold == FoldName::Pooled)
        .map(|run| run.corpus.as_str())
        .collect();
    pooled.dedup();
    (!pooled.is_empty()).then(|| {
        format!(
            "Pooled over folds, since a fold lacks a class there: {}. The mean over folds would weigh a class by how \
             the speakers are grouped; it is in scores.json.",
            pooled.join(", ")
        )
    })
}
