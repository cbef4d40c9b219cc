use super::canvas::{Anchor, Canvas, LONGEST, Scale, fit, legend, room};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::ReportData;
use crate::format::{interval, percent};
use crate::tables::Grid;
use emobox_score::{Oracle, Run};

/// Above this many rows, rows are close together and only colour identifies encoders.
const ROOMY: usize = 40;
const WIDTH: f64 = 620.0;
/// The minimum width of the scores.
const PLOT: f64 = 380.0;

/// Every score with its interval, one row each, grouped by corpus.
pub(super) fn figure(data: &ReportData) -> Option<Figure> {
    let grid = Grid::of(data);
    let rows: usize = grid.corpora.len() * grid.systems.len();
    grid.runs().next()?;
    let roomy = rows <= ROOMY;
    let step = if roomy { 19.0 } else { 6.0 };
    let corpus_width = room(grid.corpora.iter().copied()) * 1.1 + 14.0;
    let system_width = if roomy {
        room(grid.systems.iter().map(String::as_str)) + 12.0
    } else {
        0.0
    };
    let left = corpus_width + system_width;
    let width = WIDTH.max(left + PLOT);
    let x = Scale {
        values: [0.0, 1.0],
        pixels: [left, width - 16.0],
    };

    let mut canvas = Canvas::default();
    let top = if roomy {
        8.0
    } else {
        legend_above(&mut canvas, &grid, width)
    };
    let group = step * grid.systems.len() as f64 + 14.0;
    let bottom = top + group * grid.corpora.len() as f64;
    for tick in 0..=10 {
        let at = x.at(f64::from(tick) / 10.0);
        canvas.line([at, top], [at, bottom], "grid");
        if tick % 2 == 0 {
            let label = (tick * 10).to_string();
            canvas.text([at, bottom + 16.0], Anchor::Middle, "soft", &label);
            if !roomy {
                canvas.text([at, top - 5.0], Anchor::Middle, "soft", &label);
            }
        }
    }
    canvas.text([x.at(1.0), bottom + 32.0], Anchor::End, "soft", "UA %");
    for (c, corpus) in grid.corpora.iter().enumerate() {
        let from = top + group * c as f64;
        if c > 0 {
            canvas.line([0.0, from], [width - 16.0, from], "grid");
        }
        let middle = if roomy {
            from + 7.0 + step / 2.0
        } else {
            from + group / 2.0
        };
        canvas.text(
            [0.0, middle + 4.0],
            Anchor::Start,
            "head",
            &fit(corpus, LONGEST),
        );
        if let Some(chance) = chance(&grid, c) {
            canvas.line(
                [x.at(chance), from + 2.0],
                [x.at(chance), from + group - 2.0],
                "chance",
            );
        }
        for (s, system) in grid.systems.iter().enumerate() {
            let y = from + 7.0 + step * (s as f64 + 0.5);
            if roomy {
                canvas.text(
                    [corpus_width, y + 4.0],
                    Anchor::Start,
                    "",
                    &fit(system, LONGEST),
                );
            }
            if let Some(run) = grid.run(c, s) {
                mark(&mut canvas, &x, y, s % PALETTE, run, roomy);
            }
        }
    }
    Some(Figure::new(Drawing {
        section: Section::Overview,
        name: "overview".to_owned(),
        title: "Unweighted accuracy and its interval".to_owned(),
        description: description(data),
        size: [width, bottom + 40.0],
        body: canvas.finish(),
        table: table(&grid),
    }))
}

fn legend_above(canvas: &mut Canvas, grid: &Grid<'_>, width: f64) -> f64 {
    legend(
        canvas,
        grid.systems.iter().map(String::as_str),
        [0.0, 14.0],
        width,
    ) + 20.0
}

fn mark(canvas: &mut Canvas, x: &Scale, y: f64, colour: usize, run: &Run, roomy: bool) {
    if let Some([low, high]) = run.ua_ci {
        let weight = if roomy { "whisker" } else { "thin" };
        canvas.line(
            [x.at(low), y],
            [x.at(high), y],
            &format!("{weight} l{colour}"),
        );
    }
    if let Some(oracle) = &run.oracle {
        let tip = format!("{}: UA {} %", Oracle::SELECTION, percent(oracle.ua));
        canvas.circle([x.at(oracle.ua), y], 4.0, &format!("ring l{colour}"), &tip);
    }
    let ci = run
        .ua_ci
        .map(|ci| format!(" {}", interval(ci)))
        .unwrap_or_default();
    let tip = format!(
        "{}, {}: UA {} %{ci}",
        run.corpus,
        run.encoder,
        percent(run.ua)
    );
    let radius = if roomy { 4.5 } else { 3.0 };
    canvas.circle([x.at(run.ua), y], radius, &format!("dot f{colour}"), &tip);
}

/// One over the number of classes.
fn chance(grid: &Grid<'_>, corpus: usize) -> Option<f64> {
    let run = (0..grid.systems.len()).find_map(|s| grid.run(corpus, s))?;
    let present = run
        .per_class
        .iter()
        .filter(|class| class.support > 0)
        .count();
    (present > 0).then(|| 1.0 / present as f64)
}

fn description(data: &ReportData) -> String {
    let mut text =
        "Dots: unweighted accuracy, mean over folds or pooled as in the table; lines: intervals; dashed: chance.".to_owned();
    if data.headline().iter().any(|run| run.oracle.is_some()) {
        text += &format!(" Rings: {}.", Oracle::SELECTION);
    }
    text
}

fn table(grid: &Grid<'_>) -> FigureTable {
    let columns = ["corpus", "encoder", "UA %", "interval"]
        .map(String::from)
        .to_vec();
    let rows = grid.runs().map(|(corpus, system, run)| {
        vec![
            grid.corpora[corpus].to_owned(),
            grid.systems[system].clone(),
            percent(run.ua),
            run.ua_ci.map_or("–".to_owned(), interval),
        ]
    });
    let rows = rows.collect();
    FigureTable { columns, rows }
}
