use super::canvas::{Anchor, Canvas, LONGEST, STRONG, Scale, fit, room};
use super::{Drawing, Figure, FigureTable, Section};
use crate::ReportData;
use crate::format::percent;
use crate::paper::paper;
use emobox_score::CrossMatrix;

const CELL: [f64; 2] = [62.0, 40.0];
const WIDTH: f64 = 520.0;
/// The minimum width of the bars.
const PLOT: f64 = 340.0;

/// Equation 1 for every encoder as bars (Figure 1 of the paper), then the matrix of each encoder.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let matrices = &data.scores.cross;
    bars(data)
        .into_iter()
        .chain(matrices.iter().map(heat))
        .collect()
}

fn chance(matrix: &CrossMatrix) -> f64 {
    1.0 / matrix.classes.len().max(2) as f64
}

fn bars(data: &ReportData) -> Option<Figure> {
    let matrices = &data.scores.cross;
    let mut averages: Vec<(&CrossMatrix, f64)> = matrices
        .iter()
        .filter_map(|matrix| Some((matrix, matrix.average()?)))
        .collect();
    averages.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = averages.first()?.0;
    let left = room(averages.iter().map(|(m, _)| m.encoder.as_str())) + 14.0;
    let width = WIDTH.max(left + PLOT);
    let x = Scale {
        values: [0.0, 1.0],
        pixels: [left, width - 52.0],
    };
    let bottom = 8.0 + 26.0 * averages.len() as f64;
    let mut canvas = Canvas::default();
    for tick in 0..=5 {
        let at = x.at(f64::from(tick) / 5.0);
        canvas.line([at, 4.0], [at, bottom], "grid");
        canvas.text(
            [at, bottom + 16.0],
            Anchor::Middle,
            "soft",
            &(tick * 20).to_string(),
        );
    }
    for (i, (matrix, average)) in averages.iter().enumerate() {
        let y = 8.0 + 26.0 * i as f64;
        canvas
            .text(
                [left - 8.0, y + 14.0],
                Anchor::End,
                "",
                &fit(&matrix.encoder, LONGEST),
            )
            .rect([left, y + 2.0, x.at(*average) - left, 16.0], "f0")
            .text(
                [x.at(*average) + 6.0, y + 14.0],
                Anchor::Start,
                "",
                &percent(*average),
            );
        let model = data.beside.and_then(|_| paper().model(&matrix.encoder));
        if let Some(figure) = model.and_then(|model| paper().cross_average(model)) {
            let tip = format!("paper: {} %", percent(figure));
            canvas.circle([x.at(figure), y + 10.0], 5.0, "ring l1", &tip);
        }
    }
    let at = x.at(chance(first));
    canvas.line([at, 4.0], [at, bottom], "chance");
    canvas.text(
        [x.at(1.0), bottom + 32.0],
        Anchor::End,
        "soft",
        "accuracy %, mean over pairs",
    );
    let beside = if data.beside.is_some() {
        " Rings: the paper."
    } else {
        ""
    };
    let rows = averages
        .iter()
        .map(|(m, average)| vec![m.encoder.clone(), percent(*average)]);
    Some(Figure::new(Drawing {
        section: Section::Cross,
        name: "cross average".to_owned(),
        title: "Average over pairs of corpora".to_owned(),
        description: format!(
            "Accuracy on another corpus than the one trained on, mean over all pairs (Equation 1 of the paper); \
             dashed: chance.{beside}"
        ),
        size: [width, bottom + 40.0],
        body: canvas.finish(),
        table: FigureTable {
            columns: ["encoder", "average %"].map(String::from).to_vec(),
            rows: rows.collect(),
        },
    }))
}

fn heat(matrix: &CrossMatrix) -> Figure {
    let corpora = &matrix.corpora;
    let names = room(corpora.iter().map(String::as_str));
    let left = 26.0 + names;
    let cell = [CELL[0].max(names + 8.0), CELL[1]];
    let top = 38.0;
    let size = [
        cell[0] * corpora.len() as f64,
        cell[1] * corpora.len() as f64,
    ];
    let mut canvas = Canvas::default();
    canvas
        .text(
            [left + size[0] / 2.0, 12.0],
            Anchor::Middle,
            "soft",
            "trained on",
        )
        .turned_text(
            [12.0, top + size[1] / 2.0],
            -90.0,
            Anchor::Middle,
            "soft",
            "tested on",
        );
    for (j, train) in corpora.iter().enumerate() {
        let x = left + cell[0] * (j as f64 + 0.5);
        canvas.text([x, top - 7.0], Anchor::Middle, "", &fit(train, LONGEST));
    }
    for (i, test) in corpora.iter().enumerate() {
        let y = top + cell[1] * i as f64;
        canvas.text(
            [left - 6.0, y + cell[1] / 2.0 + 4.0],
            Anchor::End,
            "",
            &fit(test, LONGEST),
        );
        for (j, train) in corpora.iter().enumerate() {
            let x = left + cell[0] * j as f64;
            let middle = [x + cell[0] / 2.0, y + cell[1] / 2.0 + 4.0];
            let Some(pair) = matrix.cell(train, test) else {
                canvas.text(middle, Anchor::Middle, "soft", "–");
                continue;
            };
            // No colour at chance level.
            let share = (pair.accuracy - chance(matrix)) / (1.0 - chance(matrix));
            let interval = pair.accuracy_ci.map(crate::format::interval);
            let tip = format!(
                "trained on {train}, tested on {test}: {} % {} of {}",
                percent(pair.accuracy),
                interval.unwrap_or_default(),
                pair.n
            );
            canvas.heat([x, y, cell[0], cell[1]], share, &tip);
            let class = if share > STRONG { "on" } else { "" };
            canvas.text(middle, Anchor::Middle, class, &percent(pair.accuracy));
        }
    }
    canvas.rect([left, top, size[0], size[1]], "frame");
    let average = matrix.average().map_or("–".to_owned(), percent);
    Figure::new(Drawing {
        section: Section::Cross,
        name: format!("cross {}", matrix.encoder),
        title: matrix.encoder.clone(),
        description: format!(
            "Accuracy in per cent for each pair of corpora, average {average} %. Colour starts at chance, {} %.",
            percent(chance(matrix))
        ),
        size: [left + size[0] + 6.0, top + size[1] + 6.0],
        body: canvas.finish(),
        table: table(matrix),
    })
}

fn table(matrix: &CrossMatrix) -> FigureTable {
    let mut columns = ["trained on", "tested on", "n", "accuracy %", "interval"]
        .map(String::from)
        .to_vec();
    columns.extend(
        matrix
            .classes
            .iter()
            .map(|class| format!("recall of {class} %")),
    );
    let rows = matrix
        .cells
        .iter()
        .map(|cell| {
            let mut row = vec![
                cell.train.clone(),
                cell.test.clone(),
                cell.n.to_string(),
                percent(cell.accuracy),
                cell.accuracy_ci
                    .map_or("–".to_owned(), crate::format::interval),
            ];
            row.extend(matrix.classes.iter().map(|class| {
                let scores = cell
                    .per_class
                    .iter()
                    .find(|c| c.class == *class && c.support > 0);
                scores.map_or("–".to_owned(), |c| percent(c.recall))
            }));
            row
        })
        .collect();
    FigureTable { columns, rows }
}
