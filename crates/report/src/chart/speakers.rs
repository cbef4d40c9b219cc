use super::canvas::{Anchor, Canvas, LONGEST, Scale, fit, room};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::ReportData;
use crate::format::percent;
use crate::tables::Grid;
use emobox_score::{GroupScores, Grouping};

const WIDTH: f64 = 560.0;
/// The minimum width of the scores.
const PLOT: f64 = 360.0;
const ROW: f64 = 40.0;
/// Above this many speakers the table gives quantiles instead of names, and above this many dots the dots have no names.
const NAMED: usize = 60;
/// Above this many encoders the description refers to the table for single ones.
const FEW: usize = 4;

/// One figure for each corpus: every speaker a dot, every encoder a row.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let grid = Grid::of(data);
    (0..grid.corpora.len())
        .filter_map(|corpus| {
            let rows: Vec<Row<'_>> = (0..grid.systems.len())
                .filter_map(|system| row(data, &grid, corpus, system))
                .collect();
            (!rows.is_empty()).then(|| figure(grid.corpora[corpus], &rows))
        })
        .collect()
}

struct Row<'a> {
    system: String,
    colour: usize,
    speakers: Vec<&'a GroupScores>,
}

impl Row<'_> {
    fn mean(&self) -> f64 {
        self.speakers.iter().map(|s| s.ua).sum::<f64>() / self.speakers.len() as f64
    }
}

fn row<'a>(data: &'a ReportData, grid: &Grid<'a>, corpus: usize, system: usize) -> Option<Row<'a>> {
    let run = grid.run(corpus, system)?;
    let speakers: Vec<&GroupScores> = data
        .siblings(run)
        .flat_map(|sibling| &sibling.groups)
        .filter(|group| group.by == Grouping::Speaker)
        .collect();
    (speakers.len() > 1).then(|| Row {
        system: grid.systems[system].clone(),
        colour: system % PALETTE,
        speakers,
    })
}

fn figure(corpus: &str, rows: &[Row<'_>]) -> Figure {
    let left = room(rows.iter().map(|row| row.system.as_str())) + 16.0;
    let width = WIDTH.max(left + PLOT);
    // Dots with names take a hundred bytes each.
    let many = rows.iter().map(|row| row.speakers.len()).sum::<usize>() > NAMED;
    let x = Scale {
        values: [0.0, 1.0],
        pixels: [left, width - 16.0],
    };
    let bottom = 8.0 + ROW * rows.len() as f64;
    let mut canvas = Canvas::default();
    for tick in 0..=5 {
        let at = x.at(f64::from(tick) / 5.0);
        canvas.line([at, 8.0], [at, bottom], "grid");
        canvas.text(
            [at, bottom + 16.0],
            Anchor::Middle,
            "soft",
            &(tick * 20).to_string(),
        );
    }
    canvas.text(
        [x.at(1.0), bottom + 32.0],
        Anchor::End,
        "soft",
        "UA % of a speaker",
    );
    for (i, row) in rows.iter().enumerate() {
        let y = 8.0 + ROW * (i as f64 + 0.5);
        canvas.text(
            [left - 8.0, y + 4.0],
            Anchor::End,
            "",
            &fit(&row.system, LONGEST),
        );
        let jitter = |j: usize, step: f64| (((j * 5) % 7) as f64 - 3.0) * step;
        // Spread by position in the list, the same way every time.
        let places = |step: f64| {
            let speakers = row.speakers.iter().enumerate();
            speakers.map(move |(j, speaker)| [x.at(speaker.ua), y + jitter(j, step)])
        };
        if many {
            canvas.dots(places(4.0), &format!("many l{}", row.colour));
        } else {
            for (speaker, at) in row.speakers.iter().zip(places(2.2)) {
                let tip = format!(
                    "{}: UA {} % of {}",
                    speaker.group,
                    percent(speaker.ua),
                    speaker.n
                );
                canvas.circle(at, 4.5, &format!("dot f{}", row.colour), &tip);
            }
        }
        let mean = x.at(row.mean());
        canvas.line([mean, y - 15.0], [mean, y + 15.0], "whisker l7");
    }
    Figure::new(Drawing {
        section: Section::Speakers,
        name: format!("speakers {corpus}"),
        title: corpus.to_owned(),
        description: description(rows),
        size: [width, bottom + 40.0],
        body: canvas.finish(),
        table: table(rows),
    })
}

fn description(rows: &[Row<'_>]) -> String {
    if rows.len() > FEW {
        let values = || rows.iter().flat_map(sorted);
        let lowest = values().fold(f64::INFINITY, f64::min);
        let highest = values().fold(f64::NEG_INFINITY, f64::max);
        return format!(
            "Unweighted accuracy of each speaker under {} encoders, from {} % to {} %; the lines are their means.",
            rows.len(),
            percent(lowest),
            percent(highest)
        );
    }
    let parts: Vec<String> = rows
        .iter()
        .map(|row| {
            let values = sorted(row);
            format!(
                "{}: {} speakers from {} % to {} %, mean {} %",
                row.system,
                values.len(),
                percent(values[0]),
                percent(values[values.len() - 1]),
                percent(row.mean())
            )
        })
        .collect();
    format!(
        "Unweighted accuracy of each speaker; the line is their mean. {}.",
        parts.join("; ")
    )
}

fn sorted(row: &Row<'_>) -> Vec<f64> {
    let mut values: Vec<f64> = row.speakers.iter().map(|s| s.ua).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn table(rows: &[Row<'_>]) -> FigureTable {
    if rows.iter().any(|row| row.speakers.len() > NAMED) {
        return quantiles(rows);
    }
    let mut columns = vec!["speaker".to_owned()];
    columns.extend(rows.iter().map(|row| format!("{} UA %", row.system)));
    let mut names: Vec<&str> = rows
        .iter()
        .flat_map(|row| row.speakers.iter().map(|s| s.group.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let cell = |row: &Row<'_>, name: &str| {
        let speaker = row.speakers.iter().find(|s| s.group == name);
        speaker.map_or("–".to_owned(), |s| percent(s.ua))
    };
    let rows = names
        .iter()
        .map(|name| {
            let cells = rows.iter().map(|row| cell(row, name));
            [(*name).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    FigureTable { columns, rows }
}

fn quantiles(rows: &[Row<'_>]) -> FigureTable {
    let shares = [
        ("lowest", 0.0),
        ("5 %", 0.05),
        ("25 %", 0.25),
        ("median", 0.5),
        ("75 %", 0.75),
        ("95 %", 0.95),
        ("highest", 1.0),
    ];
    let mut columns = vec!["encoder".to_owned(), "speakers".to_owned()];
    columns.extend(shares.map(|(name, _)| name.to_owned()));
    let rows = rows
        .iter()
        .map(|row| {
            let values = sorted(row);
            let at =
                |share: f64| percent(values[(share * (values.len() - 1) as f64).round() as usize]);
            let cells = shares.map(|(_, share)| at(share));
            [row.system.clone(), values.len().to_string()]
                .into_iter()
                .chain(cells)
                .collect()
        })
        .collect();
    FigureTable { columns, rows }
}
