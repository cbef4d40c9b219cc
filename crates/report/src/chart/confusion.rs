use super::canvas::{Anchor, CHARACTER, Canvas, STRONG, fit};
use super::{Drawing, Figure, FigureTable, Section};
use crate::ReportData;
use crate::format::percent;
use crate::tables::Grid;
use emobox_score::Run;

const CELL: f64 = 36.0;

/// A figure for each run with counts.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let grid = Grid::of(data);
    let with_counts = grid.runs().filter(|(.., run)| !run.confusion.is_empty());
    with_counts
        .map(|(_, system, run)| figure(run, &grid.systems[system]))
        .collect()
}

/// The confusion of a run: rows are the reference and sum to 100 %.
fn figure(run: &Run, system: &str) -> Figure {
    let labels: Vec<String> = run.classes.iter().map(|class| fit(class, 20)).collect();
    let longest = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0) as f64;
    let label_width = longest * CHARACTER;
    let (left, top) = (26.0 + label_width, 22.0 + label_width * 0.75);
    let side = CELL * run.classes.len() as f64;
    // The last column's label extends to the right.
    let size = [left + side + label_width * 0.75 + 8.0, top + side + 6.0];

    let mut canvas = Canvas::default();
    canvas
        .turned_text(
            [12.0, top + side / 2.0],
            -90.0,
            Anchor::Middle,
            "soft",
            "reference",
        )
        .text(
            [left + side / 2.0, 12.0],
            Anchor::Middle,
            "soft",
            "predicted",
        );
    for (i, label) in labels.iter().enumerate() {
        let middle = (i as f64 + 0.5) * CELL;
        canvas
            .text([left - 6.0, top + middle + 4.0], Anchor::End, "", label)
            .turned_text([left + middle, top - 6.0], -45.0, Anchor::Start, "", label);
    }
    for (i, row) in run.confusion.iter().enumerate() {
        let support: u64 = row.iter().sum();
        for (j, &count) in row.iter().enumerate() {
            let share = if support == 0 {
                0.0
            } else {
                count as f64 / support as f64
            };
            let (x, y) = (left + j as f64 * CELL, top + i as f64 * CELL);
            let tip = format!(
                "{} taken for {}: {count} of {support}",
                name(run, i),
                name(run, j)
            );
            canvas.heat([x, y, CELL, CELL], share, &tip);
            if count > 0 {
                let class = if share > STRONG { "on" } else { "" };
                let text = format!("{:.0}", 100.0 * share);
                canvas.text(
                    [x + CELL / 2.0, y + CELL / 2.0 + 4.0],
                    Anchor::Middle,
                    class,
                    &text,
                );
            }
        }
    }
    canvas.rect([left, top, side, side], "frame");
    Figure::new(Drawing {
        section: Section::Confusion,
        name: format!("confusion {} {} {}", run.corpus, run.encoder, run.config),
        title: format!("{}, {system}", run.corpus),
        description: description(run),
        size,
        body: canvas.finish(),
        table: table(run),
    })
}

fn name(run: &Run, i: usize) -> &str {
    run.classes.get(i).map_or("?", String::as_str)
}

fn description(run: &Run) -> String {
    let recalls: Vec<String> = run
        .per_class
        .iter()
        .filter(|class| class.support > 0)
        .map(|class| format!("{} {} %", class.class, percent(class.recall)))
        .collect();
    format!(
        "Confusion matrix of {} utterances in per cent of each reference class. Recall: {}.",
        run.n,
        recalls.join(", ")
    )
}

fn table(run: &Run) -> FigureTable {
    let mut columns = vec!["reference \\ predicted".to_owned()];
    columns.extend(run.classes.iter().cloned());
    let rows = run
        .confusion
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let counts = row.iter().map(u64::to_string);
            [name(run, i).to_owned()]
                .into_iter()
                .chain(counts)
                .collect()
        })
        .collect();
    FigureTable { columns, rows }
}
