use crate::format::{count, interval, percent};
use crate::{Cell, Column, ReportData, Table};
use emobox_score::{IntervalUnit, Oracle, Run};

/// One row for each corpus and encoder: UA, WA and macro F1 in per cent with their intervals, the
/// test-selected UA in a column that says what it is, and the audit's verdict.
pub fn scores_table(data: &ReportData) -> Table {
    let runs = data.headline();
    let differs = |pick: fn(&Run) -> &String| runs.iter().any(|run| pick(run) != pick(runs[0]));
    let schemes = differs(|r| &r.partition) || differs(|r| &r.protocol) || differs(|r| &r.config);
    let oracle = runs.iter().any(|run| run.oracle.is_some());
    let audit = runs.iter().any(|run| run.audit.is_some());

    let mut columns = vec![Column::left("corpus"), Column::left("encoder")];
    if schemes {
        columns.push(Column::left("partition, protocol"));
    }
    columns.extend(["n", "UA %", "WA %", "macro F1 %"].map(Column::right));
    if oracle {
        columns.push(Column::right(format!("UA % {}", Oracle::SELECTION)));
    }
    if audit {
        columns.push(Column::left("audit of the partition"));
    }
    let rows = runs
        .iter()
        .map(|run| {
            let mut row = vec![Cell::text(&run.corpus), Cell::text(&run.encoder)];
            if schemes {
                row.push(Cell::text(scheme(run)));
            }
            row.push(Cell::number(run.n.to_string(), run.n as f64));
            row.push(score(run.ua, run.ua_ci));
            row.push(score(run.wa, run.wa_ci));
            row.push(score(run.macro_f1, run.macro_f1_ci));
            if oracle {
                let cell = run.oracle.as_ref().map(|o| score(o.ua, None));
                row.push(cell.unwrap_or_else(Cell::missing));
            }
            if audit {
                row.push(run.audit.as_ref().map_or_else(Cell::missing, Cell::text));
            }
            row
        })
        .collect();
    Table {
        caption: caption(&runs, schemes),
        columns,
        rows,
        notes: notes(&runs),
    }
}

/// Partition and protocol, and the configuration where it has a name.
fn scheme(run: &Run) -> String {
    let parts = [&run.partition, &run.protocol, &run.config];
    let named: Vec<&str> = parts
        .iter()
        .map(|part| part.as_str())
        .filter(|part| !part.is_empty())
        .collect();
    named.join(", ")
}

/// A fraction in per cent with its interval.
pub(crate) fn score(value: f64, ci: Option<[f64; 2]>) -> Cell {
    Cell::number(percent(value), value).with_detail(ci.map(interval))
}

fn caption(runs: &[&Run], schemes: bool) -> String {
    let Some(first) = runs.first() else {
        return "Scores".to_owned();
    };
    if schemes {
        return "Scores: mean over folds".to_owned();
    }
    let config = if first.config.is_empty() {
        String::new()
    } else {
        format!(", {}", first.config)
    };
    format!(
        "Scores: mean over folds, partition {}, protocol {}{config}",
        first.partition, first.protocol
    )
}

fn notes(runs: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let intervals: Vec<_> = runs.iter().filter_map(|run| run.interval).collect();
    if let Some(first) = intervals.first() {
        let level = coordinate_percent(first.level);
        let by_utterance = unit_count(runs, IntervalUnit::Utterance);
        let what = match (by_utterance, intervals.len()) {
            (0, _) => "speakers".to_owned(),
            (n, all) if n == all => "utterances, as no two speakers are known".to_owned(),
            _ => "speakers, or utterances where no two speakers are known".to_owned(),
        };
        notes.push(format!(
            "In brackets: {level} % intervals, percentile bootstrap over {what} ({} resamples).",
            first.replicates
        ));
        let few: Vec<String> = runs
            .iter()
            .filter_map(|run| run.interval.map(|how| (run, how)))
            .filter(|(_, how)| how.unit == IntervalUnit::Speaker && how.units < 10)
            .map(|(run, how)| format!("{} ({})", run.corpus, how.units))
            .collect();
        if !few.is_empty() {
            let mut few = few;
            few.dedup();
            notes.push(format!(
                "Fewer than ten speakers, so the interval is likely too narrow: {}.",
                few.join(", ")
            ));
        }
    }
    for run in runs {
        for skipped in &run.skipped {
            notes.push(format!(
                "{} with {}: {} left out: {}.",
                run.corpus,
                run.encoder,
                count(
                    usize::try_from(skipped.count).unwrap_or(usize::MAX),
                    "utterance"
                ),
                skipped.reason
            ));
        }
    }
    notes
}

fn unit_count(runs: &[&Run], unit: IntervalUnit) -> usize {
    let units = runs.iter().filter_map(|run| run.interval);
    units.filter(|how| how.unit == unit).count()
}

fn coordinate_percent(level: f64) -> String {
    crate::format::coordinate(100.0 * level)
}
